"""Copying the embedded store into a cluster: every document as the store itself would write it, created and never overwritten.

Each table gives the documents of one noun in the order of a key, so a copy that was stopped goes on behind the last key, and one
that is repeated changes nothing. Sessions are left behind: people sign in again. Events are not here: the indexer takes them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import orjson

from soc.model.alert import Triage
from soc.model.finding import finding_id
from soc.model.tuning import Hidden
from soc.store.deliveries import COLUMNS as DELIVERY
from soc.store.deliveries import delivery_of
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.digest import digest
from soc.store.elastic.documents import Json, bulk, read_many
from soc.store.elastic.events.added import without_added
from soc.store.elastic.names import Period
from soc.store.elastic.records import hidden, ledger, outages, policies
from soc.store.elastic.records.triage import copied
from soc.store.incidents import COLUMNS
from soc.store.outages import outage_of
from soc.store.policies import policy_of
from soc.store.triage import STATE

_STATE = ", ".join(f"t.{name}" for name in STATE)
AT_ONCE = 1000
# Of the rows, as text: what is asked of the server or sent to it at once is about as much.
PAGE_CHARS = 5 << 20
_ALL = 1 << 128


@dataclass(frozen=True, slots=True)
class Placed:
    """A document and where it belongs."""

    index: str
    id: str
    document: Json


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` selects behind a key, which its first columns are, in that order: so many as `first`, the key before all others,
    has values. `placed`: the documents of one row."""

    name: str
    count: str
    rows: str
    first: tuple[Any, ...]
    placed: Callable[..., Iterable[Placed]]

    def total(self, db: sqlite3.Connection) -> int:
        return int(db.execute(self.count).fetchone()[0])

    def pages(self, db: sqlite3.Connection, after: tuple[Any, ...] | None = None) -> Iterator[Page]:
        key = after or self.first
        while rows := _some(db.execute(self.rows, (*key, AT_ONCE))):
            key = rows[-1][: len(self.first)]
            yield Page([placed for row in rows for placed in self.placed(*row)], key, len(rows))


