"""Episodes: one incident is not shown forty times.

What was shown of an entity is old for a while: the same value again is nothing, the same feature again counts for less each time.
What is new in an episode, another tool or a threefold count, is shown again, for it may be the next step of an attack.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.entities.item import Why

QUIET_MS = 4 * 3_600_000  # an episode ends when nothing of it was to be seen for so long
_AGAIN = 0.5  # what is left of a feature's surprise each time that it is shown again
_GROWN = 3.0  # times the count that was shown before
_SHARES = 0.6  # each further reason counts for so much of the one before: fields tell the same story more than once
_REASONS = 5


class Episode:
    """What was shown of one entity. `since`: its first event, ms; `until`: the last bucket in which something stood out, ms."""

    __slots__ = ("shown", "since", "until")

    def __init__(self, since: int) -> None:
        self.since = since
        self.until = since
        self.shown: dict[str, list[float]] = {}  # feature -> times shown, greatest count; of values -> times shown

    def fresh(self, why: Why) -> float:
        """The part of this reason's surprise that is still news."""
        value = self.shown.get(f"{why.feature}\0{why.value}") if why.value else None
        before = self.shown.get(why.feature)
        if before is None:
            return 1.0
        if why.actual >= _GROWN * before[1] and not value:
            return 1.0
        if value and why.actual < _GROWN * value[1]:
            return 0.0
        left: float = _AGAIN ** before[0]
        return left

    def show(self, reasons: Sequence[Why]) -> None:
        for why in reasons:
            for key in (why.feature, f"{why.feature}\0{why.value}"):
                times, most = self.shown.get(key, (0.0, 0.0))
                self.shown[key] = [times + 1, max(most, why.actual)]


def strength(surprises: Sequence[float]) -> float:
    """The sum of the greatest, each further one counting for less, in nats. `surprises` descend."""
    total, share = 0.0, 1.0
    for surprise in surprises[:_REASONS]:
        total += share * surprise
        share *= _SHARES
    return total
