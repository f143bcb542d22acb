"""A log as it comes: out of order, twice, with clocks that jump. What is left of it goes to the profiles in buckets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from detector.entities.age import OLD_DAYS
from detector.entities.budget import DAY_MS, Budget
from detector.entities.document import Getter, getter, time_of
from detector.entities.item import Item
from detector.entities.profiles import Profiles
from detector.entities.text import MAX_VALUE, TOGETHER, Values, kept, texts
from soc.model.event import iso

LATENESS_MS = 60_000
_REMEMBERED = 100_000  # event ids: between so many and twice as many
_BELIEVED = 10  # events in a row from a later time before that is the time, and ...
_BEHIND = 1000  # from an earlier one: what is read late is from there, too
_BEGIN = 2  # that agree on the time at first
_JUMP_MS = DAY_MS
_MAX_PARTS = 4


class Seen(NamedTuple):
    """One event, read."""

    ts: int
    id: object
    entities: tuple[str | None, ...]
    values: Values


class Kind:
    """What an entity is: one field, or several joined by `+` (a consumer and a service)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._getters: list[Getter] = [getter(part) for part in name.split("+")[:_MAX_PARTS]]

    def of(self, document: Mapping[str, object]) -> str | None:
        """The entity of the event, None when it has none. Of a list the first is taken."""
        parts = []
        for get in self._getters:
            value = get(document)
            if value.__class__ is str and 1 < len(value) <= MAX_VALUE:
                parts.append(value)
                continue
            if value.__class__ is list:
                value = value[0] if value else None
            if value is None or value == "" or value == "-" or isinstance(value, dict):
                return None
            parts.append(kept(value))
        return parts[0] if len(parts) == 1 else TOGETHER.join(parts)


