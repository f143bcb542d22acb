"""Two series become one."""

from __future__ import annotations

import math
import random
from zoneinfo import ZoneInfo

import pytest

from detector.score import Kind, Scorer
from detector.score.merge import merged

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
START, STEP_MS, DAY = 1_741_000_000_000, 300_000, 288
DAYS = 21


def _usage(n: int, size: float, chance: random.Random) -> float:
    return max(0.0, round(size * (1 + 0.6 * math.sin(n * 2 * math.pi / DAY)) + chance.gauss(0, size**0.5)))


def _taught(size: float, kind: Kind, seed: int) -> Scorer:
    chance, scorer = random.Random(seed), Scorer(300, kind, VIETNAM, 4)
    for n in range(DAYS * DAY):
        scorer.step(START + n * STEP_MS, _usage(n, size, chance))
    return scorer


@pytest.mark.parametrize("kind", [Kind.GAUGE, Kind.COUNT])
def test_what_is_expected_of_both_is_the_sum_of_what_was_expected_of_each(kind: Kind) -> None:
    child = merged([_taught(100, kind, 1), _taught(300, kind, 2)], VIETNAM, 4)
    chance, alarms = random.Random(3), 0
    for n in range(DAYS * DAY, (DAYS + 3) * DAY):
        point = child.step(START + n * STEP_MS, _usage(n, 100, chance) + _usage(n, 300, chance))
        assert point.expected == pytest.approx(400 * (1 + 0.6 * math.sin(n * 2 * math.pi / DAY)), abs=60)
        alarms += point.anomaly
        assert point.learning
    assert alarms <= 6
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
