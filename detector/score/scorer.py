"""The scorer of one series: a value in, a judged point out.

value -> stabilised -> less the habit -> distances -> rarities -> their sum -> score, alarm
                       (season)          (here)       (tail)                  (budget)
"""

from __future__ import annotations

from array import array
from datetime import tzinfo
from typing import ClassVar, Self

from detector.score.budget import Budget
from detector.score.point import Kind, Point
from detector.score.season import SLOT_MS, Season
from detector.score.stabilise import SCALES
from detector.score.state import Kept, freeze, thaw
from detector.score.tail import Tail

VERSION = 1  # of what the numbers of the state mean
DAY_MS = 86_400_000
_BAND = 3.5
_CLIP = 4.0
_FLOOR = 1e-3  # of the usual size of values: what is less than so far off is never far off
_FAST = 0.3
_TREND, _DAMPED = 0.1, 0.8
_SCALE_GAIN = 0.004
_TO_SIGMA = 1.25
_LATE = 10  # points out of order in a row before the clock is believed


class Scorer:
    """Scores one series, in the order of time. Holds a few kilobytes whatever it has seen."""

    WHOLE: ClassVar[tuple[str, ...]] = ("_last", "_late", "_first", "_slot", "_count", "_n")
    FLOATS: ClassVar[tuple[str, ...]] = (
        *("_start", "_middle", "_end", "_width", "_sum", "_sizes", "_weights"),
        *("_slow", "_fast", "_trend", "_mid", "_before", "_size", "_high", "_low", "_damp"),
    )
    ARRAYS: ClassVar[tuple[str, ...]] = ("_scales",)

    def __init__(self, step_s: int, kind: Kind, zone: tzinfo, budget: float) -> None:
        """`step_s`: seconds between two values; `budget`: half hours a week that may alarm."""
        if step_s <= 0 or budget <= 0:
            raise ValueError("a step and a budget are more than nothing")
        self.kind, self.step_s = kind, step_s
        self._stabilise, self._unstabilise = SCALES[kind]
        self._season = Season(zone)
        self._budget = Budget(budget)
        self._tails = [Tail() for _ in range(5)]
        step_ms = step_s * 1000
        self._keep_slow = 0.5 ** (step_ms / (2 * DAY_MS))
        self._keep_middle = 0.5 ** (step_ms / 7_200_000)
        self._fade = 0.5 ** (120 * step_ms / (14 * DAY_MS))
        self._last = -1  # time of the last value that counted
        self._late = 0
        self._first = -1
        self._slot = -1
        self._start = self._middle = self._end = 0.0
        self._width = 1.0
        self._sum = self._sizes = self._weights = 0.0
        self._count = 0
        self._n = 0
        self._slow = self._fast = self._trend = self._mid = 0.0
        self._before = 0.0  # last value less the habit
        self._size = 0.0
        self._scales = array("d", [0.0] * 4)  # of season, level, difference, shift
        self._high = self._low = 0.0
        self._damp = 1.0

    def dump(self) -> bytes:
        """The whole state: what is loaded from it scores on as if nothing had happened, to the last bit."""
        return freeze(self._parts(), self._version())

    @classmethod
    def load(cls, data: bytes, step_s: int, kind: Kind, zone: tzinfo, budget: float) -> Self:
        """Raises `ConfigError` if the bytes are damaged, or of another version, step or kind."""
        scorer = cls(step_s, kind, zone, budget)
        thaw(scorer._parts(), scorer._version(), data)
        return scorer

    def usual(self, ts_ms: int) -> float:
        """What is usual at this time (of the half hour of the last value), whatever the last hours were like."""
        place = min(max((ts_ms / SLOT_MS - self._slot) * 2, 0.0), 2.0)
        ends = (self._start, self._middle) if place < 1 else (self._middle, self._end)
        habit = ends[0] + (place % 1 if place < 2 else 1.0) * (ends[1] - ends[0])
        return self._unstabilise(habit + self._slow)

    def _parts(self) -> list[Kept]:
        return [self, self._season, self._budget, *self._tails]

    def _version(self) -> str:
        return f"{VERSION} {self.kind} {self.step_s}"

    def step(self, ts_ms: int, value: float | None, weight: float = 1.0) -> Point:
        """Judge a value at its time (ms since 1970), then learn from it. None or NaN: unknown, nothing is learned; `weight`: the
        denominator of a ratio. A time that is not later than the last one is told what was expected, and no more."""
        late = ts_ms <= self._last
        if late:
            self._late += 1
            if self._late > _LATE:
                late, self._late, self._last = False, 0, ts_ms - self.step_s * 1000
        else:
            self._late = 0
        if ts_ms // SLOT_MS != self._slot and not late:
            self._turn(ts_ms)
        place = (ts_ms / SLOT_MS - self._slot) * 2
        habit = (
            self._start + place * (self._middle - self._start)
            if place < 1
            else self._middle + (place - 1) * (self._end - self._middle)
        )
        if value is None or late or value - value != 0:
            return self._unknown(habit)
        return self._judge(ts_ms, self._stabilise(value, weight), habit)

    def _judge(self, ts_ms: int, y: float, habit: float) -> Point:
        r = y - habit
        n = self._n
        if n == 0:
            self._slow = self._fast = self._mid = self._before = r
            self._high = self._low = y
            self._first = ts_ms
        gap = ts_ms - self._last
        if n and gap > 3000 * self.step_s:
            keep = 0.5 ** (gap / 3_600_000)
            self._fast = self._slow + (self._fast - self._slow) * keep
            self._mid = self._slow + (self._mid - self._slow) * keep
            self._trend = 0.0
            self._before = self._fast
        self._last = ts_ms
        width, scales = self._width, self._scales
        forecast = self._fast + self._trend
        slow, level, difference, shift = r - self._slow, r - forecast, r - self._before, forecast - self._mid
        floor = self._size * _FLOOR + 1e-12
        s0, s1 = scales[0] * width + floor, scales[1] * width + floor
        z0, z1, z2, z3 = slow / s0, level / s1, difference / (scales[2] * width + floor), shift / (scales[3] + floor)
        z4 = (y - self._high) / s0 * 4 if y > self._high else (y - self._low) / s0 * 4 if y < self._low else 0.0
        tails, damp = self._tails, self._damp
        a, b, c = tails[0].rate(z0, damp), tails[1].rate(z1, damp), tails[2].rate(z2, damp)
        d, e = tails[4].rate(z4, damp), tails[3].rate(z3, damp)
        total = a + b + c + d + e
        budget = self._budget
        anomaly = budget.judge(ts_ms, total)
        score = total / (total + budget.threshold)
        self._damp = damp = 0.1 if total >= budget.threshold else 1.0
        self._learn(y, r, slow, level, difference, shift, s0, s1, damp)
        center = habit + forecast
        reach = _BAND * s1
        back = self._unstabilise
        learning = ts_ms - self._first < DAY_MS
        return Point(
            score,
            back(center),
            back(center - reach),
            back(center + reach),
            anomaly,
            learning,
            self._first + DAY_MS,
            a,
            b + e,
            c,
            d,
        )

    def _learn(
        self,
        y: float,
        r: float,
        slow: float,
        level: float,
        difference: float,
        shift: float,
        s0: float,
        s1: float,
        damp: float,
    ) -> None:
        n = self._n = self._n + 1
        gain = max(1.0 / (n + 1), _SCALE_GAIN) * damp
        scales, width = self._scales, self._width
        for k, x in ((0, slow / width), (1, level / width), (2, difference / width), (3, shift)):
            x = abs(x) * _TO_SIGMA
            s = scales[k]
            if n > 30 and x > _CLIP * s:
                x = _CLIP * s
            scales[k] = s + gain * (x - s)
        clip = _CLIP * s0
        bound = slow if n < 30 else min(max(slow, -clip), clip)
        self._slow += max(1.0 / n, 1 - self._keep_slow) * damp * bound
        self._mid += max(1.0 / n, 1 - self._keep_middle) * (r - self._mid)
        forecast = self._fast + self._trend
        self._fast = forecast + _FAST * level
        self._trend = _DAMPED * (self._trend + _FAST * _TREND * level)
        self._before = r
        self._size += max(1.0 / n, 0.001) * (abs(y) - self._size)
        if y > self._high:
            self._high = y
        elif y < self._low:
            self._low = y
        self._sum += damp * (bound if self._season.seen else slow)
        self._sizes += min(abs(level) / (s1 / width), _CLIP) * _TO_SIGMA if s1 > 0 else 1.0
        self._weights += damp
        self._count += 1

    def _turn(self, ts_ms: int) -> None:
        if self._count:
            w = self._weights / self._count
            # mean remainder
            base = self._sum / self._weights
            self._season.learn(self._slot, base, self._sizes / self._count / max(self._width, 1e-9), w)
            self._sum = self._sizes = self._weights = 0.0
            self._count = 0
        self._slot = ts_ms // SLOT_MS
        self._start, self._middle, self._end, self._width = self._season.around(self._slot)
        for tail in self._tails:
            if tail.seen >= tail.due:
                tail.look(self._fade)

    def _unknown(self, habit: float) -> Point:
        center = habit + self._fast
        reach = _BAND * (self._scales[1] * self._width)
        back = self._unstabilise
        return Point(0.0, back(center), back(center - reach), back(center + reach), False, True, None)
