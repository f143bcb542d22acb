"""What sources do to series: nothing of it may end a scorer, or alarm for nothing."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.score import Kind, Scorer
from detector.score.early import sane

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
START = 1_741_000_000_000
DAY = 288
STEP_MS = 300_000


def _scorer(kind: Kind = Kind.GAUGE) -> Scorer:
    return Scorer(300, kind, VIETNAM, 4)


def _rhythm(n: int, chance: random.Random) -> float:
    return 100 + 40 * math.sin(n * 2 * math.pi / DAY) + chance.gauss(0, 3)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e15, 1e-12])
@pytest.mark.parametrize("kind", [Kind.GAUGE, Kind.COUNT, Kind.LATENCY])
def test_a_constant_never_alarms_nor_does_noise_that_is_nothing(value: float, kind: Kind) -> None:
    chance, scorer = random.Random(1), _scorer(kind)
    for n in range(14 * DAY):
        point = scorer.step(START + n * STEP_MS, value * (1 + 1e-9 * chance.random()))
        assert not point.anomaly
    assert point.expected == pytest.approx(value, rel=1e-3, abs=1e-9)


def test_a_constant_that_changes_alarms() -> None:
    scorer = _scorer()
    for n in range(3 * DAY):
        scorer.step(START + n * STEP_MS, 5.0)
    assert scorer.step(START + 3 * DAY * STEP_MS, 8.0).anomaly


@pytest.mark.parametrize("absurd", [1e6, 1e9, 1e15, -1e15])
def test_one_absurd_value_blinds_nobody(absurd: float) -> None:
    """An hour later the band is as it was, and five times the usual still alarms."""
    chance, scorer = random.Random(4), _scorer()
    for n in range(10 * DAY):
        before = scorer.step(START + n * STEP_MS, _rhythm(n, chance))
    assert scorer.step(START + n * STEP_MS + STEP_MS, absurd).anomaly
    for n in range(10 * DAY + 1, 11 * DAY):
        after = scorer.step(START + n * STEP_MS, _rhythm(n, chance))
        assert abs(after.expected - _rhythm(n, random.Random(0))) < 20 * (before.upper - before.lower)
        if n > 10 * DAY + 12:
            assert after.upper - after.lower < 3 * (before.upper - before.lower)
    for n in range(11 * DAY, 14 * DAY):
        scorer.step(START + n * STEP_MS, _rhythm(n, chance))
    assert scorer.step(START + (n + 1) * STEP_MS, 500.0).anomaly


@pytest.mark.parametrize("at", [0, 1, 12, 28, 29])
@pytest.mark.parametrize("absurd", [1e9, 1e15, -1e15])
def test_one_absurd_value_among_the_first_is_forgotten(absurd: float, at: int) -> None:
    """Nothing bounds the first values of a series; a day later the band is as that of a series without it, and what is off alarms."""
    with_it, without = _scorer(), _scorer()
    chance = random.Random(5)
    for n in range(3 * DAY):
        value, ts_ms = _rhythm(n, chance), START + n * STEP_MS
        one, other = with_it.step(ts_ms, absurd if n == at else value), without.step(ts_ms, value)
    assert one.upper - one.lower == pytest.approx(other.upper - other.lower, rel=0.1)
    assert one.expected == pytest.approx(other.expected, rel=0.02)
    assert with_it.step(START + n * STEP_MS + STEP_MS, 250.0).anomaly


def test_a_series_that_is_0_and_sometimes_something_has_no_absurd_values() -> None:
    assert sane([0.0] * 25 + [3.0, 1e15, 4.0, 0.0, 1.0]) == [0.0] * 25 + [3.0, 1e15, 4.0, 0.0, 1.0]
    assert sane([5.0] * 29 + [1e15]) == [5.0] * 29
    assert sane([5.0] * 20 + [4000.0] * 10) == [5.0] * 20 + [4000.0] * 10


@given(
    st.lists(
        st.tuples(
            st.integers(-10_000_000, 4_000_000_000),
            st.one_of(st.none(), st.floats(), st.sampled_from([1e15, -1e15, 1e308, -1.0])),
            st.sampled_from([1.0, 0.0, 1e9, 30.0]),
        ),
        max_size=60,
    ),
    st.sampled_from(list(Kind)),
)
@settings(max_examples=60, deadline=None)
def test_any_values_at_any_times_give_finite_points(steps: list[tuple[int, float | None, float]], kind: Kind) -> None:
    scorer, at = _scorer(kind), START
    for ahead, value, weight in steps:
        at = max(0, at + ahead)
        point = scorer.step(at, value, weight)
        assert 0 <= point.score <= 1
        assert all(
            math.isfinite(number) for number in (point.expected, point.lower, point.upper, *point.parts.values())
        )
        assert point.lower <= point.expected <= point.upper
    assert Scorer.load(scorer.dump(), 300, kind, VIETNAM, 4).dump() == scorer.dump()


def test_unknown_is_not_zero() -> None:
    """Half a day without values raises nothing, and what was learned is still known after it."""
    chance, scorer = random.Random(2), _scorer()
    for n in range(6 * DAY):
        scorer.step(START + n * STEP_MS, _rhythm(n, chance))
    for n in range(6 * DAY, 6 * DAY + DAY // 2):
        point = scorer.step(START + n * STEP_MS, None if n % 2 else math.nan)
        assert (point.score, point.anomaly) == (0.0, False)
        assert abs(point.expected - (100 + 40 * math.sin(n * 2 * math.pi / DAY))) < 15
    after = [scorer.step(START + n * STEP_MS, _rhythm(n, chance)).anomaly for n in range(6 * DAY + DAY // 2, 7 * DAY)]
    assert sum(after) <= 2


def test_duplicates_and_late_points_are_told_what_was_expected_and_learned_not() -> None:
    chance, scorer = random.Random(3), _scorer()
    for n in range(2 * DAY):
        scorer.step(START + n * STEP_MS, _rhythm(n, chance))
    last = START + (2 * DAY - 1) * STEP_MS
    for ts_ms in (last, last, last - 7 * STEP_MS):
        point = scorer.step(ts_ms, 1e9)
        assert (point.score, point.anomaly) == (0.0, False)
    assert scorer.step(last + STEP_MS, _rhythm(2 * DAY, chance)).expected < 1000


def test_a_clock_that_was_years_ahead_is_left_behind() -> None:
    chance, scorer = random.Random(4), _scorer()
    for n in range(2 * DAY):
        scorer.step(START + n * STEP_MS, _rhythm(n, chance))
    scorer.step(START + 10**12, 100.0)
    scores = [scorer.step(START + n * STEP_MS, _rhythm(n, chance)).score for n in range(2 * DAY, 3 * DAY)]
    assert not any(scores[:9])
    assert any(scores[20:])


def test_a_new_level_is_normal_after_three_days_and_said() -> None:
    chance, scorer = random.Random(5), _scorer()
    assert scorer.level_since is None
    alarms = []
    for n in range(24 * DAY):
        point = scorer.step(START + n * STEP_MS, _rhythm(n, chance) + (60 if n >= 14 * DAY else 0))
        alarms.append(point.anomaly)
    assert any(alarms[14 * DAY : 14 * DAY + 2])
    assert sum(alarms[18 * DAY :]) <= 8
    assert scorer.level_since is not None
    shifted = START + 14 * DAY * STEP_MS
    assert abs(scorer.level_since - shifted) <= 86_400_000
    assert scorer.step(START + 24 * DAY * STEP_MS, None).expected == pytest.approx(160, abs=10)


def test_a_slow_leak_is_leaning_within_three_days() -> None:
    chance, scorer = random.Random(6), _scorer()
    leaning = []
    for n in range(21 * DAY):
        leak = max(0, n - 17 * DAY) / DAY * 0.02 * 100
        scorer.step(START + n * STEP_MS, _rhythm(n, chance) - leak)
        leaning.append(scorer.leaning)
    assert max(map(abs, leaning[: 17 * DAY])) < 5
    assert min(leaning[17 * DAY : 20 * DAY + DAY]) < -5


def _leaning(events: int, share: float, a_day: float, days: int, seed: int) -> list[float]:
    """Of each day: so many events a bucket, of whose share so much more a day is hit from the 22nd on."""
    chance, scorer, leaning = random.Random(seed), _scorer(Kind.RATIO), []
    for n in range(days * DAY):
        now = share + a_day * max(n / DAY - 21, 0)
        hits = sum(chance.random() < now for _ in range(events))
        scorer.step(START + n * STEP_MS, hits / events, events)
        if n % DAY == DAY - 1:
            leaning.append(scorer.leaning)
    return leaning


@pytest.mark.parametrize("seed", [0, 5, 9])  # in which one hit beside none for weeks was a leak
def test_chance_among_few_events_is_no_leak_of_their_share(seed: int) -> None:
    assert max(map(abs, _leaning(1, 0.001, 0.0, 42, seed))) < 3


@pytest.mark.parametrize("seed", range(4))
def test_a_day_of_few_values_is_no_leak(seed: int) -> None:
    """Three weeks of a value every five minutes, then holidays with one in an hour."""
    chance, scorer = random.Random(seed), _scorer()
    for n in range(28 * DAY):
        value = chance.gauss(50, 10) if n < 21 * DAY or n % 72 == 0 else None
        scorer.step(START + n * STEP_MS, value)
        assert abs(scorer.leaning) < 5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_leak_of_a_share_is_leaning_within_four_days(seed: int) -> None:
    days = _leaning(20, 0.03, 0.02, 25, seed)
    assert max(days[:21]) < 5
    assert max(days[21:]) > 5


def test_what_has_not_come_yet_changes_nothing() -> None:
    chance = random.Random(8)
    values = [_rhythm(n, chance) for n in range(3 * DAY)]
    long, short = _scorer(), _scorer()
    points = [long.step(START + n * STEP_MS, value) for n, value in enumerate(values)]
    assert [short.step(START + n * STEP_MS, value) for n, value in enumerate(values[:700])] == points[:700]
    assert all(late.ready == early.ready for early, late in pairwise(points))
    assert points[0].learning
    assert not points[-1].learning


def test_a_ratio_of_few_is_no_anomaly_and_one_of_many_is() -> None:
    chance, scorer = random.Random(9), _scorer(Kind.RATIO)
    for n in range(7 * DAY):
        good = sum(chance.random() < 0.98 for _ in range(200))
        scorer.step(START + n * STEP_MS, good / 200, 200)
    data = scorer.dump()
    few = Scorer.load(data, 300, Kind.RATIO, VIETNAM, 4).step(START + 7 * DAY * STEP_MS, 0.5, 4)
    many = Scorer.load(data, 300, Kind.RATIO, VIETNAM, 4).step(START + 7 * DAY * STEP_MS, 0.5, 400)
    assert not few.anomaly
    assert many.anomaly
    assert few.lower < many.lower
