"""What is kept of one entity, of all of them together, and of one bucket while it is open."""

from __future__ import annotations

from dataclasses import dataclass, field

from datasketches import hll_sketch, hll_union

from detector.entities.cell import Cell, add
from detector.entities.week import Week

SLOTS = 48  # hours of a workday, then of a weekend's
MAX_DISTINCT = 512  # values of one field in one bucket of one entity that are counted one by one; more are estimated
_LG_K = 9  # 5 % error, at most 350 bytes
_LG_K_BUCKET = 11


class Activity:
    """What one entity did in one bucket. `counts`: for each field, value -> events; `beyond`: sketches of what did not fit."""

    __slots__ = ("beyond", "counts", "events", "since")

    def __init__(self, fields: int, since: int) -> None:
        self.events = 0
        self.since = since
        self.counts: list[dict[str, int]] = [{} for _ in range(fields)]
        self.beyond: dict[int, hll_sketch] | None = None

    def more(self, at: int, value: str) -> None:
        """One more event with a value that has no count yet, when there is room for no more counts."""
        if self.beyond is None:
            self.beyond = {}
        if at not in self.beyond:
            sketch = self.beyond[at] = hll_sketch(_LG_K_BUCKET)
            for known in self.counts[at]:
                sketch.update(known)
        self.beyond[at].update(value)

    def distinct(self, at: int) -> int:
        if self.beyond is not None and at in self.beyond:
            return max(len(self.counts[at]), int(self.beyond[at].get_estimate() + 0.5))
        return len(self.counts[at])


@dataclass(slots=True)
class Today:
    """What an entity has done since its day began. `distinct`: of each field, how many values."""

    day: int = -1
    events: int = 0
    seen: list[hll_sketch] = field(default_factory=list)  # for each field, its values
    distinct: list[int] = field(default_factory=list)

    def begin(self, day: int, fields: int) -> None:
        self.day, self.events = day, 0
        self.seen = [hll_sketch(_LG_K) for _ in range(fields)]
        self.distinct = [0] * fields

    def note(self, activity: Activity) -> None:
        self.events += activity.events
        for at, counts in enumerate(activity.counts):
            if not counts and activity.beyond is None:
                continue
            sketch = self.seen[at]
            if activity.beyond is not None and at in activity.beyond:  # it has what is counted as well
                both = hll_union(_LG_K)
                both.update(sketch)
                both.update(activity.beyond[at])
                sketch = self.seen[at] = both.get_result()
            else:
                for value in counts:
                    sketch.update(value)
            self.distinct[at] = int(sketch.get_estimate() + 0.5)


class Habits:
    """Cells of counted features: of one entity, or of all. Buckets and hours are weighted (`cell.py`).

    `buckets`: how many. `sums`: of events, then of distinct, fresh and sequential values of each field, what is behind `buckets` in a cell.
    `days`: cells of a day's events, then of each field's distinct values. `had`: in how many buckets each field was; `fresh`: in how many
    it had a value that was new to the entity; `totals`: its values of all events, of which those of a cell are a part. `hours`: how often
    active in each slot; `busy`: how many buckets in each slot, then the sums of square roots of their events. `placed`: in how many buckets
    it was known where the entity was; `moved`: in how many at several.
    """

    __slots__ = ("buckets", "busy", "days", "fresh", "had", "hours", "moved", "placed", "sums", "totals")

    def __init__(self, fields: int) -> None:
        self.buckets = 0.0
        self.sums: list[list[float]] = [[0.0, 0.0] for _ in range(1 + 3 * fields)]
        self.days: list[Cell] = [[0.0, 0.0, 0.0] for _ in range(1 + fields)]
        self.had = [0.0] * fields
        self.fresh = [0.0] * fields
        self.totals = [0.0] * fields
        self.hours = [0.0] * SLOTS
        self.busy = [0.0] * (2 * SLOTS)
        self.placed = self.moved = 0.0

    def cell(self, at: int) -> Cell:
        """That of one counted feature."""
        return [self.buckets, *self.sums[at]]

    def count_day(self, today: Today, weight: float) -> None:
        add(self.days[0], today.events, weight)
        for at in range(len(self.fresh)):
            add(self.days[1 + at], today.distinct[at], weight)


class Profile:
    """One entity: its habits, and for each field the cell of each value.

    `last`: start of its last bucket, ms; `hour`: its last hour; `places`: where it was in its last bucket. `week`: what people are shown.
    """

    __slots__ = ("group", "habits", "hour", "last", "places", "today", "values", "week")

    def __init__(self, fields: int) -> None:
        self.habits = Habits(fields)
        self.values: list[dict[str, Cell]] = [{} for _ in range(fields)]
        self.today = Today()
        self.last = -1
        self.hour = -1
        self.places: list[str] = []
        self.group = -1  # of peers; see `peers.py`
        self.week = Week()


class Population:
    """Entities together: their number, their habits, and of each value a cell and behind it how many entities know it.

    `unseen`: of each field, in how many buckets a value that was new to the entity was new to everybody.
    """

    __slots__ = ("entities", "habits", "unseen", "values")

    def __init__(self, fields: int) -> None:
        self.entities = 0
        self.habits = Habits(fields)
        self.unseen = [0.0] * fields
        self.values: list[dict[str, list[float]]] = [{} for _ in range(fields)]
