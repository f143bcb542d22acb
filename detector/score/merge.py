"""One series that comes of several: two provinces become one, and what it will count is what they have counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import tzinfo

from detector.score.point import Kind
from detector.score.scorer import DAY_MS, Scorer
from detector.score.season import DAY_SLOTS, hour_of_week
from detector.score.stabilise import SCALES

RELEARNING_DAYS = 14
_KNOWN = 32  # values that what is inherited counts for: widths are soon its own


def merged(parents: Sequence[Scorer], zone: tzinfo, budget: float) -> Scorer:
    """A scorer whose habit is the sum of its parents', learning for RELEARNING_DAYS from the latest value of theirs.

    Levels are added on the scale of the values. Holidays, rarities and the threshold begin anew. Raises ValueError for ratios and
    latencies, which have no sum, for parents of different kinds or steps, and for parents that know nothing yet.
    """
    kinds, steps = {parent.kind for parent in parents}, {parent.step_s for parent in parents}
    if len(kinds) != 1 or len(steps) != 1:
        raise ValueError("parents of different kinds or steps have no sum")
    kind = kinds.pop()
    if kind not in (Kind.GAUGE, Kind.COUNT):
        raise ValueError(f"series of the kind {kind} have no sum: learn the new one anew")
    if not all(parent._n for parent in parents):
        raise ValueError("a parent without any value has no habit to add")
    child = Scorer(steps.pop(), kind, zone, budget)
    _inherit_habit(child, parents)
    _inherit_level(child, parents)
    return child


def _together(child: Scorer, levels: Sequence[float]) -> float:
    stabilise, unstabilise = SCALES[child.kind]
    return stabilise(math.fsum(unstabilise(level) for level in levels), 1.0)


def _width_together(child: Scorer, levels: Sequence[float], widths: Sequence[float]) -> float:
    """Of the sum of what is so wide at these levels: squares of widths add up on the scale of the values."""
    stabilise, unstabilise = SCALES[child.kind]
    sizes = [unstabilise(level + width) - unstabilise(level) for level, width in zip(levels, widths, strict=True)]
    total = math.fsum(unstabilise(level) for level in levels)
    return stabilise(total + math.hypot(*sizes), 1.0) - stabilise(total, 1.0)


def _inherit_habit(child: Scorer, parents: Sequence[Scorer]) -> None:
    season = child._season
    levels = [_together(child, [one._slow + one._season.sums[k] for one in parents]) for k in range(DAY_SLOTS)]
    child._slow = math.fsum(levels) / DAY_SLOTS
    for k, level in enumerate(levels):
        season.sums[k] = level - child._slow
        season.seen[k] = min(one._season.seen[k] for one in parents)
        season.widths[k] = max(one._season.widths[k] for one in parents)
    for hour in range(168):
        middle, at = hour % 24 * 6 + 3, hour_of_week(*divmod(hour, 24))
        week = [one._slow + one._season.sums[middle] + one._season.sums[at] for one in parents]
        season.sums[at] = _together(child, week) - levels[middle]
        season.seen[at] = min(one._season.seen[at] for one in parents)


def _inherit_level(child: Scorer, parents: Sequence[Scorer]) -> None:
    child._fast = child._before = child._slow
    levels = [one._slow for one in parents]
    for k in range(len(child._widths)):
        child._widths[k] = _width_together(child, levels, [one._widths[k] for one in parents])
    child._mean = _width_together(child, levels, [one._mean for one in parents])
    child._size = _together(child, [one._size for one in parents])
    child._high = _together(child, [one._high for one in parents])
    child._low = _together(child, [one._low for one in parents])
    child._last = max(one._last for one in parents)
    child._first = child._last + (RELEARNING_DAYS - 1) * DAY_MS  # ready a day later
    child._n = _KNOWN
