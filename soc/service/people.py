"""Entities in the observer: fed with its batches, committed with its cursor."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from detector.people.definition import CONTENT, Declared, load
from detector.people.tell import finding_of, rule_of
from detector.people.watch import Kept, Watch
from detector.series.definition import gone_on
from soc import telemetry
from soc.errors import RuleError
from soc.model.event import Stored
from soc.model.finding import Finding
from soc.model.rule import RuleDoc
from soc.model.unusual import Unusual
from soc.settings import Settings
from soc.store import unusual as store

log = structlog.get_logger("observer")


class KeptCrowds(Protocol):
    def crowds(self) -> Mapping[tuple[str, str], tuple[str, bytes | None, Sequence[bytes]]]:
        """Organisation and kind -> hash, snapshot, what was told after it."""
        ...

    def crowds_beyond(self) -> Mapping[str, int]:
        """Kind -> events of organisations that had no room."""
        ...


def people_dir(data_dir: Path) -> Path:
    """Where an administrator's own kinds of entities are."""
    return data_dir / "people"


def declared(settings: Settings) -> Declared:
    """The kinds of entities that the observer takes, and what is wrong with others."""
    named = settings.observe.people
    return load(named or (people_dir(settings.data_dir), CONTENT), needed=bool(named))


class PeopleOf:
    """What is fed counts once it is written; `load` goes back to what was written last. `judged`: see `Watch`."""

    def __init__(
        self, settings: Settings, kept: KeptCrowds, judged: Callable[[Unusual], Unusual] = lambda one: one
    ) -> None:
        self._settings, self._judged = settings, judged
        self._kept, self._zone, self._most = kept, ZoneInfo(settings.detect.zone), settings.observe.most_crowds
        self._declared = Declared({})
        self._watch = Watch({}, self._zone)

    def load(self, *, forget: bool) -> None:
        """`forget`: what is kept of kinds that are gone goes for good. Raises what the store raises."""
        now, before = declared(self._settings), self._declared
        self._declared = Declared(gone_on(now.by_name, before.by_name, now.faults), now.faults)
        for fault in self._declared.faults:
            log.warning("a kind of entity cannot be used, the others run", definition=str(fault))
        self._watch = Watch(self._declared.by_name, self._zone, most=self._most, judged=self._judged)
        saved = {key: Kept(*one) for key, one in self._kept.crowds().items()}
        # With a fault a kind that is missing may be a slip of the pen, and what was learned is worth keeping.
        whole = forget and not self._declared.faults
        for why in self._watch.load(saved, self._kept.crowds_beyond(), forget=whole):
            log.warning("entities are learned anew", reason=why)

    @property
    def faults(self) -> Sequence[RuleError]:
        """What is wrong with the kinds that were loaded."""
        return self._declared.faults

    def feed(self, events: Sequence[Stored]) -> tuple[list[Finding], list[RuleDoc]]:
        """What these events bring about that is not harmless, in their order, and the rules that it is of."""
        found = self._watch.feed(events)
        telemetry.UNUSUAL.inc(len(found))
        found = [one for one in found if not one.harmless]
        names = sorted({one.people for one in found})
        return [finding_of(one) for one in found], [rule_of(self._declared.by_name[name]) for name in names]

    @property
    def closing(self) -> bool:
        """Whether there is something new to show since the last commit."""
        return self._watch.closing

    def write(self, db: sqlite3.Connection) -> None:
        """All since the last time, in the caller's transaction."""
        done = self._watch.changes()
        telemetry.ENTITIES.set(self._watch.entities)
        telemetry.ENTITIES_BEYOND.reached(self._watch.beyond)
        store.write(
            db, gone=done.gone, snapshots=done.snapshots, told=done.told, hashes=done.hashes, crowds=done.crowds, items=done.items
        )  # fmt: skip
