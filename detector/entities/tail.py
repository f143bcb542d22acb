"""Tails: from how surprising a feature finds something, to how often it finds anything so surprising.

Every feature has its own idea of surprise; what they share is how often it happens. A field whose values are always new is soon
worth nothing, one that never surprises is worth much when it does, and no weight is set by hand.
"""

from __future__ import annotations

import numpy as np

_WIDTH = 0.25  # nats a bin
_BINS = 200
_BEYOND = 0.2  # nats for each nat beyond all that was seen


class Tail:
    """The decayed histogram of one feature's surprise over all entities and buckets."""

    __slots__ = ("_fresh", "_levels", "_top", "bins", "total")

    def __init__(self) -> None:
        self.bins = [0.0] * _BINS
        self.total = 0.0
        self._levels: list[float] = []
        self._top = 0.0
        self._fresh = False

    def add(self, surprise: float, weight: float) -> None:
        self.bins[min(int(surprise / _WIDTH), _BINS - 1)] += weight
        self.total += weight
        self._fresh = False

    def add_none(self, weight: float) -> None:
        """So many more that surprised not at all."""
        self.bins[0] += weight
        self.total += weight
        self._fresh = False

    def restore(self, total: float, bins: list[float]) -> None:
        self.total, self.bins, self._fresh = total, bins, False

    def level(self, surprise: float, weight: float) -> float:
        """Nats: the negative logarithm of the share of observations that surprised as much, and never more than `surprise` itself: that
        little happens does not make much of a little. `weight`: that of one observation now.
        """
        if not self._fresh:
            self._refresh(weight)
        at = int(surprise / _WIDTH)
        if surprise <= self._top:
            return min(self._levels[min(at, _BINS - 1)], surprise)
        return min(self._levels[-1] + _BEYOND * (surprise - self._top), surprise)

    def _refresh(self, weight: float) -> None:
        """The table of levels, once a bucket."""
        bins = np.array(self.bins) / weight
        tails = np.cumsum(bins[::-1])[::-1] + 0.5
        seen = np.flatnonzero(bins)
        self._top = float(seen[-1] + 1) * _WIDTH if seen.size else 0.0
        self._levels = np.maximum(-np.log(tails / (self.total / weight + 1.0)), 0.0).tolist()
        self._fresh = True
