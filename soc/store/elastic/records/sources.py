"""Enrolled sources, and how each is doing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from elasticsearch import NotFoundError

from soc.errors import Conflict, NotFound
from soc.model.org import EVERYTHING, Scope, check_spelling
from soc.model.source import Source, SourceHealth, Transport
from soc.store.base import AuditEntry, AuditStore
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, bulk, read, search_all, too_contended

_REVISION = "revision"
_TRIES = 20
_SOURCE = frozenset(field.name for field in fields(Source))
_STATE = frozenset(field.name for field in fields(SourceHealth))
_LAST = ("last_event", "last_received", "dead_reason", "lag_ms", "last_refused")


class ElasticSources:
    """`SourceStore` on Elasticsearch. The revision is the version of one document that every change writes again."""

    def __init__(self, client: Client, audit: AuditStore, clock: Callable[[], int]) -> None:
        self._client = client
        self._audit = audit
        self._clock = clock

    def revision(self) -> int:
        try:
            return int(self._client.get(index=names.SOURCES, id=_REVISION, source=False)["_version"])
        except NotFoundError:
            return 0

    def add(self, source: Source, token_hash: str | None, *, by: str) -> None:
        if read(self._client, names.SOURCES, _id(source.id)) is not None:
            raise _taken(source.id)
        check_spelling(source.org, {known["org"] for known in self.documents()})
        self._note(by, "source.add", source.id)
        mark = secrets.token_hex(8)
        document = asdict(source) | {"token_hash": token_hash, "mark": mark}
        if not self._write({"create": {"_id": _id(source.id)}}, document) and not self._is(source.id, mark):
            raise _taken(source.id)

    def _is(self, source_id: str, mark: str) -> bool:
        """Whether what is there is what we wrote: then the answer to our first try was lost."""
        found = read(self._client, names.SOURCES, _id(source_id))
        return found is not None and found.source["mark"] == mark

    def get(self, source_id: str, scope: Scope) -> Source:
        found = read(self._client, names.SOURCES, _id(source_id))
        if found is None or not scope.allows(found.source["org"]):
            raise NotFound(f"there is no source {source_id}")
        return source_of(found.source)

    def documents(self) -> list[Json]:
        """All sources with the hashes of their tokens, by id. The refresh makes sure that it holds what the revision,
        asked before, has counted."""
        self._client.indices.refresh(index=names.SOURCES, ignore_unavailable=True)
        return list(search_all(self._client, names.SOURCES, {"exists": {"field": "id"}}, "id"))

    def by_token(self, token_hash: str) -> Source | None:
        query = {"term": {"token_hash": token_hash}}
        known = next(search_all(self._client, names.SOURCES, query, "id"), None)
        # As it is now: it may have been disabled, or got another token, since the search last looked.
        found = read(self._client, names.SOURCES, _id(known["id"])) if known else None
        valid = found is not None and found.source["enabled"] and found.source["token_hash"] == token_hash
        return source_of(found.source) if found and valid else None

    def set_enabled(self, source_id: str, enabled: bool, *, by: str) -> None:
        self._change(source_id, {"enabled": enabled}, by, "source.enable" if enabled else "source.disable")

    def set_token(self, source_id: str, token_hash: str | None, *, by: str) -> None:
        self._change(source_id, {"token_hash": token_hash}, by, "source.token" if token_hash else "source.revoke")

    def _change(self, source_id: str, values: Json, by: str, action: str) -> None:
        self.get(source_id, EVERYTHING)
        self._note(by, action, source_id)
        for _ in range(_TRIES):
            over = read(self._client, names.SOURCES, _id(source_id))
            if over is None:
                raise NotFound(f"there is no source {source_id}")
            if self._write({"index": {"_id": over.id, **over.unchanged}}, over.source | values):
                return
        raise too_contended(f"source {source_id}")

    def _note(self, by: str, action: str, target: str) -> None:
        """What is asked, before it is done: no change is without its entry, whatever dies in between."""
        self._audit.record(AuditEntry(self._clock(), by, action, target, ""))

    def _write(self, action: Json, document: Json) -> bool:
        """One request for source and revision, in one shard and in this order: a revision that was seen covers the source."""
        [[verb, place]] = action.items()
        lines = [{verb: {"_index": names.SOURCES, **place}}, document]
        lines += [{"index": {"_index": names.SOURCES, "_id": _REVISION}}, {}]
        return bulk(self._client, lines, refresh=True)[0] < 300

    def list(self, scope: Scope) -> list[Source]:
        return [source_of(document) for document in self.documents() if scope.allows(document["org"])]


def _taken(source_id: str) -> Conflict:
    return Conflict(f"there is a source {source_id} already: choose another name")


def _id(source_id: str) -> str:
    return f"source:{source_id}"


def source_of(document: Json) -> Source:
    """What else the document holds is the token's, or of a newer govsoc that writes to the same store."""
    known: dict[str, Any] = {name: value for name, value in document.items() if name in _SOURCE}
    return Source(**known | {"transport": Transport(known["transport"]), "where": tuple(known["where"])})


class ElasticHealth:
    """`HealthStore` on Elasticsearch. Each report writes what has changed since the last, and is found at once (refresh)."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._reported: dict[str, SourceHealth] = {}

    def report(self, health: Sequence[SourceHealth]) -> None:
        lines: list[Json] = []
        changed = [state for state in health if self._reported.get(state.source_id) != state]
        for state in changed:
            # A collector that was just started has seen nothing: what an earlier one saw last still holds.
            document = {name: value for name, value in asdict(state).items() if value is not None or name not in _LAST}
            action = {"_index": names.HEALTH, "_id": f"source:{state.source_id}", "retry_on_conflict": 3}
            lines += ({"update": action}, {"doc": document, "upsert": asdict(state)})
        statuses = bulk(self._client, lines, refresh=True)
        self._reported |= {s.source_id: s for s, status in zip(changed, statuses, strict=True) if status < 300}

    def health(self) -> Mapping[str, SourceHealth]:
        found = search_all(self._client, names.HEALTH, {"match_all": {}}, "source_id")
        states = ({name: value for name, value in document.items() if name in _STATE} for document in found)
        return {state["source_id"]: SourceHealth(**state) for state in states}
