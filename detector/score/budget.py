"""The threshold that an alarm budget leads to, without labels.

What is budgeted is half hours with an alarm, so the largest surprise of each half hour is kept. The threshold comes of their body:
surprises are sums of -log p, whose upper tail is exponential (Gumbel's class: Coles, Statistical Modeling of Extreme Values, 2001),
so what one half hour in two and one in ten exceed says what only so many of 336 a week do. Half hours of incidents are no part of
the body, so that a bad week does not make the next one blind. Half hours beyond the threshold come in runs of which only the first
alarms, and the budget is of alarms: so many more may be beyond it. A plain count of what would have alarmed holds it in bounds:
between what the budget has exceeded so far, for a lighter tail, and three times the budget, for a heavier one.

What is an incident, of which little is learned, is what so few half hours exceed that it is four a week: what is learned, and each score,
is the same whatever the budget. The way from the body to what alarms is shorter by a seventh, as incidents that
stay below are in the body and make it look wider than noise alone is.

An incident is one alarm: while it lasts, only what is by half more surprising than its peak, which fades slowly, alarms again. Once a half
hour was calm the next incident need not be worse than the last, however bad that was: what is by a quarter beyond the threshold alarms,
and an hour later all that is beyond it.
"""

from __future__ import annotations

import math
from array import array
from typing import ClassVar

from detector.score.state import blank

HALF_HOUR_MS = 1_800_000
WEEK_HALF_HOURS = 336
MOST_ALARMS = 48.0  # a week, one half hour in seven: what more than that exceed comes in runs, and a run is one alarm
_LOW = 0.25
_PER_OCTAVE = 8
BINS = 64  # up to 0.25 * 2^8, more than four surprises are together
_TO_BIN = _PER_OCTAVE / math.log(2)
_SHIFT = -math.log(_LOW) * _TO_BIN
_KEEP = 0.5 ** (1 / (8 * WEEK_HALF_HOURS))  # of a half hour, for each that follows: a half-life of eight weeks
_FEWEST = 24  # half hours before the first alarm
_SETTLED = 200  # from here on the threshold is made anew every fourth half hour only
_BODY, _HIGH = 0.5, 0.1
_SHORTER = 0.85  # on 184 made and real series the budget was spent with 2.4 half hours a week without it, and 3.3 with it, of 4
_INCIDENTS = 4.0  # half hours a week
_ALLOWED = 3.0  # times the budget: true incidents come on top of false ones
_SPENT = 1.0  # times the budget: noise whose tail is lighter may spend all of it
_COUNTS = 12  # alarms of the budget, three weeks of four: from here on the count is believed
_WITHIN = 0.1  # of a half hour, for the body, that is part of an incident: what never ends is normal at last
_FADE, _FADE_WITHIN = (
    0.5 ** (1 / 4),
    0.5 ** (1 / 144),
)  # of a peak, a half hour: half after two hours, and after three days
_RISE = 1.25
_AGAIN = 1.5  # times the peak of what alarmed while that goes on; times the threshold at most when it is over
_LONGEST_RUN = 2.0  # half hours for an alarm, in the mean; longer runs are incidents
_PRIOR_RUNS = 4.0  # of one half hour


