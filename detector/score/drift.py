"""Where the level of a series goes over days: a slow leak that no hour shows, and a new level that has come to stay."""

from __future__ import annotations

from array import array
from typing import ClassVar

_SPAN = 3  # days that a change is looked at over
_GAIN = 0.07
_FEWEST = 10  # days before anything is said
_LEANING = 5.0
_WIDTHS = 3.0


class Drift:
    """Means of the last days less the habit, and how much these usually change in three days."""

    __slots__ = ("days", "known", "leaning", "means", "since", "usual")
    WHOLE: ClassVar[tuple[str, ...]] = ("known", "since")
    FLOATS: ClassVar[tuple[str, ...]] = ("usual", "leaning")
    ARRAYS: ClassVar[tuple[str, ...]] = ("means",)

    def __init__(self) -> None:
        self.means = array("d", [0.0] * (_SPAN + 1))  # the oldest first
        self.known = 0
        self.usual = 0.0
        self.leaning = 0.0  # change over three days, in usual ones
        self.since = -1  # day (since 1970) from which on a new level holds

    def turn(self, day: int, mean: float, width: float) -> bool:
        """A day is over: its mean remainder, and the width of the noise. True: a new level has come to stay, from three days ago."""
        self.means.append(mean)
        del self.means[0]
        self.known += 1
        if self.known <= _SPAN:
            return False
        change = mean - self.means[0]
        usual = max(self.usual, 0.05 * width, 1e-12)
        self.leaning = change / usual if self.known > _FEWEST else 0.0
        size = min(abs(change), 4 * usual) if self.known > _FEWEST else abs(change)
        self.usual += max(1 / (self.known - _SPAN), _GAIN) * (size - self.usual)
        stays = all(
            (late - self.means[0]) * change > 0 and abs(late - self.means[0]) > _WIDTHS * width
            for late in self.means[1:]
        )
        if not stays:
            return False
        self.since = day - _SPAN + 1
        for k in range(_SPAN):
            self.means[k] = mean
        return True
