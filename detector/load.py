"""How long an answer takes by how many ask: what is usual of a duration for weeks, whatever the hour and the day.

Hours differ by more than a slow leak brings in days, and so do days before a deadline; mostly because an answer takes longer when many
ask. A straight line through the last weeks (least squares) takes that away, and what is left shows a leak of two percent a day after
about three. Each bucket counts alike, however many values it has: what is left is mostly what no line explains, and hardly the chance of
values; and the busiest hours, which most values are of, would make the line too flat for a day that is busier than all before.
"""

from __future__ import annotations

import math

from soc.model.calendar import DAY_MS

_HALF_MS = 14 * DAY_MS


class Load:
    """Sums over buckets, that fade: of the logarithms of what they had, and of their events. All zero: nothing is known."""

    __slots__ = KEPT = ("buckets", "cross", "events", "logs", "squares")

    def __init__(self) -> None:
        self.buckets = self.logs = self.events = self.squares = self.cross = 0.0

    def expected(self, events: float) -> float | None:
        """The geometric mean that is usual of a bucket with so many events; None while nothing is known."""
        if self.buckets <= 0:
            return None
        mean = self.events / self.buckets
        # At least as if by one event: a constant has no slope.
        varies = self.squares - self.events * mean + self.buckets
        slope = (self.cross - self.logs * mean) / varies
        return math.exp(min(self.logs / self.buckets + slope * (events - mean), 700.0))

    def learn(self, bucket_ms: int, value: float, events: float) -> None:
        fade = 0.5 ** (bucket_ms / _HALF_MS)
        log = math.log(max(value, 1e-9))
        self.buckets = self.buckets * fade + 1
        self.logs = self.logs * fade + log
        self.events = self.events * fade + events
        self.squares = self.squares * fade + events * events
        self.cross = self.cross * fade + events * log
