"""Events that this machine has and the index does not show yet: an alert is there before its events are found by a search."""

from __future__ import annotations

from collections.abc import Iterable

from soc.errors import NotFound
from soc.model.event import Event, possible_ids
from soc.model.org import Scope
from soc.query.ast import Query
from soc.store.base import EventStore, Page


class WithRecent:
    """`EventStore` of `indexed`, where an event that is asked for by its id is looked for in `local` as well.

    What searches show is the index alone: the same for everybody, wherever they ask.
    """

    def __init__(self, indexed: EventStore, local: EventStore) -> None:
        self._indexed = indexed
        self._local = local

    def get(self, event_id: str, scope: Scope) -> Event:
        if found := self.many([event_id], scope):
            return found[0]
        raise NotFound(f"there is no event {event_id}, or its period has been deleted")

    def many(self, event_ids: Iterable[str], scope: Scope) -> list[Event]:
        wanted = set(possible_ids(event_ids))
        found = self._indexed.many(wanted, scope)
        if missing := wanted - {event.id for event in found}:
            found = sorted(found + self._local.many(missing, scope), key=lambda event: event.id)
        return found

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
        return self._indexed.search(query, scope, since=since, until=until, cursor=cursor, limit=limit)

    def neighbours(self, event_id: str, scope: Scope, *, each_side: int = 10) -> tuple[list[Event], list[Event]]:
        try:
            return self._indexed.neighbours(event_id, scope, each_side=each_side)
        except NotFound:
            return self._local.neighbours(event_id, scope, each_side=each_side)
