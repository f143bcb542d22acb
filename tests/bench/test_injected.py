"""What the injected suite counts as found, as false and as unknown: a benchmark that miscounts proves nothing."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from bench.injected import Run, judge, midnight, weeks_of
from bench.injected_entities import Tally
from bench.injected_series import Key, Minutes
from soc.simulator import Entry, Incident, Planned, Rates, World
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS

START = midnight(date(2026, 3, 2))
LOSS, VERIFY, ERRORS, LATENCY = (
    Key("otp", "otp.delivery_ratio", "viettel"),
    Key("otp", "otp.verify_ratio", ""),
    Key("otp", "otp.requests", ""),
    Key("otp", "otp.delivery_latency", "viettel"),
)


def incident(begin: int, end: int, expect: str = "anomaly", kind: str = "otp_loss") -> Incident:
    at = [START + minute * MINUTE_MS for minute in (begin, end)]
    return Incident(kind, at[0], at[1], "otp.gateway", {}, "otp.delivery_ratio", "", expect)


def run(alarms: dict[Key, list[int]], incidents: list[Incident], scores: dict[Key, float] | None = None) -> Run:
    flat = {key: np.full(3 * 10080, (scores or {}).get(key, 0.0), np.float32) for key in alarms}
    return Run(START, 21, incidents, alarms, flat)


def test_an_alarm_within_an_incident_finds_it_when_its_minute_is_over():
    [found], false = judge(run({LOSS: [1002, 1003], VERIFY: []}, [incident(1000, 1060)]))
    assert found.delay_min == 3
    assert not false["otp"]


@pytest.mark.parametrize("minute", [999, 1066])
def test_an_alarm_before_or_after_does_not_find_it(minute):
    [found], false = judge(run({LOSS: [minute]}, [incident(1000, 1060)]))
    assert found.delay_min is None
    assert len(false["otp"]) == (minute < 1000)  # what alarms soon after is its end


def test_false_alarms_of_a_component_that_are_close_are_one():
    _, false = judge(run({LOSS: [2000, 2010], VERIFY: [2065, 5000], ERRORS: []}, []))
    assert false["otp"] == [2000, 5000]


def test_what_was_announced_explains_no_alarm():
    found, false = judge(run({ERRORS: [1010]}, [incident(1000, 1060, "none", "surge")]))
    assert not found
    assert false["otp"] == [1010]


def test_the_feature_has_to_be_among_the_three_that_are_furthest_off():
    three = {VERIFY: 0.9, ERRORS: 0.8, LATENCY: 0.7}
    alarms = {key: [1001] if key == VERIFY else [] for key in (LOSS, *three)}
    [found], _ = judge(run(alarms, [incident(1000, 1060)], {**three, LOSS: 0.6}))
    assert not found.named
    [found], _ = judge(run(alarms, [incident(1000, 1060)], {**three, LOSS: 0.75}))
    assert found.named


def test_weeks_after_learning_say_what_is_special_about_them():
    merged = incident(2 * 10080 + 5, 10**6, "none", "merge")
    assert [*weeks_of(run({}, [merged]))] == [("merge", 2)]


def test_a_silent_source_is_unknown_and_a_silent_series_of_one_that_speaks_is_zero():
    def call(minute: int, provider: str, status: int = 200) -> Entry:
        fields = {"provider": provider, "consumer": "C", "consumer_org": "H27", "status": status, "duration_ms": 400}
        return Entry(START + minute * MINUTE_MS, "lgsp.gateway", fields | {"correlation_id": f"{minute} {provider}"})

    entries = [call(0, "A"), call(0, "B", 504), call(1, "B"), call(3, "A"), call(3, "A")]
    series = Minutes(START, 5).collect(entries)
    calls = {group: series[Key("lgsp", "lgsp.calls", group)].values for group in "AB"}
    np.testing.assert_array_equal(calls["A"], [1, 0, np.nan, 2, np.nan])
    np.testing.assert_array_equal(calls["B"], [1, 1, np.nan, 0, np.nan])
    errors = series[Key("lgsp", "lgsp.error_ratio", "C")]
    np.testing.assert_array_equal(errors.values, [0.5, 0, np.nan, 0, np.nan])
    np.testing.assert_array_equal(errors.weights, [2, 1, 1, 2, 1])
    np.testing.assert_array_equal(series[Key("lgsp", "lgsp.duplicates", "")].values, [0, 0, np.nan, 1, np.nan])


def test_series_of_the_simulated_province_show_the_fault():
    nine = START + 9 * HOUR_MS
    plan = [Planned(nine, "otp_loss", {"carrier": "viettel", "share": 0.5})]
    world = World(1, START, Rates(0, 0, 2000, 0, 0, 0, 0, 0), plan)
    series = Minutes(START, 720).collect(world.entries(START + DAY_MS // 2))
    lost = series[LOSS].values
    assert np.nanmean(lost[544:600]) > 0.4
    assert np.nanmean(lost[480:538]) < 0.1


def test_entities_are_found_on_the_day_and_by_their_name():
    first = START + 14 * DAY_MS + 8 * HOUR_MS
    who = Incident("mass_export", first, first + HOUR_MS, "lgsp.gateway", {"user.id": "an"}, "user.records")
    at = "2026-03-16T08:30:00+07:00"
    why = [{"feature": "rare govsoc.lgsp.records"}]
    tally = Tally()
    tally.add([{"time": at, "entity": "an", "why": why}, {"time": at, "entity": "binh", "why": why}], [who])
    assert tally.found == {"mass_export": [True]}
    assert (tally.delays_min, tally.named, tally.precision) == ([30.0], [True], [0.5])
    assert set(tally.clean) == {0}
