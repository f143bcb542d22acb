"""Tails: from how surprising a feature finds something, to how often it finds anything so surprising.

Every feature has its own idea of surprise; what they share is how often it happens. A field whose values are always new is soon
worth nothing, one that never surprises is worth much when it does, and no weight is set by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

_WIDTH = 0.25  # nats a bin
_BINS = 200
_BEYOND = 0.2  # nats for each nat beyond all that was seen


class Tails:
    """The decayed histograms of the surprise of so many features over all entities and buckets.

    `total`: the weight of all observations; each is one of every feature.
    """

    __slots__ = ("_levels", "_tops", "bins", "total")

    def __init__(self, features: int) -> None:
        self.bins = np.zeros((features, _BINS))
        self.total = 0.0
        self._levels = self.bins
        self._tops: list[float] = []

    def add(self, surprised: Sequence[tuple[int, float]], observations: int, weight: float) -> None:
        """So many observations, of which these features surprised so much, and all others not at all."""
        features = [feature for feature, _ in surprised]
        places = [min(int(surprise / _WIDTH), _BINS - 1) for _, surprise in surprised]
        np.add.at(self.bins, (features, places), weight)
        self.bins[:, 0] += weight * (observations - np.bincount(features, minlength=len(self.bins)))
        self.total += weight * observations

    def scale(self, factor: float) -> None:
        self.bins *= factor
        self.total *= factor

    def ready(self, weight: float) -> None:
        """Make the table that `level` reads. `weight`: that of one observation now."""
        bins = self.bins / weight
        tails = np.cumsum(bins[:, ::-1], axis=1)[:, ::-1] + 0.5
        last = np.where(bins > 0, np.arange(1, _BINS + 1), 0).max(axis=1)
        self._tops = (last * _WIDTH).tolist()
        self._levels = np.maximum(-np.log(tails / (self.total / weight + 1.0)), 0.0)

    def level(self, feature: int, surprise: float) -> float:
        """Nats: the negative logarithm of the share of observations that surprised as much, and never more than `surprise` itself: that
        little happens does not make much of a little.
        """
        top = self._tops[feature]
        if surprise <= top:
            return min(float(self._levels[feature, min(int(surprise / _WIDTH), _BINS - 1)]), surprise)
        return min(float(self._levels[feature, -1]) + _BEYOND * (surprise - top), surprise)

    def dump(self) -> list[object]:
        return [self.total, self.bins.tolist()]

    def load(self, saved: Sequence[object]) -> None:
        self.total, self.bins = cast("float", saved[0]), np.array(saved[1])
