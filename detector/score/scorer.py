"""The scorer of one series: a value in, a judged point out.

    value -> stabilised -> less the habit -> distances -> rarities -> their sum -> score, alarm
                           (season)       (here, window)  (tail)                  (budget)

Four distances, each with its own rarity, count alike: from the level of the last days, from what the last minutes lead to expect (a
damped Holt forecast: Gardner and McKenzie 1985; or that of a model of the series itself, while it is better by far), from the value
before, and from the highest and lowest so far. Weights and gains are round numbers that nothing was tuned to.
"""

from __future__ import annotations

import math
from array import array
from datetime import tzinfo
from functools import cache
from statistics import fmean
from typing import ClassVar, Self

from detector.score.budget import Budget
from detector.score.drift import Drift
from detector.score.early import ABSURD, FIRST, NONE, sane
from detector.score.point import Kind, Point
from detector.score.season import DAY_SLOTS, SLOT_MS, Season
from detector.score.stabilise import MANY, SCALES, few
from detector.score.state import Kept, blank, freeze, thaw
from detector.score.tail import Tails
from detector.score.window import Window

VERSION = 8  # of what the numbers of the state mean
DAY_MS = 86_400_000
_BAND = 3.5  # widths of noise from what is expected to the ends of the band
_CLIP = 4.0  # widths that one value can move what is learned
_FLOOR = 1e-3  # of the usual size of values: less is never far off
_SPARSE = 0.4  # of the mean distance: a series that hardly ever moves is no narrower than that
_UNIT = 0.5  # of the smallest step between values: what is rounded is no narrower, also where it never moves
_UNIT_GROWS = 1.01  # with each step, until there is a smaller one
_EVEN = 0.25  # of the usual width: that is as narrow as it makes a time of day
_FAST, _TREND, _DAMPED = 0.3, 0.03, 0.8
_WIDTH_GAIN, _MEAN_GAIN, _SIZE_GAIN = 0.004, 0.0005, 0.001
_HALF = 10.0  # surprise, in powers of ten, whose score is a half
_OUTLIER = 50.0  # mean distances that one value can move their mean,
_ALONE = 100.0  # and one that is farther off and alone what is expected next
_TO_SIGMA = 1.25  # mean distance to standard deviation, of a normal distribution
_SLOW_DAYS = 2.0  # half-life of the level
_FADE_DAYS = 14.0  # and of rarities
_DAMP = 0.1  # of what is learned from a value that is an incident
_LATE = 10  # points out of order in a row before the clock is believed
_STALE_STEPS = 3  # missing values before the last minutes lead to expect less


@cache
def _gains(step_s: int) -> tuple[float, float, float]:
    """Of the level, for each value; what is kept of a peak; and of rarities between two looks. The same floats for all series of a step."""
    step_days = step_s * 1000 / DAY_MS
    return 1 - 0.5 ** (step_days / _SLOW_DAYS), 0.5**step_days, 0.5 ** (120 * step_days / _FADE_DAYS)


