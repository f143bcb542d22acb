"""Where the level of a series goes over days: a slow leak that no hour shows, and a new level that has come to stay."""

from __future__ import annotations

import math
from typing import ClassVar

from detector.score.state import blank

_SPAN = 3  # days that a change is looked at over
_GAIN = 0.07
_LEARNED = 7  # days of a habit that is learned yet
_FEWEST = 10  # days before anything is said
_STAYS = 5.0  # usual changes that each day of a new level is away from the old one
_CLIP = 4.0


class Drift:
    """Means of the last days less the habit, their variances by chance, and how much the means usually change in three days."""

    __slots__ = ("known", "leaning", "means", "since", "usual", "variances")
    WHOLE: ClassVar[tuple[str, ...]] = ("known", "since")
    FLOATS: ClassVar[tuple[str, ...]] = ("usual", "leaning")
    ARRAYS: ClassVar[tuple[str, ...]] = ("means", "variances")

    def __init__(self) -> None:
        self.means = blank("d", _SPAN + 1)  # the oldest first
        self.variances = blank("d", _SPAN + 1)
        self.known = 0
        self.usual = 0.0
        self.leaning = 0.0  # change over three days, in usual ones
        self.since = -1  # day (since 1970) from which on a new level holds

    @property
    def before(self) -> float:
        """The mean remainder of three days ago."""
        return self.means[0]

    def turn(self, day: int, mean: float, width: float, variance: float) -> bool:
        """A day is over: its mean less the habit, the width of the noise, and the variance of such a mean by chance. True: a new level has
        come to stay, three days ago."""
        for days, one in ((self.means, mean), (self.variances, variance)):
            days[:_SPAN] = days[1:]
            days[_SPAN] = one
        self.known += 1
        if self.known <= _SPAN:
            return False
        changes = [late - self.means[0] for late in self.means[1:]]
        chance = math.sqrt(self.variances[0] + variance)
        change, usual = changes[-1], max(self.usual, 0.05 * width, chance, 1e-12)
        settled = self.known > _FEWEST
        self.leaning = change / usual if settled else 0.0
        size = min(abs(change), _CLIP * usual) if settled else abs(change)
        if self.known > _LEARNED:
            self.usual += max(1 / (self.known - _LEARNED), _GAIN) * (size - self.usual)
        if not settled or min(abs(one) for one in changes) < _STAYS * usual or min(changes) < 0 < max(changes):
            return False
        self.since = day - _SPAN + 1
        for k in range(_SPAN):
            self.means[k] = mean
        return True

    def shift(self, common: float) -> None:
        """The level takes over what the habit had."""
        for k in range(_SPAN + 1):
            self.means[k] += common
