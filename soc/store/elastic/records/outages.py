"""Silences of sources: one document each, changed only by who has seen its last state."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from soc.model.org import Scope
from soc.model.silence import Outage
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, change, drop, search_all


class ElasticOutages:
    """`OutageStore` on Elasticsearch."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def open(self, outage: Outage) -> bool:
        def opened(there: Json | None) -> Json | None:
            if there is None:
                return document(outage)
            return None if there["cleared_at"] is None else there | {"cleared_at": None}

        return self._change(outage.id, opened)

    def clear(self, outage_id: str, at: int) -> bool:
        def cleared(there: Json | None) -> Json | None:
            return there | {"cleared_at": at} if there and there["cleared_at"] is None else None

        return self._change(outage_id, cleared)

    def _change(self, outage_id: str, changed: Any) -> bool:
        """Whether we changed it. Where the answer to our write was lost, it is found done and counts as another's."""
        did = False

        def noted(there: Json | None) -> Json | None:
            nonlocal did
            new: Json | None = changed(there)
            did = new is not None
            return new

        change(self._client, names.OUTAGES, outage_id, noted)
        return did

    def list(self, scope: Scope, *, since: int) -> list[Outage]:
        still = {"bool": {"must_not": [{"exists": {"field": "cleared_at"}}]}}
        shown = {"bool": {"should": [still, {"range": {"cleared_at": {"gte": since}}}]}}
        found = map(outage_of, search_all(self._client, names.OUTAGES, shown, "id"))
        return sorted((o for o in found if scope.allows(o.org)), key=lambda o: (-o.noticed_at, o.id))

    def drop(self, before: int) -> int:
        return drop(self._client, names.OUTAGES, {"range": {"cleared_at": {"lt": before}}})


def document(outage: Outage) -> Json:
    return asdict(outage) | {"blind": list(outage.blind)}


def outage_of(known: Json) -> Outage:
    return Outage(**known | {"blind": tuple(known["blind"])})
