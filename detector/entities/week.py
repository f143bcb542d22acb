"""Week: how many events an entity had in each hour of the last seven days, for who looks at what was unusual of it.

A ring of as many bytes however much is done. Hours are counted since 1970 in UTC: where people are they begin at the same moments.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

HOURS = 168
_MOST = 65_535  # events of an hour; more are as many
_BLANK = array("H", bytes(2 * HOURS))


class Week:
    __slots__ = ("_counts", "_hour")

    def __init__(self) -> None:
        self._counts = _BLANK[:]  # a copy has no more room than it needs
        self._hour = -1  # the last that is counted; the others are those before it

    def add(self, hour: int, events: int) -> None:
        """So many more in this hour."""
        if hour > self._hour:
            self._blank(self._hour, hour)
            self._hour = hour
        elif hour <= self._hour - HOURS:
            return
        at = hour % HOURS
        self._counts[at] = min(self._counts[at] + events, _MOST)

    def until(self, hour: int, since: int) -> tuple[int, ...]:
        """The counts of the seven days that end with this hour, oldest first; those of before `since`, an hour too, are left out."""
        counts, oldest, newest = self._counts, self._hour - HOURS, self._hour
        hours = range(max(hour - HOURS + 1, since), hour + 1)
        return tuple(counts[at % HOURS] if oldest < at <= newest else 0 for at in hours)

    def go_back_to(self, hour: int) -> None:
        """The clock had been ahead: hours after this one never were."""
        if hour < self._hour:
            self._blank(hour, self._hour)
            self._hour = hour

    def _blank(self, after: int, until: int) -> None:
        """The hours after one until another hold nothing."""
        if until - after >= HOURS:
            self._counts = _BLANK[:]
            return
        for at in range(after + 1, until + 1):
            self._counts[at % HOURS] = 0

    def dump(self) -> list[object]:
        return [self._hour, self._counts.tolist()]

    @classmethod
    def of(cls, saved: Sequence[Any]) -> Week:
        """As it was when it was dumped."""
        week = cls()
        week._hour, counts = saved
        week._counts = array("H", counts)
        return week