class Budget:
    """`alarms`: half hours a week, at most `MOST_ALARMS`: of noise 100 spend about 60, and all 336 fewer than 48 do."""

    __slots__ = (
        "alarms",
        "begun",
        "beyond",
        "counts",
        "peak",
        "slot",
        "threshold",
        "told",
        "top",
        "turns",
        "unusual",
    )
    WHOLE: ClassVar[tuple[str, ...]] = ("slot", "turns")
    FLOATS: ClassVar[tuple[str, ...]] = ("top", "peak", "told", "threshold", "unusual", "beyond", "begun")
    ARRAYS: ClassVar[tuple[str, ...]] = ("counts",)

    def __init__(self, alarms: float) -> None:
        self.alarms = alarms
        # Half hours by their largest surprise: those of incidents left out, and then all, with one for each incident.
        self.counts = blank("f", 2 * BINS)
        self.slot = -1
        self.turns = 0
        self.top = 0.0  # largest surprise of this half hour
        self.threshold = math.inf  # what alarms
        self.unusual = math.inf  # what is an incident
        self.told = self.peak = 0.0  # of what alarmed, and of the incident, that goes on or has just ended; 0: none
        self.beyond = self.begun = 0.0  # half hours of incidents, and those of them in which one began

    def judge(self, ts_ms: int, surprise: float) -> bool:
        """Whether this alarms. Times never fall."""
        slot = ts_ms // HALF_HOUR_MS
        if slot != self.slot:
            self._turn(slot)
        if surprise > self.top:
            self.top = surprise
        return surprise >= self.threshold and surprise >= self.told

    def _turn(self, slot: int) -> None:
        passed, self.slot = (min(slot - self.slot, 1000) if self.slot >= 0 else 0), slot
        top, self.top = self.top, 0.0
        if passed:
            self._count(top)
            self.peak = _faded(self.peak, top, self.unusual, passed)
            over = passed > 1 or top < self.threshold
            told = min(self.told, _AGAIN * self.threshold) if over else self.told
            self.told = _faded(told, top, self.threshold, passed)

    def _count(self, top: float) -> None:
        """A half hour is over."""
        within = top >= self.unusual
        begun = within and top >= self.peak
        place = min(int(math.log(top) * _TO_BIN + _SHIFT), BINS - 1) if top > _LOW else 0
        if begun or not within:
            self.counts[BINS + place] += 1.0
        self.counts[place] += _WITHIN if within else 1.0
        self.beyond += within
        self.begun += begun
        if begun:
            self.peak = top * _RISE
        if top >= self.threshold and top >= self.told:
            self.told = top * _AGAIN
        self.turns += 1
        if self.turns >= _FEWEST and (self.turns < _SETTLED or self.turns % 4 == 0):
            self._fit()

    def _fit(self) -> None:
        if self.turns >= _SETTLED:
            keep = _KEEP**4
            self.beyond *= keep
            self.begun *= keep
            for k in range(2 * BINS):
                self.counts[k] *= keep
        every, without = self.counts[BINS:], self.counts[:BINS]
        run = min((self.beyond + _PRIOR_RUNS) / (self.begun + _PRIOR_RUNS), _LONGEST_RUN)
        rest = _INCIDENTS / WEEK_HALF_HOURS  # is no part of the body
        body, high = (_exceeded(without, max(exceed - rest, 0.0) / (1 - rest)) for exceed in (_BODY, _HIGH))
        slope = (high - body) / math.log(_BODY / _HIGH)

        def reached(share: float, part: float) -> float:
            """What this share of half hours exceed, each run of them counted once. `part`: of the way there from the body."""
            tail = high + part * (slope * max(math.log(_HIGH / (share * run)), 0.0))
            return self._bounded(tail, share, every)

        self.unusual = reached(_INCIDENTS / WEEK_HALF_HOURS, 1.0)
        self.threshold = reached(self.alarms / WEEK_HALF_HOURS, _SHORTER)

    def _bounded(self, tail: float, share: float, every: array[float]) -> float:
        """By what was counted so far."""
        seen = share * self.turns
        if seen >= 1:
            tail = max(tail, _exceeded(every, _ALLOWED * share))
        if seen >= _COUNTS:
            tail = min(tail, _exceeded(every, _SPENT * share, whole=True))
        return max(tail, _LOW)


def _faded(peak: float, top: float, threshold: float, slots: int) -> float:
    """So many half hours later, the first of which had `top`. 0: it is forgotten."""
    peak *= _FADE**slots if top < threshold else _FADE_WITHIN * _FADE ** (slots - 1)
    return peak if peak >= threshold else 0.0


def _exceeded(counts: array[float], share: float, whole: bool = False) -> float:
    """What this share of the counted exceed; `whole`: no less than all of a bin, whose counts may be of one and the same surprise."""
    wanted, beyond = share * sum(counts), 0.0
    for k in range(BINS - 1, -1, -1):
        count = counts[k]
        if count > 0.0:
            beyond += count
            if beyond >= wanted:
                into = 1.0 if whole else (beyond - wanted) / count
                return _LOW * math.exp2((k + into) / _PER_OCTAVE)
    return _LOW
