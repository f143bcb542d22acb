"""Families of features: what tells the same story is not told twice.

A hundred events too many are also a hundred of one action, of one address, and many different files: one story. So the features of a family
make one sum, in which each further one counts for little, and the sum is calibrated like a feature (`tail.py`) before families are added.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.entities.item import Kind, Why

FAMILIES = ("much", "rare", "when")
_OF = {Kind.RARE: 1, Kind.TRAVEL: 1, Kind.HOUR: 2}
_SHARES = (0.2, 0.5, 0.5)  # of each further reason of a family, over the one before
_TOGETHER = 0.5


def summed(whys: Sequence[Why], parts: Sequence[float] | None = None) -> list[float]:
    """The sum of each family, in nats. `parts`: how much of each reason counts; the greatest must come first."""
    sums, shares = [0.0] * len(FAMILIES), [1.0] * len(FAMILIES)
    for at, why in enumerate(whys):
        family = _OF.get(why.kind, 0)
        sums[family] += shares[family] * why.surprise * (parts[at] if parts else 1.0)
        shares[family] *= _SHARES[family]
    return sums


def together(levels: Sequence[float]) -> float:
    """The strength of an item: the calibrated families, the greatest in full. Nats."""
    total, share = 0.0, 1.0
    for level in sorted(levels, reverse=True):
        total += share * level
        share *= _TOGETHER
    return total
