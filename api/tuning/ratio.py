"""How often a rule was wrong, by the verdicts that people gave: a share with the interval that it is known to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from soc.model.alert import Verdict

ENOUGH = 10  # closed alerts; from fewer no share is told
_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Ratio:
    """`false_positives` of `closed` alerts. `share`, `low` and `high` (0..1, 95 %) are None where there are too few."""

    closed: int
    false_positives: int
    share: float | None = None
    low: float | None = None
    high: float | None = None


def ratio(verdicts: Mapping[Verdict, int]) -> Ratio:
    closed, wrong = sum(verdicts.values()), verdicts.get(Verdict.FALSE_POSITIVE, 0)
    if closed < ENOUGH:
        return Ratio(closed, wrong)
    return Ratio(closed, wrong, wrong / closed, *wilson(wrong, closed))


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's interval of a share: right also for few of them, and for none or all."""
    share, z2 = hits / of, _Z * _Z
    middle = share + z2 / (2 * of)
    width = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low, high = (middle - width) / (1 + z2 / of), (middle + width) / (1 + z2 / of)
    return max(0.0, low), min(1.0, high)
