"""Searching events in Elasticsearch: newest first by time and id, page after page behind the last one seen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from soc.errors import NotFound
from soc.model.event import Event, possible_ids
from soc.model.org import Scope
from soc.query.ast import Query
from soc.query.evaluate import predicate
from soc.store.base import Page
from soc.store.cursor import below
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.events.added import without_added
from soc.store.elastic.events.query import narrow

Json = dict[str, Any]

_TIME_LIMIT_S = 5.0
_MOST_A_REQUEST = 500
_NEIGHBOUR_SPAN_MS = 3_600_000
_BY_TIME = ({"@timestamp": {"order": "desc", "format": "epoch_millis"}}, {"event.id": "desc"})
UP_BY_TIME = ({"@timestamp": {"order": "asc", "format": "epoch_millis"}}, {"event.id": "asc"})
# The quarantine holds events without a plausible time, and such as the server refused, which have one. Its own index answers
# this condition at once; only the quarantine has to look at ids.
_UNDATED: Json = {"range": {"event.id": {"lt": names.FIRST_TIME}}}
_QUARANTINED: Json = {"prefix": {"_index": f"{names.PREFIX}-events-{names.QUARANTINE}-"}}
DATED: Json = {"bool": {"must_not": [{"bool": {"filter": [_QUARANTINED, _UNDATED]}}]}}


class ElasticEvents:
    """`EventStore` on Elasticsearch. A new event is found some seconds after it was written (`refresh_interval`)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, event_id: str, scope: Scope) -> Event:
        if found := self.many([event_id], scope):
            return found[0]
        raise NotFound(f"there is no event {event_id}, or its period has been deleted")

    def many(self, event_ids: Iterable[str], scope: Scope) -> list[Event]:
        wanted = possible_ids(event_ids)
        indices = names.patterns("events", scope.orgs)
        found: dict[str, Event] = {}
        for start in range(0, len(wanted) if indices else 0, _MOST_A_REQUEST):
            some = wanted[start : start + _MOST_A_REQUEST]
            for hit in self._hits(indices, [{"ids": {"values": some}}, *inside(scope)], 2 * len(some), ["_doc"]):
                event = event_of(hit)
                if scope.allows(event.org):
                    found[event.id] = event  # after a change of store.period it may lie in two indices
        return [found[id_] for id_ in wanted if id_ in found]

    def search(
        self,
        query: Query,
        scope: Scope,
        *,
        since: int | None = None,
        until: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Event]:
        low = "" if since is None else f"{max(since, 0):012x}"
        matches = predicate(query)
        deadline = time.monotonic() + _TIME_LIMIT_S
        found: list[Event] = []
        last = ""
        for batch in self._candidates(query, scope, low, below(until, cursor), limit + 1):
            for event in batch:
                if event.id != last and scope.allows(event.org) and matches(event.fields):
                    found.append(event)
                    if len(found) > limit:
                        return Page(tuple(found[:limit]), found[limit - 1].id)
                last = event.id
            if time.monotonic() > deadline:
                return Page(tuple(found), last or None)
        return Page(tuple(found))

    def _candidates(self, query: Query, scope: Scope, low: str, high: str, size: int) -> Iterator[list[Event]]:
        """Events with ids in [low, high) that may match, newest first; more at a time when the first do not suffice."""
        conditions = [narrow(query), *inside(scope)]
        if high > names.FIRST_TIME and (indices := names.patterns("events", scope.orgs)):
            bound = [{"range": {"@timestamp": {"gte": int(low, 16), "format": "epoch_millis"}}}] if low else []
            yield from self._pages(indices, [*conditions, DATED, *bound], list(_BY_TIME), _after(high), size)
        if low <= names.NO_TIME < high and (indices := names.quarantine(scope.orgs)):
            after = [high] if high.startswith(names.NO_TIME) else None
            yield from self._pages(indices, [*conditions, _UNDATED], [{"event.id": "desc"}], after, size)

    def _pages(
        self, indices: list[str], conditions: list[Json], sort: list[Json], after: list[Any] | None, size: int
    ) -> Iterator[list[Event]]:
        while True:
            size = min(size, _MOST_A_REQUEST)
            hits = self._hits(indices, conditions, size, sort, after)
            if hits:
                yield [event_of(hit) for hit in hits]
            if len(hits) < size:
                return
            after = hits[-1]["sort"]
            size *= 2

    def neighbours(self, event_id: str, scope: Scope, *, each_side: int = 10) -> tuple[list[Event], list[Event]]:
        event = self.get(event_id, scope)
        if event.ts == 0:  # undated: no order to be a neighbour in
            return [], []
        before = self._beside(event, list(_BY_TIME), event.ts - _NEIGHBOUR_SPAN_MS, event.ts + 1, each_side)
        after = self._beside(event, list(UP_BY_TIME), event.ts, event.ts + _NEIGHBOUR_SPAN_MS, each_side)
        return before[::-1], after

    def _beside(self, event: Event, sort: list[Json], since: int, until: int, limit: int) -> list[Event]:
        """Up to `limit` events of the same source in [since, until), nearest first."""
        source = event.fields.get("govsoc.source.id")
        named = {"exists": {"field": "govsoc.source.id"}}
        conditions: list[Json] = [
            *inside(Scope(frozenset({event.org}))),
            {"range": {"@timestamp": {"gte": since, "lt": until, "format": "epoch_millis"}}},
            {"bool": {"must_not": [named]}} if source is None else {"term": {"govsoc.source.id": source}},
        ]
        found: dict[str, Event] = {}
        for batch in self._pages(
            names.patterns("events", [event.org]), [*conditions, DATED], sort, [event.ts, event.id], limit
        ):
            for near in batch:
                if near.id != event.id and near.org == event.org and near.fields.get("govsoc.source.id") == source:
                    found[near.id] = near
            if len(found) >= limit:
                break
        return list(found.values())[:limit]

    def _hits(
        self,
        indices: list[str],
        conditions: list[Json],
        size: int,
        sort: list[Any],
        after: list[Any] | None = None,
    ) -> list[Json]:
        answer = self._client.search(
            index=indices,
            query={"bool": {"filter": conditions}},
            sort=sort,
            size=size,
            search_after=after,
            track_total_hits=False,
            ignore_unavailable=True,
            allow_no_indices=True,
            allow_partial_search_results=False,  # half an answer would look like all there is
            filter_path="hits.hits._id,hits.hits._source,hits.hits.sort",
        )
        hits: list[Json] = answer.get("hits", {}).get("hits", [])
        return hits


def event_of(hit: Json) -> Event:
    id_, fields = str(hit["_id"]), without_added(hit["_source"])
    return Event(id_, int(id_[:12], 16), str(fields["organization.id"]), str(fields["event.dataset"]), fields)


def inside(scope: Scope) -> list[Json]:
    """The index compares without capitals: who reads an answer looks once more."""
    return [] if scope.orgs is None else [{"terms": {"organization.id": sorted(scope.orgs)}}]


def _after(high: str) -> list[Any] | None:
    """The place in the order by time and id that ids below `high` lie behind."""
    return [int(high[:12].ljust(12, "0"), 16), high] if high != "g" else None
