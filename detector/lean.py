"""A slow leak: no bucket is surprising, and after three days the level is somewhere else."""

from __future__ import annotations

from detector.episode import Call, tenths
from detector.score import Scorer
from detector.series.definition import Definition, Direction, Measure

_ENOUGH = 5.0  # changes over three days, in those that are usual for the series
_OVER = 2.5
_SPAN_MS = 3 * 86_400_000
# How much is worth a call: of ratios points, of quantiles a share. Volumes come and go for days, which is nobody's fault.
_CHANGES = {
    Measure.RATIO: 0.02,
    Measure.CONVERSION: 0.02,
    Measure.REPEATS: 0.02,
    Measure.QUANTILE: 0.05,
    Measure.MEAN: 0.05,
}


def lean(definition: Definition, scorer: Scorer, leaned: int, ts: int) -> tuple[int, Call | None]:
    """`leaned`: when (ms) somebody was called about it, 0 for never; returned as it is from now on, with the call of this bucket."""
    leaning = scorer.leaning
    if -_OVER < leaning < _OVER:
        return 0, None
    if leaned:
        return leaned, None
    was, now = scorer.usual(ts, before=True), scorer.usual(ts)
    if not leaks(definition, leaning, was, now):
        return leaned, None
    half = abs(now - was) / abs(leaning) * _ENOUGH
    buckets = _SPAN_MS // definition.bucket_ms
    strength = tenths(was, now) if definition.measure.is_share else abs(leaning) / _ENOUGH
    return ts, Call(ts, ts, ts - _SPAN_MS, buckets, now, was, was - half, was + half, strength)


def leaks(definition: Definition, leaning: float, was: float, now: float) -> bool:
    """Whether it is worth a call that the usual went from `was` to `now` in three days, `leaning` times what is usual for the series."""
    if -_ENOUGH < leaning < _ENOUGH or definition.measure not in _CHANGES:
        return False
    if definition.direction is (Direction.LOW if leaning > 0 else Direction.HIGH):
        return False
    least = _CHANGES[definition.measure] * (1.0 if definition.measure.is_share else abs(was))
    return abs(now - was) >= least and (now > was) == (leaning > 0)
