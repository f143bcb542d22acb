"""Two series become one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from detector.score import Kind, Scorer
from detector.score.merge import merged

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
START, STEP_MS, DAY = 1_741_000_000_000, 300_000, 288
DAYS = 21


def _usage(n: int, size: float, chance: random.Random) -> float:
    return max(0.0, round(size * (1 + 0.6 * math.sin(n * 2 * math.pi / DAY)) + chance.gauss(0, size**0.5)))


Usage = Callable[[int, float, random.Random], float]


def _taught(size: float, kind: Kind, seed: int, usage: Usage = _usage) -> Scorer:
    chance, scorer = random.Random(seed), Scorer(300, kind, VIETNAM, 4)
    for n in range(DAYS * DAY):
        scorer.step(START + n * STEP_MS, usage(n, size, chance))
    return scorer


def _office(n: int, size: float, chance: random.Random) -> float:
    """Less at weekends, and noise by day only."""
    at = datetime.fromtimestamp((START + n * STEP_MS) / 1000, VIETNAM)
    return size * (0.4 if at.weekday() > 4 else 1.0) + chance.gauss(0, size * (0.05 if 8 <= at.hour < 18 else 0.005))


def test_weekends_and_the_noise_of_each_hour_are_inherited() -> None:
    parents = [_taught(100, Kind.GAUGE, 1, _office), _taught(300, Kind.GAUGE, 2, _office)]
    chance, reach = random.Random(3), {3: list[float](), 13: list[float]()}
    child, alone = merged(parents, VIETNAM, 4), _taught(400, Kind.GAUGE, 4, _office)
    off: list[float] = []
    for n in range(DAYS * DAY, (DAYS + 7) * DAY):
        at = datetime.fromtimestamp((START + n * STEP_MS) / 1000, VIETNAM)
        value = _office(n, 400, chance)
        point = child.step(START + n * STEP_MS, value)
        alone.step(START + n * STEP_MS, value)
        off.append(abs(child.usual(START + n * STEP_MS) - alone.usual(START + n * STEP_MS)))
        if at.hour in reach:
            reach[at.hour].append(point.upper - point.lower)
    assert sum(off) / len(off) < 25, "of what one series of both would expect"
    assert sum(reach[13]) > 3 * sum(reach[3])


@pytest.mark.parametrize("kind", [Kind.GAUGE, Kind.COUNT])
def test_what_is_expected_of_both_is_the_sum_of_what_was_expected_of_each(kind: Kind) -> None:
    child = merged([_taught(100, kind, 1), _taught(300, kind, 2)], VIETNAM, 4)
    chance, alarms = random.Random(3), 0
    off, reach, beyond = list[float](), list[float](), list[float]()
    for n in range(DAYS * DAY, (DAYS + 3) * DAY):
        point = child.step(START + n * STEP_MS, _usage(n, 100, chance) + _usage(n, 300, chance))
        usual = 400 * (1 + 0.6 * math.sin(n * 2 * math.pi / DAY))
        assert point.expected == pytest.approx(usual, abs=60)
        off.append(abs(point.expected - usual))
        reach.append(point.upper - point.expected)
        beyond.append(point.extreme)
        alarms += point.anomaly
        assert point.learning
    assert sum(off) / len(off) < 12, "the noise of the level itself is eight"
    assert not any(beyond), "the highest and lowest of both are no news"
    assert 3.5 * 20 < reach[0] < 1.5 * 3.5 * 20, "the noise of both is the root of the sum of squares"
    assert alarms <= 2
    assert child.step(START + (DAYS + 14) * DAY * STEP_MS - 2 * STEP_MS, None).learning
    assert not child.step(START + (DAYS + 15) * DAY * STEP_MS, 400.0).learning
    assert Scorer.load(child.dump(), 300, kind, VIETNAM, 4).dump() == child.dump()


def test_what_has_no_sum_is_refused() -> None:
    scorer = _taught(100, Kind.GAUGE, 1)
    with pytest.raises(ValueError, match="different kinds or steps"):
        merged([scorer, Scorer(60, Kind.GAUGE, VIETNAM, 4)], VIETNAM, 4)
    with pytest.raises(ValueError, match="no habit"):
        merged([scorer, Scorer(300, Kind.GAUGE, VIETNAM, 4)], VIETNAM, 4)
    with pytest.raises(ValueError, match="no sum"):
        merged([Scorer(300, Kind.RATIO, VIETNAM, 4)] * 2, VIETNAM, 4)
