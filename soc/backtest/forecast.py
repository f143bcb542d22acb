"""How many alerts the next week will bring, from those of past days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from statistics import fmean, variance

DAYS_AHEAD = 7
WEEKS_APART = 2  # weeks of history from which working days and weekends are told apart
_Z = 1.645  # both sides of 90 %
_NONE_SEEN = 3.0  # of nothing in n days, at most 3/n a day with 95 %: the rule of three


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of all of the next `DAYS_AHEAD` days together. The interval holds nine times out of ten while the days to come are like those
    seen: it has room for the days' own spread and for how few of them were seen."""

    expected: float
    low: float
    high: float
    days_seen: int


def forecast(counts: Mapping[date, int], first: date, last: date) -> Forecast | None:
    """`counts`: alerts of the whole days from `first` to `last`; those without any may be left out. None without a day.

    The days of a kind are taken as alike, and as spread at least as far as chance alone spreads rare things (variance = mean).
    """
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    if not days:
        return None
    ahead = [last + timedelta(days=n) for n in range(1, DAYS_AHEAD + 1)]
    kinds = (False, True) if len(days) >= 7 * WEEKS_APART else (None,)
    expected = spread = 0.0
    for kind in kinds:
        seen = [counts.get(day, 0) for day in days if kind is None or _weekend(day) is kind]
        coming = sum(kind is None or _weekend(day) is kind for day in ahead)
        mean = fmean(seen)
        around = max(mean, variance(seen) if len(seen) > 1 else 0.0)
        expected += coming * mean
        spread += coming * around + coming**2 * around / len(seen)
    if not expected:
        return Forecast(0.0, 0.0, DAYS_AHEAD * _NONE_SEEN / len(days), len(days))
    away = _Z * sqrt(spread)
    return Forecast(expected, max(0.0, expected - away), expected + away, len(days))


def _weekend(day: date) -> bool:
    return day.weekday() >= 5
