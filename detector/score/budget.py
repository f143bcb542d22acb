"""The threshold that an alarm budget leads to, without labels.

What is budgeted is half hours with an alarm. So the largest surprise of each half hour is kept, and the threshold is what that many
of 336 half hours a week exceed. While few half hours were seen, and where some of them hold incidents, it comes of the body: halves
of half hours beyond the median follow each other at even distances (an exponential tail, which sums of -log p have).

An incident is one alarm: while it lasts its half hours are not counted, and only what is more surprising than its peak, fading,
alarms again.
"""

from __future__ import annotations

import math
from array import array
from typing import ClassVar

SLOT_MS = 1_800_000
WEEK_SLOTS = 336
_LOW = 0.5
_PER_OCTAVE = 8
BINS = 72  # up to 0.5 * 2^9
_TO_BIN = _PER_OCTAVE / math.log(2)
_SHIFT = -math.log(_LOW) * _TO_BIN
_KEEP = 0.5 ** (1 / (4 * WEEK_SLOTS))  # half-life of four weeks
_FEWEST = 24  # half hours before the first alarm
_FADE = 0.5 ** (1 / 4)  # of a peak, a half hour: half after two hours


class Budget:
    """`alarms`: half hours a week."""

    __slots__ = ("alarms", "counts", "peak", "slot", "threshold", "top", "total")
    WHOLE: ClassVar[tuple[str, ...]] = ("slot",)
    FLOATS: ClassVar[tuple[str, ...]] = ("total", "top", "peak", "threshold")
    ARRAYS: ClassVar[tuple[str, ...]] = ("counts",)

    def __init__(self, alarms: float) -> None:
        self.alarms = alarms
        self.counts = array("f", bytes(4 * BINS))
        self.total = 0.0
        self.slot = -1
        self.top = 0.0  # largest surprise of this half hour
        self.peak = 0.0  # of the incident that goes on or has just ended; 0: none
        self.threshold = math.inf

    def judge(self, ts_ms: int, surprise: float) -> bool:
        slot = ts_ms // SLOT_MS
        if slot != self.slot:
            self._turn(slot)
        if surprise > self.top:
            self.top = surprise
        return surprise >= self.threshold and surprise >= self.peak

    def _turn(self, slot: int) -> None:
        """A half hour is over."""
        passed = slot - self.slot if self.slot >= 0 else 0
        self.slot = slot
        if passed and self.top > 0:
            if self.top >= self.threshold and self.top >= self.peak:
                self._count(self.top)
                self.peak = self.top * 1.1
            elif self.top < self.threshold:
                self._count(self.top)
        self.peak *= _FADE ** min(max(passed, 0), 100)
        if self.peak < self.threshold:
            self.peak = 0.0
        self.top = 0.0

    def _count(self, top: float) -> None:
        place = (math.log(top) * _TO_BIN + _SHIFT) if top > _LOW else 0.0
        self.counts[min(int(place), BINS - 1)] += 1.0
        self.total += 1.0
        if self.total >= _FEWEST and (self.total < 200 or not int(self.total) % 8):
            self._fit()

    def _fit(self) -> None:
        share = self.alarms / WEEK_SLOTS
        median, high = self._exceeded(0.5), self._exceeded(0.1)
        tail = high + (high - median) / math.log(5) * math.log(0.1 / share)
        self.threshold = max(tail, 1e-9)

    def _exceeded(self, share: float) -> float:
        """What this share of half hours exceed."""
        wanted, beyond = share * self.total, 0.0
        for k in range(BINS - 1, -1, -1):
            beyond += self.counts[k]
            if beyond >= wanted:
                into = 1 - (wanted - (beyond - self.counts[k])) / self.counts[k]
                return _LOW * math.exp2((k + into) / _PER_OCTAVE)
        return _LOW
