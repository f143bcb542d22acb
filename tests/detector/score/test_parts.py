"""What each part of a scorer is there for: take it out, and one of these fails."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import datetime
from statistics import mean
from zoneinfo import ZoneInfo

import pytest

from detector.score import Kind, Point, Scorer
from detector.score.budget import HALF_HOUR_MS, WEEK_HALF_HOURS, Budget
from detector.score.day import day_of
from detector.score.stabilise import SCALES, few

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = int(datetime(2025, 3, 3, tzinfo=VIETNAM).timestamp() * 1000)
DAY, STEP_MS, DAY_MS = 144, 600_000, 86_400_000

Usage = Callable[[int, random.Random], float]


def rhythm(n: int, chance: random.Random) -> float:
    return 100 + 40 * math.sin(n * 2 * math.pi / DAY) + chance.gauss(0, 3)


def taught(days: float, usage: Usage = rhythm, seed: int = 1) -> tuple[Scorer, random.Random]:
    scorer, chance = Scorer(600, Kind.GAUGE, VIETNAM, 4), random.Random(seed)
    for n in range(int(days * DAY)):
        scorer.step(MONDAY + n * STEP_MS, usage(n, chance))
    return scorer, chance


def again(scorer: Scorer) -> Scorer:
    return Scorer.load(scorer.dump(), 600, Kind.GAUGE, VIETNAM, 4)


def at(scorer: Scorer, n: int, value: float | None) -> Point:
    return scorer.step(MONDAY + n * STEP_MS, value)


def test_nearly_all_lies_within_the_band_and_the_band_is_no_wider_than_that() -> None:
    scorer, chance = taught(14)
    inside, widths = [], []
    for n in range(14 * DAY, 21 * DAY):
        value = rhythm(n, chance)
        point = at(scorer, n, value)
        inside.append(point.lower <= value <= point.upper)
        widths.append(point.upper - point.lower)
    assert 0.97 < mean(inside) < 1
    assert mean(widths) < 12 * 3


@pytest.mark.parametrize("kind", [Kind.COUNT, Kind.LATENCY])
def test_a_band_of_what_is_never_negative_ends_at_0(kind: Kind) -> None:
    scorer, chance = Scorer(600, kind, VIETNAM, 4), random.Random(2)
    values = [float(sum(chance.random() < 0.1 for _ in range(12))) for _ in range(3 * DAY)]
    points = [at(scorer, n, None if n % 50 == 0 else value) for n, value in enumerate(values)]
    assert min(point.lower for point in points) == 0
    assert all(point.lower <= point.expected <= point.upper for point in points)
    assert at(scorer, 3 * DAY, -3.0).expected >= 0
    assert at(scorer, 3 * DAY + 1, 0.0).lower < 0  # there was one


def test_a_score_is_of_all_four_surprises_together() -> None:
    scorer, chance = taught(7)
    for shock in (20, 40, 80):
        point = at(again(scorer), 7 * DAY, rhythm(7 * DAY, chance) + shock)
        whole = sum(point.parts.values())
        assert shock < 80 or all(part > 0.5 for part in point.parts.values())
        assert point.score == pytest.approx(whole / (whole + 10))


def test_after_a_worse_one_the_same_scores_less() -> None:
    scorer, chance = taught(7)
    shocked = again(scorer)
    at(shocked, 7 * DAY, 300.0)
    for n in range(7 * DAY, 7 * DAY + 24):
        value = rhythm(n, chance)
        at(scorer, n, value)
        at(shocked, n + 1, value)
    assert at(shocked, 7 * DAY + 25, 150.0).score < 0.5 * at(scorer, 7 * DAY + 25, 150.0).score


def test_an_incident_of_hours_is_hardly_learned() -> None:
    scorer, chance = taught(14)
    upset = again(scorer)
    for n in range(14 * DAY, 15 * DAY):
        value = rhythm(n, chance)
        at(scorer, n, value)
        at(upset, n, value + (60 if 50 <= n % DAY < 86 else 0))
    moved = []
    for n in range(15 * DAY, 16 * DAY):
        at(scorer, n, None), at(upset, n, None)
        ts = MONDAY + n * STEP_MS
        moved.append(abs(upset.usual(ts) - scorer.usual(ts)))
    assert mean(moved) < 1.5


def test_after_a_gap_the_level_of_days_is_expected_and_not_that_of_the_last_minutes() -> None:
    scorer, chance = taught(7)
    for n in range(7 * DAY, 7 * DAY + 3):
        at(scorer, n, rhythm(n, chance) + 60)
    n = 8 * DAY
    assert at(scorer, n, rhythm(n, chance)).expected == pytest.approx(100, abs=15)


def test_a_rhythm_that_has_changed_is_learned_anew_within_weeks() -> None:
    def turned(n: int, chance: random.Random) -> float:
        return 200 - rhythm(n, chance) if n >= 60 * DAY else rhythm(n, chance)

    scorer, _ = taught(85, turned)
    errors = []
    for n in range(85 * DAY, 86 * DAY):
        at(scorer, n, None)
        errors.append(abs(scorer.usual(MONDAY + n * STEP_MS) - (100 - 40 * math.sin(n * 2 * math.pi / DAY))))
    assert mean(errors) < 12


def test_the_band_is_as_wide_as_the_noise_of_the_hour() -> None:
    def noisy(n: int, chance: random.Random) -> float:
        return 100 + chance.gauss(0, 10 if 48 <= n % DAY < 108 else 1)

    scorer, _ = taught(28, noisy)
    widths = {hour: (point := at(again(scorer), 28 * DAY + hour * 6, 100.0)).upper - point.lower for hour in (3, 13)}
    assert widths[13] > 4 * widths[3]


def test_a_first_holiday_is_judged_with_caution() -> None:
    """30 April 2025 is day 58."""
    scorer, chance = taught(57)
    widths = []
    for n in range(57 * DAY, 59 * DAY):
        point = at(scorer, n, rhythm(n, chance))
        widths.append(point.upper - point.lower)
    assert mean(widths[DAY:]) > 1.5 * mean(widths[:DAY])


def of_days(n: int, chance: random.Random) -> float:
    """Half on Sundays, a tenth on holidays, half as much again in the ten days before Tết."""
    day = day_of(datetime.fromtimestamp((MONDAY + n * STEP_MS) / 1000, VIETNAM).toordinal())
    factor = 0.1 if day.holiday else 1.5 if 0 <= day.tet < 10 else 0.5 if day.weekday == 6 else 1.0
    return factor * 100 + chance.gauss(0, 3)


def test_holidays_are_learned_beyond_sundays() -> None:
    """What National Day is like, 2 September, is known from 30 April and 1 May."""
    scorer, _ = taught((datetime(2025, 9, 2, tzinfo=VIETNAM).timestamp() * 1000 - MONDAY) // DAY_MS, of_days)
    n = (datetime(2025, 9, 2, 10, tzinfo=VIETNAM).timestamp() * 1000 - MONDAY) // STEP_MS
    at(scorer, int(n), None)
    assert scorer.usual(MONDAY + int(n) * STEP_MS) < 35


def test_few_of_a_ratio_are_no_certainty() -> None:
    stabilise, back = SCALES[Kind.RATIO]
    assert back(stabilise(1.0, 1.0)) < 0.85
    assert back(stabilise(0.0, 1.0)) > 0.15
    assert back(stabilise(1.0, 1e6)) > 0.999


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
@pytest.mark.parametrize("events", [1, 3, 20, 100])
def test_what_is_usual_of_a_ratio_is_its_share_however_few_there_are(share: float, events: int) -> None:
    scorer, chance, usual = Scorer(600, Kind.RATIO, VIETNAM, 4), random.Random(events), []
    for n in range(28 * DAY):
        hits = sum(chance.random() < share for _ in range(events))
        scorer.step(MONDAY + n * STEP_MS, hits / events, events)
        usual.append(scorer.usual(MONDAY + n * STEP_MS))
    assert mean(usual[14 * DAY :]) == pytest.approx(share, abs=0.02)


def test_few_of_a_ratio_stay_on_the_scale() -> None:
    for weight in (0.5, 1.0, 8.0, 29.9):
        for expected in (-0.3, 0.0, 0.1, 1.5, math.pi / 2, 2.0):
            assert all(0 <= few(share, weight, expected) <= math.pi / 2 for share in (0.0, 0.4, 1.0))


@pytest.mark.parametrize("seed", range(3))
def test_the_end_of_an_outage_surprises_less_of_a_ratio_of_few(seed: int) -> None:
    chance, scorer, after = random.Random(seed), Scorer(60, Kind.RATIO, VIETNAM, 4), []
    for n in range(4 * 1440):
        hits = 0 if 5000 <= n < 5060 else sum(chance.random() < 0.99 for _ in range(29))
        point = scorer.step(MONDAY + n * 60_000, hits / 29, 29)
        if 5060 <= n < 5180:
            after.append(point.score)
    assert max(after) < 0.5


def test_a_series_that_is_new_surprises_nobody() -> None:
    for seed in range(5):
        scorer, chance = Scorer(600, Kind.GAUGE, VIETNAM, 4), random.Random(seed)
        assert max(at(scorer, n, rhythm(n, chance)).score for n in range(60)) < 0.4


def test_a_trough_surprises_more_where_there_are_peaks_only() -> None:
    def peaks(n: int, chance: random.Random) -> float:
        return 100 + chance.gauss(0, 3) + (60 if chance.random() < 0.02 else 0)

    scorer, _ = taught(28, peaks)
    up, down = at(again(scorer), 28 * DAY, 160.0), at(again(scorer), 28 * DAY, 40.0)
    assert down.season + down.level + down.difference > 1.3 * (up.season + up.level + up.difference)


def test_what_was_exceeded_long_ago_is_forgotten() -> None:
    """A year of great surprises, then half a year of small ones: half of the weight is gone every eight weeks."""
    chance, judge = random.Random(5), Budget(4.0)
    for n in range(52 * WEEK_HALF_HOURS):
        judge.judge(MONDAY + n * HALF_HOUR_MS, 10 * chance.expovariate(1))
    before = judge.threshold
    for n in range(52 * WEEK_HALF_HOURS, 78 * WEEK_HALF_HOURS):
        judge.judge(MONDAY + n * HALF_HOUR_MS, chance.expovariate(1))
    assert judge.threshold < 0.4 * before


def test_a_day_must_be_half_over_before_anything_alarms() -> None:
    judge, chance = Budget(4.0), random.Random(2)
    assert not any(judge.judge(MONDAY + n * HALF_HOUR_MS, 500.0 if n > 8 else chance.random()) for n in range(24))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_step_of_a_rounded_series_is_no_incident_at_an_hour_that_had_none(seed: int) -> None:
    def rounded(n: int, chance: random.Random) -> float:
        return float(round(2 + 1.3 * math.sin(n * 2 * math.pi / DAY) + chance.gauss(0, 0.1)))

    scorer, chance = taught(14, rounded, seed)
    points = [scorer.step(MONDAY + n * STEP_MS, rounded(n, chance)) for n in range(14 * DAY, 35 * DAY)]
    assert sum(point.anomaly for point in points) <= 14  # more than twice as many in three weeks without a least width
    for n in range(35 * DAY, 36 * DAY, 12):
        assert again(scorer).step(MONDAY + n * STEP_MS, rounded(n, chance) + 4).anomaly
