"""When a series that is not as expected is worth a call: evidence that sums up (`detector/evidence.py`), until chance cannot explain it.

A scorer says of one point how surprising it is, and soon takes what goes on for the new normal. An episode holds on to what was usual
before it began, and compares with that until it is over. What it learns meanwhile is on trial: it is taken over where the episode ends and
nobody was called, and forgotten where somebody was, so that an incident does not widen what it is measured by.

Once somebody was called, an episode is over when the sum is gone, or when another sum, of what speaks for the usual and against what the
episode has shown, is as large as was needed to call. The first sum alone would wait for days: it grows by a change just worth a call,
of which an ordinary bucket of a few events says next to nothing.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from detector.evidence import Seen, Usual, learn, see
from detector.series.definition import Definition, Direction, Measure
from soc.model.calendar import HOUR_MS
from soc.model.harmless import beyond

_DAY_S = 86_400
_CALM_DAYS = 1000  # days of a series without an incident, in which chance may call once
_CAUTION = 4.0  # real series hang together from one bucket to the next, which the formula does not know
_DAYS_MS = 36 * HOUR_MS  # by load, hours of one day hang together: what adds up for longer needs no caution
_DOUBT = 0.4  # of the evidence for a call: from here on nothing is learned
_NORMAL_MS = 24 * HOUR_MS  # a share that stays so long has come to stay
_FOLD_MS = 2 * HOUR_MS  # what comes back within this time goes on with the alert before
_MOST_SHOWN = 10.0  # times the usual
_LAST = 150.0  # events: of fewer a share is mostly chance
_NEARLY_ALL = 9.5  # tenths of the way to all or none
_SHOWING = 8.0  # events of a share, as many as usual, that those in doubt are seen with
_CHANGES = {
    Measure.COUNT: 0.8, Measure.RATIO: 0.12, Measure.CONVERSION: 0.25, Measure.QUANTILE: 0.6, Measure.MEAN: 0.6, Measure.DISTINCT: 0.8,
    Measure.REPEATS: 0.12,
}  # fmt: skip
_KEPT = ("called", "over", "sign", "before", "relearn", "calm")
_NUMBERS = len(Usual().numbers())
_SIDE = "2q7d"
_STATE = struct.Struct(f"<5qd{2 * _SIDE}{2 * _NUMBERS}d")


class Call(NamedTuple):
    """A bucket (ms) of an episode that is worth a call. `since`: the first bucket of what is one alert; `began`: of the episode.
    `strength`: how far off, in half widths of the band; of shares in tenths of the way to all or none, whatever the number of events."""

    ts: int
    since: int
    began: int
    buckets: int
    actual: float
    expected: float
    lower: float
    upper: float
    strength: float


class Side:
    """What speaks for a change to one side, above (`sign` 1) or below (-1): evidence so far, the bucket (ms) in which it began to sum up,
    and of the buckets since then how many they are, the events beyond what was expected, and the farthest off; of those in doubt how far
    off they were, each event alike, and how many events that were; and the same of the last `_LAST` events. There is one as long as
    there is evidence."""

    KEPT = ("began", "run", "sum", "excess", "strength", "far", "room", "last_far", "last_room")
    __slots__ = (*KEPT, "sign")

    def __init__(self, sign: int, began: int) -> None:
        self.sign, self.began, self.run = sign, began, 0
        self.sum = self.excess = self.strength = self.far = self.room = self.last_far = self.last_room = 0.0

    def measure(self, definition: Definition, value: float, weight: float, expected: float) -> None:
        times = math.log(min(max(value / max(expected, 1e-9), 1 / _MOST_SHOWN), _MOST_SHOWN))
        off = value - expected if definition.measure.is_share else times
        events = 1.0 if definition.measure.is_volume else max(weight, 1.0)
        self.far += off * events
        self.room += events
        keep = min(_LAST / self.last_room, 1.0) if self.last_room else 1.0
        self.last_far = keep * self.last_far + off * events
        self.last_room = keep * self.last_room + events

    def shown(self, definition: Definition) -> float:
        """The change to this side that the buckets in doubt had on average."""
        mean = self.sign * self.far / self.room if self.room else 0.0
        return mean if definition.measure.is_share else math.expm1(mean)

    def way(self, usual: float) -> float:
        """Of a share: how far the last events in doubt are from what is usual, in tenths; as far as the number of all shows it."""
        mean = self.last_far / self.last_room if self.last_room else 0.0
        return tenths(usual, usual + mean * self.room / (self.room + _SHOWING))


class Episode:
    __slots__ = (*_KEPT, "high", "low", "trial", "usual")

    def __init__(self) -> None:
        self.usual = Usual()
        self.trial: Usual | None = None  # what is usual and what was learned since it began; None: it has not begun
        self.high: Side | None = None
        self.low: Side | None = None
        self.called = 0  # first bucket of the alert; 0: nobody was called yet
        self.over = 0  # when the last one that was called ended,
        self.before = self.sign = 0  # the first bucket of its alert, and its sign
        self.relearn = 0  # until then nobody is called: what goes on for a day is the new normal
        self.calm = 0.0  # evidence since the call that it is over

    @property
    def side(self) -> Side | None:
        """The one that it is about: the one that was called, else the one that more speaks for."""
        high, low = self.high, self.low
        if self.called:
            return high if self.sign > 0 else low
        if high is None or low is None:
            return high or low
        return high if high.sum >= low.sum else low

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
        """One known bucket. `season`: what its time usually has. `least_strength`: what people said is harmless: so far off, to
        that side (negative: below)."""
        if learning or ts < self.relearn:
            learn(self.usual, definition, value, weight, season)
            return None
        side = self.side
        if side is not None and ts - side.began >= definition.adds_up_ms:
            self._go_on(definition, ts)
            if ts < self.relearn:
                learn(self.usual, definition, value, weight, season)
                return None
        change, enough = definition.page.change or _CHANGES[definition.measure], threshold(definition)
        above, below = see(self.usual, definition, change, value, weight, season)
        most = enough / 2  # one bucket alone calls nobody
        if definition.direction is not Direction.LOW:  # what is no call is no episode either: it may be the new normal
            self.high = _grown(self.high, 1, ts, above.evidence, most, enough)
        if definition.direction is not Direction.HIGH:
            self.low = _grown(self.low, -1, ts, below.evidence, most, enough)
        side = self.side
        if side is None:
            self._end(ts)
            learn(self.usual, definition, value, weight, season)
            return None
        if definition.by_load or side.sum < enough * _DOUBT:
            # What is learned from has to hold what chance does, too: by load all of it, as days that the load explains in part come
            # every month.
            self._try(definition, value, weight, season)
        seen = above if side.sign > 0 else below
        if side.sum >= enough * _DOUBT:
            side.measure(definition, value, weight, seen.expected)
        if self.called:
            sides = see(self.usual, definition, max(change, side.shown(definition)), value, weight, season)
            self.calm = _add(self.calm, -sides[side.sign < 0].evidence, most, enough)
            if self.calm >= enough:
                self._end(ts)
                learn(self.usual, definition, value, weight, season)
                return None
        return self._judge(definition, side, ts, value, seen, enough, least_strength)

    def _judge(
        self,
        definition: Definition,
        side: Side,
        ts: int,
        value: float,
        seen: Seen,
        enough: float,
        least_strength: float,
    ) -> Call | None:
        """Whether this bucket is worth a call, seen from the side that it is about."""
        if seen.evidence <= 0:
            return None
        sign = side.sign
        edge = seen.upper if sign > 0 else seen.lower
        if definition.measure.is_share:  # of one bucket it is mostly by how many events it has
            strength = side.way(seen.expected)
            least_strength = _farther_by_chance(least_strength)
        else:
            strength = abs(value - seen.expected) / max(abs(edge - seen.expected), 1e-12)
        if self.called and is_harmless(sign * side.strength, least_strength):
            self._set_aside(side, ts)
        side.excess += seen.excess
        side.strength = max(side.strength, strength)
        if not self.called:
            page = definition.page
            if definition.by_load and ts - side.began >= _DAYS_MS:
                enough -= _CAUTION
            if side.sum < enough or side.run < page.buckets or side.excess < page.least:
                return None
            if is_harmless(sign * side.strength, least_strength):
                return None
            self.called, self.sign = self._again(ts, sign) or side.began, sign
        elif seen.lower <= value <= seen.upper:
            return None  # many such may have been worth the call, but each is as usual
        return Call(ts, self.called, side.began, side.run, value, seen.expected, seen.lower, seen.upper, strength)

    def _set_aside(self, side: Side, ts: int) -> None:
        """What was called has been said to be harmless since, and its alert is closed: what goes beyond is another alert."""
        side.began, self.called, self.over = ts, 0, 0
        self.calm = 0.0

    def _try(self, definition: Definition, value: float, weight: float, season: float) -> None:
        """Learn, on trial. The level of volumes and durations is the last hour's, which they are compared with at once."""
        self.trial = self.trial or self.usual.copy()
        learn(self.trial, definition, value, weight, season)
        if _follows(definition):
            self.usual.level, self.usual.mass = self.trial.level, self.trial.mass

    def dump(self) -> bytes:
        sides = [getattr(side, name) if side else 0 for side in (self.high, self.low) for name in Side.KEPT]
        usual = [*self.usual.numbers(), *(self.trial or self.usual).numbers()]
        return _STATE.pack(*(getattr(self, name) for name in _KEPT), *sides, *usual)

    @classmethod
    def load(cls, data: bytes) -> Episode:
        one = cls()
        values = iter(_STATE.unpack(data))
        high, low = Side(1, 0), Side(-1, 0)
        for part, names in ((one, _KEPT), (high, Side.KEPT), (low, Side.KEPT)):
            for name in names:
                setattr(part, name, next(values))
        one.high, one.low = high if high.sum else None, low if low.sum else None
        numbers = list(values)
        one.usual, one.trial = Usual.of(numbers[:_NUMBERS]), Usual.of(numbers[_NUMBERS:])
        if one.side is None:
            one.trial = None
        return one

    def _go_on(self, definition: Definition, ts: int) -> None:
        """It has lasted for long. Where nobody was called, what was learned meanwhile is usual. Else volumes and durations are compared
        with what comes from now on; a share that has been called about for a day is learned anew."""
        called = self.called
        self._end(ts)
        self.high = self.low = None
        if not called:
            return
        if _follows(definition):
            self.usual.level = self.usual.mass = 0.0
        elif ts - called >= max(_NORMAL_MS, definition.adds_up_ms):
            self.usual.level = self.usual.mass = 0.0
            self.usual.load = None
            self.relearn = ts + max(HOUR_MS, 60 * definition.bucket_ms if definition.by_load else 0)

    def _again(self, ts: int, sign: int) -> int:
        """What ended a short while ago has come back: it is the same alert."""
        return self.before if self.over and ts - self.over <= _FOLD_MS and self.sign == sign else 0

    def _end(self, ts: int) -> None:
        if self.called:
            self.over, self.before = ts, self.called
        elif self.trial is not None:
            self.usual = self.trial
        # Of what was called only that side: what falls after a rise goes on.
        if not self.called or self.sign > 0:
            self.high = None
        if not self.called or self.sign < 0:
            self.low = None
        self.trial, self.called, self.calm = None, 0, 0.0


