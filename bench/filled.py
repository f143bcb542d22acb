"""A country that has used govsoc for a year: alerts of all provinces, most of them closed, incidents, messages sent, and sources."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import orjson

from api.passwords import hash_password
from bench import workload
from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from soc.model.account import Account, Role
from soc.model.alert import Alert, Status, Triage, Verdict
from soc.model.calendar import DAY_MS
from soc.model.delivery import Delivery, DeliveryState
from soc.model.event import Stored
from soc.model.incident import Incident
from soc.model.org import EVERYTHING, Scope
from soc.model.rule import RuleDoc
from soc.model.source import Source, Transport
from soc.store.base import Stores
from soc.store.control import control_file
from soc.store.detections import detections_file
from soc.store.elastic import names
from soc.store.elastic.client import Client
from soc.store.elastic.events.bulk import BulkWriter
from soc.store.sqlite import open_stores
from soc.store.triage import STATE

PROVINCES = [f"province{i:02d}" for i in range(34)]
COMMUNE = "province00.001"
PASSWORD = "correct horse battery staple"
SOURCES = 500
INCIDENTS = 2000
_RULES = 40
_AT_ONCE = 5000
_DELIVERIES = 10_000
_NOW = 1 << 45

T = TypeVar("T")


def rules() -> list[RuleDoc]:
    return [RuleDoc(f"rule-{i}", f"hash-{i}", f"Rule {i}", ("low", "medium", "high")[i % 3], "") for i in range(_RULES)]


def alerts(count: int, now: int) -> Iterator[Alert]:
    """So many alerts of a year, of all provinces, a few of which have most. Two of a hundred are not closed."""
    rng, docs = random.Random(1), rules()
    for i in range(count):
        at = now - int((count - i) / count * 365 * DAY_MS)
        org, rule = PROVINCES[min(int(rng.expovariate(0.15)), 33)], rng.choice(docs)
        verdict = rng.choices(list(Verdict), (2, 5, 3))[0]
        closed = Triage(
            Status.CLOSED,
            verdict,
            None,
            1,
            at + 3_600_000,
            "an",
            acknowledged_at=at + 600_000,
            closed_at=at + 3_600_000,
        )
        yield Alert(
            id=_id(f"alert-{i}"), rule_id=rule.id, rule_hash=rule.hash, title=rule.title, level=rule.level,
            org=f"{org}.{rng.randrange(200):03d}", entity_field="source.ip",
            entity=f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", first_seen=at - 60_000, last_seen=at,
            count=rng.randrange(1, 500), raised_at=at, tags=("attack.t1190",),
            triage=closed if rng.random() < 0.98 else Triage(),
        )  # fmt: skip


def with_incidents(some: Iterable[Alert], count: int) -> Iterator[Alert]:
    """The last alerts that are not closed are in so many incidents, three in each."""
    first = count - INCIDENTS * 3 * 50
    open_ones = 0
    for i, alert in enumerate(some):
        if i >= first and alert.triage.status is Status.NEW and open_ones < INCIDENTS * 3:
            triage = Triage(
                version=1, updated_at=alert.raised_at, updated_by="an", incident=_id(f"incident-{open_ones // 3}")
            )
            open_ones += 1
            yield replace(alert, triage=triage)
        else:
            yield alert


def fill_sqlite(folder: Path, count: int, now: int) -> None:
    """Straight into the files, with a large cache and without waiting for the disk: ids are in no order, so each row is a page."""
    open_stores(folder).alerts.running()  # makes both files
    facts, control = (_quick(file) for file in (detections_file(folder), control_file(folder)))
    facts.executemany("INSERT INTO rule VALUES (?, ?)", [(r.hash, orjson.dumps(asdict(r)).decode()) for r in rules()])
    columns = ("alert_id", *STATE, "org", "rule_id", "stage", "raised_at")
    decide = f"INSERT INTO triage ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for some in _batches(with_incidents(alerts(count, now), count)):
        facts.executemany(
            f"INSERT INTO alert VALUES ({', '.join('?' * 14)})",
            [
                (a.id, a.rule_id, a.rule_hash, a.org, a.entity_field, a.entity, a.title, a.level,
                 orjson.dumps(a.tags).decode(), a.first_seen, a.last_seen, a.count, a.raised_at, a.stage)
                for a in some
            ],
        )  # fmt: skip
        control.executemany(
            decide,
            [(a.id, *astuple(a.triage), a.org, a.rule_id, a.stage, a.raised_at) for a in some if a.triage.version],
        )
    for db in (facts, control):
        db.commit()
        db.close()


def _quick(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file)
    db.execute("PRAGMA cache_size=-1000000")
    db.execute("PRAGMA synchronous=OFF")
    return db


def fill_elastic(client: Client, count: int, now: int) -> None:
    for rule in rules():
        client.index(index=names.RULES, id=f"fired-{rule.hash}", document={"doc": orjson.dumps(asdict(rule)).decode()})
    for some in _batches(with_incidents(alerts(count, now), count)):
        client.perform_request(
            "POST",
            "/_bulk",
            params={"filter_path": "errors"},
            headers={"accept": "application/json", "content-type": "application/x-ndjson"},
            body=b"".join(
                orjson.dumps({"index": {"_index": names.alerts(alert.org), "_id": alert.id}})
                + b"\n"
                + orjson.dumps(asdict(alert))
                + b"\n"
                for alert in some
            ),
        )
    client.indices.refresh(index="govsoc-alerts-*")


def fill_events(client: Client, count: int) -> None:
    """So many events in the indices of all provinces, a few thousand of one after those of another."""
    masker, writer = Masker(bytes(32)), BulkWriter(client, "month", clock=lambda: _NOW)
    lines, stop = workload.lines(count, seed=3), threading.Event()
    for batch in range(0, count, _AT_ONCE):
        org = f"{PROVINCES[batch // _AT_ONCE % 34]}.001"
        source = Source(org, "filled", org, "nginx.access", Transport.FILE)
        some = islice(enumerate(lines, batch), min(_AT_ONCE, count - batch))
        rows = [Stored.of(to_event(Record(line.encode(), str(i)), source, masker, _NOW)) for i, line in some]
        writer.write(writer.prepare(rows), stop)


def fill_desk(stores: Stores, now: int) -> None:
    """Accounts, sources, incidents and messages sent: what people and the product write beside alerts."""
    secret = hash_password(PASSWORD)
    stores.accounts.put(Account("all", Role.ADMIN, EVERYTHING), secret, by="bench")
    stores.accounts.put(Account("commune", Role.ANALYST, Scope(frozenset({COMMUNE}))), secret, by="bench")
    for i in range(SOURCES):
        org = f"{PROVINCES[i % 34]}.{i // 34:03d}"
        stores.sources.add(Source(f"source{i}", f"Source {i}", org, "nginx.access", Transport.PUSH), None, by="bench")
    for i in range(INCIDENTS):
        at = now - i * 60_000
        incident = Incident(_id(f"incident-{i}"), f"Incident {i}", (f"{PROVINCES[i % 34]}.001",), at, "an", at, "an")
        stores.incidents.create(incident, by="bench")
    for some in _batches(range(_DELIVERIES)):
        stores.deliveries.add([_sent(i, now) for i in some])


def _sent(i: int, now: int) -> Delivery:
    at = now - i * 60_000
    id_ = _id(f"delivery-{i}")
    return Delivery(id_, "route", _id(f"alert-{i}"), "province00.001", "raised", at, at, at + DAY_MS,
                    DeliveryState.SENT if i % 20 else DeliveryState.FAILED, 1, sent_at=at)  # fmt: skip


def _id(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
