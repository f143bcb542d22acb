"""How long an answer takes by how many ask: what is usual of a duration for weeks, whatever the hour and the day.

Hours differ by more than a slow leak brings in days, and so do days before a deadline; mostly because an answer takes longer when many
ask. A straight line through the values of the last weeks (least squares, each value alike) takes that away, and what is left shows a
leak of two percent a day after about three.
"""

from __future__ import annotations

import math

from soc.model.calendar import DAY_MS

_HALF_MS = 14 * DAY_MS


class Load:
    """Sums of the logarithms of values and of the events of their buckets, that fade. All zero: nothing is known."""

    __slots__ = KEPT = ("cross", "events", "logs", "squares", "values")

    def __init__(self) -> None:
        self.values = self.logs = self.events = self.squares = self.cross = 0.0

    def expected(self, events: float) -> float | None:
        """The geometric mean that is usual of a bucket with so many events; None while nothing is known."""
        if self.values <= 0:
            return None
        mean = self.events / self.values
        varies = self.squares - self.events * mean + self.values  # at least as if by one event: a constant has no slope
        slope = (self.cross - self.logs * mean) / varies
        return math.exp(min(self.logs / self.values + slope * (events - mean), 700.0))

    def learn(self, bucket_ms: int, value: float, events: float) -> None:
        fade = 0.5 ** (bucket_ms / _HALF_MS)
        log = math.log(max(value, 1e-9))
        self.values = self.values * fade + events
        self.logs = self.logs * fade + events * log
        self.events = self.events * fade + events * events
        self.squares = self.squares * fade + events * events * events
        self.cross = self.cross * fade + events * events * log