class Scorer:
    """Scores one series, in the order of time. Holds a few kilobytes whatever it has seen."""

    __slots__ = (
        *(
            "kind",
            "step_s",
            "_stabilise",
            "_unstabilise",
            "_season",
            "_budget",
            "_drift",
            "_tails",
            "_window",
            "_slow_gain",
            "_fade",
        ),
        *(
            "_last",
            "_late",
            "_first",
            "_slot",
            "_count",
            "_n",
            "_day",
            "_day_count",
            "_day_events",
            "_start",
            "_middle",
            "_end",
            "_width",
        ),
        *("_caution", "_sum", "_sizes", "_weight", "_day_sum", "_slow", "_fast", "_trend", "_before", "_size", "_mean"),
        *("_high", "_low", "_damp", "_peak", "_keep_peak", "_ratio", "_widths", "_early", "_unit", "_value"),
    )
    WHOLE: ClassVar[tuple[str, ...]] = ("_last", "_late", "_first", "_slot", "_count", "_n", "_day", "_day_count")
    FLOATS: ClassVar[tuple[str, ...]] = (
        *("_start", "_middle", "_end", "_width", "_caution", "_sum", "_sizes", "_weight", "_day_sum", "_slow", "_fast"),
        *("_trend", "_before", "_size", "_mean", "_high", "_low", "_damp", "_peak", "_unit", "_value", "_day_events"),
    )
    ARRAYS: ClassVar[tuple[str, ...]] = ("_widths", "_early")

    def __init__(self, step_s: int, kind: Kind, zone: tzinfo, budget: float) -> None:
        """`step_s`: seconds between two values; `budget`: half hours a week that may alarm."""
        if step_s <= 0 or not budget > 0:
            raise ValueError("a step and a budget are more than nothing")
        self.kind, self.step_s, self._ratio = kind, step_s, kind is Kind.RATIO
        self._stabilise, self._unstabilise = SCALES[kind]
        self._slow_gain, self._keep_peak, self._fade = _gains(step_s)
        self._early = NONE
        self._first = self._last = self._slot = self._day = -1
        self._n = self._late = 0
        self._learn_anew(zone, budget)

    def _learn_anew(self, zone: tzinfo, budget: float) -> None:
        """Nothing was learned, whatever time it is."""
        self._season, self._budget, self._drift = Season(zone, self.step_s), Budget(budget), Drift()
        self._tails, self._window = Tails(4), Window(self.step_s)
        self._widths = blank("d", 3)  # of the first three distances
        self._count = self._day_count = 0
        self._start = self._middle = self._end = 0.0  # what the habit adds in these ten minutes
        self._width = self._caution = self._damp = 1.0
        self._sum = self._sizes = self._weight = 0.0  # of these ten minutes
        self._day_sum = self._day_events = 0.0  # of the day
        self._slow = self._fast = self._trend = self._before = (
            0.0  # level of days, of minutes, its slope, and the last value
        )
        self._size = self._mean = self._high = self._low = self._peak = 0.0
        self._unit, self._value = 0.0, math.nan  # smallest step between values, and the last value

    def dump(self) -> bytes:
        """The whole state: what is loaded from it scores on as if nothing had happened, to the last bit."""
        return freeze(self._parts(), self._version())

    @classmethod
    def load(cls, data: bytes, step_s: int, kind: Kind, zone: tzinfo, budget: float) -> Self:
        """Raises `ConfigError` if the bytes are damaged, or of another version, step or kind."""
        scorer = cls(step_s, kind, zone, budget)
        thaw(scorer._parts(), scorer._version(), data)
        return scorer

    def usual(self, ts_ms: int, *, before: bool = False) -> float:
        """What is usual at this time (of the ten minutes of the last value), whatever the last hours were like; `before`: what was three
        days ago."""
        place = min(max((ts_ms / SLOT_MS - self._slot) * 2, 0.0), 2.0)
        ends = (self._start, self._middle) if place < 1 else (self._middle, self._end)
        habit = ends[0] + (place % 1 if place < 2 else 1.0) * (ends[1] - ends[0])
        return self._unstabilise(habit + (self._drift.before if before else self._slow))

    def _parts(self) -> list[Kept]:
        return [self, self._season, self._budget, self._drift, self._window, self._tails]

    def _version(self) -> str:
        return f"{VERSION} {self.kind} {self.step_s}"

    @property
    def left_out(self) -> bool:
        """Whether the last value came too late to be judged."""
        return self._late > 0

    @property
    def leaning(self) -> float:
        """How the level has changed in three days, in changes as are usual for the series: a slow leak is beyond 5, or below -5."""
        return self._drift.leaning

    @property
    def level_since(self) -> int | None:
        """From when (ms since 1970, a day's precision) a new level holds that was taken for normal after three days; None: never."""
        return self._drift.since * DAY_MS if self._drift.since >= 0 else None

    def step(self, ts_ms: int, value: float | None, weight: float = 1.0) -> Point:
        """Judge a value at its time (ms since 1970), then learn from it. None or NaN: unknown, nothing is learned; `weight`: the
        denominator of a ratio. A time that is not later than the last one is told what was expected, and no more."""
        late = ts_ms <= self._last and self._is_late(ts_ms)
        if not late and ts_ms // SLOT_MS != self._slot:
            self._turn(ts_ms // SLOT_MS)
        place = (ts_ms / SLOT_MS - self._slot) * 2
        if place < 1:
            habit = self._start + max(place, 0.0) * (self._middle - self._start)
        else:
            habit = self._middle + min(place - 1, 1.0) * (self._end - self._middle)
        noise = 0.5 / math.sqrt(weight + 0.75) if self._ratio else 0.0
        if not late:
            self._late = 0
        if value is None or late or value - value != 0 or (self._ratio and not weight > 0):
            return self._unknown(ts_ms, habit, noise)
        if noise:
            self._day_events += weight
        is_few = noise and self._n and weight < MANY
        y = few(value, weight, habit + self._fast + self._trend) if is_few else self._stabilise(value, weight)
        return self._judge(ts_ms, y, habit, noise)

    def _is_late(self, ts_ms: int) -> bool:
        """Late points are left out, until there are so many in a row that it is the clock that had been ahead."""
        self._late += 1
        if self._late <= _LATE:
            return True
        self._late, self._last, self._budget.slot = 0, ts_ms - 1000 * self.step_s, -1
        return False

    def _judge(self, ts_ms: int, y: float, habit: float, noise: float) -> Point:
        r = y - habit
        self._wake(ts_ms, y, r)
        wide, widths, tails, damp = self._width * self._caution, self._widths, self._tails, self._damp
        forecast = self._fast + self._trend
        slow, level, difference = r - self._slow, r - forecast, r - self._before
        sparse = _SPARSE * self._mean * max(wide, _EVEN)
        least = _FLOOR * self._size + 1e-12
        if sparse < (unit := _UNIT * self._unit):
            sparse = unit
        narrow = max(widths[1] * wide, sparse, noise) + least
        far = max(widths[0] * wide, narrow)
        beyond = y - self._high if y > self._high else y - self._low if y < self._low else 0.0
        window, last, reach, gain = self._window, level, narrow, max(1.0 / (self._n + 1), _WIDTH_GAIN) * damp
        missed = window.width
        off = far * window.off(slow / far, level / far, gain, damp == 1.0)
        if window.leads:
            forecast, last, reach = r - off, off, max(missed * far, sparse, noise) + least
        distances = (slow / far, last / reach, difference / max(widths[2] * wide, narrow), 4 * beyond / far)
        a, b, c, d = tails.rate(distances, damp)
        surprise, budget = a + b + c + d, self._budget
        anomaly = budget.judge(ts_ms, surprise)
        self._damp = _DAMP if surprise >= budget.unusual else 1.0
        self._learn(y, r, slow, level, difference, far)
        ready, told = self._first + DAY_MS, self._told(surprise)
        expected, lower, upper = self._band(habit + forecast, _BAND * reach)
        return Point(told / (told + _HALF), expected, lower, upper, anomaly, ts_ms < ready, ready, a, b, c, d)

    def _band(self, center: float, reach: float) -> tuple[float, float, float]:
        """What is expected, and the ends of the band, in the unit of the values: below nothing only where a value was, or may be."""
        back = self._unstabilise
        expected, lower, upper = back(center), back(center - reach), back(center + reach)
        if lower < 0.0 <= self._low and self.kind is not Kind.GAUGE:
            return max(expected, 0.0), 0.0, max(upper, 0.0)
        return expected, lower, upper

    def _told(self, surprise: float) -> float:
        """Less of it where the last day was more surprising, and none before anything is usual."""
        peak = self._peak * self._keep_peak
        if self._n <= FIRST + 1:
            return 0.0
        self._peak = surprise if surprise > peak else peak
        return surprise if surprise >= peak else surprise * (surprise / peak) ** 3

    def _wake(self, ts_ms: int, y: float, r: float) -> None:
        """Begin with the first value; and after a gap expect the level of days again rather than that of minutes long ago."""
        gap = ts_ms - self._last
        if self._n == 0:
            self._slow = self._fast = self._before = r
            self._high = self._low = y
            self._first = ts_ms
        elif gap > _STALE_STEPS * 1000 * self.step_s:
            self._fast = self._slow + (self._fast - self._slow) * 0.5 ** (gap / 3_600_000)
            self._before, self._trend = self._fast, 0.0
            self._window.forget()
        self._last = ts_ms

    def _learn(self, y: float, r: float, slow: float, level: float, difference: float, far: float) -> None:
        n = self._n = self._n + 1
        damp, width, widths = self._damp, self._width, self._widths
        gain = max(1.0 / (n + 1), _WIDTH_GAIN) * damp
        least = _SPARSE * self._mean / width
        to_sigma, clips = _TO_SIGMA / width, n > FIRST
        for k, distance in enumerate((slow, level, difference)):
            size, old = (distance if distance > 0 else -distance) * to_sigma, widths[k]
            if clips and size > (most := _CLIP * (old if old > least else least)):
                size = most
            widths[k] = old + gain * (size - old)
        mean, jump, height = self._mean, level, abs(y)
        size = abs(level)
        if clips and mean > 0.0:
            most = ABSURD * mean
            if size > _ALONE * mean and abs(difference) > 0.5 * size:  # nothing like it was before
                most = _OUTLIER * mean
            jump = most if level > most else -most if level < -most else level
            size = min(size, _OUTLIER * mean)
        if clips and self._size > 0.0:
            height = min(height, ABSURD * self._size)
        self._mean = mean + max(1.0 / (n + 1), _MEAN_GAIN) * (size - mean)
        self._sizes += min(abs(level) / (max(widths[1], least) * width + 1e-12), _CLIP) * _TO_SIGMA
        most = _CLIP * far
        bound = most if slow > most and clips else -most if slow < -most and clips else slow
        self._slow += max(1.0 / n, self._slow_gain) * damp * bound
        self._sum += damp * bound
        self._weight += damp
        self._count += 1
        self._fast += self._trend + _FAST * jump
        self._trend = _DAMPED * (self._trend + _TREND * jump)
        self._before = r
        step, self._value = abs(y - self._value), y
        if step > 0.0:
            unit = self._unit * _UNIT_GROWS
            self._unit = step if step < unit or not unit else unit
        self._size += max(1.0 / n, _SIZE_GAIN) * (height - self._size)
        if y > self._high:
            self._high = y
        elif y < self._low:
            self._low = y
        if not clips:
            self._begin(n, y)

    def _begin(self, n: int, y: float) -> None:
        """One of the first values, none of which is bounded. Where one was absurd, all begins with what the others are like."""
        if n == 1:
            self._early = NONE[:]
        self._early[n - 1] = y
        if n < FIRST:
            return
        values, self._early = sane(self._early), NONE
        if len(values) == FIRST:
            return
        self._learn_anew(self._season.zone, self._budget.alarms)
        level = self._slow = self._fast = self._before = fmean(values)
        self._mean = fmean(abs(value - level) for value in values)
        self._widths = array("d", [self._mean * _TO_SIGMA]) * 3
        self._size = fmean(map(abs, values))
        self._high, self._low = max(values), min(values)

    def _turn(self, slot: int) -> None:
        """Ten minutes are over, or more."""
        if self._count:
            mean = self._sum / self._weight
            self._season.learn(self._slot, mean, self._sizes / self._count, self._weight / self._count)
            self._day_sum += self._slow + mean
            self._day_count += 1
            if not self._ratio:
                self._day_events += self._count
            self._sum = self._sizes = self._weight = 0.0
            self._count = 0
        if slot // DAY_SLOTS != self._day:
            self._turn_day(slot // DAY_SLOTS)
        self._slot = slot
        self._start, self._middle, self._end, self._width, self._caution = self._season.around(slot)
        self._window.turn(slot)
        if self._tails.seen >= self._tails.due:
            self._tails.look(self._fade)

    def _turn_day(self, day: int) -> None:
        if self._day_count:
            mean = self._day_sum / self._day_count
            variance = (0.25 if self._ratio else self._widths[1] ** 2) / self._day_events
            if self._drift.turn(self._day, mean, self._widths[1], variance):
                self._slow = mean
            common = self._season.recentre()
            self._slow += common
            self._fast += common
            self._before += common
            self._drift.shift(common)
        self._day, self._day_sum, self._day_count, self._day_events = day, 0.0, 0, 0.0

    def _unknown(self, ts_ms: int, habit: float, noise: float) -> Point:
        center, window = habit + self._fast + self._trend, self._window
        sparse = max(_SPARSE * self._mean * max(self._width, _EVEN), _UNIT * self._unit)
        reach = max(self._widths[1] * self._width, sparse, noise)
        if window.leads:
            far = max(self._widths[0] * self._width, reach)
            center, reach = habit + self._slow + far * window.expected(), max(window.width * far, sparse, noise)
        reach = _BAND * (reach + _FLOOR * self._size)
        ready = self._first + DAY_MS if self._n else None
        learning = ready is None or ts_ms < ready
        return Point(0.0, *self._band(center, reach), False, learning, ready)