def _some(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """As many of the rows as one page holds, and at least one: a thousand lines of logs may be a gigabyte."""
    some, chars = [], 0
    for row in rows:
        some.append(row)
        chars += sum(len(value) for value in row if isinstance(value, str))
        if chars >= PAGE_CHARS:
            break
    return some


class Page(NamedTuple):
    documents: list[Placed]
    key: tuple[Any, ...]
    rows: int


@dataclass(slots=True)
class Compared:
    """The same documents on both sides. Checksums do not depend on the order."""

    documents: int = 0
    missing: int = 0
    different: int = 0
    refused: int = 0  # by the server: kept in the quarantine, with the reason
    here: int = 0
    there: int = 0
    example: str = ""

    @property
    def same(self) -> bool:
        return not self.missing and not self.different and (self.here == self.there or self.refused > 0)


def tables(period: Period) -> list[Table]:
    """In the order in which they are copied: what others point to comes first. The database is `detector.db` with `control`
    attached."""
    return [
        Table(
            "rules",
            "SELECT count(*) FROM rule",
            "SELECT hash, doc FROM rule WHERE hash > ? ORDER BY hash LIMIT ?",
            ("",),
            lambda hash_, doc: [Placed(names.RULES, f"fired-{hash_}", {"doc": doc})],
        ),
        Table(
            "findings",
            "SELECT count(*) FROM finding JOIN alert a ON a.id = alert_id",
            "SELECT f.alert_id, f.event_id, f.rule_hash, f.ts, f.matched, a.rule_id, a.org, a.entity_field, a.entity "
            "FROM finding f JOIN alert a ON a.id = f.alert_id WHERE (f.alert_id, f.event_id) > (?, ?) "
            "ORDER BY f.alert_id, f.event_id LIMIT ?",
            ("", ""),
            lambda *row: _finding(period, *row),
        ),
        Table(
            "incidents",
            "SELECT count(*) FROM control.incident",
            f"SELECT {', '.join(COLUMNS)}, (SELECT json_group_array(json_array(at, by, field, old, new)) FROM "
            "(SELECT * FROM control.incident_change c WHERE c.incident_id = i.id ORDER BY c.id)) "
            "FROM control.incident i WHERE i.id > ? ORDER BY i.id LIMIT ?",
            ("",),
            _incident,
        ),
        Table(
            "triage",
            "SELECT count(*) FROM control.triage t JOIN alert a ON a.id = t.alert_id",
            f"SELECT a.id, a.org, {_STATE}, "
            "(SELECT json_group_array(json_array(at, by, field, old, new)) FROM "
            "(SELECT * FROM control.change c WHERE c.alert_id = a.id ORDER BY c.id)) "
            "FROM control.triage t JOIN alert a ON a.id = t.alert_id WHERE a.id > ? ORDER BY a.id LIMIT ?",
            ("",),
            _triage,
        ),
        Table(
            "alerts",
            "SELECT count(*) FROM alert",
            "SELECT a.id, a.rule_id, a.rule_hash, a.title, a.level, a.tags, a.org, a.entity_field, a.entity, a.raised_at, "
            f"a.first_seen, a.last_seen, a.count, a.stage, {_STATE} "
            "FROM alert a LEFT JOIN control.triage t ON t.alert_id = a.id WHERE a.id > ? ORDER BY a.id LIMIT ?",
            ("",),
            _alert,
        ),
        Table(
            "hidden",
            "SELECT count(*) FROM hidden",
            "SELECT rule_id, exception_id, org, day, events FROM hidden WHERE (rule_id, exception_id, org, day) > (?, ?, ?, ?) "
            "ORDER BY rule_id, exception_id, org, day LIMIT ?",
            ("", "", "", ""),
            _hidden,
        ),
        Table(
            "ledger of rules",
            "SELECT count(*) FROM deed",
            f"SELECT {ledger.COLUMNS} FROM deed WHERE (span, rule_id, at, org) > (?, ?, ?, ?) "
            "ORDER BY span, rule_id, at, org LIMIT ?",
            (0, "", 0, ""),
            lambda *row: _ledger(ledger.deed(*row)),
        ),
        Table(
            "ledger of events",
            "SELECT count(*) FROM seen",
            "SELECT at, audience, org, events FROM seen WHERE (at, audience, org) > (?, ?, ?) ORDER BY at, audience, org LIMIT ?",
            (0, "", ""),
            lambda *row: _ledger(ledger.seen(*row)),
        ),
        Table(
            "audiences",
            "SELECT count(*) FROM audience",
            "SELECT name, rules FROM audience WHERE name > ? ORDER BY name LIMIT ?",
            ("",),
            lambda *row: _ledger(ledger.audience(*row)),
        ),
        Table(
            "sources",
            "SELECT count(*) FROM control.source",
            "SELECT id, name, org, type, transport, places, zone, enabled, created_at, token_hash FROM control.source "
            "WHERE id > ? ORDER BY id LIMIT ?",
            ("",),
            _source,
        ),
        Table(
            "policies",
            "SELECT count(*) FROM control.policy",
            "SELECT kind, id, version, body, by, at, reason FROM control.policy WHERE (kind, id, version) > (?, ?, ?) "
            "ORDER BY kind, id, version LIMIT ?",
            ("", "", 0),
            _policy,
        ),
        Table(
            "outages",
            "SELECT count(*) FROM control.outage",
            "SELECT id, source, org, since, noticed_at, blind, cleared_at FROM control.outage WHERE id > ? ORDER BY id LIMIT ?",
            ("",),
            _outage,
        ),
        Table(
            "deliveries",
            "SELECT count(*) FROM control.delivery",
            f"SELECT {', '.join(DELIVERY)} FROM control.delivery WHERE id > ? ORDER BY id LIMIT ?",
            ("",),
            _delivery,
        ),
        Table(
            "accounts",
            "SELECT count(*) FROM control.account",
            "SELECT a.name, a.role, a.orgs, a.disabled, a.password_hash, "
            "(SELECT json_group_array(json_object('hash', hash, 'label', label)) FROM "
            "(SELECT * FROM control.api_key k WHERE k.name = a.name ORDER BY hash)) "
            "FROM control.account a WHERE a.name > ? ORDER BY a.name LIMIT ?",
            ("",),
            _account,
        ),
        Table(
            "audit",
            "SELECT count(*) FROM control.audit",
            "SELECT id, at, by, action, target, detail FROM control.audit WHERE id > ? ORDER BY id LIMIT ?",
            (0,),
            lambda *row: _audit(period, *row),
        ),
    ]


def events(period: Period) -> Table:
    """Of one day's file of the event log; only to compare with, since the indexer writes them."""
    return Table(
        "events",
        "SELECT coalesce(max(seq), 0) FROM event",
        "SELECT seq, id, org, dataset, doc FROM event WHERE seq > ? ORDER BY seq LIMIT ?",
        (0,),
        lambda _, id_, org, dataset, doc: [Placed(names.events(id_, org, dataset, period), id_, orjson.loads(doc))],
    )


def write(client: Client, page: Iterable[Placed]) -> None:
    """Create what is not there. May be repeated."""
    lines = [part for p in page for part in ({"create": {"_index": p.index, "_id": p.id}}, p.document)]
    bulk(client, lines)


def finish(client: Client) -> None:
    """Make everything be found, and let the collectors see that there are sources."""
    bulk(client, [{"index": {"_index": names.SOURCES, "_id": "revision"}}, {}])
    client.indices.refresh(index=f"{names.PREFIX}-*")


def compare(client: Client, page: Iterable[Placed], so_far: Compared) -> None:
    """Read every document back, as it is there now."""
    documents = list(page)
    found = read_many(client, [(p.index, p.id) for p in documents])
    refused = read_many(client, [(_quarantine(p), p.id) for p in documents if p.id not in found])
    for p in documents:
        so_far.documents += 1
        so_far.here = (so_far.here + _checksum(p.id, p.document)) % _ALL
        if there := found.get(p.id):
            document = without_added(there.source)
            so_far.there = (so_far.there + _checksum(p.id, document)) % _ALL
            if document == p.document:
                continue
            so_far.different += 1
        elif p.id in refused:
            so_far.refused += 1
            continue
        else:
            so_far.missing += 1
        so_far.example = so_far.example or f"{p.id} in {p.index}"


def _quarantine(p: Placed) -> str:
    return names.events("0" * 32, str(p.document.get("organization.id", "")), "", "month")


def _checksum(id_: str, document: Json) -> int:
    text = orjson.dumps([id_, document], option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")


def _finding(
    period: Period, alert_id: str, event_id: str, rule_hash: str, ts: int, matched: str, rule_id: str, *rest: str
) -> list[Placed]:
    org, entity_field, entity = rest
    document = {
        "alert_id": alert_id,
        "event_id": event_id,
        "rule_id": rule_id,
        "rule_hash": rule_hash,
        "org": org,
        "entity_field": entity_field,
        "entity": entity,
        "ts": ts,
        "matched": orjson.loads(matched),
    }
    return [Placed(names.findings(org, ts, period), finding_id(alert_id, event_id), document)]


def _triage(alert_id: str, org: str, *rest: Any) -> list[Placed]:
    *state, history = rest
    record = _state(state) | {"alert_id": alert_id, "org": org, "mark": "copied", "history": orjson.loads(history)}
    return [Placed(names.triage(org), alert_id, record)]


def _incident(*row: Any) -> list[Placed]:
    *facts, history = row
    document = dict(zip(COLUMNS, facts, strict=True))
    document["orgs"] = orjson.loads(document["orgs"])
    document |= {"orgs_count": len(document["orgs"]), "mark": "copied", "history": orjson.loads(history)}
    return [Placed(names.INCIDENTS, document["id"], document)]


def _alert(
    id_: str, rule_id: str, rule_hash: str, title: str, level: str, tags: str, org: str, *rest: Any
) -> list[Placed]:
    entity_field, entity, raised_at, first_seen, last_seen, count, stage, *state = rest
    document = {
        "id": id_,
        "rule_id": rule_id,
        "rule_hash": rule_hash,
        "title": title,
        "level": level,
        "stage": stage,
        "tags": orjson.loads(tags),
        "org": org,
        "entity_field": entity_field,
        "entity": entity,
        "raised_at": raised_at,
        "triage": copied(Triage()) if state[0] is None else _state(state),
        "first_seen": first_seen,
        "last_seen": last_seen,
        "count": count,
    }
    return [Placed(names.alerts(org), id_, document)]


def _state(columns: list[Any]) -> Json:
    return dict(zip(STATE, columns, strict=True))


def _source(
    id_: str, name: str, org: str, type_: str, transport: str, places: str, zone: str, *rest: Any
) -> list[Placed]:
    enabled, created_at, token_hash = rest
    document = {
        "id": id_,
        "name": name,
        "org": org,
        "type": type_,
        "transport": transport,
        "where": orjson.loads(places),
        "zone": zone,
        "enabled": bool(enabled),
        "created_at": created_at,
        "token_hash": token_hash,
        "mark": "copied",
    }
    return [Placed(names.SOURCES, f"source:{id_}", document)]


def _policy(*row: Any) -> list[Placed]:
    policy = policy_of(row)
    return [Placed(names.POLICIES, policies.key(policy), policies.document(policy))]


def _outage(*row: Any) -> list[Placed]:
    outage = outage_of(row)
    return [Placed(names.OUTAGES, outage.id, outages.document(outage))]


def _delivery(*row: Any) -> list[Placed]:
    delivery = delivery_of(row)
    return [Placed(names.DELIVERIES, delivery.id, asdict(delivery))]


def _hidden(*row: Any) -> list[Placed]:
    total = Hidden(*row)
    return [Placed(names.HIDDEN, hidden.key(total), hidden.document(total))]


def _ledger(told: tuple[str, Json]) -> list[Placed]:
    id_, document = told
    return [Placed(names.LEDGER, id_, document)]


def _account(
    name: str, role: str, orgs: str | None, disabled: int, password_hash: str | None, keys: str
) -> list[Placed]:
    known = orjson.loads(keys)
    account = {
        "kind": "account",
        "password_hash": password_hash,
        "generation": 1,
        "keys": known,
        "name": name,
        "role": role,
        "orgs": None if orgs is None else orjson.loads(orgs),
        "disabled": bool(disabled),
    }
    key_documents = [Placed(names.ACCOUNTS, f"key:{key['hash']}", {"kind": "key", "name": name}) for key in known]
    return [Placed(names.ACCOUNTS, f"account:{name}", account), *key_documents]


def _audit(period: Period, row: int, at: int, by: str, action: str, target: str, detail: str) -> list[Placed]:
    """The id tells apart entries that say the same; `written` keeps the order of those of one millisecond."""
    document = {"at": at, "written": at * 1_000_000 + row % 1_000_000, "by": by, "action": action, "target": target}
    document["detail"] = detail
    return [Placed(names.audit(at, period), digest([row, document], size=12), document)]
