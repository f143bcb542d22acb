"""The scales on which noise is even: a function of the kind, and its inverse.

Counts: Anscombe's root (Biometrika 35, 1948), carried on to negative values, which no count has but some source will send. Ratios: the
arcsine of the root, drawn to an even share as Wilson's interval is, so that 1 of 1 is no certainty. Latencies: the logarithm of 1 + x.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from detector.score.point import Kind

FURTHEST = 1e30  # what is kept in single precision is still a number

MANY = 30.0  # events from which on a ratio speaks for itself

Scale = Callable[[float, float], float]  # value, weight -> stabilised
Unscale = Callable[[float], float]


def _gauge(value: float, _: float) -> float:
    return min(max(value, -FURTHEST), FURTHEST)


def _count(value: float, _: float) -> float:
    root = 2.0 * (math.sqrt(min(abs(value), FURTHEST) + 0.375) - math.sqrt(0.375))
    return root if value >= 0 else -root


def _uncount(level: float) -> float:
    value = (abs(level) / 2.0 + math.sqrt(0.375)) ** 2 - 0.375
    return value if level >= 0 else -value


def _ratio(value: float, weight: float) -> float:
    share = min(max(value, 0.0), 1.0)
    return math.asin(math.sqrt((share * weight + 0.375) / (weight + 0.75)))


def _unratio(level: float) -> float:
    return math.sin(min(max(level, 0.0), math.pi / 2)) ** 2


def few(share: float, weight: float, expected: float) -> float:
    """A ratio of fewer than `MANY`, stabilised: drawn to `expected`, which is on the stabilised scale.

    It is as far off as the share is, along the tangent: of buckets of one event the root's arcsine has another mean than their share has,
    and of buckets of three yet another, so that what is usual would go up and down with how many events there are."""
    usual = _unratio(expected)
    near = (usual * weight + 0.375) / (weight + 0.75)  # no tangent is upright
    off = min(max(share, 0.0), 1.0) - usual
    drawn = expected + off / (2.0 * math.sqrt(near * (1.0 - near))) * weight / MANY
    return min(max(drawn, 0.0), math.pi / 2)  # the ends of the scale, beyond which a tangent leads


def _latency(value: float, _: float) -> float:
    height = math.log1p(min(abs(value), FURTHEST))
    return height if value >= 0 else -height


def _unlatency(level: float) -> float:
    return math.copysign(math.expm1(min(abs(level), 345.0)), level)


SCALES: dict[Kind, tuple[Scale, Unscale]] = {
    Kind.GAUGE: (_gauge, lambda level: level),
    Kind.COUNT: (_count, _uncount),
    Kind.RATIO: (_ratio, _unratio),
    Kind.LATENCY: (_latency, _unlatency),
}
