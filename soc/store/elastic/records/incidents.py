"""Incidents, one document each with its whole history, in one index for all units: an incident may be of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from soc.errors import Conflict, NotFound
from soc.model.alert import Change, Verdict
from soc.model.incident import Incident, IncidentDecision, IncidentStatus
from soc.model.org import Scope
from soc.store.base import Page
from soc.store.cursor import decode, encode
from soc.store.decision import begun, decided_incident
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, decide, read
from soc.store.elastic.records.triage import line

_FACTS = ("id", "title", "created_at", "created_by", "updated_at", "updated_by", "assignee", "version", "merged_into")


class ElasticIncidents:
    """`IncidentStore` on Elasticsearch. What was written is found by lists at once (refresh), as are alerts."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, incident: Incident, *, by: str, split_from: str | None = None) -> None:
        def made(known: Json | None) -> Json:
            if known is not None:
                raise Conflict(f"there is an incident {incident.id} already: choose another id")
            return _document(incident) | {"history": [line(change) for change in begun(incident, by, split_from)]}

        self._decide(incident.id, made)

    def get(self, incident_id: str, scope: Scope) -> Incident:
        found = read(self._client, names.INCIDENTS, incident_id)
        if found is None or not scope.allows_all(found.source["orgs"]):
            raise NotFound(f"there is no incident {incident_id}")
        return _incident(found.source)

    def change(self, incident_id: str, decision: IncidentDecision, *, by: str, now: int) -> Incident:
        def made(known: Json | None) -> Json | None:
            if known is None:
                raise NotFound(f"there is no incident {incident_id}")
            new, changes = decided_incident(_incident(known), decision, by=by, now=now)
            if not changes:
                return None
            return known | _document(new) | {"history": known["history"] + [line(change) for change in changes]}

        return _incident(self._decide(incident_id, made))

    def _decide(self, incident_id: str, made: Callable[[Json | None], Json | None]) -> Json:
        return decide(self._client, names.INCIDENTS, incident_id, made, f"incident {incident_id}", refresh=True)

    def history(self, incident_id: str) -> list[Change]:
        found = read(self._client, names.INCIDENTS, incident_id)
        return [Change(incident_id, *kept) for kept in found.source["history"]] if found else []

    def list(
        self, scope: Scope, *, status: IncidentStatus | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Incident]:
        answer = self._client.search(
            index=names.INCIDENTS,
            query={"bool": {"filter": _inside(scope) + ([{"term": {"status": status}}] if status else [])}},
            sort=[{"created_at": "desc"}, {"id": "desc"}],
            search_after=None if cursor is None else list(decode(cursor)),
            size=limit + 1,
            track_total_hits=False,
            ignore_unavailable=True,
            allow_partial_search_results=False,
        )
        hits = answer["hits"]["hits"]
        found = tuple(_incident(hit["_source"]) for hit in hits[:limit])
        return Page(found, encode(found[-1].created_at, found[-1].id) if len(hits) > limit else None)


def _inside(scope: Scope) -> list[Json]:
    """Incidents all of whose organisations are in the scope: as many of them match as there are."""
    if scope.orgs is None:
        return []
    if not scope.orgs:
        return [{"match_none": {}}]
    return [{"terms_set": {"orgs": {"terms": sorted(scope.orgs), "minimum_should_match_field": "orgs_count"}}}]


def _document(incident: Incident) -> Json:
    return asdict(incident) | {"orgs": list(incident.orgs), "orgs_count": len(incident.orgs)}


def _incident(source: Json) -> Incident:
    return Incident(
        **{name: source[name] for name in _FACTS},
        orgs=tuple(source["orgs"]),
        status=IncidentStatus(source["status"]),
        verdict=Verdict(source["verdict"]) if source["verdict"] else None,
    )
