"""When a series that is not as expected is worth a call: evidence that sums up (`detector/evidence.py`), until chance cannot explain it.

A scorer says of one point how surprising it is, and soon takes what goes on for the new normal. An episode holds on to what was usual
before it began, and compares with that until it is over.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from detector.evidence import Seen, Usual, learn, see
from detector.series.definition import Definition, Direction, Measure

_HOUR_MS = 3_600_000
_DAY_S = 86_400
_CALM_DAYS = 1000  # days of a series without an incident, in which chance may call once
_CAUTION = 4.0  # real series hang together from one bucket to the next, which the formula does not know
_DOUBT = 0.4  # of the evidence for a call: from here on nothing is learned
_LONGEST_MS = _HOUR_MS  # after that, what was usual before says little about now
_FOLD_MS = 2 * _HOUR_MS  # what comes back within this time goes on with the alert before
_CHANGES = {
    Measure.COUNT: 0.8, Measure.RATIO: 0.12, Measure.CONVERSION: 0.25, Measure.QUANTILE: 0.6, Measure.DISTINCT: 0.8,
}  # fmt: skip
_KEPT = ("high", "low", "excess", "strength", "began", "run", "called", "over", "sign", "before")
_STATE = struct.Struct("<4d6q7d")


class Call(NamedTuple):
    """A bucket (ms) of an episode that is worth a call. `since`: the first bucket of what is one alert; `began`: of the episode.
    `strength`: how far off, in half widths of the band."""

    ts: int
    since: int
    began: int
    buckets: int
    actual: float
    expected: float
    lower: float
    upper: float
    strength: float


class Episode:
    __slots__ = (*_KEPT, "usual")

    def __init__(self) -> None:
        self.usual = Usual()
        self.high = self.low = 0.0  # evidence so far
        self.began = 0  # when it began to sum up; 0: it does not
        self.run = 0  # buckets since
        self.called = 0  # first bucket of the alert; 0: nobody was called yet
        self.over = 0  # when the last one that was called ended,
        self.before = self.sign = 0  # the first bucket of its alert, and its sign
        self.excess = self.strength = 0.0

    def step(
        self,
        definition: Definition,
        ts: int,
        value: float,
        weight: float,
        season: float,
        least_strength: float,
        *,
        learning: bool,
    ) -> Call | None:
        """One known bucket. `season`: what its time usually has. `least_strength`: what people said is harmless is below it."""
        if learning:
            learn(self.usual, definition, value, weight, season)
            return None
        if self.began and ts - self.began >= max(_LONGEST_MS, 12 * definition.bucket_ms):
            self._end(ts)
            self.usual.mass = min(self.usual.mass, 1.0) if season and self._seasonal(definition) else self.usual.mass
        seen = see(
            self.usual, definition, definition.page.change or _CHANGES[definition.measure], value, weight, season
        )
        enough = threshold(definition)
        speaks = self._sum_up(definition, ts, seen, enough)
        if max(self.high, self.low) < enough * _DOUBT:  # what is learned from has to hold what chance does, too
            learn(self.usual, definition, value, weight, season)
        if not self.began:
            return None
        up = self.high >= self.low
        edge = seen.upper if up else seen.lower
        if speaks:
            self.excess += seen.excess
            self.strength = max(self.strength, abs(value - seen.expected) / max(abs(edge - seen.expected), 1e-12))
        if not self.called:
            if (
                max(self.high, self.low) < enough
                or self.run < definition.page.buckets
                or self.excess < definition.page.least
            ):
                return None
            if self.strength < least_strength:
                return None
            self.called, self.sign = self._again(ts, 1 if up else -1) or self.began, 1 if up else -1
        if not speaks:
            return None
        strength = abs(value - seen.expected) / max(abs(edge - seen.expected), 1e-12)
        return Call(ts, self.called, self.began, self.run, value, seen.expected, seen.lower, seen.upper, strength)

    def dump(self) -> bytes:
        usual = (getattr(self.usual, name) for name in Usual.KEPT)
        return _STATE.pack(*(getattr(self, name) for name in _KEPT), *usual)

    @classmethod
    def load(cls, data: bytes) -> Episode:
        one = cls()
        values = _STATE.unpack(data)
        for name, value in zip(_KEPT, values, strict=False):
            setattr(one, name, value)
        for name, value in zip(Usual.KEPT, values[len(_KEPT) :], strict=True):
            setattr(one.usual, name, value)
        return one

    def _sum_up(self, definition: Definition, ts: int, seen: Seen, enough: float) -> bool:
        """Add the evidence; whether this bucket speaks for what the episode is about."""
        most = enough / 2  # one bucket alone calls nobody
        high = min(seen.high, most) if definition.direction is not Direction.LOW else -most
        low = min(seen.low, most) if definition.direction is not Direction.HIGH else -most
        self.high = min(max(self.high + max(high, -most), 0.0), enough)
        self.low = min(max(self.low + max(low, -most), 0.0), enough)
        if not self.high and not self.low:
            if self.began:
                self._end(ts)
            return False
        self.began = self.began or ts
        self.run += 1
        return (high if self.high >= self.low else low) > 0

    @staticmethod
    def _seasonal(definition: Definition) -> bool:
        return definition.measure not in (Measure.RATIO, Measure.CONVERSION)

    def _again(self, ts: int, sign: int) -> int:
        """What ended a short while ago has come back: it is the same alert."""
        return self.before if self.over and ts - self.over <= _FOLD_MS and self.sign == sign else 0

    def _end(self, ts: int) -> None:
        if self.called:
            self.over, self.before = ts, self.called
        self.began = self.run = self.called = 0
        self.high = self.low = self.excess = self.strength = 0.0


def threshold(definition: Definition) -> float:
    """Evidence that chance brings about once in so many days of a series."""
    return math.log(_CALM_DAYS * _DAY_S / (definition.bucket_ms / 1000)) + _CAUTION
