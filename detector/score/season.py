"""The habit of a series: a sum of what the time of day, the hour of the week, holidays and the days around Tết add to its level.

What is known finest is learned first: a time of day is known after a day, the hours of a week after two weeks, a holiday when it
was seen. Each part learns the same remainder at its own pace, so that none has to wait for another. Nothing is learned at once:
a slot of ten minutes is learned when it is over, from remainders that the scorer has clipped.
"""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar

from detector.score.day import TET_DAYS, Day, day_of
from detector.score.state import blank

SLOT_MS = 600_000
DAY_SLOTS = 144
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_GAIN = 0.07  # of one visit to a slot: what was so two weeks ago counts a third
_WEEK_GAIN = 0.15
_WIDTH_GAIN = 0.1
_WIDEST = 16.0
_UNSEEN = 2.0  # times that a band is wider on holidays, until they were seen twice
_TET = 24  # where the days around Tết begin, behind the hours of holidays
# what all series have in common until they see a holiday: of 50,000 each would hold 400 bytes of nothing
_NO_FEAST, _NO_FEAST_SEEN = blank("f", _TET + TET_DAYS), blank("B", _TET + TET_DAYS)


class Season:
    """Sums by 144 slots of the day and 168 hours of the week, and by 24 hours of holidays and days around Tết; and the slots' widths,
    which are how many times as wide as usual remainders are then. All on the stabilised scale."""

    __slots__ = (
        "feast",
        "feast_seen",
        "seen",
        "sums",
        "visit",
        "widths",
        "zone",
    )
    WHOLE: ClassVar[tuple[str, ...]] = ()
    FLOATS: ClassVar[tuple[str, ...]] = ()
    ARRAYS: ClassVar[tuple[str, ...]] = ("sums", "widths", "feast", "seen", "feast_seen")

    def __init__(self, zone: tzinfo, step_s: int) -> None:
        self.zone = zone
        self.visit = min(max(3600 // step_s, 1), 6)  # slots of an hour in which a series of this step has a value
        self.widths = array("f", [1.0]) * DAY_SLOTS
        self.sums = blank("f", DAY_SLOTS + 168)  # of the slots of the day, then of the hours of the week
        self.feast, self.feast_seen = _NO_FEAST, _NO_FEAST_SEEN
        self.seen = blank("B", DAY_SLOTS + 168)  # how often each was learned

    def place(self, slot: int) -> tuple[Day, int]:
        """Day, and slot of the day (0 to 143), of the slot-th ten minutes since 1970."""
        local = (_EPOCH + timedelta(milliseconds=slot * SLOT_MS)).astimezone(self.zone)
        return day_of(local.toordinal()), local.hour * 6 + local.minute // 10

    def sum(self, day: Day, k: int) -> float:
        hour = k // 6
        total = self.sums[k] + self.sums[hour_of_week(day.weekday, hour)]
        if day.holiday:
            total += self.feast[hour]
        if day.tet >= 0:
            total += self.feast[_TET + day.tet]
        return total

    def around(self, slot: int) -> tuple[float, float, float, float, float]:
        """Sums at the start, the middle and the end of a slot, its width, and how many times wider caution makes it.

        Between the three the habit is a straight line."""
        day, k = self.place(slot)
        here = self.sum(day, k)
        before = self.sum(day, k - 1) if k else self.sum(self.place(slot - 1)[0], DAY_SLOTS - 1)
        after = self.sum(day, k + 1) if k < DAY_SLOTS - 1 else self.sum(self.place(slot + 1)[0], 0)
        width = 0.5 * self.widths[k] + 0.25 * (self.widths[k - 1] + self.widths[(k + 1) % DAY_SLOTS])
        unseen = (day.holiday and self.feast_seen[k // 6] < 2 * self.visit) or (
            day.tet >= 0 and self.feast_seen[_TET + day.tet] < 2 * self.visit
        )
        return (before + here) / 2, here, (here + after) / 2, width, _UNSEEN if unseen else 1.0

    def learn(self, slot: int, remainder: float, width: float, weight: float) -> None:
        """`remainder`: mean of what the sum left in this slot; `width`: mean size of remainders, 1.0 if as usual; `weight`: 0 to 1."""
        day, k = self.place(slot)
        hour = k // 6
        at = hour_of_week(day.weekday, hour)
        seen = self.seen[k]
        if day.holiday or day.tet >= 0:
            self._learn_feast(day, hour, remainder, weight)
        else:
            self.sums[k] += weight * max(1 / (seen + 1), _DAY_GAIN) * remainder
            self.seen[k] = min(seen + 1, 255)
        if seen > 1 and not day.holiday:
            visits = self.seen[at] // self.visit
            self.sums[at] += weight * max(1 / (visits + 2), _WEEK_GAIN) / self.visit * remainder
            self.seen[at] = min(self.seen[at] + 1, 255)
        self.widths[k] = min(max(self.widths[k] * (1 + _WIDTH_GAIN * weight * (width - 1)), 1 / _WIDEST), _WIDEST)

    def recentre(self) -> float:
        """Take out what the sums have in common, and return it: it belongs to the level."""
        common = sum(self.sums[:DAY_SLOTS]) / DAY_SLOTS
        for k in range(DAY_SLOTS):
            self.sums[k] -= common
        return common

    def _learn_feast(self, day: Day, hour: int, remainder: float, weight: float) -> None:
        if self.feast is _NO_FEAST or self.feast_seen is _NO_FEAST_SEEN:
            self.feast, self.feast_seen = self.feast[:], self.feast_seen[:]  # to write into
        if day.holiday:
            self.feast[hour] += weight * remainder / (2 * self.visit)
            self.feast_seen[hour] = min(self.feast_seen[hour] + 1, 255)
        if day.tet >= 0:
            at = _TET + day.tet
            self.feast[at] += weight * remainder / (8 * self.visit)
            if hour == 23:
                self.feast_seen[at] = min(self.feast_seen[at] + 1, 255)


def hour_of_week(weekday: int, hour: int) -> int:
    """Its place in the sums."""
    return DAY_SLOTS + weekday * 24 + hour
