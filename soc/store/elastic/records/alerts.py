"""Alerts as analysts see them: the detector's facts with a copy of the triage, and the triage record itself where one alert is read.

Lists, filters and counts use the copy, which is the record a moment ago: `ElasticTriage` writes the record, then the copy. Where the
copy was left behind (a crash between the two), reading the alert shows the record and mends the copy.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from soc.errors import NotFound, SocError
from soc.model.alert import Alert, Status, Verdict
from soc.model.canary import Canary
from soc.model.finding import Finding, finding_id
from soc.model.org import EVERYTHING, Scope
from soc.model.rule import RuleCost, RuleDoc, RuleFault, RulesInForce, Stage
from soc.model.tuning import Hidden
from soc.store.base import AlertFilter, Page
from soc.store.cursor import above, decode, decode_pair, encode, encode_pair
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.documents import Json, read
from soc.store.elastic.records import hidden
from soc.store.elastic.records.rulebook import RuleBook
from soc.store.elastic.records.triage import copy_triage, triage_of

_MANY_RULES = 20_000
_AT_ONCE = 1_000
_REMEMBERED = 20_000
_FACTS = ("id", "rule_id", "rule_hash", "title", "level", "org", "entity_field", "entity", "first_seen", "last_seen",
          "count", "raised_at")  # fmt: skip


class Homes:
    """The organisation of each alert, which never changes: it says which index an alert's records are in."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, alert_id: str, org: str) -> None:
        with self._lock:
            self._known[alert_id] = org
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def org(self, alert_id: str) -> str | None:
        with self._lock:
            if org := self._known.get(alert_id):
                return org
        if hit := find(self._client, alert_id, EVERYTHING):
            self.note(alert_id, hit["org"])
            return str(hit["org"])
        return None


def find(client: Client, alert_id: str, scope: Scope) -> Json | None:
    """The alert's document inside the scope. One that nobody is waiting for yet may be found a moment late."""
    query = {"ids": {"values": [alert_id]}}
    hits = _search(client, "alerts", scope, query=query, size=1).get("hits", {}).get("hits")
    return hits[0]["_source"] if hits else None


