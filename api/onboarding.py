"""Connecting a source, from the first pasted line to the first that arrives: what the API, the console and the command line
share. There is no FastAPI in here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from api.standing import expect
from collector import enrol
from collector.diagnose import Diagnosis, State, diagnose
from collector.guess import propose
from rules.desk.trial import Outcome, Trial
from rules.desk.tuning import Tuning
from rules.lists.known import Lists
from rules.load.folders import of_texts
from soc.errors import Busy, ConfigError, NotFound
from soc.model.event import Event
from soc.model.org import EVERYTHING, Scope
from soc.model.rule import RuleDoc
from soc.model.source import STRANGERS, Source, Transport
from soc.model.system import SYSTEMS
from soc.query.parse import parse
from soc.store.base import Stores

_LOOKED_AT = 50  # dead letters
_MOST_ADDRESSES = 256
_PATIENCE_S = 20.0


class Rehearsal:
    """The rules that the detector says are running, to try on lines: what matches here matches there.

    They are compiled when first needed and again when they have changed. One caller tries at a time. `lists`: those that hold now.
    """

    def __init__(self, lists: Callable[[], Lists]) -> None:
        self._lists = lists
        self._lock = threading.Lock()
        self._hashes: frozenset[str] | None = None
        self._trial: Trial | None = None

    def over(
        self, running: Sequence[RuleDoc], events: Iterable[tuple[int, Event]], tuning: Tuning, now: int
    ) -> Outcome:
        """Raises `Busy` when too many others are trying. `now`: ms, by which exceptions end."""
        if not self._lock.acquire(timeout=_PATIENCE_S):
            raise Busy("others are trying their lines: wait a moment")
        try:
            hashes, lists = frozenset(rule.hash for rule in running), self._lists()
            if self._trial is None or hashes != self._hashes:
                ruleset = of_texts((rule.path, rule.text, rule.pipelines) for rule in running)
                self._trial, self._hashes = Trial(ruleset, lists), hashes
            return self._trial.over(events, tuning, now)
        finally:
            self._lock.release()


def enrol_source(
    stores: Stores, source: Source, scope: Scope, *, by: str, system: str = "", here: bool = False
) -> str | None:
    """Enrol a source; its token, where it has one: it is shown to people once and kept as a hash.

    `system`: whose logs these are, a column of the coverage matrix; empty: the one that logs of its type are most often of.
    Raises `ConfigError`, `Conflict` and `NotFound`. A file is read by the collector's machine with the collector's rights, so
    it is enrolled there (`here`), by somebody who may already read that machine's files.
    """
    enrol.check(source)
    if system and system not in SYSTEMS:
        raise ConfigError(f"there is no system {system!r}: choose one of {', '.join(SYSTEMS)}")
    if not scope.allows(source.org):
        raise NotFound("there is no such organisation, or it is not one of yours")
    if source.transport is Transport.FILE and not here:
        raise ConfigError("files are enrolled on the machine that reads them: `soc sources add NAME --path FILE`")
    _check_senders(stores, source, scope)
    token = enrol.new_token(source.id) if source.transport is Transport.PUSH else None
    stores.sources.add(source, enrol.token_hash(token) if token else None, by=by)
    if system:
        expect(stores.policies, source.id, {"system": system}, by=by, now=source.created_at)
    return token


def switch_source(stores: Stores, source: Source, scope: Scope, *, on: bool, by: str) -> None:
    """Let a source be read or not; its events stay, its token works only while it is on.

    Raises `ConfigError` and `Conflict` as enrolling does: while it was off, its senders may have become another's.
    """
    if on:
        _check_senders(stores, source, scope)
    stores.sources.set_enabled(source.id, on, by=by)


def _check_senders(stores: Stores, source: Source, scope: Scope) -> None:
    """Nobody takes over what others send: a block in one organisation's hands may not hold the addresses of another."""
    if source.transport is not Transport.SYSLOG:
        return
    if scope.orgs is not None and any(block.num_addresses > _MOST_ADDRESSES for block in enrol.blocks(source.where)):
        raise ConfigError(f"at most {_MOST_ADDRESSES} addresses a block: name the senders more exactly")
    enrol.check_senders(source, stores.sources.list(EVERYTHING))


def renew_token(stores: Stores, source: Source, *, by: str) -> str:
    """A new token; the one before does not count any more. Raises `ConfigError` for a source that has none."""
    if source.transport is not Transport.PUSH:
        raise ConfigError(f"{source.id} comes by {source.transport} and has no token")
    token = enrol.new_token(source.id)
    stores.sources.set_token(source.id, enrol.token_hash(token), by=by)
    return token


def revoke_token(stores: Stores, source: Source, *, by: str) -> None:
    """From now on nothing can be pushed as this source. Raises `ConfigError` for a source that has no token."""
    if source.transport is not Transport.PUSH:
        raise ConfigError(f"{source.id} comes by {source.transport} and has no token")
    stores.sources.set_token(source.id, None, by=by)


def check_source(stores: Stores, source: Source, scope: Scope, now_ms: int) -> Diagnosis:
    """Whether it works, and what is wrong if not."""
    health = stores.health.health()
    senders: list[str] = []
    if (strangers := health.get(STRANGERS)) and scope.orgs is None:  # others' addresses are not everybody's business
        senders = _still_strangers(stores, (strangers.dead_reason or "").split())
    found = diagnose(source, health.get(source.id), now_ms, senders=senders)
    if found.state is State.WRONG_FORMAT:
        found = replace(found, better=_better_type(stores, source, scope, now_ms))
    return found


def _still_strangers(stores: Stores, senders: Sequence[str]) -> list[str]:
    """Without those that have been enrolled meanwhile."""
    known = [
        block
        for source in stores.sources.list(EVERYTHING)
        if source.enabled and source.transport is Transport.SYSLOG
        for block in enrol.blocks(source.where)
    ]
    return [
        sender
        for sender in senders
        for own in enrol.blocks([sender])
        if not any(own.version == block.version and own.overlaps(block) for block in known)
    ]


def _better_type(stores: Stores, source: Source, scope: Scope, now_ms: int) -> str | None:
    """A type that reads most of what this one has failed to read."""
    query = parse(f'event.kind:pipeline_error AND govsoc.source.id:"{source.id}"')
    dead = stores.events.search(query, scope, limit=_LOOKED_AT).items
    lines = [str(event.fields.get("event.original", "")) for event in dead]
    proposals = [found for found in propose(lines, source.zone, now_ms) if found.source_type != source.type]
    return proposals[0].source_type if proposals and proposals[0].confidence > 0.5 else None
