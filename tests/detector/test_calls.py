"""When somebody is called: what lasts and is large enough, soon; and nobody for what chance does, or for what people said is harmless."""

from __future__ import annotations

import math
from random import Random
from zoneinfo import ZoneInfo

import pytest

from detector.episode import Call, Episode, Side, threshold
from detector.evidence import Usual, learn
from detector.explain import finding_of
from detector.score import Point
from detector.series.definition import Definition
from detector.series.meter import meter_of
from detector.track import Track
from soc.model.anomaly import FIELD, Board, Series
from soc.model.event import iso
from soc.model.harmless import beyond

START = 1_772_409_600_000  # a Monday
MINUTE, DAY = 60_000, 1440
WEEKS = 14 * DAY  # that volumes are learned for


def definition(measure: str, **more: object) -> Definition:
    base = {"name": "one", "system": "xx", "titles": {"vi": "x", "en": "x"}, "dataset": "d", "measure": measure}
    needs = {
        "ratio": {"hit": "a:b"},
        "quantile": {"field": "a"},
        "mean": {"field": "a"},
        "repeats": {"field": "a"},
    }.get(measure, {})
    return Definition.model_validate(base | needs | more)


class Watched:
    def __init__(self, what: Definition) -> None:
        self.what, self.track = what, Track(what, meter_of(what), ZoneInfo("Asia/Ho_Chi_Minh"))
        self.calls: list[Call] = []

    def see(
        self, minute: int, value: float | None, weight: float, harmless: float = 0.0, surge: float | None = None
    ) -> None:
        _, call = self.track.step(self.what, START + minute * MINUTE, value, weight, harmless, surge=surge)
        if call is not None:
            self.calls.append(call)

    @property
    def minutes(self) -> list[int]:
        return [(call.ts - START) // MINUTE for call in self.calls]


def poisson(rng: Random, mean: float) -> int:
    if mean > 30:
        return max(round(rng.gauss(mean, math.sqrt(mean))), 0)
    n, product = 0, rng.random()
    while product > math.exp(-mean):
        n, product = n + 1, product * rng.random()
    return n


def day(minute: int) -> float:
    hour = minute / 60 % 24
    return 0.15 + math.exp(-(((hour - 9.5) / 2.5) ** 2)) + 0.8 * math.exp(-(((hour - 15) / 2.5) ** 2))


def ratio(series: Watched, rng: Random, minutes: range, share: float, events: float = 20.0, **more: float) -> None:
    for minute in minutes:
        weight = poisson(rng, events)
        hits = sum(rng.random() < share for _ in range(weight))
        series.see(minute, hits / weight if weight else None, weight, **more)


@pytest.mark.parametrize("seed", range(5))
def test_a_third_of_messages_lost_is_a_call_within_three_minutes(seed):
    series, rng = Watched(definition("ratio", direction="high")), Random(seed)
    ratio(series, rng, range(DAY + 60), 0.02)
    assert not series.calls
    ratio(series, rng, range(DAY + 60, DAY + 75), 0.32)
    assert series.minutes[0] <= DAY + 60 + 2, "the bucket is closed 20 s after its end"


@pytest.mark.parametrize("seed", range(5))
def test_a_doubled_latency_is_a_call_within_five_minutes(seed):
    series, rng = Watched(definition("quantile", direction="high")), Random(seed)
    for minute in range(DAY + 80):
        slow = math.log(2) if minute >= DAY + 60 else 0.0
        values = sorted(rng.lognormvariate(6 + slow, 0.45) for _ in range(40))
        series.see(minute, values[38], 40)
    assert series.minutes
    assert DAY + 60 <= series.minutes[0] <= DAY + 64


def known(series: Watched) -> list[float]:
    usual = series.track.episode.usual
    return [getattr(usual, name) for name in usual.KEPT]


@pytest.mark.parametrize("seed", range(5))
def test_an_incident_does_not_widen_what_it_is_measured_by(seed):
    """Five receipts a minute bring their evidence slowly, and each of them is farther off than any before."""
    series, rng = Watched(definition("ratio", direction="high")), Random(seed)
    usual = {}
    for minute in range(DAY + 120):
        usual[START + minute * MINUTE] = known(series)
        ratio(series, rng, range(minute, minute + 1), 0.02 if minute < DAY + 60 else 0.3, 5)
        if series.calls:
            break
    assert known(series) == usual[series.calls[0].began]
    assert series.calls[0].ts > series.calls[0].began


def test_what_began_and_called_nobody_is_learned():
    what = definition("ratio", direction="high")
    series, all_of_it = Watched(what), Usual()
    shares = [0.0] * (DAY + 60) + [0.05, 0.05] + [0.0] * 20
    began = 0
    for minute, share in enumerate(shares):
        before = known(series)
        series.see(minute, share, 20.0)
        learn(all_of_it, what, share, 20.0, 0.0)
        if series.track.episode.side:
            began += 1
            assert known(series) == before
    assert began
    assert not series.calls
    assert known(series) == [getattr(all_of_it, name) for name in Usual.KEPT]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_no_call_is_no_begin_of_one(seed):
    """Where a rise alone is worth a call, minutes without any failure are no part of the episode."""
    series, rng = Watched(definition("ratio", direction="high")), Random(seed)
    ratio(series, rng, range(DAY + 45), 0.02, 5)
    ratio(series, rng, range(DAY + 45, DAY + 75), 0.3, 5)
    assert series.calls[0].began >= START + (DAY + 45 - 10) * MINUTE


@pytest.mark.parametrize("measure", ["ratio", "count", "quantile", "mean"])
def test_a_restart_in_the_middle_of_an_episode_changes_nothing(measure):
    series, other, rng = Watched(definition(measure)), Watched(definition(measure)), Random(4)
    zone, meter = ZoneInfo("Asia/Ho_Chi_Minh"), meter_of(series.what)
    learning = WEEKS if measure == "count" else DAY
    for minute in range(learning + 120):
        off = 1.5 if minute > learning + 60 else 1.0
        value = 0.1 * off * rng.random() if measure == "ratio" else poisson(rng, 40 * off)
        for one in (series, other):
            one.see(minute, value, 20.0)
        if minute > learning:
            other.track = Track.load(other.track.dump(), other.what, meter, zone)
            assert other.track.dump() == series.track.dump()
    assert other.calls == series.calls


def few(series: Watched, rng: Random, minutes: range, slow: float = 1.0, calls: float = 9) -> None:
    """Some nine calls a minute that take about 400 ms, and a little more or less in each hour."""
    for minute in minutes:
        hour = 0.05 * math.sin(minute // 60)
        values = [rng.lognormvariate(6 + hour + math.log(slow), 0.45) for _ in range(poisson(rng, calls))]
        mean = math.exp(sum(map(math.log, values)) / len(values)) if values else None
        series.see(minute, mean, len(values))


def test_a_doubled_mean_of_few_is_mostly_a_call_within_five_minutes():
    """Nine calls a minute hold no more evidence: a median of ten takes eight."""
    delays = []
    for seed in range(5):
        series, rng = Watched(definition("mean", direction="high")), Random(seed)
        few(series, rng, range(DAY + 60))
        assert not series.calls
        few(series, rng, range(DAY + 60, DAY + 80), slow=2.0)
        delays.append(series.minutes[0] - DAY - 60)
    assert sorted(delays)[2] <= 4
    assert max(delays) <= 10


@pytest.mark.parametrize("calls", [2.0, 4.0])
def test_a_doubled_mean_of_a_handful_is_not_taken_for_usual_before_it_is_called(calls):
    """Each bucket says little of the last hour where it has few values. 18 calls hold the evidence, and chance wants some more."""
    delays = []
    for seed in range(8):
        series, rng = Watched(definition("mean", direction="high")), Random(seed)
        few(series, rng, range(DAY + 60), calls=calls)
        few(series, rng, range(DAY + 60, DAY + 120), slow=2.0, calls=calls)
        delays.append(series.minutes[0] - DAY - 59 if series.calls else 60)
    assert sorted(delays)[4] <= 36 / calls
    assert max(delays) <= 60 / calls


def test_of_many_values_two_buckets_are_enough():
    """A duration that is far off is so by all its values: it is not five buckets that are asked for, but five events."""
    for measure, more in (("mean", {}), ("quantile", {"quantile": 0.95})):
        series, rng = Watched(definition(measure, direction="high", **more)), Random(1)
        for minute in range(DAY + 70):
            slow = math.log(3) if minute >= DAY + 60 else 0.0
            values = sorted(rng.lognormvariate(6 + slow, 0.45) for _ in range(100))
            value = values[95] if measure == "quantile" else math.exp(sum(map(math.log, values)) / 100)
            series.see(minute, value, 100)
        assert series.minutes[0] == DAY + 61


@pytest.mark.long
def test_a_mean_of_few_calls_nobody_by_chance():
    series, rng = Watched(definition("mean")), Random(9)
    few(series, rng, range(30 * DAY))
    assert not series.calls


@pytest.mark.parametrize("direction", ["both", "low"])
def test_a_consumer_that_falls_silent_is_a_call_only_where_that_hurts(direction):
    series, rng = Watched(definition("count", direction=direction)), Random(1)
    for minute in range(WEEKS + 700):
        value = 0 if minute >= WEEKS + 600 and minute < WEEKS + 640 else poisson(rng, 30 * day(minute))
        series.see(minute, value, value)
    assert series.minutes[0] <= WEEKS + 604
    assert len({call.since for call in series.calls}) == 1
    assert all(call.actual == 0 for call in series.calls if call.ts < START + (WEEKS + 640) * MINUTE)
    other = Watched(definition("count", direction="high"))
    rng = Random(1)
    for minute in range(WEEKS + 700):
        value = 0 if minute >= WEEKS + 600 and minute < WEEKS + 640 else poisson(rng, 30 * day(minute))
        other.see(minute, value, value)
    assert not other.calls


def test_the_morning_is_no_anomaly_and_one_spike_alone_is_none():
    series, rng = Watched(definition("count")), Random(2)
    for minute in range(18 * DAY):
        value = poisson(rng, 60 * day(minute)) * (20 if minute == 16 * DAY + 300 else 1)
        series.see(minute, value, value)
    assert not series.calls


def test_a_first_weekend_is_no_anomaly():
    series, rng = Watched(definition("count")), Random(8)
    for minute in range(28 * DAY):
        rest = (minute // DAY) % 7 > 4
        value = poisson(rng, 40 * day(minute) * (0.2 if rest else 1))
        series.see(minute, value, value)
    assert not series.calls


def test_what_is_harmless_calls_nobody_until_it_is_farther_off():
    series, rng = Watched(definition("ratio", direction="high")), Random(3)
    ratio(series, rng, range(DAY + 60), 0.02)
    ratio(series, rng, range(DAY + 60, DAY + 80), 0.3, harmless=1000.0)
    assert not series.calls
    ratio(series, rng, range(DAY + 80, DAY + 90), 0.3)
    assert series.calls


def test_what_goes_beyond_what_was_said_to_be_harmless_meanwhile_is_another_alert():
    """The first one is closed by then, and nobody looks there."""
    series, rng = Watched(definition("ratio", direction="high")), Random(3)
    ratio(series, rng, range(DAY + 60), 0.02)
    ratio(series, rng, range(DAY + 60, DAY + 80), 0.2)
    first, most = series.calls[0].since, max(call.strength for call in series.calls)
    before = len(series.calls)
    ratio(series, rng, range(DAY + 80, DAY + 90), 0.2, harmless=2 * most)
    assert len(series.calls) == before
    ratio(series, rng, range(DAY + 90, DAY + 100), 0.95, harmless=2 * most)
    assert series.calls[before].since > first


@pytest.mark.parametrize("events", [6.0, 40.0])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.91])
def test_a_total_outage_calls_though_a_partial_one_was_harmless(share, events):
    """Of a few messages some bucket of a partial outage has none that arrived."""
    series, rng = Watched(definition("ratio", direction="high")), Random(5)
    ratio(series, rng, range(DAY + 60), 0.02, events)
    ratio(series, rng, range(DAY + 60, DAY + 120), share, events)
    limit, before = beyond(max(call.strength for call in series.calls)), len(series.calls)
    ratio(series, rng, range(DAY + 120, DAY + 600), 0.02, events, harmless=limit)
    ratio(series, rng, range(DAY + 600, DAY + 660), share, events, harmless=limit)
    assert len(series.calls) == before, "the same again"
    ratio(series, rng, range(DAY + 660, DAY + 1100), 0.02, events, harmless=limit)
    ratio(series, rng, range(DAY + 1100, DAY + 1160), 1.0, events, harmless=limit)
    assert len(series.calls) > before


def test_what_comes_back_is_the_same_alert_and_what_comes_much_later_another():
    series, rng = Watched(definition("ratio", direction="high")), Random(4)
    at = 0
    for minutes, share in ((DAY + 60, 0.02), (10, 0.4), (40, 0.02), (10, 0.4), (300, 0.02), (10, 0.4)):
        ratio(series, rng, range(at, at + minutes), share)
        at += minutes
    assert len({call.since for call in series.calls}) == 2


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_clock_that_goes_back_calls_nobody(share):
    """What was going on is over; what is usual is still known."""
    series, rng = Watched(definition("ratio")), Random(4)
    ratio(series, rng, range(DAY + 60), share)
    series.track.go_back()
    ratio(series, rng, range(DAY + 10, DAY + 120), share)
    assert not series.calls


def test_what_stays_for_a_day_is_the_new_normal():
    series, rng = Watched(definition("ratio", direction="high")), Random(7)
    ratio(series, rng, range(DAY + 60), 0.02)
    ratio(series, rng, range(DAY + 60, 4 * DAY), 0.3)
    assert len({call.since for call in series.calls}) == 1, "one alert, however long it lasts"
    assert 2 * DAY < max(series.minutes) < 2 * DAY + 200
    ratio(series, rng, range(4 * DAY, 4 * DAY + 20), 0.7)
    assert len({call.since for call in series.calls}) == 2


@pytest.mark.parametrize(("comes", "called"), [(3.0, False), (1.0, False), (1.8, False), (100.0, True), (0.0, True)])
def test_a_declared_surge_expects_as_much_and_no_more(comes, called):
    """Three times the usual is declared: that, the usual, and what lies between are as usual; a flood and an outage are not."""
    series, rng = Watched(definition("count")), Random(5)
    for minute in range(WEEKS + 60):
        value = poisson(rng, 40)
        series.see(minute, value, value)
    for minute in range(WEEKS + 60, WEEKS + 120):
        value = poisson(rng, 40 * comes)
        series.see(minute, value, value, surge=3.0)
    assert bool(series.calls) is called
    if not called:  # and the day after is none of it
        for minute in range(WEEKS + 120, WEEKS + 180):
            value = poisson(rng, 40)
            series.see(minute, value, value)
        assert not series.calls


def test_a_series_that_is_nothing_at_night_calls_nobody_in_the_evening():
    series, rng = Watched(definition("count")), Random(6)
    for minute in range(3 * 7 * DAY):
        busy = minute // DAY % 7 < 5 and 60 <= minute % DAY < 600  # the first minute is 07:00
        value = poisson(rng, 20) if busy else 0
        series.see(minute, value, value)
    assert not series.calls


def test_a_share_of_nearly_all_is_watched_as_well():
    series, rng = Watched(definition("conversion", hit="a:b", where="c:d", direction="low")), Random(7)
    ratio(series, rng, range(2 * DAY), 0.998, 60)
    ratio(series, rng, range(2 * DAY, 2 * DAY + 10), 0.3, 60)
    assert series.minutes
    assert series.minutes[0] <= 2 * DAY + 3


@pytest.mark.parametrize("value", [1e15, -5.0, 0.0, 1e308, float("nan"), float("inf")])
@pytest.mark.parametrize("measure", ["count", "ratio", "quantile", "mean"])
def test_no_value_breaks_a_track(measure, value):
    series = Watched(definition(measure))
    for minute in range(DAY + 30):
        series.see(minute, 5.0 if measure != "ratio" else 0.1, 10.0)
    for minute in range(DAY + 30, DAY + 40):
        series.see(minute, value if value == value else None, 10.0)
    copy = Track.load(series.track.dump(), series.what, meter_of(series.what), ZoneInfo("Asia/Ho_Chi_Minh"))
    assert copy.dump() == series.track.dump()


def test_a_leak_of_two_percent_a_day_is_a_call_within_three_days():
    series, rng = Watched(definition("ratio", direction="high", bucket="15m")), Random(6)
    found = None
    for quarter in range(25 * 96):
        leak = max(quarter / 96 - 20, 0) * 0.02
        weight = poisson(rng, 150)
        hits = sum(rng.random() < 0.02 + leak for _ in range(weight))
        _, call = series.track.step(series.what, START + quarter * 15 * MINUTE, hits / weight, weight, 0.0)
        if call is not None and found is None:
            found = quarter / 96
    assert found is not None
    assert 20 < found <= 23.1


HOURLY = definition("mean", direction="high", bucket="1h", by_load=True, page={"change": 0.05})


def hours(
    series: Watched, rng: Random, of: range, longer_each_day: float = 0.0, longer: float = 0.0, peak: float = 230
) -> None:
    """Some three thousand calls a day, half of that at weekends, which take 20 % longer at the busiest hours than at night."""
    for hour in of:
        busy = day(hour * 60) * (0.5 if hour // 24 % 7 > 4 else 1.0) * Random(hour // 24).lognormvariate(0, 0.06)
        events = poisson(rng, peak * busy * rng.lognormvariate(0, 0.08))
        leak = 1 + longer + longer_each_day * (hour - of.start) / 24
        logarithm = rng.gauss(math.log(300 * (1 + 0.2 * busy) * leak), 0.45 / math.sqrt(max(events, 1)))
        series.see(hour * 60, math.exp(logarithm) if events else None, events)


@pytest.mark.parametrize("seed", range(6))
def test_latency_that_leaks_two_percent_a_day_is_a_call_within_days(seed):
    """Three days, of working days; days differ by more, and most of that is load."""
    series, rng = Watched(HOURLY), Random(seed)
    hours(series, rng, range(21 * 24))
    assert not series.calls
    hours(series, rng, range(21 * 24, 26 * 24), longer_each_day=0.02)
    assert 22 * 1440 < series.minutes[0] <= (24 * 24 + 12) * 60
    assert series.calls[0].actual > series.calls[0].expected


def test_what_lasts_for_hours_is_one_alert_since_it_began():
    """Its episode begins anew each hour."""
    series, rng = Watched(definition("ratio", direction="high")), Random(1)
    ratio(series, rng, range(DAY + 60), 0.02)
    ratio(series, rng, range(DAY + 60, DAY + 210), 0.3)
    one, point = Series(Board("one", "o"), (), 0, START), Point(0.9, 0.02, 0.0, 0.1, True, False, START)
    findings = [finding_of(series.what, one, call, point, None) for call in series.calls]
    assert len({call.began for call in series.calls}) == 3
    (since,) = {finding.matched[f"{FIELD}since"] for finding in findings}
    assert since == iso(series.calls[0].began)
    assert all(f'["{since}" TO' in str(finding.matched[f"{FIELD}query"]) for finding in findings)
    assert len({finding.alert_id for finding in findings}) == 1


@pytest.mark.parametrize("seed", range(8))
def test_what_speaks_for_the_other_side_says_nothing_of_when_a_rise_began(seed):
    """Of few failures the evidence that they are fewer comes and goes all day."""
    began = DAY + 300
    for direction in ("high", "both"):
        series, rng = Watched(definition("ratio", direction=direction)), Random(seed)
        ratio(series, rng, range(began), 0.023, 11)
        ratio(series, rng, range(began, began + 240), 0.14, 11)
        assert abs((series.calls[0].since - START) // MINUTE - began) <= 5
        assert series.minutes[0] - began < 30


def test_a_fall_after_a_rise_is_an_alert_of_its_own():
    series, rng = Watched(definition("count", direction="both")), Random(3)
    for minute in range(WEEKS + 600):
        series.see(minute, poisson(rng, 40 * day(minute)), 0)
    for minute in range(WEEKS + 600, WEEKS + 620):
        series.see(minute, 3 * poisson(rng, 40 * day(minute)), 0)
    for minute in range(WEEKS + 620, WEEKS + 640):
        series.see(minute, 0, 0)
    alerts = {call.since: call.actual > call.expected for call in series.calls}
    assert list(alerts.values()) == [True, False]
    assert START + (WEEKS + 615) * MINUTE < max(alerts) <= START + (WEEKS + 622) * MINUTE


@pytest.mark.parametrize("seed", range(6))
def test_a_fall_from_a_rise_that_was_called_is_called_at_once(seed):
    series, rng = Watched(definition("count", direction="both")), Random(seed)
    for minute in range(WEEKS + 600):
        series.see(minute, poisson(rng, 40 * day(minute)), 0)
    for minute in range(WEEKS + 600, WEEKS + 608):
        series.see(minute, 4 * poisson(rng, 40 * day(minute)), 0)
    for minute in range(WEEKS + 608, WEEKS + 630):
        series.see(minute, 0.2 * poisson(rng, 40 * day(minute)), 0)
    fall = next(call for call in series.calls if call.actual < call.expected)
    assert (fall.ts - START) // MINUTE - (WEEKS + 608) <= 4


@pytest.mark.parametrize("seed", [0, 2, 3, 4])
def test_an_hour_of_what_was_no_call_is_not_compared_with_the_season_after_it(seed):
    """As before Tet, volumes fall to a quarter by and by: what came in the last hour is usual, whatever the evidence adds up to."""
    what, rng, episode = definition("count", direction="both"), Random(seed), Episode()
    for minute in range(2 * DAY, 5 * DAY):
        season, share = 15 * day(minute), max(0.25, 1 - max(minute - 2.45 * DAY, 0) / 600)
        call = episode.step(
            what, START + minute * MINUTE, poisson(rng, share * season), 0, season, 0.0, learning=minute < 2.4 * DAY
        )
        assert call is None


@pytest.mark.parametrize("after", [0, 1, 5, 20])
def test_a_share_that_is_learned_anew_is_so_after_a_restart(after):
    what, rng = definition("ratio", direction="both"), Random(1)
    shares = [
        sum(rng.random() < (0.03 if n < DAY + 100 else 0.4) for _ in range(20)) / 20 for n in range(2 * DAY + 1100)
    ]
    one, other, calls, began = Episode(), Episode(), ([], []), 0
    for n, share in enumerate(shares):
        ts = START + n * MINUTE
        for episode, told in zip((one, other), calls, strict=True):
            told.append(episode.step(what, ts, share, 20.0, 0.0, 0.0, learning=n < DAY))
        began = began or (n if one.relearn else 0)
        if began and n == began + after:
            other = Episode.load(other.dump())
    assert began
    assert calls[0] == calls[1]


@pytest.mark.parametrize(("lasts", "called"), [(35, False), (36, True)])
def test_evidence_that_needs_no_more_than_chance_is_a_call_once_it_is_of_two_days(lasts, called):
    """Hours of one day hang together: within a day it takes e^4 times as much."""
    series, rng = Watched(HOURLY), Random(2)
    hours(series, rng, range(22 * 24))
    at = 22 * 24
    side = Side(1, START + (at - lasts) * 60 * MINUTE)
    side.run, side.excess, side.sum = lasts, 1000.0, threshold(HOURLY) - 3.9
    series.track.episode.high = side
    series.see(at * 60, 340.0, 10.0)  # at night, a little longer than usual
    assert bool(series.calls) is called


def test_a_rise_that_was_no_call_is_learned_from_all_of_it():
    """A busy day that the load explains in part comes again: what learned only its first hours would call then."""
    series, rng = Watched(HOURLY), Random(4)
    hours(series, rng, range(22 * 24))
    hours(series, rng, range(22 * 24, 23 * 24), longer=0.05)
    assert series.track.episode.high.sum > 0.4 * threshold(HOURLY)
    hours(series, rng, range(23 * 24, 26 * 24))
    assert not series.calls
    assert not series.track.episode.side
    assert series.track.episode.usual.seen == 26 * 24


@pytest.mark.parametrize("seed", range(4))
def test_failures_that_leak_two_percent_a_day_are_a_call_within_days_of_few_calls(seed):
    """1,300 a day, of which half a percent fails: what an hour says adds up for a day."""
    what = definition("ratio", direction="high", bucket="1h", page={"change": 0.03})
    series, rng = Watched(what), Random(seed)
    for hour in range(24 * 24):
        share = 0.005 + max(hour / 24 - 21, 0) * 0.02
        events = poisson(rng, 115 * day(hour * 60))
        hits = sum(rng.random() < share for _ in range(events))
        series.see(hour * 60, hits / events if events else None, events)
    assert 21 * 1440 < series.minutes[0] <= 23 * 1440


@pytest.mark.parametrize("seed", range(4))
def test_load_alone_is_no_leak(seed):
    series = Watched(HOURLY)
    hours(series, Random(seed), range(120 * 24))
    assert not series.calls


@pytest.mark.parametrize("peak", [200, 400, 700])
@pytest.mark.parametrize("seed", range(3))
def test_an_incident_that_is_over_calls_nobody_any_more(seed, peak):
    """An ordinary hour of few calls says little against a change of five percent, and much against the doubling that was seen."""
    series, rng = Watched(HOURLY), Random(seed)
    hours(series, rng, range(29 * 24), peak=peak)
    assert not series.calls
    at = 29 * 24 + 10  # on a Tuesday
    hours(series, rng, range(at - 10, at), peak=peak)
    hours(series, rng, range(at, at + 2), longer=1.0, peak=peak)
    hours(series, rng, range(at + 2, 36 * 24), peak=peak)
    assert at * 60 <= series.minutes[0] < (at + 2) * 60
    assert series.minutes[-1] < (at + 5) * 60
    assert not series.track.episode.called


def test_once_called_a_bucket_within_its_band_is_no_call():
    series, rng = Watched(HOURLY), Random(2)
    hours(series, rng, range(21 * 24))
    hours(series, rng, range(21 * 24, 26 * 24), longer_each_day=0.05)
    assert len(series.calls) > 5
    assert all(call.actual > call.upper for call in series.calls[1:])


def test_latency_that_stays_longer_for_a_week_is_the_new_normal():
    series, rng = Watched(HOURLY), Random(3)
    hours(series, rng, range(22 * 24))
    hours(series, rng, range(22 * 24, 40 * 24), longer=0.1)
    assert len({call.since for call in series.calls}) == 1
    assert 28 * 1440 < max(series.minutes) < 30 * 1440


def test_a_restart_in_a_leak_changes_nothing():
    series, rng = Watched(HOURLY), Random(5)
    hours(series, rng, range(21 * 24))
    hours(series, rng, range(21 * 24, 23 * 24), longer_each_day=0.02)
    assert series.track.episode.side
    data = series.track.dump()
    other = Watched(HOURLY)
    other.track = Track.load(data, HOURLY, meter_of(HOURLY), ZoneInfo("Asia/Ho_Chi_Minh"))
    assert other.track.dump() == data
    hours(series, Random(6), range(23 * 24, 26 * 24), longer_each_day=0.05)
    hours(other, Random(6), range(23 * 24, 26 * 24), longer_each_day=0.05)
    assert other.calls == series.calls
    assert other.track.dump() == series.track.dump()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_chance_calls_at_most_once_in_a_thousand_days_of_a_series(seed):
    """Four seeds of 100 days of series that vary as much as the textbook's, and twice as much."""
    called = days = 0
    for rate, share in ((3.0, 0.1), (40.0, 0.02), (15.0, 0.3)):
        rng = Random(seed * 10 + int(rate))
        counts, ratios = Watched(definition("count")), Watched(definition("ratio"))
        for minute in range(30 * DAY):
            mean = rate * day(minute)
            value = poisson(rng, mean * rng.gammavariate(mean, 1 / mean) if seed % 2 else mean)
            counts.see(minute, value, value)
            hits = poisson(rng, value * share)
            ratios.see(minute, min(hits / value, 1.0) if value else None, value)
        called += len({call.since for call in (*counts.calls, *ratios.calls)})
        days += 2 * 16
    assert days == 96
    assert called == 0


def test_the_evidence_that_is_asked_for_follows_the_bucket():
    assert threshold(definition("count")) > threshold(definition("count", bucket="1h")) > math.log(24_000)


def test_what_is_harmless_above_says_nothing_of_an_outage():
    series, rng = Watched(definition("count")), Random(8)
    for minute in range(WEEKS + 60):
        value = poisson(rng, 40)
        series.see(minute, value, value, 20.0)
    for minute in range(WEEKS + 60, WEEKS + 90):
        series.see(minute, 0.0, 0.0, 20.0)
    assert series.calls
    assert all(call.actual < call.expected for call in series.calls)
