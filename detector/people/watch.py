"""Events in, unusual entities out: one crowd for each kind of entity and organisation.

What a crowd knows is its last snapshot and what it was told since. So that little is written however much there is, a commit writes
what was told, and a snapshot of the few crowds that have been told most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import cast

import msgspec
import orjson

from detector.entities.text import TOGETHER, Values, kept, texts
from detector.people.crowd import Crowd, begun, restored
from detector.people.definition import People
from detector.people.tell import unusual_of
from soc.errors import ConfigError
from soc.model import unusual
from soc.model.event import Fields, Stored
from soc.model.unusual import Unusual
from soc.query.evaluate import Predicate, predicate
from soc.query.parse import parse

MOST_CROWDS = 200  # kinds times organisations
_SNAPSHOT = 20_000  # told since the last one: it is time for another
_SOONER = 5_000  # for the one crowd that has been told most
_NOBODY = ""
Key = tuple[str, str]  # organisation, name of the kind


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a crowd: `hash` of its definition, a snapshot (None: there was none yet), and what it was told after that."""

    hash: str
    snapshot: bytes | None
    told: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Changes:
    """Since the last commit. `snapshots` stand for all that a crowd was told before; `told` is after that. Of the `gone` nothing is kept
    any more."""

    gone: Sequence[Key]
    snapshots: Mapping[Key, bytes]
    told: Mapping[Key, bytes]
    hashes: Mapping[Key, str]
    crowds: Sequence[unusual.Crowd]
    items: Sequence[Unusual]


class _Watched:
    """A crowd, what it was told since the last commit, and how much since its snapshot."""

    __slots__ = ("changed", "crowd", "since", "told")

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.told: list[bytes] = []  # written down at once: as objects they would be five times as large
        self.since = 0
        self.changed = True


class _Kind:
    """A definition made ready."""

    __slots__ = ("counts", "entity", "name", "people", "what")

    def __init__(self, people: People) -> None:
        self.people, self.name, self.entity, self.what = people, people.name, people.entity, people.what
        self.counts: Predicate | None = predicate(parse(people.where)) if people.where.strip() else None

    def of(self, fields: Fields) -> str | None:
        """The entity of the event; None when it has none, or is not counted. Of a list the first is taken."""
        parts = []
        for name in self.entity:
            value = fields.get(name)
            if value.__class__ is list:
                several = cast("list[object]", value)
                value = cast("str | None", several[0] if several else None)
            if value is None or value == "" or value == "-":
                return None
            parts.append(kept(value))
        if self.counts is not None and not self.counts(fields):
            return None
        return parts[0] if len(parts) == 1 else TOGETHER.join(parts)


