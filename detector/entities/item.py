"""Item: what an analyst is shown about one entity, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from soc.model.event import iso


class Kind(StrEnum):
    """What a reason is about. `feature` of a reason starts with it, so that a console can word it in its own language."""

    EVENTS = "events"  # how many events
    COUNT = "count"  # how many events with one value of a field
    SHARE = "share"  # of a field's events, the part with one value
    DISTINCT = "distinct"  # how many different values of a field
    FRESH = "fresh"  # how many values of a field that the entity never had
    NEXT = "sequential"  # how many numbers that follow each other
    RARE = "rare"  # a value that this entity, or nobody, has had
    HOUR = "hour"  # the time of the day
    TRAVEL = "travel"  # from several places within an hour
    EVENTS_DAY = "events-day"  # as EVENTS, since the day began
    DISTINCT_DAY = "distinct-day"

    @property
    def of_day(self) -> bool:
        return self in (Kind.EVENTS_DAY, Kind.DISTINCT_DAY)


@dataclass(frozen=True, slots=True)
class Why:
    """One reason. `surprise`: nats, the negative logarithm of how often such is seen in the population.

    `expected` and `actual` are counts; of a value that is rare, the share (0..1) of the entity's buckets that have it, and of its peers
    in `peers`. All three are shares where a share is too great, `actual` one `of` so many events. `value` is what is rare or counted.
    """

    kind: Kind
    field: str
    value: str
    expected: float
    actual: float
    peers: float
    surprise: float
    of: int = 0

    @property
    def feature(self) -> str:
        """Its name: `events`, `distinct destination.ip`, `event.outcome=failure`, `rare process.name`, `hour`."""
        if self.kind is Kind.COUNT:
            return f"{self.field}={self.value}"
        if self.kind is Kind.SHARE:
            return f"share {self.field}={self.value}"
        return f"{self.kind} {self.field}" if self.field else str(self.kind)


@dataclass(frozen=True, slots=True)
class Item:
    """One line for an analyst. Times: ms since 1970 UTC; `time` is the last that the bucket covers, when the item can be shown.

    `since`: the first event of the episode that the item belongs to. `day`: when the local day of its bucket began. `score`: 0..1, of which
    0.5 is the entity's least to be looked at. `strength`: the sum of what surprises, in nats, before it is made a score. `events`: of the
    entity in this bucket. `week`: its events in each hour (of UTC) of the seven days that end with the bucket's; fewer where less is known.
    """

    time: int
    since: int
    field: str
    entity: str
    score: float
    strength: float
    events: int
    why: tuple[Why, ...]
    week: tuple[int, ...] = ()
    day: int = 0

    @property
    def begins(self) -> int:
        """The first of what its reasons are about, ms: some are about all of its day."""
        return min(self.since, self.day) if any(why.kind.of_day for why in self.why) else self.since

    def scored(self, score: float) -> Item:
        return replace(self, score=score)

    def after(self, week: tuple[int, ...], day: int) -> Item:
        return replace(self, week=week, day=day)


def iso_of(item: Item) -> str:
    """When the item can be shown, as `2026-11-22T09:29:59.999Z`."""
    return iso(item.time)


def features(what: Sequence[str], travel: int = -1) -> list[tuple[Kind, str]]:
    """Every feature, in the order in which `surprise.py` numbers them. `travel`: which of the fields says where the entity is."""
    named = [(Kind.EVENTS, "")]
    for kind in (Kind.DISTINCT, Kind.FRESH, Kind.NEXT, Kind.RARE, Kind.COUNT, Kind.SHARE):
        named += [(kind, name) for name in what]
    named += [(Kind.EVENTS_DAY, ""), *((Kind.DISTINCT_DAY, name) for name in what), (Kind.HOUR, "")]
    return [*named, (Kind.TRAVEL, what[travel] if travel >= 0 else "")]
