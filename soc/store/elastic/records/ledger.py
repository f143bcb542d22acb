"""The ledger on the server: totals of what is counted on the detector's machine in one step with its cursor, told some seconds later.

A total may be told again and again, and has one writer, as an organisation's events arrive at one detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from soc.buffer.database import Database
from soc.complaint import Complaint
from soc.errors import Busy, StoreUnavailable
from soc.model.calendar import HOUR_MS
from soc.model.ledger import DEEDS, MINUTE_MS, NOBODY, Deeds, Line, Total, hours
from soc.model.org import Scope
from soc.store.detections import Daily
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.digest import digest
from soc.store.elastic.documents import Json, bulk, drop, search_all
from soc.store.ledger import oldest, put_before, tidy, unpacked

log = structlog.get_logger("store")
SEND_MS = 10_000
_AT_ONCE = 5_000  # rows; a backlog goes in several commits
_BUCKETS = 65_000  # the server refuses more in one answer
_DEED, _SEEN, _AUDIENCE = "deed", "seen", "audience"
COLUMNS = f"span, rule_id, at, org, {', '.join(DEEDS)}"


class LedgerCopy:
    """The ledger of `local`, and what the server has been told of it."""

    def __init__(self, client: Client, local: Database) -> None:
        self._client = client
        self._local = local
        self._daily = Daily()
        self._sent_at = 0
        self._complaint = Complaint(log, "the ledger of the rules is not told yet")

    def send(self, now: int) -> None:
        """Tell the server what it has not heard, now and then. Where it is away it hears it later: nothing waits for that."""
        if 0 <= now - self._sent_at < SEND_MS:
            return
        with self._local.read() as db:
            some = {
                "audience": db.execute("SELECT name, rules FROM audience WHERE unsent").fetchall(),
                "seen": db.execute(f"SELECT at, audience, org, events FROM seen WHERE unsent LIMIT {_AT_ONCE}").fetchall(),
                "deed": db.execute(f"SELECT {COLUMNS} FROM deed WHERE unsent LIMIT {_AT_ONCE}").fetchall(),
            }  # fmt: skip
        placed = [audience(*row) for row in some["audience"]]
        placed += [seen(*row) for row in some["seen"]] + [deed(*row) for row in some["deed"]]
        lines = [part for id_, doc in placed for part in ({"index": {"_index": names.LEDGER, "_id": id_}}, doc)]
        try:
            if lines:
                bulk(self._client, lines)
        except (StoreUnavailable, Busy) as error:
            self._complaint.failed(error)
            self._sent_at = now
            return
        self._complaint.over()
        with self._local.write() as db:
            db.executemany("UPDATE audience SET unsent = 0 WHERE name = ? AND rules = ?", some["audience"])
            key = "at = ? AND audience = ? AND org = ? AND events = ?"
            db.executemany(f"UPDATE seen SET unsent = 0 WHERE {key}", some["seen"])
            same = " AND ".join(f"{name} = ?" for name in ("span", "rule_id", "at", "org", *DEEDS))
            db.executemany(f"UPDATE deed SET unsent = 0 WHERE {same}", some["deed"])
        more = any(len(rows) == _AT_ONCE for rows in some.values())
        self._sent_at = now - SEND_MS if more else now

    def forget(self, now: int) -> None:
        """What is too old, once a day; here as well as on the server. Where that is away it is asked again a day later."""
        if not self._daily.due(now):
            return
        self._daily.done(now)
        try:
            for span in (MINUTE_MS, HOUR_MS):
                before = {"range": {"at": {"lt": oldest(span, now)}}}
                drop(self._client, names.LEDGER, {"bool": {"filter": [{"term": {"span": span}}, before]}})
        except (StoreUnavailable, Busy) as error:
            self._complaint.failed(error)
            return
        with self._local.write() as db:
            tidy(db, now)


def deed(span: int, rule_id: str, at: int, org: str, *sums: int) -> tuple[str, Json]:
    """Id and document."""
    named = dict(zip(DEEDS, sums, strict=True))
    id_ = digest([_DEED, span, rule_id, at, org], size=12)
    return id_, {"kind": _DEED, "id": id_, "span": span, "rule_id": rule_id, "at": at, "org": org, **named}


def seen(at: int, name: str, org: str, events: int) -> tuple[str, Json]:
    id_ = digest([_SEEN, at, name, org], size=12)
    return id_, {
        "kind": _SEEN, "id": id_, "span": HOUR_MS, "audience": name, "at": at, "org": org, "events": events
    }  # fmt: skip


def audience(name: str, rules: bytes) -> tuple[str, Json]:
    id_ = digest([_AUDIENCE, name], size=12)
    return id_, {"kind": _AUDIENCE, "id": id_, "audience": name, "rules": unpacked(rules)}


class ElasticLedger:
    """`LedgerStore` on Elasticsearch."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def minutes(self, rule_id: str, scope: Scope, *, since: int, until: int) -> list[Line]:
        return self._lines(MINUTE_MS, rule_id, scope, since, until)

    def hours(self, rule_id: str, scope: Scope, *, since: int, until: int) -> list[Line]:
        mine = [name for name, rules in self._audiences({"term": {"rules": rule_id}}).items() if rule_id in rules]
        wanted = [*_inside(_SEEN, scope, since, until), {"terms": {"audience": mine}}]
        found = self._sums(wanted, "at", ["events"])
        counted = {int(bucket["key"]): int(bucket["events"]["value"]) for bucket in found}
        return hours(self._lines(HOUR_MS, rule_id, scope, since, until), counted)

    def unread(self, scope: Scope, *, since: int) -> int:
        wanted = [*_inside(_SEEN, scope, since, None), {"term": {"audience": NOBODY}}]
        return sum(int(bucket["events"]["value"]) for bucket in self._sums(wanted, "audience", ["events"]))

    def totals(self, scope: Scope, *, since: int) -> Mapping[str, Total]:
        wanted = [*_inside(_DEED, scope, since, None), {"term": {"span": HOUR_MS}}]
        found = {b["key"]: Total(_deeds(b)) for b in self._sums(wanted, "rule_id", DEEDS)}
        matching = self._sums([*wanted, {"range": {"matched": {"gt": 0}}}], "rule_id", [], last="at")
        for bucket in matching:
            found[bucket["key"]].last_match = int(bucket["last"]["value"])
        heard = [
            (bucket["key"], int(bucket["events"]["value"]), int(bucket["last"]["value"]))
            for bucket in self._sums(_inside(_SEEN, scope, since, None), "audience", ["events"], last="at")
        ]
        put_before(found, heard, self._audiences({"terms": {"audience": [name for name, _, _ in heard]}}))
        return found

    def _lines(self, span: int, rule_id: str, scope: Scope, since: int, until: int) -> list[Line]:
        wanted = [*_inside(_DEED, scope, since, until), {"term": {"span": span}}, {"term": {"rule_id": rule_id}}]
        buckets = sorted(self._sums(wanted, "at", DEEDS), key=lambda bucket: int(bucket["key"]))
        return [Line(int(bucket["key"]), span, _deeds(bucket)) for bucket in buckets]

    def _sums(self, wanted: Sequence[Json], by: str, what: Sequence[str], last: str = "") -> list[Any]:
        aggs: Json = {name: {"sum": {"field": name}} for name in what}
        if last:
            aggs["last"] = {"max": {"field": last}}
        answer = self._client.search(
            index=names.LEDGER,
            query={"bool": {"filter": list(wanted)}},
            aggs={"by": {"terms": {"field": by, "size": _BUCKETS}, "aggs": aggs}},
            size=0,
            ignore_unavailable=True,
            allow_partial_search_results=False,
        )
        buckets: list[Any] = answer.get("aggregations", {}).get("by", {}).get("buckets", [])
        return buckets

    def _audiences(self, which: Json) -> dict[str, frozenset[str]]:
        query = {"bool": {"filter": [{"term": {"kind": _AUDIENCE}}, which]}}
        return {doc["audience"]: frozenset(doc["rules"]) for doc in search_all(self._client, names.LEDGER, query, "id")}


def _deeds(bucket: Any) -> Deeds:
    return Deeds(*(int(bucket[name]["value"]) for name in DEEDS))


def _inside(kind: str, scope: Scope, since: int, until: int | None) -> list[Json]:
    span = {"gte": since} if until is None else {"gte": since, "lt": until}
    wanted: list[Json] = [{"term": {"kind": kind}}, {"range": {"at": span}}]
    if scope.orgs is not None:
        wanted.append({"terms": {"org": sorted(scope.orgs)}})
    return wanted
