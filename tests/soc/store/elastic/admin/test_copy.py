"""`soc store copy` on a real server: everything arrives as it was, stopped and repeated at any place, and differences are told."""

from __future__ import annotations

import threading
from dataclasses import replace

import orjson
import pytest
from documents import documents
from typer.testing import CliRunner

import soc.service.copy
import soc.store.elastic.admin.copy
from soc.buffer.sqlite import EventLog
from soc.cli import build
from soc.errors import Busy, ConfigError
from soc.locks import only_one
from soc.model.account import Account, Role
from soc.model.alert import Decision, Status, Verdict
from soc.model.delivery import Delivery, DeliveryState, delivery_id
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.incident import Incident, IncidentDecision
from soc.model.ledger import Deeds, Entries
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc, Stage
from soc.model.silence import Outage, outage_id
from soc.model.source import Source, Transport
from soc.model.tuning import Hidden
from soc.query.parse import parse
from soc.settings import Settings, Store, load
from soc.store.base import AlertFilter, AuditEntry
from soc.store.detections import SqliteDetections
from soc.store.elastic import open as elastic
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.sqlite import events_dir, open_stores

pytestmark = pytest.mark.server
NOW = 1_772_452_800_000
EVENTS = documents()[::3]


@pytest.fixture
def settings(elastic, tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("SOC_STORE__URL", elastic.url)
    monkeypatch.setenv("SOC_DATA_DIR", str(tmp_path))
    return load(data_dir=tmp_path)


@pytest.fixture
def embedded(tmp_path):
    """A department's store after a while."""
    log = EventLog(events_dir(tmp_path), min_free_bytes=0)
    events = EVENTS
    log.append(events)
    log.close()
    stores, detections = open_stores(tmp_path, lambda: NOW), SqliteDetections(tmp_path)
    rules = {
        f"hash-{n}": RuleDoc(f"r{n}", f"hash-{n}", f"Quy tắc {n}", "high", "title: x", tags=("a.b",)) for n in range(3)
    }
    for n, event in enumerate(events[:160]):
        rule = rules[f"hash-{n % 3}"]
        alert = alert_id(rule.id, event.org, f"e{n % 20}", "2026-03-02")
        found = Finding(
            finding_id(alert, event.id),
            alert,
            rule.id,
            rule.hash,
            event.org,
            "user.name",
            f"e{n % 20}",
            event.ts,
            event.id,
            {"user.name": "đặng", "n": n},
        )
        detections.commit([found], {rule.hash: rule}, {"k": (b"v", NOW)}, {"2026-03-02.a": n}, None, NOW + n)
        hidden = [Hidden(rule.id, "máy quét", event.org, f"2026-03-0{1 + n % 9}", 1)]
        tested = replace(found, id=finding_id("t" * 24, event.id), alert_id="t" * 24, stage=Stage.TEST)
        seen = Entries({(rule.id, event.org): Deeds(1, 1)}, {("all", event.org): 2}, {"all": ("r0", "r1", "r2")})
        detections.commit(
            [tested] if n < 5 else [], {rule.hash: rule}, {}, {"2026-03-02.a": n}, None, NOW + n * 60_000, hidden, seen
        )
    detections.close()
    alerts = stores.alerts.list(AlertFilter(), EVERYTHING, limit=100).items
    for n, alert in enumerate(alerts[::3]):
        stores.triage.change(
            alert.id, Decision(status=Status.ACKNOWLEDGED, assignee="an", comment="đã xem"), by="an", now=NOW + n
        )
        if n % 2:
            stores.triage.change(
                alert.id, Decision(status=Status.CLOSED, verdict=Verdict.BENIGN), by="binh", now=NOW + 10 + n
            )
    for n, orgs in enumerate((("H42",), ("H42", "H42.01"))):
        stores.incidents.create(Incident(f"{n:024x}", f"Sự cố {n}", orgs, NOW, "an", NOW, "an"), by="an")
        stores.triage.change(
            alerts[n].id, Decision(incident=f"{n:024x}", snoozed_until=NOW + 5, reason="chờ"), by="an", now=NOW
        )
    stores.incidents.change("0" * 24, IncidentDecision(comment="đã gọi", assignee="binh"), by="binh", now=NOW + 1)
    for n in range(3):
        source = Source(f"s{n}", f"Cổng {n}", "H42", "nginx.access", Transport.FILE, ("/var/log/x",), created_at=NOW)
        stores.sources.add(source, f"token-{n}" if n else None, by="an")
    stores.sources.set_enabled("s2", False, by="an")
    for version, body in ((1, {"entity": "10.0.0.1"}), (2, {"entity": "10.0.0.2"}), (3, None)):
        stores.policies.put(Policy(PolicyKind.EXCEPTION, "máy quét", version, body, "an", NOW, "của ta"))
    for source in ("s0", "s1"):
        stores.outages.open(Outage(outage_id(source, NOW), source, "H42", NOW, NOW + 1, ("r",)))
    stores.outages.clear(outage_id("s1", NOW), NOW + 2)
    for state in DeliveryState:
        route = f"route-{state}"
        made = Delivery(
            delivery_id(route, alerts[0].id, "raised"), route, alerts[0].id, "H42", "raised", NOW, NOW, NOW, state
        )
        stores.deliveries.add([made])
    stores.deliveries.update(stores.deliveries.pending("route-pending"))  # its version is 2
    stores.accounts.put(Account("an", Role.ANALYST, Scope(frozenset({"H42", "H42.01"}))), "password-hash", by="root")
    stores.accounts.put(
        replace(stores.accounts.get("an"), name="binh", role=Role.ADMIN, scope=EVERYTHING), None, by="root"
    )
    stores.accounts.add_key("an", "key-hash", "script", by="root")
    for n in range(30):
        stores.audit.record(AuditEntry(NOW + n // 10, "an", "sign-in", f"t{n}", "ở đây"))
    return stores


def run(*more):
    return CliRunner().invoke(build("store"), ["store", "copy", "--from", "sqlite", "--to", "elasticsearch", *more])


def everything(stores):
    """All that an analyst or administrator can see."""
    alerts, cursor = [], None
    while True:
        page = stores.alerts.list(AlertFilter(), EVERYTHING, cursor=cursor, limit=20)
        alerts += page.items
        if (cursor := page.next) is None:
            break
    return {
        "alerts": alerts,
        "findings": [stores.alerts.findings(alert.id, EVERYTHING, limit=500).items for alert in alerts],
        "rules": [stores.alerts.rule(alert.rule_hash) for alert in alerts],
        "history": [stores.triage.history(alert.id) for alert in alerts],
        "incidents": stores.incidents.list(EVERYTHING).items,
        "their history": [stores.incidents.history(f"{n:024x}") for n in range(2)],
        "their alerts": [stores.alerts.list(AlertFilter(incident=f"{n:024x}"), EVERYTHING).items for n in range(2)],
        "awake": len(stores.alerts.list(AlertFilter(awake_at=NOW), EVERYTHING, limit=100).items),
        "counts": (stores.alerts.counts(EVERYTHING), stores.alerts.by_rule(EVERYTHING)),
        "tested": stores.alerts.list(AlertFilter(stage=Stage.TEST), EVERYTHING, limit=100).items,
        "hidden": list(stores.alerts.hidden(EVERYTHING, since="")),
        "ledger": stores.ledger.totals(EVERYTHING, since=0),
        "hours": [stores.ledger.hours(f"r{n}", EVERYTHING, since=0, until=2 * NOW) for n in range(3)],
        "minutes": stores.ledger.minutes("r1", EVERYTHING, since=0, until=2 * NOW),
        "sources": (stores.sources.list(EVERYTHING), [stores.sources.by_token(f"token-{n}") for n in range(3)]),
        "policies": stores.policies.history(PolicyKind.EXCEPTION, "máy quét"),
        "outages": stores.outages.list(EVERYTHING, since=0),
        "deliveries": [stores.deliveries.list(state, EVERYTHING).items for state in DeliveryState],
        "accounts": (stores.accounts.list(), stores.accounts.password_hash("an"), stores.accounts.by_key("key-hash")),
        "audit": stores.audit.list(limit=100).items,
        "events": [e.id for e in stores.events.search(parse(""), EVERYTHING, limit=1000).items],
        "search": [e.id for e in stores.events.search(parse("dang nhap"), EVERYTHING, limit=1000).items],
    }


def test_everything_is_there_and_a_second_time_changes_nothing(settings, embedded):
    result = run("--json")
    assert result.exit_code == 0, result.output
    counts = {line["what"]: line for line in map(orjson.loads, result.stdout.splitlines())}
    assert set(counts) == {
        "rules",
        "findings",
        "triage",
        "alerts",
        "hidden",
        "ledger of rules",
        "ledger of events",
        "audiences",
        "sources",
        "policies",
        "outages",
        "incidents",
        "deliveries",
        "accounts",
        "audit",
        "events",
    }
    assert all(line["here"] == line["there"] and line["documents"] for line in counts.values())
    assert counts["events"]["documents"] == len(EVENTS)
    with connect(settings.store.url) as client:
        before = client.indices.stats(index="govsoc-*", metric="indexing").body["_all"]["primaries"]["indexing"][
            "index_total"
        ]
        assert everything(elastic.open_stores(client)) == everything(embedded)
        assert run().exit_code == 0
        after = client.indices.stats(index="govsoc-*", metric="indexing").body["_all"]["primaries"]["indexing"][
            "index_total"
        ]
        assert after - before <= 2  # the revision of the sources


def test_work_goes_on_in_the_cluster(settings, embedded, make_event):
    assert run().exit_code == 0
    with connect(settings.store.url) as client:
        stores, detections = elastic.open_stores(client), elastic.open_detections(client, settings.data_dir)
        assert detections.cursor() == {"2026-03-02.a": 159}
        assert detections.state_get("k") == b"v"
        alert = stores.alerts.list(AlertFilter(status=Status.ACKNOWLEDGED), EVERYTHING).items[0]
        event = make_event(NOW + 999, "new", alert.org)
        rule = stores.alerts.rule(alert.rule_hash)
        found = Finding(
            finding_id(alert.id, event.id),
            alert.id,
            rule.id,
            rule.hash,
            alert.org,
            alert.entity_field,
            alert.entity,
            event.ts,
            event.id,
            {},
        )
        assert detections.commit([found], {rule.hash: rule}, {}, {}, None, NOW) == []
        assert stores.alerts.get(alert.id, EVERYTHING).count == alert.count + 1
        changed = stores.triage.change(
            alert.id, Decision(version=alert.triage.version, assignee="chi"), by="an", now=NOW
        )
        assert (changed.version, changed.assignee) == (alert.triage.version + 1, "chi")
        stores.accounts.add_key("an", "another", "x", by="root")
        assert stores.accounts.by_key("key-hash") == stores.accounts.by_key("another")
        detections.close()


@pytest.mark.parametrize("stopped_at", [1, 4, 8])
def test_stopped_anywhere_it_goes_on(settings, embedded, stopped_at, monkeypatch):
    monkeypatch.setattr("soc.store.elastic.admin.copy.AT_ONCE", 40)
    written = []
    write = soc.service.copy.write

    def some(client, page):
        written.append(page)
        if len(written) == stopped_at:
            raise KeyboardInterrupt
        write(client, page)

    monkeypatch.setattr(soc.service.copy, "write", some)
    with pytest.raises(KeyboardInterrupt):
        soc.service.copy.copy(settings, lambda *_: None)
    compared = soc.service.copy.copy(settings, lambda *_: None)
    assert all(one.same for one in compared.values())
    pages = len({(placed[0].index, placed[0].id) for placed in written})
    assert len(written) == pages + 1  # only what was interrupted is sent again
    with connect(settings.store.url) as client:
        assert everything(elastic.open_stores(client)) == everything(embedded)


def test_what_is_asked_at_once_is_bounded_by_its_size(settings, embedded, monkeypatch):
    monkeypatch.setattr("soc.store.elastic.admin.copy.PAGE_CHARS", 20_000)
    asked = []
    read_many = soc.store.elastic.admin.copy.read_many

    def measured(client, places):
        found = read_many(client, places)
        asked.append(sum(len(orjson.dumps(doc.source)) for doc in found.values()))
        return found

    monkeypatch.setattr("soc.store.elastic.admin.copy.read_many", measured)
    compared = soc.service.copy.copy(settings, lambda *_: None)
    assert all(one.same for one in compared.values())
    assert compared["events"].documents == len(EVENTS)
    largest = max(len(orjson.dumps(event.fields)) for event in EVENTS)
    assert sum(asked) > 4 * max(asked)
    assert max(asked) < 3 * (20_000 + largest)  # with the folded field, and marks as several bytes


def test_a_server_that_takes_nothing_for_a_while_does_not_end_it(settings, embedded):
    with connect(settings.store.url) as client:
        setup.install(client)
        for index in ("govsoc-rules", "govsoc-audit-2026.03"):
            client.indices.create(index=index, settings={"index.blocks.read_only_allow_delete": True})

        def lift() -> None:
            client.indices.put_settings(index="govsoc-*", settings={"index.blocks.read_only_allow_delete": None})

        with pytest.raises(Busy):
            client.create(index="govsoc-rules", id="x", document={})
        later = threading.Timer(2.0, lift)
        later.start()
        try:
            compared = soc.service.copy.copy(settings, lambda *_: None)
        finally:
            later.join()
        assert all(one.same for one in compared.values())
        assert compared["audit"].documents >= 30


def test_a_server_that_takes_nothing_for_long_ends_it(settings, embedded, monkeypatch):
    monkeypatch.setattr(soc.service.copy, "_GIVE_UP_S", 1.0)
    with connect(settings.store.url) as client:
        setup.install(client)
        client.indices.create(index="govsoc-rules", settings={"index.blocks.read_only_allow_delete": True})
        with pytest.raises(Busy, match="read-only"):
            soc.service.copy.copy(settings, lambda *_: None)


def test_what_differs_is_told_and_left_alone(settings, embedded):
    with connect(settings.store.url) as client:
        elastic.open_stores(client).accounts.put(Account("an", Role.VIEWER, EVERYTHING), "theirs", by="x")
        result = run()
        assert result.exit_code == 3
        assert "1 different, such as account:an in govsoc-accounts" in result.stdout
        assert "never overwritten" in result.stderr
        assert elastic.open_stores(client).accounts.get("an").role is Role.VIEWER


def test_a_loss_is_found_by_comparing(settings, embedded):
    assert run().exit_code == 0
    with connect(settings.store.url) as client:
        event = elastic.open_stores(client).events.search(parse("sqlmap"), EVERYTHING, limit=1).items[0]
        index = client.search(index="govsoc-events-*", query={"ids": {"values": [event.id]}})["hits"]["hits"][0][
            "_index"
        ]
        client.delete(index=index, id=event.id)
    result = run("--json")
    assert result.exit_code == 3
    lines = {line["what"]: line for line in map(orjson.loads, result.stdout.splitlines())}
    assert lines["events"]["missing"] == 1
    assert lines["events"]["here"] != lines["events"]["there"]


def test_it_wants_govsoc_stopped_and_something_to_copy(settings, embedded, tmp_path_factory):
    with only_one(settings.data_dir, "detector"), pytest.raises(ConfigError, match="stop it"):
        soc.service.copy.copy(settings, lambda *_: None)
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ConfigError, match="no embedded store"):
        soc.service.copy.copy(settings.model_copy(update={"data_dir": empty}), lambda *_: None)
    with pytest.raises(ConfigError, match=r"store\.url"):
        soc.service.copy.copy(settings.model_copy(update={"store": Store()}), lambda *_: None)
    assert not any(empty.iterdir())
