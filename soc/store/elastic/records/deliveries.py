"""Notifications on their way, one document a delivery. Its version in Elasticsearch is ours (`external`): a write of version 4 goes
through only over 3 and before, so of two who read 3 one is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from soc.errors import NotFound
from soc.model.delivery import Delivery, DeliveryState
from soc.model.org import Scope
from soc.store.base import Page
from soc.store.cursor import decode, encode
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, bulk, drop, read

_FIELDS = frozenset(field.name for field in fields(Delivery))
_MANY_ROUTES = 10_000
_EXACT = 3000  # more than a route may send in an hour


class ElasticDeliveries:
    """`DeliveryStore` on Elasticsearch. A change whose first answer was lost looks like somebody else's: it is then left to the
    end of the claim."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def add(self, deliveries: Sequence[Delivery]) -> int:
        return sum(status < 300 for status in self._write(deliveries))

    def update(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        new = [replace(delivery, version=delivery.version + 1) for delivery in deliveries]
        return [delivery for delivery, status in zip(new, self._write(new), strict=True) if status < 300]

    def _write(self, deliveries: Sequence[Delivery]) -> list[int]:
        lines: list[Json] = []
        for delivery in deliveries:
            place = {"_index": names.DELIVERIES, "_id": delivery.id}
            lines += ({"index": {**place, "version": delivery.version, "version_type": "external"}}, asdict(delivery))
        return bulk(self._client, lines, refresh=True)

    def get(self, delivery_id: str, scope: Scope) -> Delivery:
        found = read(self._client, names.DELIVERIES, delivery_id)
        if found is None or not scope.allows(found.source["org"]):
            raise NotFound(f"there is no delivery {delivery_id}")
        return _delivery(found.source)

    def pending(self, route_id: str, limit: int = 500) -> list[Delivery]:
        wanted: list[Json] = [{"term": {"state": DeliveryState.PENDING}}, {"term": {"route_id": route_id}}]
        answer = self._search(wanted, sort=[{"created_at": "asc"}, {"id": "asc"}], size=limit)
        return [_delivery(hit["_source"]) for hit in answer.get("hits", {}).get("hits", [])]

    def list(
        self,
        state: DeliveryState,
        scope: Scope,
        *,
        routes: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Delivery]:
        wanted: list[Json] = [{"term": {"state": state}}]
        wanted += [
            {"terms": {field: sorted(values)}}
            for field, values in (("org", scope.orgs), ("route_id", routes))
            if values is not None
        ]
        after = {} if cursor is None else {"search_after": list(decode(cursor))}
        order = [{"created_at": "desc"}, {"id": "desc"}]
        hits = self._search(wanted, sort=order, size=limit + 1, **after).get("hits", {}).get("hits", [])
        found = tuple(_delivery(hit["_source"]) for hit in hits[:limit])
        return Page(found, encode(found[-1].created_at, found[-1].id) if len(hits) > limit else None)

    def waiting(self) -> Mapping[str, int]:
        by = {"by": {"terms": {"field": "route_id", "size": _MANY_ROUTES}}}
        answer = self._search([{"term": {"state": DeliveryState.PENDING}}], size=0, aggs=by)
        return {
            bucket["key"]: bucket["doc_count"]
            for bucket in answer.get("aggregations", {}).get("by", {}).get("buckets", [])
        }

    def messages(self, route_id: str, since: int) -> int:
        wanted: list[Json] = [{"term": {"route_id": route_id}}, {"range": {"sent_at": {"gte": since}}}]
        count = {"messages": {"cardinality": {"field": "message", "precision_threshold": _EXACT}}}
        answer = self._search(wanted, size=0, aggs=count)
        return int(answer.get("aggregations", {}).get("messages", {}).get("value", 0))

    def drop(self, before: int) -> int:
        finished: list[Json] = [
            {"terms": {"state": [DeliveryState.SENT, DeliveryState.FAILED]}},
            {"range": {"created_at": {"lt": before}}},
        ]
        return drop(self._client, names.DELIVERIES, {"bool": {"filter": finished}})

    def _search(self, wanted: Sequence[Json], **body: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._client.search(
            index=names.DELIVERIES,
            query={"bool": {"filter": list(wanted)}},
            track_total_hits=False,
            ignore_unavailable=True,
            allow_partial_search_results=False,
            **body,
        ).body
        return answer


def _delivery(source: Json) -> Delivery:
    """What else the document holds is of a newer govsoc that writes to the same store."""
    known = {name: value for name, value in source.items() if name in _FIELDS}
    return Delivery(**known | {"state": DeliveryState(known["state"])})