def _farther_by_chance(least: float) -> float:
    """Of a share what is as far off may look a little farther, but not as far as all or none, unless nearly that was meant."""
    if not least or abs(least) >= beyond(_NEARLY_ALL):
        return least
    return math.copysign(min(abs(least) + max(10 - abs(least), 0.0) / 10, _NEARLY_ALL), least)


def tenths(usual: float, share: float) -> float:
    """How far a share is from what is usual of it, in tenths of the way to all, or none."""
    possible = 1.0 - usual if share > usual else usual
    return 10 * min(abs(share - usual) / max(possible, 1e-9), 1.0)


def is_harmless(strength: float, least: float) -> bool:
    """Both negative below what is expected: what is harmless on one side says nothing of the other."""
    return strength * least > 0 and abs(strength) < abs(least)


def _follows(definition: Definition) -> bool:
    """Whether it is compared with the last hour, so that nothing stays unusual for long."""
    return not definition.measure.is_share and not definition.by_load


def _grown(side: Side | None, sign: int, ts: int, evidence: float, most: float, enough: float) -> Side | None:
    sum_ = _add(side.sum if side is not None else 0.0, evidence, most, enough)
    if not sum_:
        return None
    side = side or Side(sign, ts)
    side.sum = sum_
    side.run += 1
    return side


def _add(sum_: float, evidence: float, most: float, enough: float) -> float:
    return min(max(sum_ + min(max(evidence, -most), most), 0.0), enough)


def threshold(definition: Definition) -> float:
    """Evidence that chance brings about once in so many days of a series."""
    return math.log(_CALM_DAYS * _DAY_S / (definition.bucket_ms / 1000)) + _CAUTION
