"""How strongly one bucket speaks for a change, against what was usual before it.

The evidence is a log likelihood ratio: of the value under the change that is worth a call, and under what is usual. Summed up while it
speaks for the change (Page's CUSUM, Biometrika 41, 1954), it is as large as `h` by chance at most once in e^h buckets. Real series
vary more than the textbook's: the ratio is divided by how much more this one did.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from detector.series.definition import Definition, Measure

_SLOW = 0.5 ** (1 / 1440)  # of ratios: half after 1,440 buckets
_SPREAD_GAIN = 0.01
_JOINT = 10  # buckets
_OFFSET_GAIN = 0.1
_OUTLIER = 9.0  # times the usual square of a distance
_WIDTH = 3.5  # of the band, in standard deviations
_PRIOR_EVENTS = 50.0
_LEAST_SHARE = 0.005
_LEAST_SPREAD = 0.0025  # of logarithms: 5 %
_MOST_REACH = 300.0  # of a logarithm: what floats hold
_MEMORY = 5.0  # buckets before an offset means something


class Seen(NamedTuple):
    """A bucket beside what was expected in it, looked at from one side. `evidence`: for a change that way; `excess`: events beyond."""

    expected: float
    lower: float
    upper: float
    evidence: float
    excess: float


class Usual:
    """What is usual of one series. `level`: of ratios the hits, else how far the last hour is from the season, as a factor; `mass`: of
    ratios the events, else how many buckets are in it; `single`, `joint`: how much more than the textbook's it varies, from bucket to
    bucket and over `_JOINT` of them together, which is more where they hang together. Of quantiles these are the variance of the
    logarithm, of means that of the logarithm of one value."""

    __slots__ = KEPT = ("joint", "level", "mass", "off", "room", "single", "taken")

    def __init__(self) -> None:
        self.level = self.mass = 0.0
        self.single = self.joint = 1.0
        self.off = self.room = self.taken = 0.0  # of the buckets that are being taken together

    def copy(self) -> Usual:
        one = Usual()
        for name in self.KEPT:
            setattr(one, name, getattr(self, name))
        return one

    @property
    def spread(self) -> float:
        return self.single if self.single > self.joint else self.joint


def see(
    usual: Usual, definition: Definition, change: float, value: float, weight: float, season: float
) -> tuple[Seen, Seen]:
    """From above and from below. `season`: what the hour of the week usually has. `change`: which change is worth a call.

    What is usual by the hour of the week or by the last hour is usual: what returns to the season after an hour below it is no rise.
    """
    match definition.measure:
        case Measure.RATIO | Measure.CONVERSION | Measure.REPEATS:
            return _share(usual, change, value, weight)
        case Measure.QUANTILE:
            return _duration(usual, change, value, season, 1), _duration(usual, change, value, season, -1)
        case Measure.MEAN:
            values = max(weight, 1.0)
            return _duration(usual, change, value, season, 1, values), _duration(
                usual, change, value, season, -1, values
            )
        case _:
            return _count(usual, change, value, season, 1), _count(usual, change, value, season, -1)


def learn(usual: Usual, definition: Definition, value: float, weight: float, season: float) -> None:
    match definition.measure:
        case Measure.RATIO | Measure.CONVERSION | Measure.REPEATS:
            share = _usual_share(usual)
            if weight > 0:
                _spread(usual, weight * (value - share), weight * share * (1 - share), 1.0)
            usual.level = usual.level * _SLOW + value * weight
            usual.mass = usual.mass * _SLOW + weight
        case Measure.MEAN:
            off = math.log(max(value, 1e-9) / _level(usual, season))
            _spread(usual, weight * off, max(weight, 1.0), _LEAST_SPREAD)
            _move(usual, value, season)
        case Measure.QUANTILE:
            _spread(usual, math.log(max(value, 1e-9) / _level(usual, season)), 1.0, _LEAST_SPREAD)
            _move(usual, value, season)
        case _:
            expected = max(_level(usual, season), 0.5)
            _spread(usual, value - expected, expected, 1.0)
            _move(usual, value, season)


def _share(usual: Usual, change: float, hits: float, weight: float) -> tuple[Seen, Seen]:
    share = _usual_share(usual)
    reach = _WIDTH * math.sqrt(usual.spread * share * (1 - share) / max(weight, 1.0))
    up, down = min(share + change, 0.99), max(share - change, _LEAST_SHARE)
    rise = _bernoulli(hits, weight, share, up) / usual.spread if up > share else -1.0
    fall = _bernoulli(hits, weight, share, down) / usual.spread if down < share else -1.0
    band = (share, max(share - reach, 0.0), min(share + reach, 1.0))
    return Seen(*band, rise, abs(hits - share) * weight), Seen(*band, fall, abs(hits - share) * weight)


def _bernoulli(share: float, weight: float, before: float, after: float) -> float:
    hits = share * weight
    return hits * math.log(after / before) + (weight - hits) * math.log((1 - after) / (1 - before))


def _count(usual: Usual, change: float, value: float, season: float, sign: int) -> Seen:
    expected = max(_farther(usual, season, sign), 0.5)
    reach = _WIDTH * math.sqrt(usual.spread * expected)
    then = expected * (1 + change) ** sign
    evidence = (min(value, 1e12) * math.log(then / expected) - (then - expected)) / usual.spread
    return Seen(expected, max(expected - reach, 0.0), expected + reach, evidence, abs(value - expected))


def _duration(usual: Usual, change: float, value: float, season: float, sign: int, values: float = 1.0) -> Seen:
    """`values`: of how many it is the mean, where the spread is that of one."""
    expected = _farther(usual, season, sign)
    off, shift = math.log(max(value, 1e-9) / expected), math.log(1 + change)
    spread = max(usual.spread / values, _LEAST_SPREAD)
    reach = math.exp(min(_WIDTH * math.sqrt(spread), _MOST_REACH))
    return Seen(expected, expected / reach, expected * reach, shift / spread * (sign * off - shift / 2), 1.0)


def _farther(usual: Usual, season: float, sign: int) -> float:
    """The season's or the last hour's, whichever forgives more on this side."""
    return max(_level(usual, season), season, 1e-9) if sign > 0 else max(min(_level(usual, season), season), 1e-9)


def _usual_share(usual: Usual) -> float:
    """Drawn to the least share while little was seen."""
    share = (usual.level + _LEAST_SHARE * _PRIOR_EVENTS) / (usual.mass + _PRIOR_EVENTS)
    return min(max(share, _LEAST_SHARE), 1 - _LEAST_SHARE)


def _level(usual: Usual, season: float) -> float:
    return max(season, 1e-9) * (usual.level if usual.mass >= _MEMORY else 1.0)


def _move(usual: Usual, value: float, season: float) -> None:
    usual.mass = min(usual.mass + 1, 1e9)
    gain = max(_OFFSET_GAIN, 1 / usual.mass)
    factor = min(max(value / max(season, 0.5), 0.2), 5.0)
    usual.level += gain * (factor - usual.level)


def _spread(usual: Usual, off: float, variance: float, least: float) -> None:
    """`off`: how far a bucket was off; `variance`: of the textbook, for it."""
    usual.single = _towards(usual.single, off * off / variance, _SPREAD_GAIN, least)
    usual.off += off
    usual.room += variance
    usual.taken += 1
    if usual.taken >= _JOINT:
        usual.joint = _towards(usual.joint, usual.off * usual.off / usual.room, _SPREAD_GAIN * _JOINT / 2, least)
        usual.off = usual.room = usual.taken = 0.0


def _towards(spread: float, square: float, gain: float, least: float) -> float:
    return max(spread + gain * (min(square, _OUTLIER * max(spread, least)) - spread), least)