class Stream:
    """One pass. `profiles`: one for each kind, all of which look at the same fields."""

    def __init__(self, kinds: Sequence[Kind], profiles: Sequence[Profiles], lateness_ms: int = LATENESS_MS) -> None:
        self._kinds, self._profiles = kinds, profiles
        self._lateness_ms = lateness_ms
        self._what = [getter(name) for name in profiles[0].what]
        self._bucket_ms = profiles[0].bucket_ms
        self._due = -1  # when the next bucket is closed
        self._newest = -1
        self._ahead: list[
            Seen
        ] = []  # events from so far ahead that a clock may be wrong, or before any time is believed
        self._behind = 0  # events in a row from so long before
        self._ids: set[int] = set()
        self._ids_before: set[int] = set()
        self.read = self.undated = self.nameless = self.duplicates = self.jumped = 0

    def feed(self, document: Mapping[str, object]) -> list[Item]:
        """Take one event; returns what can be shown now."""
        self.read += 1
        ts = time_of(document.get("@timestamp"))
        if ts is None:
            self.undated += 1
            return []
        entities = tuple(kind.of(document) for kind in self._kinds)
        if not any(entities):
            self.nameless += 1
            return []
        values = texts([get(document) for get in self._what])
        event = document.get("event")
        id_ = event.get("id") if isinstance(event, dict) else document.get("event.id")
        return self.place(Seen(ts, id_, entities, values))

    def place(self, seen: Seen) -> list[Item]:
        """Take what was read of one event; one without entities only says what time it is."""
        if seen.id is not None and self._twice(seen):
            self.duplicates += 1
            return []
        if self._newest < 0:
            return self._begin(seen)
        if seen.ts > self._newest + _JUMP_MS:
            self._ahead.append(seen)
            if len(self._ahead) < _BELIEVED:
                return []
            return self._believe()
        if self._ahead:  # time goes on where it was: those clocks were wrong
            self.jumped += len(self._ahead)
            self._ahead = []
        if seen.ts < self._newest - _JUMP_MS:
            self._behind += 1
            if self._behind >= _BEHIND:
                self._go_back_to(seen.ts)
        else:
            self._behind = 0
        return self._observe(seen)

    def _begin(self, seen: Seen) -> list[Item]:
        """One event alone does not say what time it is, for its clock may be wrong: the first that agree do."""
        self._ahead.append(seen)
        agreed = sum(abs(one.ts - seen.ts) <= _JUMP_MS for one in self._ahead)
        if agreed < _BEGIN and len(self._ahead) < _BELIEVED:
            return []
        if agreed >= _BEGIN:  # others are of a wrong clock when they are ahead, or so old that they would weigh nothing
            earliest, latest = seen.ts - OLD_DAYS * DAY_MS, seen.ts + _JUMP_MS
            held, self._ahead = self._ahead, [one for one in self._ahead if earliest <= one.ts <= latest]
            self.jumped += len(held) - len(self._ahead)
        ahead, self._ahead = sorted(self._ahead, key=lambda one: one.ts), []
        return [item for one in ahead for item in self._observe(one)]

    def _twice(self, seen: Seen) -> bool:
        """The same id alone is not enough: some products number kinds of events, not events."""
        key = hash((str(seen.id), seen.ts, seen.entities, str(seen.values)))
        if key in self._ids or key in self._ids_before:
            return True
        self._ids.add(key)
        if len(self._ids) >= _REMEMBERED:
            self._ids_before, self._ids = self._ids, set()
        return False

    def _believe(self) -> list[Item]:
        """So many agree: it is the time, after a gap."""
        ahead, self._ahead = sorted(self._ahead, key=lambda seen: seen.ts), []
        if ahead[-1].ts - ahead[0].ts > _JUMP_MS:  # they do not agree with each other: the latest wait on
            first = ahead[0].ts
            self._ahead = [seen for seen in ahead if seen.ts - first > _JUMP_MS]
            ahead = [seen for seen in ahead if seen.ts - first <= _JUMP_MS]
        return [item for seen in ahead for item in self._observe(seen)]

    def _observe(self, seen: Seen) -> list[Item]:
        ts = seen.ts
        items: list[Item] = []
        if ts > self._newest:
            self._newest = ts
            if ts >= self._due:
                items = self._close(ts - self._lateness_ms)
                self._due = ts - ts % self._bucket_ms + self._bucket_ms + self._lateness_ms
        for profiles, entity in zip(self._profiles, seen.entities, strict=True):
            if entity is not None:
                profiles.note(ts, entity, seen.values)
        return items

    def _close(self, until: int) -> list[Item]:
        """Bucket after bucket, of one kind after the other: they share the budget of a day."""
        items: list[Item] = []
        ends = {start + self._bucket_ms for profiles in self._profiles for start in profiles.open}
        for end in (*sorted(end for end in ends if end <= until), until):
            for profiles in self._profiles:
                items += profiles.close(end)
        return items

    def end(self) -> Iterator[Item]:
        """No more events: what is open is closed."""
        if self._ahead:
            ahead, self._ahead = sorted(self._ahead, key=lambda seen: seen.ts), []
            for seen in ahead:
                yield from self._observe(seen)
        yield from self._close(self._newest + self._bucket_ms)

    def wakes(self, ts: int) -> bool:
        """Whether an event of this time (ms) would close a bucket, or jumps ahead."""
        return ts >= self._due

    @property
    def newest(self) -> int:
        return self._newest

    def _go_back_to(self, ts: int) -> None:
        """The clock had been ahead."""
        self._newest, self._due, self._behind = ts, -1, 0
        for profiles in self._profiles:
            profiles.go_back_to(ts)

    def dump(self) -> list[object]:
        """Where it is in time, without the profiles and without what is remembered of duplicates."""
        return [self._newest, self._due, self._behind, self.jumped, [list(seen) for seen in self._ahead]]

    def load(self, saved: Sequence[Any]) -> None:
        self._newest, self._due, self._behind, self.jumped, ahead = saved
        self._ahead = [Seen(ts, id_, tuple(entities), [*map(tuple, values)]) for ts, id_, entities, values in ahead]

    def remarks(self, chosen: bool = False) -> list[str]:
        """What did not go the usual way, in sentences for people. `chosen`: we have, what is looked at, so that its names are right."""
        counts = (
            (self.undated, "events have no @timestamp that is a time, and were left out"),
            (self.nameless, f"events have no {' or '.join(kind.name for kind in self._kinds)}, and were left out"),
            (self.duplicates, "events came twice, and were counted once"),
            (self.jumped, "events are more than a day away from those around them, and were left out"),
            *(
                (
                    one.late,
                    f"events of {one.field} came after their bucket was closed, and were left out: is the log sorted by @timestamp?",
                )
                for one in self._profiles
            ),
        )
        said = [f"{count:,} of {self.read:,} {what}" for count, what in counts if count]
        for profiles in self._profiles:
            if profiles.other:
                said.append(
                    f"{len(profiles.entities):,} of {profiles.field} are kept, the most that there is room for;"
                    f" {profiles.other:,} events of others were only counted"
                )
            if profiles.forgotten:
                said.append(
                    f"{profiles.forgotten:,} of {profiles.field} that had been silent for longest were forgotten for others:"
                    f" there is room for {profiles.bounds.entities:,}"
                )
            if not chosen and (unseen := profiles.never_had):
                said.append(f"no event of a {profiles.field} has {' or '.join(unseen)}: are the names right?")
            if profiles.squeezed:
                said.append(
                    f"in {profiles.squeezed:,} buckets there was no room for all values of {profiles.field}: {profiles.cells:,} are kept,"
                    f" at most {profiles.bounds.cells:,}, and {profiles.bounds.held:,} at once; the rest was estimated or forgotten"
                )
            if profiles.learning:
                said.append(
                    f"too little is known of {profiles.field} to show anything yet: learning goes on at the end of the log"
                )
            else:
                said.append(
                    f"learning until {iso(profiles.learned)} for {profiles.field}, {len(profiles.entities):,} of them"
                )
        return said


def stream_of(names: Sequence[str], what: Sequence[str], budget: Budget, bucket_ms: int, offset_ms: int = 0) -> Stream:
    """The usual stream of these kinds of entities."""
    kinds = [Kind(name) for name in names]
    profiles = [Profiles(name, what, budget, bucket_ms=bucket_ms, offset_ms=offset_ms) for name in names]
    return Stream(kinds, profiles)
