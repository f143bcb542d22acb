"""Episodes: one incident is not shown forty times.

What was shown of an entity is old for a while: the same value again is nothing, the same feature again counts for less each time.
What is new in an episode, another tool or a threefold count, is shown again, for it may be the next step of an attack.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.entities.family import summed
from detector.entities.item import Kind, Why

QUIET_MS = 4 * 3_600_000  # an episode ends when nothing of it was to be seen for so long
_ANOTHER = 0.6  # the same for another rare value
_AGAIN = 0.3  # what is left of a feature's surprise each time that it is shown again
_GROWN = 3.0  # times the count that was shown before
_LEAST = 0.7  # nats of news


class Episode:
    """What was shown of one entity. `since`: its first event, ms; `until`: the last bucket in which something stood out, ms."""

    __slots__ = ("excess", "shown", "since", "until")

    def __init__(self, since: int) -> None:
        self.since = since
        self.until = since
        self.excess = 0.0  # of the strongest item, over what it needed to be shown, nats
        self.shown: dict[str, list[float]] = {}  # feature -> times shown, greatest count; of values -> times shown

    def news(self, whys: Sequence[Why]) -> tuple[list[Why], list[float]]:
        """The reasons that are not old, the greatest news first, and what each family of them has left."""
        left = [(self._fresh(why), why) for why in whys]
        left = [(part, why) for part, why in left if part * why.surprise > _LEAST]
        left.sort(key=lambda pair: (-pair[0] * pair[1].surprise, pair[1].feature))
        return [why for _, why in left], summed([why for _, why in left], [part for part, _ in left])

    def _fresh(self, why: Why) -> float:
        """The part of this reason's surprise that is still news."""
        before = self.shown.get(why.feature)
        if before is None:
            return 1.0
        value = self.shown.get(f"{why.feature}\0{why.value}") if why.value else before
        if value is not None and why.actual < _GROWN * value[1]:
            return 0.0 if why.value or why.kind.of_day else float(_AGAIN ** (before[0] + 1))
        return float((_ANOTHER if why.kind is Kind.RARE else _AGAIN) ** before[0])

    def show(self, reasons: Sequence[Why]) -> None:
        for why in reasons:
            for key in (why.feature, f"{why.feature}\0{why.value}"):
                times, most = self.shown.get(key, (0.0, 0.0))
                self.shown[key] = [times + 1, max(most, why.actual)]
