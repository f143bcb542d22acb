"""What the injected suite counts as found, as false and as unknown: a benchmark that miscounts proves nothing."""

from __future__ import annotations

from datetime import date

import pytest

from bench.injected import HELD_OUT, label, midnight, observe
from bench.injected_entities import Tally
from bench.injected_judge import Alarm, Key, Run, judge, weeks_of
from bench.injected_judge import Tally as Calls
from soc.simulator import Incident, Planned, Rates
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS

START = midnight(date(2026, 3, 2))
LOSS, VERIFY, ASKED, LATE = (
    Key("otp", name, ()) for name in ("otp-delivery", "otp-verification", "otp-requests", "otp-delivery-time")
)


def incident(begin: int, end: int, expect: str = "anomaly", kind: str = "otp_loss") -> Incident:
    at = [START + minute * MINUTE_MS for minute in (begin, end)]
    return Incident(kind, at[0], at[1], "otp.gateway", {}, "otp.delivery_ratio", "", expect)


def judged(alarms: dict[Key, list[int]], incidents: list[Incident]):
    run = Run(START, 21, incidents)
    return judge(run, [Alarm(minute, key, minute) for key, minutes in alarms.items() for minute in minutes])


def test_an_alarm_within_an_incident_finds_it():
    [found], false = judged({LOSS: [1003, 1004], VERIFY: []}, [incident(1000, 1060)])
    assert found.delay_min == 3
    assert not false["otp"]


@pytest.mark.parametrize("minute", [999, 1066])
def test_an_alarm_before_or_after_does_not_find_it(minute):
    [found], false = judged({LOSS: [minute]}, [incident(1000, 1060)])
    assert found.delay_min is None
    assert len(false["otp"]) == (minute < 1000)  # what alarms soon after is its end


def test_what_was_called_before_a_fault_does_not_find_it():
    run = Run(START, 21, [incident(1000, 1060)])
    run.call(700, LOSS, 1)
    run.call(1003, LOSS, 1)
    run.call(1010, VERIFY, 999)  # an episode sums up what chance did before it, too: when it calls is what counts
    _, old, new = run.calls
    [found], _ = judge(run, [old])
    assert found.delay_min is None
    [found], _ = judge(run, [old, new])
    assert (found.delay_min, found.named) == (10, False)


def test_what_calls_on_long_after_a_fault_is_counted():
    tally = Calls()
    run = Run(START, 21, [incident(1000, 1060)])
    tally.add(run, [Alarm(minute, LOSS, 1001) for minute in (1003, 1200, 1500, 1550, 2900)], is_quiet=False)
    assert dict(tally.report())["  false incidents beside faults"] == "2"


def test_only_seeds_that_nobody_looked_at_are_called_held_out():
    assert "held out" in label(HELD_OUT)
    for spent in (1, 101, 102, 103):
        assert spent not in HELD_OUT
        assert "held out" not in label((*HELD_OUT, spent))


def test_an_alarm_of_another_component_is_false():
    [found], false = judged({Key("lgsp", "lgsp-calls", ()): [1003]}, [incident(1000, 1060)])
    assert found.delay_min is None
    assert false["lgsp"] == [1003]


def test_false_alarms_of_a_component_that_are_close_are_one():
    _, false = judged({LOSS: [2000, 2010], VERIFY: [2065, 5000]}, [])
    assert false["otp"] == [2000, 5000]


def test_what_was_announced_explains_no_alarm():
    found, false = judged({ASKED: [1010]}, [incident(1000, 1060, "none", "surge")])
    assert not found
    assert false["otp"] == [1010]


def test_the_feature_has_to_be_among_the_first_three():
    three = {VERIFY: [1001], ASKED: [1002], LATE: [1003]}
    [found], _ = judged({**three, LOSS: [1004]}, [incident(1000, 1060)])
    assert not found.named
    [found], _ = judged({**three, LATE: [1005], LOSS: [1004]}, [incident(1000, 1060)])
    assert found.named
    [found], _ = judged({VERIFY: [1001], LOSS: [1007]}, [incident(1000, 1060)])
    assert not found.named


def test_weeks_after_learning_say_what_is_special_about_them():
    merged = incident(2 * 10080 + 5, 10**6, "none", "merge")
    assert [*weeks_of(Run(START, 21, [merged]))] == [("merge", 2)]
    assert [kind for kind, _ in weeks_of(Run(midnight(date(2026, 1, 26)), 28))] == ["normal", "Tết"]


def test_a_fault_is_called_when_its_buckets_are_closed(monkeypatch):
    monkeypatch.setattr("bench.injected.LEARNING_DAYS", 1)
    begin = START + DAY_MS + 9 * HOUR_MS
    plan = [Planned(begin, "otp_loss", {"carrier": "viettel", "share": 0.9})]
    run = observe(1, date(2026, 3, 2), 2, plan, Rates(0, 0, 250, 0, 0, 0, 0, 0))
    assert run.components == {"otp"}
    [found], _ = judge(run, run.calls)
    assert found.named
    assert 1 < found.delay_min < 30
    assert all(alarm.minute >= 1440 for alarm in run.calls + run.alarms)


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
