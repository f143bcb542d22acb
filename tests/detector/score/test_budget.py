"""The alarm budget on noise that nothing is wrong with, and what becomes of incidents."""

from __future__ import annotations

import random
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from detector.score import Kind, Scorer
from detector.score.budget import HALF_HOUR_MS, MOST_ALARMS, WEEK_HALF_HOURS, Budget

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
START = 1_741_000_000_000 // HALF_HOUR_MS * HALF_HOUR_MS
NOISES: dict[str, Callable[[random.Random], float]] = {
    "normal": lambda chance: chance.gauss(100, 5),
    "heavy tails": lambda chance: 100 + chance.gauss(0, 5) / (chance.gammavariate(1.5, 2) / 3) ** 0.5,
    "lognormal": lambda chance: chance.lognormvariate(3, 0.5),
    "uniform": lambda chance: chance.random(),
    "exponential": lambda chance: chance.expovariate(1),
    "small counts": lambda chance: float(sum(chance.random() < 0.03 for _ in range(60))),
    "mostly nothing": lambda chance: float(chance.random() < 0.02),
}


def _alarmed(noise: str, seed: int, weeks: int, budget: float) -> int:
    """Half hours that alarm in so many weeks of noise."""
    step_s, slots = 300, set()
    chance, scorer = random.Random(f"{noise}{seed}"), Scorer(step_s, Kind.GAUGE, VIETNAM, budget)
    for at in range(START, START + weeks * WEEK_HALF_HOURS * HALF_HOUR_MS, step_s * 1000):
        if scorer.step(at, NOISES[noise](chance)).anomaly:
            slots.add(at // HALF_HOUR_MS)
    return len(slots)


@pytest.mark.long
def test_noise_alarms_about_as_often_as_the_budget_allows() -> None:
    """About four a week in all: without any incident in its body a series is given a seventh too much. None has twice as many."""
    weeks, budget = 8, 4.0
    found = {(noise, seed): _alarmed(noise, seed, weeks, budget) for noise in NOISES for seed in (11, 12)}
    assert sum(found.values()) <= 1.15 * weeks * budget * len(found)
    assert not {which: count for which, count in found.items() if count > 1.75 * weeks * budget}


def test_scores_are_the_same_whatever_the_budget() -> None:
    chance, scorers = random.Random(3), [Scorer(300, Kind.GAUGE, VIETNAM, budget) for budget in (1.0, 4.0, 30.0)]
    alarms = [0, 0, 0]
    for at in range(START, START + 3 * WEEK_HALF_HOURS * HALF_HOUR_MS, 300_000):
        value = chance.gauss(100, 5) + (60 if chance.random() < 0.003 else 0)
        points = [scorer.step(at, value) for scorer in scorers]
        assert len({point._replace(anomaly=False) for point in points}) == 1
        alarms = [count + point.anomaly for count, point in zip(alarms, points, strict=True)]
    assert alarms[0] < alarms[1] < alarms[2]


def test_the_budget_is_what_is_spent() -> None:
    """A quarter of the budget alarms less, and what alarms is not nothing."""
    spent = []
    for budget in (1.0, 4.0, 16.0, MOST_ALARMS):
        chance, judge = random.Random(7), Budget(budget)
        spent.append(
            sum(
                judge.judge(START + n * HALF_HOUR_MS, max(chance.expovariate(1) for _ in range(30)))
                for n in range(20 * WEEK_HALF_HOURS)
            )
            / 20
        )
    assert 0.3 <= spent[0] <= 1.3
    assert 2.5 <= spent[1] <= 4.8
    assert 10 <= spent[2] <= 18 < spent[3] <= MOST_ALARMS


def _taught(budget: float = 4.0) -> tuple[Budget, int]:
    chance, judge, at = random.Random(3), Budget(budget), START
    for _ in range(3 * WEEK_HALF_HOURS):
        judge.judge(at, 1 + chance.random())
        at += HALF_HOUR_MS
    return judge, at


def test_an_incident_is_one_alarm_and_a_worse_one_another() -> None:
    judge, at = _taught()
    assert [judge.judge(at + n * HALF_HOUR_MS, 30.0) for n in range(3)] == [True, False, False]
    assert judge.judge(at + 3 * HALF_HOUR_MS, 60.0)


def test_after_an_incident_the_same_alarms_again() -> None:
    judge, at = _taught()
    assert judge.judge(at, 30.0)
    for n in range(1, 40):
        assert not judge.judge(at + n * HALF_HOUR_MS, 1.5)
    assert judge.judge(at + 40 * HALF_HOUR_MS, 30.0)


def test_what_comes_after_a_bad_incident_need_not_be_as_bad() -> None:
    judge, at = _taught()
    assert [judge.judge(at + n * HALF_HOUR_MS, surprise) for n, surprise in enumerate((60.0, 40.0, 60.0))] == [
        True,
        False,
        False,
    ]
    assert not judge.judge(at + 3 * HALF_HOUR_MS, 1.5)
    assert judge.judge(at + 4 * HALF_HOUR_MS, 1.6 * judge.threshold)
    for n in range(5, 9):
        assert not judge.judge(at + n * HALF_HOUR_MS, 1.5)
    assert judge.judge(at + 9 * HALF_HOUR_MS, 1.1 * judge.threshold)


def test_a_long_incident_leaves_the_threshold_where_it_was() -> None:
    judge, at = _taught()
    before = judge.threshold
    for n in range(WEEK_HALF_HOURS // 2):
        judge.judge(at + n * HALF_HOUR_MS, 30.0)
    assert judge.threshold == pytest.approx(before, rel=0.25)


def test_nothing_alarms_in_the_first_half_day() -> None:
    judge = Budget(4.0)
    assert not any(judge.judge(START + n * 60_000, 50.0) for n in range(12 * 60))
