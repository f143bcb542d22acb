"""A crowd: the entities of one kind in one organisation, and where they are in time. The only clock is that of the events."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import msgspec

from detector.entities.bounds import Bounds
from detector.entities.budget import Budget
from detector.entities.item import Item
from detector.entities.profiles import Profiles
from detector.entities.stream import Seen, Stream
from detector.entities.text import Values
from detector.entities.zone import ahead_ms
from detector.people.definition import People
from soc.model import unusual

BOUNDS = Bounds(entities=5_000, shared=10_000, cells=200_000, held=50_000)


class Crowd:
    """What it has seen is a function of `take`'s arguments in their order: `dump` and those after it lead to the same items."""

    def __init__(self, people: People, org: str, offset_ms: int) -> None:
        """`offset_ms`: how far local time is ahead of UTC."""
        self.people, self.org, self.offset_ms = people, org, offset_ms
        self.profiles = Profiles(
            people.field,
            people.what,
            Budget(people.per_day, offset_ms),
            bucket_ms=people.minutes * 60_000,
            offset_ms=offset_ms,
            bounds=BOUNDS,
        )
        self._stream = Stream([], [self.profiles])

    def wakes(self, ts: int) -> bool:
        """Whether an event of none of its entities has to be told to it, for it says what time it is."""
        return self._stream.wakes(ts)

    def take(self, ts: int, entity: str | None, values: Values) -> list[Item]:
        """One event: of this entity, with these values of the fields that are looked at; returns what is shown now."""
        return self._stream.place(Seen(ts, None, (entity,), values))

    def standing(self) -> unusual.Crowd:
        known = self.profiles
        return unusual.Crowd(
            self.people.name, self.org, self.people.titles.model_dump(), len(known.entities), known.learning, known.other,
            known.late + self._stream.jumped,
        )  # fmt: skip

    def dump(self) -> bytes:
        """To go on from, see `restored`."""
        return msgspec.msgpack.encode([self.offset_ms, self._stream.dump(), self.profiles.dump()])


def begun(people: People, org: str, ts: int, zone: tzinfo) -> Crowd:
    """A new one, whose first event is of this time (ms)."""
    return Crowd(people, org, ahead_ms(ts, zone))


def restored(people: People, org: str, saved: bytes) -> Crowd:
    """As it was when it was dumped. Raises `ConfigError` or `ValueError` when that cannot be read."""
    offset_ms, stream, profiles = _parts(saved)
    crowd = Crowd(people, org, offset_ms)
    crowd.profiles.load(profiles)
    crowd._stream.load(stream)
    return crowd


def _parts(saved: bytes) -> list[Any]:
    parts = msgspec.msgpack.decode(saved)
    if not isinstance(parts, list) or len(parts) != 3:
        raise ValueError("what is kept of a crowd has other parts")
    return parts
