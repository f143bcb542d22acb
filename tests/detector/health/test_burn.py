"""When a burning budget is an alarm."""

from __future__ import annotations

import numpy as np
import pytest

from detector.health.burn import PAIRS, WINDOWS, fired, surely
from detector.health.rings import Ring


def counts(*values: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("total", "bad", "least"), [(0, 0, 0.0), (10, 0, 0.0), (1, 1, 0.13), (10, 10, 0.601), (1000, 300, 0.264)]
)
def test_what_is_sure(total: int, bad: int, least: float) -> None:
    assert surely(counts(total), counts(bad))[0] == pytest.approx(least, abs=0.002)


def test_both_windows_have_to_burn() -> None:
    """1,000 events a minute, 1 % may fail: an hour ago 100 % did for 50 minutes, now nothing does."""
    total = counts(*(1000 * window for window in WINDOWS))[:, None]
    bad = counts(*(0 if window <= 30 else 50_000 for window in WINDOWS))[:, None]
    assert PAIRS[fired(total, bad, np.array([0.01]))[0]].short == 120
    bad[WINDOWS.index(5)] = 2000
    assert PAIRS[fired(total, bad, np.array([0.01]))[0]].long == 60


def test_a_service_at_its_objective_alarms_about_never() -> None:
    """30 days of a service of which exactly as much fails as may, at three sizes; the seed is one of many."""
    rng = np.random.default_rng(20261126)
    minutes, budget, alarms = 30 * 1440, 0.02, 0
    for per_minute in (1, 10, 200):
        total = rng.poisson(per_minute, minutes)
        bad = rng.binomial(total, budget)
        sums = [np.concatenate(([0], np.cumsum(one))) for one in (total, bad)]
        ends = np.arange(1, minutes + 1)
        windows = [[one[ends] - one[np.maximum(ends - window, 0)] for window in WINDOWS] for one in sums]
        burns = fired(np.stack(windows[0]), np.stack(windows[1]), np.full(minutes, budget)) >= 0
        alarms += int((np.diff(burns.astype(int)) == 1).sum())
    assert alarms <= 3


def test_a_ring_forgets_the_oldest() -> None:
    ring = Ring(3)
    for step in (10, 11, 12, 13):
        ring.add(counts(0, 1), counts(step, step), counts(step, 1), counts(1, 0))
    ring.add(counts(0), counts(10), counts(99), counts(99))  # too late for it
    assert ring.last(3, 13, 2)[:, 0].tolist() == [[13, 1], [12, 1], [11, 1]]
    assert ring.last(2, 14, 1)[:, 0].tolist() == [[0], [13]]
    assert sorted(ring.changes()) == [10, 11, 12, 13]


def test_a_ring_that_is_loaded_is_the_same() -> None:
    ring, other = Ring(5), Ring(5)
    ring.add(counts(0, 40, 0), counts(7, 8, 8), counts(5, 6, 7), counts(1, 2, 3))
    for step, dumped in ring.changes().items():
        assert dumped is not None
        other.load(step, dumped)
    assert np.array_equal(ring.last(5, 9, 41), other.last(5, 9, 41))
    with pytest.raises(ValueError, match=r".*"):
        other.load(9, b"nothing of the kind")
