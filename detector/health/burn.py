"""How fast an error budget burns, and when that is worth an alarm.

Source: The Site Reliability Workbook (Google, 2018), chapter 5, "Multiwindow, Multi-Burn-Rate Alerts". A burn rate of 1 uses up the
budget of the whole period exactly. Both windows of a pair have to burn: the long one says that it matters, the short one that it
still goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PERIOD_DAYS = 28
LEAST_BAD = 5  # fewer failures are an accident, whatever share they are
_Z = 2.576  # of 99 % on both sides


class Severity(StrEnum):
    PAGE = "page"  # somebody has to look now
    TICKET = "ticket"  # somebody has to look in office hours


@dataclass(frozen=True, slots=True)
class Pair:
    """Alarm when the budget burns `rate` times as fast as allowed over the last `long` and the last `short` minutes."""

    rate: float
    long: int
    short: int
    severity: Severity


PAIRS = (
    Pair(14.4, 60, 5, Severity.PAGE),
    Pair(6.0, 360, 30, Severity.PAGE),
    Pair(3.0, 1440, 120, Severity.TICKET),
    Pair(1.0, 4320, 360, Severity.TICKET),
)
WINDOWS = (5, 30, 60, 120, 360, 1440, 4320)  # minutes, all that the pairs ask for


def surely(total: NDArray[np.int64], bad: NDArray[np.int64]) -> Floats:
    """The share of failures that is at least there: the lower end of Wilson's interval (99 %), 0 where nothing happened.

    With much traffic that is the share itself; with little it does not take one failure of ten for an outage.
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927).
    """
    n = np.maximum(total, 1).astype(np.float64)
    p = bad / n
    z2 = _Z * _Z
    middle = p + z2 / (2 * n)
    spread = _Z * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low: Floats = np.where((total > 0) & (bad > 0), np.maximum(0.0, (middle - spread) / (1 + z2 / n)), 0.0)
    return low


def fired(total: NDArray[np.int64], bad: NDArray[np.int64], budget: Floats) -> NDArray[np.int8]:
    """The first pair that alarms for each series, -1: none. `total` and `bad` have a row for each of `WINDOWS`, `budget` is the
    share that may fail."""
    low = surely(total, bad)
    first: NDArray[np.int8] = np.full(total.shape[1], -1, dtype=np.int8)
    for number in reversed(range(len(PAIRS))):
        pair = PAIRS[number]
        long, short = WINDOWS.index(pair.long), WINDOWS.index(pair.short)
        limit = pair.rate * budget
        # A long window in which nothing is older than the short one says nothing that that does not say: it has just begun.
        known = (total[long] > total[short]) & (bad[long] >= LEAST_BAD)
        burns = known & (low[long] > limit) & (low[short] > limit)
        first[burns] = number
    return first
