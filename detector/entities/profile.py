"""What is kept of one entity, of all of them together, and of one bucket while it is open."""

from __future__ import annotations

from dataclasses import dataclass, field

from datasketches import hll_sketch

from detector.entities.cell import Cell, add

SLOTS = 48  # hours of a workday, then of a weekend's
MAX_DISTINCT = 512  # values of one field in one bucket of one entity that are counted one by one; more are estimated
_LG_K = 9  # 5 % error, at most 350 bytes
_LG_K_BUCKET = 11


class Activity:
    """What one entity did in one bucket. `counts`: for each field, value -> events; `beyond`: sketches of what did not fit."""

    __slots__ = ("beyond", "counts", "events", "following", "since")

    def __init__(self, fields: int, since: int) -> None:
        self.events = 0
        self.since = since
        self.counts: list[dict[str, int]] = [{} for _ in range(fields)]
        self.beyond: dict[int, hll_sketch] | None = None
        self.following: dict[int, list[int]] | None = (
            None  # field -> the last number, and how many followed the one before
        )

    def more(self, at: int, value: str) -> None:
        """One more event with a value that has no count yet, when there is room for no more counts."""
        if self.beyond is None:
            self.beyond = {}
        if at not in self.beyond:
            sketch = self.beyond[at] = hll_sketch(_LG_K_BUCKET)
            for known in self.counts[at]:
                sketch.update(known)
        self.beyond[at].update(value)

    def follow(self, at: int, number: int) -> None:
        if self.following is None:
            self.following = {}
        last = self.following.get(at)
        if last is None:
            self.following[at] = [number, 0]
        else:
            last[1] += number == last[0] + 1
            last[0] = number

    def distinct(self, at: int) -> int:
        if self.beyond is not None and at in self.beyond:
            return max(len(self.counts[at]), int(self.beyond[at].get_estimate() + 0.5))
        return len(self.counts[at])

    def sequential(self, at: int) -> int:
        return self.following[at][1] if self.following is not None and at in self.following else 0


@dataclass(slots=True)
class Today:
    """What an entity has done since its day began."""

    day: int = -1
    events: int = 0
    seen: list[hll_sketch] = field(default_factory=list)  # for each field, its values

    def begin(self, day: int, fields: int) -> None:
        self.day, self.events = day, 0
        self.seen = [hll_sketch(_LG_K) for _ in range(fields)]

    def note(self, activity: Activity) -> None:
        self.events += activity.events
        for sketch, counts in zip(self.seen, activity.counts, strict=True):
            for value in counts:
                sketch.update(value)

    def distinct(self, at: int) -> int:
        return int(self.seen[at].get_estimate() + 0.5)


class Habits:
    """Cells of counted features: of one entity, or of all. Buckets and hours are weighted (`cell.py`).

    `cells`: events, then distinct, fresh and sequential of each field. `days`: a day's events, then each field's distinct values.
    `buckets`: how many; `had`: in how many of them each field was; `fresh`: in how many it had a value that was new to the entity.
    `hours`: how often active in each slot; `busy`: how many buckets in each slot, then the sums of square roots of their events.
    """

    __slots__ = ("buckets", "busy", "cells", "days", "fresh", "had", "hours")

    def __init__(self, fields: int) -> None:
        self.buckets = 0.0
        self.cells: list[Cell] = [[0.0, 0.0, 0.0] for _ in range(1 + 3 * fields)]
        self.days: list[Cell] = [[0.0, 0.0, 0.0] for _ in range(1 + fields)]
        self.had = [0.0] * fields
        self.fresh = [0.0] * fields
        self.hours = [0.0] * SLOTS
        self.busy = [0.0] * (2 * SLOTS)

    def count_day(self, today: Today, weight: float) -> None:
        add(self.days[0], today.events, weight)
        for at in range(len(self.fresh)):
            add(self.days[1 + at], today.distinct(at), weight)


class Profile:
    """One entity: its habits, and for each field the cell of each value. `last`: start of its last bucket, ms; `hour`: its last hour."""

    __slots__ = ("group", "habits", "hour", "last", "today", "values")

    def __init__(self, fields: int) -> None:
        self.habits = Habits(fields)
        self.values: list[dict[str, Cell]] = [{} for _ in range(fields)]
        self.today = Today()
        self.last = -1
        self.hour = -1
        self.group = -1  # of peers; see `peers.py`


class Population:
    """Entities together: their number, their habits, and of each value a cell and behind it how many entities have had it."""

    __slots__ = ("entities", "habits", "values")

    def __init__(self, fields: int) -> None:
        self.entities = 0
        self.habits = Habits(fields)
        self.values: list[dict[str, list[float]]] = [{} for _ in range(fields)]
