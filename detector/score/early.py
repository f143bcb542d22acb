"""The first values of a series. Nothing is usual yet that would bound them, and one absurd value among them would widen the band for
weeks: so they are looked at together."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from detector.score.state import blank

FIRST = 30
ABSURD = 1000.0  # usual distances, or sizes: what is farther off than both, such as 10^15, is taken for that
NONE = blank("f", FIRST)  # what all series have in common once they have begun


def sane(values: Sequence[float]) -> list[float]:
    """Those that are not absurd beside the others; all of them where most are one and the same 0, beside which anything would be."""
    middle = median(values)
    usual = max(median(abs(value - middle) for value in values), median(map(abs, values)))
    return [value for value in values if not usual or abs(value - middle) <= ABSURD * usual]
