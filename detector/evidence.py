"""How strongly one bucket speaks for a change, against what was usual before it.

The evidence is a log likelihood ratio: of the value under the change that is worth a call, and under what is usual. Summed up while it
speaks for the change (Page's CUSUM, Biometrika 41, 1954), it is as large as `h` by chance at most once in e^h buckets. Real series
vary more than the textbook's: the ratio is divided by how much more this one did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from detector.load import Load
from detector.series.definition import Definition, Measure

_SLOW = 0.5 ** (1 / 1440)  # of ratios: half after 1,440 buckets
_HOUR = 1 - 1 / 60  # of durations: the last 60 buckets
_SPREAD_GAIN = 0.01
_JOINT = 10  # buckets
_JOINT_GAIN = 0.02  # of so few a faster one is mostly chance, which the larger of both takes for unrest
_OFFSET_GAIN = 0.1
_OUTLIER = 9.0  # times the usual square of a distance
_WIDTH = 3.5  # of the band, in standard deviations
_PRIOR_EVENTS = 50.0
_LEAST_SHARE = 0.005
_LEAST_SPREAD = 0.0025  # of logarithms: 5 %
_LEAST_OF_MEANS = 0.0004  # of however many values: 2 %
_MOST_REACH = 300.0  # of a logarithm: what floats hold
_MEMORY = 5.0  # buckets, or values, before an offset means something
_MOST_OFF = 5.0  # times the season, of one bucket
_DURATIONS = (Measure.QUANTILE, Measure.MEAN)


class Seen(NamedTuple):
    """A bucket beside what was expected in it, looked at from one side. `evidence`: for a change that way; `excess`: events beyond."""

    expected: float
    lower: float
    upper: float
    evidence: float
    excess: float


class Usual:
    """What is usual of one series. `mass`: of ratios the events, of durations the values, of volumes how many buckets are in `level`,
    which is the hits of those events; how far those values are from the season, as logarithms, added up; how far the last buckets are,
    as a factor. `single`, `joint`: how much more than the textbook's it varies, from bucket to bucket and over `_JOINT` of them
    together, which is more where they hang together. Of quantiles these are the variance of the logarithm, of means that of the
    logarithm of one value."""

    KEPT = ("joint", "level", "mass", "off", "room", "seen", "single", "taken")
    __slots__ = (*KEPT, "load")

    def __init__(self) -> None:
        self.level = self.mass = 0.0
        self.single = self.joint = 1.0
        self.seen = 0.0  # buckets that both were learned from
        self.off = self.room = self.taken = 0.0  # of the buckets that are being taken together
        self.load: Load | None = None  # of those alone that are judged by it

    def copy(self) -> Usual:
        return Usual.of(self.numbers())

    def numbers(self) -> list[float]:
        load = self.load or Load()
        return [*(getattr(self, name) for name in self.KEPT), *(getattr(load, name) for name in Load.KEPT)]

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Usual:
        one = cls()
        for name, number in zip(cls.KEPT, numbers, strict=False):
            setattr(one, name, number)
        if any(numbers[len(cls.KEPT) :]):
            one.load = Load()
            for name, number in zip(Load.KEPT, numbers[len(cls.KEPT) :], strict=True):
                setattr(one.load, name, number)
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
    if definition.measure.is_share:
        return _share(usual, change, value, weight)
    if definition.measure in _DURATIONS:
        above, below = (_duration(usual, definition, change, value, weight, season, sign) for sign in (1, -1))
        return above, below
    return _count(usual, change, value, season, 1), _count(usual, change, value, season, -1)


def learn(usual: Usual, definition: Definition, value: float, weight: float, season: float) -> None:
    if definition.measure.is_share:
        share = _usual_share(usual)
        if weight > 0:
            _spread(usual, weight * (value - share), weight * share * (1 - share), 1.0)
        usual.level = usual.level * _SLOW + value * weight
        usual.mass = usual.mass * _SLOW + weight
        return
    if definition.measure in _DURATIONS:
        values = _values(definition, weight)
        expected = _usual_duration(usual, definition, weight, season, 0)
        _spread(usual, values * math.log(max(value, 1e-9) / expected), values, _LEAST_SPREAD)
        if definition.by_load:
            usual.load = usual.load or Load()
            usual.load.learn(definition.bucket_ms, value, values)
            return
        off = math.log(min(max(value / max(season, 1e-9), 1 / _MOST_OFF), _MOST_OFF))
        usual.level = usual.level * _HOUR + off * values
        usual.mass = usual.mass * _HOUR + values
        return
    expected = max(_level(usual, season), 0.5)
    _spread(usual, value - expected, expected, 1.0)
    usual.mass = min(usual.mass + 1, 1e9)
    factor = min(max(value / max(season, 0.5), 1 / _MOST_OFF), _MOST_OFF)
    usual.level += max(_OFFSET_GAIN, 1 / usual.mass) * (factor - usual.level)


def _values(definition: Definition, weight: float) -> float:
    """Of how many values the spread of a duration is to be divided by: that of a quantile is its own already."""
    return max(weight, 1.0) if definition.measure is Measure.MEAN else 1.0


def _beyond(definition: Definition, weight: float, sign: int) -> float:
    """How many values a duration that is off speaks of: a mean of all, a quantile of those beyond it."""
    if definition.measure is Measure.MEAN:
        return weight
    return max(weight * (1 - definition.quantile if sign > 0 else definition.quantile), 1.0)


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
    expected = max(_farther(_level(usual, season), season, sign), 0.5)
    reach = _WIDTH * math.sqrt(usual.spread * expected)
    then = expected * (1 + change) ** sign
    evidence = (min(value, 1e12) * math.log(then / expected) - (then - expected)) / usual.spread
    return Seen(expected, max(expected - reach, 0.0), expected + reach, evidence, abs(value - expected))


def _duration(
    usual: Usual, definition: Definition, change: float, value: float, weight: float, season: float, sign: int
) -> Seen:
    expected = _usual_duration(usual, definition, weight, season, sign)
    off, shift = math.log(max(value, 1e-9) / expected), math.log(1 + change)
    spread = max(usual.spread / _values(definition, weight), _LEAST_OF_MEANS)
    reach = math.exp(min(_WIDTH * math.sqrt(spread), _MOST_REACH))
    evidence = shift / spread * (sign * off - shift / 2)
    return Seen(expected, expected / reach, expected * reach, evidence, _beyond(definition, weight, sign))


def _usual_duration(usual: Usual, definition: Definition, events: float, season: float, sign: int) -> float:
    """`sign`: looked at from this side; 0: from neither."""
    if definition.by_load:
        expected = usual.load.expected(max(events, 1.0)) if usual.load is not None else None
        return max(expected or season, 1e-9)
    lately = _last_hour(usual, season)
    return max(_farther(lately, season, sign) if sign else lately, 1e-9)


def _farther(lately: float, season: float, sign: int) -> float:
    """The season's or the last buckets', whichever forgives more on this side."""
    return max(lately, season) if sign > 0 else min(lately, season)


def _usual_share(usual: Usual) -> float:
    """Drawn to the least share while little was seen."""
    share = (usual.level + _LEAST_SHARE * _PRIOR_EVENTS) / (usual.mass + _PRIOR_EVENTS)
    return min(max(share, _LEAST_SHARE), 1 - _LEAST_SHARE)


def _last_hour(usual: Usual, season: float) -> float:
    """Of durations: each value counts alike, and they are drawn to the season while they are few."""
    return max(season, 1e-9) * math.exp(usual.level / (usual.mass + _MEMORY))


def _level(usual: Usual, season: float) -> float:
    return max(season, 1e-9) * (usual.level if usual.mass >= _MEMORY else 1.0)


def _spread(usual: Usual, off: float, variance: float, least: float) -> None:
    """`off`: how far a bucket was off; `variance`: of the textbook, for it."""
    usual.seen += 1
    usual.single = _towards(usual.single, off * off / variance, max(_SPREAD_GAIN, 1 / usual.seen), least)
    usual.off += off
    usual.room += variance
    usual.taken += 1
    if usual.taken >= _JOINT:
        gain = max(_JOINT_GAIN, _JOINT / usual.seen)
        usual.joint = _towards(usual.joint, usual.off * usual.off / usual.room, gain, least)
        usual.off = usual.room = usual.taken = 0.0


def _towards(spread: float, square: float, gain: float, least: float) -> float:
    return max(spread + gain * (min(square, _OUTLIER * max(spread, least)) - spread), least)
