"""The values that a quantile is taken of: few as they are, many as a t-digest of Apache DataSketches.

Its KLL draws lots when it compacts, so that the same events read again would give another value; its t-digest does not.
"""

from __future__ import annotations

from typing import Any

from datasketches import tdigest_double

_TDIGEST_K = 100
_LOOSE = 512


class Values:
    """A digest, and values that are not in it yet: it is fed in portions of one size, because writing a digest down compresses it,
    and when that happens must not change what it says."""

    __slots__ = ("digest", "loose")

    def __init__(self) -> None:
        self.digest: tdigest_double | None = None
        self.loose: list[float] = []

    @property
    def weight(self) -> float:
        return float(len(self.loose) + (self.digest.get_total_weight() if self.digest is not None else 0))

    def add(self, value: float) -> None:
        self.loose.append(value)
        if len(self.loose) >= _LOOSE:
            self._compress()

    def take(self, other: Values) -> None:
        """The values of another one, too."""
        self.loose += other.loose
        if other.digest is not None:
            whole = self._whole()
            whole.merge(other.digest)
            self.digest, self.loose = whole, []
        elif len(self.loose) >= _LOOSE:
            self._compress()

    def quantile(self, share: float) -> float:
        if self.digest is None:  # few enough to be exact
            return sorted(self.loose)[min(int(share * len(self.loose)), len(self.loose) - 1)]
        return float(self._whole().get_quantile(share))

    def dump(self) -> list[Any]:
        return [bytes(self.digest.serialize()) if self.digest is not None else None, list(self.loose)]

    @classmethod
    def load(cls, data: list[Any]) -> Values:
        one = cls()
        one.digest = tdigest_double.deserialize(data[0]) if data[0] is not None else None
        one.loose = list(data[1])
        return one

    def _compress(self) -> None:
        self.digest, self.loose = self._whole(), []

    def _whole(self) -> tdigest_double:
        whole = tdigest_double(_TDIGEST_K)
        if self.digest is not None:
            whole.merge(self.digest)
        for value in self.loose:
            whole.update(value)
        whole.compress()
        return whole