class ElasticAlerts:
    """`AlertStore` on Elasticsearch."""

    def __init__(self, client: Client, homes: Homes, rules: RuleBook) -> None:
        self._client = client
        self._homes = homes
        self._rules = rules

    def get(self, alert_id: str, scope: Scope) -> Alert:
        source = find(self._client, alert_id, scope)
        if source is None:
            raise NotFound(f"there is no alert {alert_id}")
        self._homes.note(alert_id, source["org"])
        record = read(self._client, names.triage(source["org"]), alert_id)
        if record and record.source["version"] > source["triage"]["version"]:
            source = source | {"triage": record.source}
            self._mend(alert_id, record.source)
        return _alert(source)

    def several(self, alert_ids: Sequence[str], scope: Scope) -> Mapping[str, Alert]:
        wanted: Json = {"ids": {"values": list(alert_ids)}}
        answer = _search(self._client, "alerts", scope, query=wanted, size=len(alert_ids))
        alerts = [_alert(hit["_source"]) for hit in answer.get("hits", {}).get("hits", [])]
        return {alert.id: alert for alert in alerts}

    def _mend(self, alert_id: str, record: Json) -> None:
        try:
            copy_triage(self._client, alert_id, record)
        except SocError:  # what was asked for is known all the same; the next reader tries again
            return

    def list(self, where: AlertFilter, scope: Scope, *, cursor: str | None = None, limit: int = 50) -> Page[Alert]:
        after = {} if cursor is None else {"search_after": list(decode(cursor))}
        answer = _search(
            self._client,
            "alerts",
            _narrowed(scope, where.org),
            query=_query(where),
            sort=[{"raised_at": "desc"}, {"id": "desc"}],
            size=limit + 1,
            track_total_hits=False,
            **after,
        )
        hits = answer.get("hits", {}).get("hits", [])
        alerts = tuple(_alert(hit["_source"]) for hit in hits[:limit])
        more = len(hits) > limit
        return Page(alerts, encode(alerts[-1].raised_at, alerts[-1].id) if more else None)

    def findings(
        self, alert_id: str, scope: Scope, *, since: int | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Finding]:
        alert = self.get(alert_id, scope)
        answer = _search(
            self._client,
            "findings",
            Scope(frozenset({alert.org})),
            query={"term": {"alert_id": alert_id}},
            sort=[{"event_id": "asc"}],
            size=limit + 1,
            track_total_hits=False,
            search_after=[above(since, cursor)],
        )
        hits = answer.get("hits", {}).get("hits", [])
        found = tuple(finding_of(hit["_id"], hit["_source"]) for hit in hits[:limit])
        return Page(found, encode(0, found[-1].event_id) if len(hits) > limit else None)

    def finding(self, alert_id: str, event_id: str, scope: Scope) -> Finding:
        alert = self.get(alert_id, scope)
        wanted = {"ids": {"values": [finding_id(alert_id, event_id)]}}
        answer = _search(self._client, "findings", Scope(frozenset({alert.org})), query=wanted, size=1)
        for hit in answer.get("hits", {}).get("hits", []):
            return finding_of(hit["_id"], hit["_source"])
        raise NotFound(f"the event {event_id} is not one of this alert")

    def counts(self, scope: Scope) -> Mapping[Status, int]:
        counted = self._count("triage.status", len(Status), scope, _of_stage(Stage.LIVE))
        return dict.fromkeys(Status, 0) | {Status(status): n for status, n in counted.items()}

    def by_rule(self, scope: Scope, *, stage: Stage = Stage.LIVE, since: int | None = None) -> Mapping[str, int]:
        raised = [] if since is None else [{"range": {"raised_at": {"gte": since}}}]
        return self._count("rule_id", _MANY_RULES, scope, {"bool": {"filter": [_of_stage(stage), *raised]}})

    def verdicts(self, scope: Scope) -> Mapping[str, Mapping[Verdict, int]]:
        aggs = {"by": {"terms": {"field": "triage.verdict", "size": len(Verdict)}}}
        by = {"by": {"terms": {"field": "rule_id", "size": _MANY_RULES}, "aggs": aggs}}
        answer = _search(
            self._client, "alerts", scope, query=_query(AlertFilter(status=Status.CLOSED)), size=0, aggs=by
        )
        return {
            rule["key"]: {Verdict(verdict["key"]): verdict["doc_count"] for verdict in rule["by"]["buckets"]}
            for rule in _buckets(answer)
            if rule["by"]["buckets"]
        }

    def of_rule(
        self, rule_id: str, scope: Scope, *, since: int, cursor: str | None = None, limit: int = 500
    ) -> Page[Finding]:
        after = {"search_after": list(decode_pair(cursor))} if cursor is not None else {}
        wanted: list[Json] = [{"term": {"rule_id": rule_id}}, {"range": {"ts": {"gte": since}}}]
        answer = _search(
            self._client,
            "findings",
            scope,
            query={"bool": {"filter": wanted}},
            sort=[{"alert_id": "asc"}, {"event_id": "asc"}],
            size=limit + 1,
            track_total_hits=False,
            **after,
        )
        hits = answer.get("hits", {}).get("hits", [])
        found = tuple(finding_of(hit["_id"], hit["_source"]) for hit in hits[:limit])
        return Page(found, encode_pair(found[-1].alert_id, found[-1].event_id) if len(hits) > limit else None)

    def hidden(self, scope: Scope, *, since: str, rule_id: str | None = None) -> Sequence[Hidden]:
        return hidden.read(self._client, scope, since, rule_id)

    def _count(self, field: str, most: int, scope: Scope, query: Json) -> dict[str, int]:
        """Alerts by the value of a field. One shard an index, and all values asked for: the numbers are exact."""
        aggs = {"by": {"terms": {"field": field, "size": most}}}
        answer = _search(self._client, "alerts", scope, query=query, size=0, aggs=aggs)
        return {bucket["key"]: bucket["doc_count"] for bucket in _buckets(answer)}

    def unclosed(self, scope: Scope) -> Mapping[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        after: Json = {}
        while True:
            by = {"size": _AT_ONCE, "sources": [{n: {"terms": {"field": n}}} for n in ("org", "rule_id")], **after}
            answer = _search(self._client, "alerts", scope, query=_unclosed(), size=0, aggs={"by": {"composite": by}})
            buckets = _buckets(answer)
            found |= {(one["key"]["org"], one["key"]["rule_id"]): one["doc_count"] for one in buckets}
            if len(buckets) < _AT_ONCE:
                return found
            after = {"after": buckets[-1]["key"]}

    def unclosed_before(self, time: int, scope: Scope) -> int:
        before = {"bool": {"filter": [_unclosed(), {"range": {"raised_at": {"lt": time}}}]}}
        answer = _search(self._client, "alerts", scope, query=before, size=0, track_total_hits=True)
        return int(answer["hits"]["total"]["value"]) if answer else 0

    def rule(self, rule_hash: str) -> RuleDoc:
        return self._rules.fired(rule_hash)

    def running(self) -> tuple[Sequence[RuleDoc], Sequence[RuleFault]]:
        return self._rules.running()

    def in_force(self) -> RulesInForce | None:
        return self._rules.in_force()

    def costs(self) -> Mapping[str, RuleCost]:
        return self._rules.costs()

    def canaries(self) -> Mapping[str, Canary]:
        return self._rules.canaries()


def _unclosed() -> Json:
    return {"bool": {"filter": [_of_stage(Stage.LIVE)], "must_not": [{"term": {"triage.status": Status.CLOSED}}]}}


def _buckets(answer: Mapping[str, Any]) -> list[Json]:
    # No aggregation where no index has been asked.
    buckets: list[Json] = answer.get("aggregations", {}).get("by", {}).get("buckets", [])
    return buckets


def _search(client: Client, kind: str, scope: Scope, *, query: Json | None = None, **body: Any) -> Mapping[str, Any]:
    """Ask the indices of the scope's units, and of them only for what is inside the scope. A shard that is missing is an error:
    an alert that is not shown would be taken for one that is not there."""
    if not (indices := names.patterns(kind, scope.orgs)):
        return {}  # an empty list would mean every index
    inside = [] if scope.orgs is None else [{"terms": {"org": sorted(scope.orgs)}}]
    answer: Mapping[str, Any] = client.search(
        index=indices,
        query={"bool": {"filter": inside + ([query] if query else [])}},
        ignore_unavailable=True,
        allow_partial_search_results=False,
        **body,
    ).body
    return answer


def _narrowed(scope: Scope, org: str | None) -> Scope:
    if org is None:
        return scope
    return Scope(frozenset({org} if scope.allows(org) else ()))


def _query(where: AlertFilter) -> Json:
    wanted: list[Json] = [
        {"term": {field: value}}
        for field, value in (
            ("triage.status", where.status),
            ("level", where.level),
            ("rule_id", where.rule_id),
            ("entity", where.entity),
            ("triage.assignee", where.assignee),
            ("triage.incident", where.incident),
        )
        if value is not None
    ]
    bounds = {sign: ms for sign, ms in (("gte", where.since), ("lt", where.until)) if ms is not None}
    if bounds:
        wanted.append({"range": {"last_seen": bounds}})
    if where.stage is not None:
        wanted.append(_of_stage(where.stage))
    snoozed: list[Json] = []
    if where.awake_at is not None:
        snoozed = [{"range": {"triage.snoozed_until": {"gt": where.awake_at}}}]
    return {"bool": {"filter": wanted, "must_not": snoozed}}


def _of_stage(stage: Stage) -> Json:
    """An alert that was written before there were stages has none: it is live."""
    in_test = {"term": {"stage": Stage.TEST}}
    return in_test if stage is Stage.TEST else {"bool": {"must_not": [in_test]}}


def _alert(source: Json) -> Alert:
    facts = {name: source[name] for name in _FACTS}
    return Alert(
        **facts,
        tags=tuple(source["tags"]),
        triage=triage_of(source["triage"]),
        stage=Stage(source.get("stage", "live")),
    )


def finding_of(id_: str, source: Json) -> Finding:
    return Finding(
        id_,
        source["alert_id"],
        source["rule_id"],
        source["rule_hash"],
        source["org"],
        source["entity_field"],
        source["entity"],
        source["ts"],
        source["event_id"],
        source["matched"],
    )
