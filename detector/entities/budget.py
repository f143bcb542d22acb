"""The budget: as many items a day as people can look at, decided at each bucket without knowing what is still to come.

The threshold is learned from past days, without labels: what stood out as the ninth most (of ten) on a usual day is where showing
begins. With each item that is shown the next must stand out more, so that a calm day ends with about half of its budget spent, and the
rest is there for a day on which more happens. The median over days is used, so a day of attack does not make the next ones blind.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from detector.entities.item import Item

DAY_MS = 86_400_000
_CALM = 0.9  # of the budget: the rank, on past days, of what opens a day
_DAYS = 7
_KEPT = 40  # strengths a day
LEAST = 5.0  # nats: below it nothing is shown however calm the days were


class Budget:
    """Chooses among items. `offset_ms`: how far local days are ahead of UTC ones."""

    def __init__(self, per_day: int, offset_ms: int = 0) -> None:
        self.per_day = per_day
        self._offset_ms = offset_ms
        self._calm = _CALM * per_day
        self._days: list[list[float]] = []  # of each past day the greatest strengths, descending
        self._today: dict[
            str, float
        ] = {}  # of each entity the greatest: it is one thing to look at, however often it comes
        self._day = -1
        self._began = 0
        self._shown = 0

    def choose(self, items: Sequence[Item], time: int, *, learning: bool = False) -> list[Item]:
        """Those of one bucket, which ends at `time` (ms), that are shown, with their score; the strongest first. None while learning."""
        self._turn(time)
        shown = []
        for item in sorted(items, key=lambda item: (-item.strength, item.entity)):
            least = self._threshold(time)
            if not learning and item.strength >= least and self._shown < self.per_day:
                shown.append(item.scored(item.strength / (item.strength + least)))
                self._shown += 1
        for item in items:
            self._today[item.entity] = max(item.strength, self._today.get(item.entity, 0.0))
        self._today = dict(sorted(self._today.items(), key=lambda pair: (-pair[1], pair[0]))[:_KEPT])
        return shown

    def go_back_to(self, ts: int) -> None:
        """The clock had been ahead: what was spent of that day is spent."""
        self._day = min(self._day, (ts + self._offset_ms) // DAY_MS)
        self._began = min(self._began, ts)

    def _turn(self, time: int) -> None:
        day = (time + self._offset_ms) // DAY_MS
        if day <= self._day:
            return
        if self._day >= 0 and self._today:
            self._days = [*self._days, list(self._today.values())][-_DAYS:]
        self._day, self._today, self._shown = day, {}, 0
        self._began = self._began or time

    def _threshold(self, time: int) -> float:
        """What the next item must have: the later of the budget, the more."""
        rank = self._calm * (1 - self._shown / self.per_day)
        if self._days:
            return max(LEAST, median(_at(day, rank) for day in self._days))
        part = min((time - self._began) / DAY_MS, 1.0)
        return max(LEAST, _at(list(self._today.values()), max(rank * part, 1.0)))

    def dump(self) -> dict[str, object]:
        return {"days": self._days, "today": self._today, "day": self._day, "began": self._began, "shown": self._shown}

    def load(self, saved: dict[str, object]) -> None:
        self._days, self._today = saved["days"], saved["today"]  # type: ignore[assignment]
        self._day, self._began, self._shown = saved["day"], saved["began"], saved["shown"]  # type: ignore[assignment]


def _at(strengths: list[float], rank: float) -> float:
    """The strength that `rank` of them exceed, between two of them in proportion; more than the greatest for less than one."""
    if not strengths:
        return 0.0
    if rank < 1:
        return strengths[0] * (1 + 0.1 * (1 - rank))
    low = min(int(rank), len(strengths)) - 1
    high = min(low + 1, len(strengths) - 1)
    return strengths[low] + (strengths[high] - strengths[low]) * (rank - int(rank))