class Watch:
    """All crowds. `most`: events of what is beyond are counted. `judged`: what people said of an item; nothing of it is learned."""

    def __init__(
        self,
        declared: Mapping[str, People],
        zone: tzinfo,
        *,
        most: int = MOST_CROWDS,
        judged: Callable[[Unusual], Unusual] = lambda one: one,
    ) -> None:
        self.datasets: dict[str, list[_Kind]] = {}
        self._declared, self._zone, self._most, self._judged = declared, zone, most, judged
        self._crowds: dict[Key, _Watched] = {}
        self._beyond: dict[str, int] = {}  # kind -> events of organisations for which there is no room
        self._gone: list[Key] = []
        self._items: list[Unusual] = []
        for people in declared.values():
            kind = _Kind(people)
            for dataset in people.datasets:
                self.datasets.setdefault(dataset, []).append(kind)

    @property
    def closing(self) -> bool:
        """Whether there is something to show since the last commit."""
        return bool(self._items)

    @property
    def entities(self) -> int:
        """How many are known."""
        return sum(len(one.crowd.profiles.entities) for one in self._crowds.values())

    @property
    def beyond(self) -> int:
        """Events for which there was no room: of organisations, and of entities."""
        return sum(self._beyond.values()) + sum(one.crowd.profiles.other for one in self._crowds.values())

    def feed(self, events: Iterable[Stored]) -> list[Unusual]:
        """What these events bring about, in their order."""
        found: list[Unusual] = []
        datasets, loads = self.datasets, orjson.loads
        for _, ts, org, dataset, _, _, doc in events:
            kinds = datasets.get(dataset)
            if kinds is not None and ts:
                fields = loads(doc)
                for kind in kinds:
                    found += self._add(kind, org, ts, fields)
        self._items += found
        return found

    def load(self, saved: Mapping[Key, Kept], beyond: Mapping[str, int], *, forget: bool = True) -> list[str]:
        """Go on from what was kept; returns why some crowds begin anew. Kinds that mean something else are forgotten, and, if `forget`,
        those that are no more."""
        why = []
        self._beyond = {name: count for name, count in beyond.items() if name in self._declared}
        self._gone += [(_NOBODY, name) for name in beyond if forget and name not in self._declared]
        for (org, name), one in saved.items():
            people = self._declared.get(name)
            if people is None and not forget:
                continue
            try:
                if people is None or people.hash != one.hash:
                    raise ConfigError("its definition is gone, or is another now")
                watched = self._crowds[org, name] = _again(people, org, one)
                watched.changed = False
            except (ConfigError, ValueError, KeyError, TypeError) as error:
                self._gone.append((org, name))
                why.append(f"{name} of {org}: {error}")
        return why

    def changes(self) -> Changes:
        """Everything since the last time that this was asked."""
        changed = {key: one for key, one in self._crowds.items() if one.told or one.changed}
        for one in changed.values():
            one.since += len(one.told)
        due = {key for key, one in changed.items() if one.since >= _SNAPSHOT}
        most = max(self._crowds.items(), key=lambda pair: pair[1].since, default=None)
        if most is not None and most[1].since >= _SOONER:
            due.add(most[0])
        snapshots = {key: self._crowds[key].crowd.dump() for key in sorted(due)}
        told = {key: _joined(one.told) for key, one in changed.items() if one.told and key not in due}
        keys = {*snapshots, *told}
        crowds = [one.crowd.standing() for one in changed.values()]
        crowds += [
            unusual.Crowd(name, _NOBODY, self._declared[name].titles.model_dump(), 0, False, count, 0)
            for name, count in self._beyond.items()
        ]
        done = Changes(
            self._gone, snapshots, told, {key: self._declared[key[1]].hash for key in keys}, crowds, self._items
        )
        for key in due:
            self._crowds[key].since = 0
        for one in changed.values():
            one.told, one.changed = [], False
        self._gone, self._items = [], []
        return done

    def _add(self, kind: _Kind, org: str, ts: int, fields: Fields) -> list[Unusual]:
        entity = kind.of(fields)
        watched = self._crowds.get((org, kind.name))
        if watched is None:
            if entity is None:
                return []
            if len(self._crowds) >= self._most:
                self._beyond[kind.name] = self._beyond.get(kind.name, 0) + 1
                return []
            watched = self._crowds[org, kind.name] = _Watched(begun(kind.people, org, ts, self._zone))
            watched.told.append(_ENCODE([watched.crowd.offset_ms]))  # without a snapshot that is what it begins with
        if entity is None:
            if not watched.crowd.wakes(ts):
                return []
            values: Values = []
        else:
            values = texts([fields.get(name) for name in kind.what])
        watched.told.append(_ENCODE([ts, entity, values]))
        items = watched.crowd.take(ts, entity, values)
        return [self._judged(unusual_of(kind.people, org, item)) for item in items] if items else []


_ENCODE = msgspec.msgpack.Encoder().encode


def _joined(entries: Sequence[bytes]) -> bytes:
    """MessagePack of a list of what these are of."""
    return b"\xdd" + len(entries).to_bytes(4, "big") + b"".join(entries)


def _again(people: People, org: str, one: Kept) -> _Watched:
    told = [entry for part in one.told for entry in msgspec.msgpack.decode(part)]
    if one.snapshot is not None:
        crowd = restored(people, org, one.snapshot)
    else:
        (offset_ms,), *told = told
        crowd = Crowd(people, org, offset_ms)
    for ts, entity, values in told:
        crowd.take(ts, entity, values)
    watched = _Watched(crowd)
    watched.since = len(told)
    return watched


__all__ = ["MOST_CROWDS", "Changes", "Kept", "Watch"]
