"""Stored events once more, from the oldest on, from Elasticsearch."""

from __future__ import annotations

import time
from typing import Any

from soc.buffer.base import READ_BYTES, Batch, Cursor
from soc.model.event import Event, Stored
from soc.model.org import Scope
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.events.mapping import REFRESH_S
from soc.store.elastic.events.search import DATED, UP_BY_TIME, event_of, inside
from soc.store.elastic.explain import NotAllowed

Json = dict[str, Any]

_MOST_A_REQUEST = 2000
_DIGITS = 10  # a third of what follows the time in an id: what fits into one position of a cursor


class ElasticHistory:
    """`History` on Elasticsearch: by time and id. `since`, `until`: ms since 1970, the first inclusive, the second not.

    All that the server has taken when the first question is asked is in the answers, though a search finds it some seconds later.
    """

    def __init__(self, client: Client, scope: Scope, since: int, until: int) -> None:
        self._client, self._scope = client, scope
        self._since, self._until = since, until
        self._current = False

    def began(self) -> int | None:
        first = self._events(None, 1)
        return first[0].ts if first else None

    def total(self) -> int:
        return self._until - self._since

    def done(self, cursor: Cursor) -> int:
        return max(0, cursor.get("ms", 0) - self._since)

    def read(self, cursor: Cursor, limit: int, max_bytes: int = READ_BYTES) -> Batch:
        after, events, room = _id(cursor), list[Stored](), max_bytes
        while len(events) < limit and room > 0:
            some = self._events(after, min(_MOST_A_REQUEST, limit - len(events)))
            if not some:
                break
            after = some[-1].id
            kept = [Stored.of(event) for event in some if self._scope.allows(event.org)]
            events += kept
            room -= sum(len(event.doc) for event in kept)
        return Batch(tuple(events), _cursor(after) if after else {}, len(events) >= limit or room <= 0)

    def _events(self, after: str | None, size: int) -> list[Event]:
        indices = names.patterns("events", self._scope.orgs)
        if not indices:
            return []
        if not self._current:
            self._make_current(indices)
        bounds = {"gte": self._since, "lt": self._until, "format": "epoch_millis"}
        answer = self._client.search(
            index=indices,
            query={"bool": {"filter": [*inside(self._scope), DATED, {"range": {"@timestamp": bounds}}]}},
            sort=list(UP_BY_TIME),
            size=size,
            search_after=[int(after[:12], 16), after] if after else None,
            track_total_hits=False,
            ignore_unavailable=True,
            allow_no_indices=True,
            allow_partial_search_results=False,  # half an answer would look like all there is
            filter_path="hits.hits._id,hits.hits._source,hits.hits.sort",
        )
        return [event_of(hit) for hit in answer.get("hits", {}).get("hits", [])]

    def _make_current(self, indices: list[str]) -> None:
        try:
            self._client.indices.refresh(index=indices, ignore_unavailable=True, allow_no_indices=True)
        except NotAllowed:  # a key of our own making may; with another, the server does it itself within this time
            time.sleep(REFRESH_S)
        self._current = True

    def close(self) -> None:
        """The client belongs to who made it."""


def _cursor(id_: str) -> Cursor:
    """The last event's id in three positions: its time, and twice ten of its other digits."""
    return {"ms": int(id_[:12], 16), "high": int(id_[12 : 12 + _DIGITS], 16), "low": int(id_[12 + _DIGITS :], 16)}


def _id(cursor: Cursor) -> str | None:
    return f"{cursor['ms']:012x}{cursor['high']:010x}{cursor['low']:010x}" if cursor else None
