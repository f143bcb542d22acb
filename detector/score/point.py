"""What a series is, and what its scorer says of each of its points."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a series measures: it decides on which scale its noise is even."""

    COUNT = "count"
    """Events in a bucket: the noise of a count grows with its root."""
    RATIO = "ratio"
    """A share, 0 to 1, of a denominator that is given as the weight of each point."""
    LATENCY = "latency"
    """A duration, positive, in any unit: doubling is as far at 10 ms as at 10 s."""
    GAUGE = "gauge"
    """Anything else."""


class Point(NamedTuple):
    """One value, judged by what came before it.

    `score` is 0 to 1, and 0.5 at the threshold that the alarm budget has led to. `expected`, `lower` and `upper` are in the unit of the
    values; values outside the band are rare, which is not yet an alarm. `anomaly` is an alarm: at most so many half hours a week
    have one as the budget allows, and what goes on after it raises no other. `ready` is when (ms since 1970) learning ends or ended: the
    rhythm of a day is known then; None before the first value. The other fields are the surprises, in powers of ten: a season of 3 is a
    distance from the seasonal baseline that one point in a thousand has.
    """

    score: float
    expected: float
    lower: float
    upper: float
    anomaly: bool
    learning: bool
    ready: int | None
    season: float = 0.0
    level: float = 0.0
    difference: float = 0.0
    extreme: float = 0.0

    @property
    def parts(self) -> dict[str, float]:
        """Surprise of each detector by its name, the greatest first."""
        named = {name: getattr(self, name) for name in ("season", "level", "difference", "extreme")}
        return dict(sorted(named.items(), key=lambda item: -item[1]))
