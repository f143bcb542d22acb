"""A small country on a real store: two provinces, five accounts, one alert each, sources and rules.

Embedded; a test marked `both_stores` gets it on Elasticsearch as well.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC
from pathlib import Path

import orjson
import pytest
from fastapi import FastAPI
from indexed import IndexedLog

from api.app import create_app
from api.passwords import digest, hash_password
from api.state import state_of
from collector.keys import KeyRing
from detector.series.definition import load as load_definitions
from soc.backtest.jobs import Job, Jobs, Kind, jobs_dir
from soc.buffer.base import Buffer
from soc.buffer.sqlite import EventLog
from soc.model.account import Account, Role
from soc.model.anomaly import Anomaly, Board, Counts, Progress, Series, pack, series_id
from soc.model.delivery import Delivery, DeliveryState, delivery_id
from soc.model.event import Event, Fields, event_id, iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc, RuleFault
from soc.model.source import Source, SourceHealth, Transport
from soc.model.tuning import RuleException, exception_body
from soc.notify.channel import Undelivered
from soc.notify.route import Channel, Route, body_of
from soc.service.api import SOC
from soc.service.lists import KnownLists
from soc.service.tuning import read_tuning
from soc.store.anomalies import SqliteAnomalies
from soc.store.base import Detections, Stores
from soc.store.detections import SqliteDetections
from soc.store.elastic import open as elastic
from soc.store.elastic.admin import setup
from soc.store.elastic.client import Client, connect
from soc.store.levels import SqliteLevels
from soc.store.sqlite import events_dir, keys_dir, open_stores
from soc.store.unusual import SqliteUnusual

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have httpx2; httpx does
    from starlette.testclient import TestClient

NOW = 1_772_452_800_000  # 2026-03-02T12:00:00Z
PASSWORD = "a password of the tests"
_HASH = hash_password(PASSWORD)
HOSTILE = "<script>alert('xss')</script>"
ACCOUNTS = {
    "viewer": Account("viewer", Role.VIEWER, Scope(frozenset({"hungyen"}))),
    "analyst": Account("analyst", Role.ANALYST, Scope(frozenset({"hungyen"}))),
    "admin": Account("admin", Role.ADMIN, Scope(frozenset({"hungyen"}))),
    "national": Account("national", Role.ADMIN, EVERYTHING),
    "outsider": Account("outsider", Role.ADMIN, Scope(frozenset({"ninhbinh"}))),
}
RULE_FOLDER = "/srv/govsoc/rules/content"  # nobody is told
RULE = RuleDoc(
    id="web-sqli",
    hash="hash-sqli",
    title="SQL injection attempt",
    level="high",
    text="title: SQL injection attempt\nlevel: high\n",
    path=f"{RULE_FOLDER}/portal/web-sqli.yml",
    titles={"en": "SQL injection attempt", "vi": "Dấu hiệu tấn công SQL injection"},
    description="A request holds SQL.",
    tags=("attack.initial_access", "attack.t1190"),
    runbook={
        "vi": "1. Xem **địa chỉ nguồn**.\n2. Chạy `soc alerts show`.\n\n- Báo cho đơn vị.",
        "en": "1. Look at the **source address**.\n2. Run `soc alerts show`.\n\n- Tell the office.",
    },
    falsepositives=("A security test that was announced",),
)


@dataclass
class World:
    stores: Stores
    detections: Detections
    log: Buffer
    keys: KeyRing
    anomalies: SqliteAnomalies
    alerts: dict[str, str] = field(default_factory=dict)  # organisation -> alert id
    events: dict[str, list[Event]] = field(default_factory=dict)
    now: int = NOW
    job: str = "ab" * 12  # a backtest of Hưng Yên's that has ended
    series_job: str = "cd" * 12  # and one of series
    tests: list[str] = field(default_factory=list)  # routes that a test was sent to

    @property
    def unusual(self) -> SqliteUnusual:
        return SqliteUnusual(self.anomalies._file)

    def clock(self) -> int:
        return self.now

    def fire(
        self,
        org: str,
        number: int,
        entity: str = "203.0.113.7",
        start: int = NOW - 3_600_000,
        counted: Fields | None = None,
    ) -> str:
        """Store `number` events and the alert that they fold into; `counted`: what a correlation would say of them."""
        events = [web_event(org, start + i * 1000, i, entity) for i in range(number)]
        self.log.append(events)
        alert = alert_id(RULE.id, org, entity, "2026-03-02")
        findings = [
            Finding(
                finding_id(alert, e.id), alert, RULE.id, RULE.hash, org, "source.ip", entity, e.ts, e.id,
                counted or {"url.query": e.fields["url.query"], "user_agent.original": HOSTILE},
            )
            for e in events
        ]  # fmt: skip
        self.detections.commit(findings, {RULE.hash: RULE}, {}, {}, None, self.now)
        self.events.setdefault(org, []).extend(events)
        return alert

    def send_test(self, route: Route) -> str:
        """In place of servers that take notifications; those are in `tests/soc/notify`."""
        if route.channel is Channel.WEBHOOK:
            raise Undelivered(f"{route.target} answered 500", again=True)
        self.tests.append(route.id)
        return "mail.example:587 took it"

    def lay_down_route(self, org: str) -> Delivery:
        """A route of the organisation, named as it, and a delivery by it that was given up."""
        route = Route(f"route-{org}", f"Trực ban {org}", Channel.EMAIL, (f"soc@{org}.gov.vn",), orgs=(org,))
        self.stores.policies.put(Policy(PolicyKind.ROUTE, route.id, 1, body_of(route), "national", NOW))
        alert = self.alerts[org]
        failed = Delivery(
            delivery_id(route.id, alert, "raised"), route.id, alert, org, "raised", NOW, NOW, NOW,
            DeliveryState.FAILED, 9, error="mail.example:587: Connection refused",
        )  # fmt: skip
        self.stores.deliveries.add([failed])
        return failed


def web_event(org: str, ts: int, number: int, ip: str) -> Event:
    source = f"{org}-portal"
    query = f"id={number} UNION SELECT 1"
    line = f'{ip} - - "GET /?{query} HTTP/1.1" 200 512 "-" "{HOSTILE}"'
    id_ = event_id(ts, source, f"{ip}{number}", line)
    fields = {
        "@timestamp": iso(ts),
        "event.id": id_,
        "event.dataset": "nginx.access",
        "event.original": line,
        "organization.id": org,
        "govsoc.source.id": source,
        "source.ip": ip,
        "url.path": "/",
        "url.query": query,
        "http.response.status_code": 200,
        "user_agent.original": HOSTILE,
    }
    return Event(id_, ts, org, "nginx.access", fields)


def open_world(folder: Path) -> World:
    log = EventLog(events_dir(folder), min_free_bytes=0)
    return World(open_stores(folder), SqliteDetections(folder), log, KeyRing(keys_dir(folder)), SqliteAnomalies(folder))


def open_indexed_world(folder: Path, client: Client) -> World:
    setup.install(client)
    detections = elastic.open_detections(client, folder)
    return World(
        elastic.open_stores(client),
        detections,
        IndexedLog(events_dir(folder), client),
        KeyRing(keys_dir(folder)),
        SqliteAnomalies(folder),
    )


def anomaly_of(org: str, alert: str, since: int = NOW - 1_800_000, strength: float = 3.0) -> Anomaly:
    """Of the one series that the organisation has."""
    series = series_id("otp-delivery", org, ("viettel",))
    return Anomaly(
        series,
        "otp-delivery",
        org,
        since,
        since + 600_000,
        since + 120_000,
        0.4,
        0.02,
        0.0,
        0.1,
        strength,
        10,
        alert,
        {"level": 4.2},
    )


def observe(world: World) -> None:
    """What an observer has written: one series an organisation, and one anomaly of it, in the alert that is there."""
    found = load_definitions()
    world.anomalies.publish(
        {"otp-delivery": found.by_name["otp-delivery"].model_dump(mode="json")},
        [RuleFault("measure: no such measure", f"{RULE_FOLDER}/own.yml", 4)],
    )
    series, rows = [], {}
    for org in world.alerts:
        board = Board("otp-delivery", org)
        series.append(Series(board, ("viettel",), 0, NOW - 7_200_000))
        for minute in range(120):
            off = 85 <= minute < 100
            rows[board, NOW - 7_200_000 + minute * 60_000] = pack(
                0.4 if off else 0.02, 30.0, 0.02, 0.0, 0.1, 0.3, False
            )
    anomalies = [anomaly_of(org, alert) for org, alert in world.alerts.items()]
    counts = {one.board: Counts(1, 7, 2) for one in series}
    world.anomalies.commit(Progress({}, {}, rows, {}, {}, series, [], anomalies, counts))


def fill(world: World) -> None:
    for account in ACCOUNTS.values():
        world.stores.accounts.put(account, _HASH, by="test")
        world.stores.accounts.add_key(account.name, digest(f"key-{account.name}"), "test", by="test")
    faults = [
        RuleFault("no detection: add one", f"{RULE_FOLDER}/portal/broken.yml", 7),
        RuleFault(f"the id web-sqli is already taken by {RULE.path}:3", f"{RULE_FOLDER}/web/twice.yml", 2),
    ]
    world.detections.publish([RULE], faults)
    for n, org in enumerate(("hungyen", "ninhbinh"), 1):
        for id_ in (f"x-{n}", f"y-{n}"):
            exception = RuleException(
                id_, RULE.id, "source.ip:198.51.100.99", f"scanner of {org}", org, frozenset({org})
            )
            world.stores.policies.put(
                Policy(PolicyKind.EXCEPTION, id_, 1, exception_body(exception), f"admin-{org}", NOW, "made")
            )
        world.alerts[org] = world.fire(org, 25)
        source = Source(
            f"{org}-portal", f"Portal {org}", org, "nginx.access", Transport.FILE, ("/var/log/nginx/access.log",)
        )
        world.stores.sources.add(source, None, by="test")
        world.lay_down_route(org)
    observe(world)
    world.stores.health.report([SourceHealth("hungyen-portal", NOW - 2000, NOW - 1000, 1200, 3, 12.5)])
    series = Job(world.series_job, "admin", NOW, ("hungyen",), 30, text="name: x", kind=Kind.SERIES, about="x")
    for job in (Job(world.job, "admin", NOW, ("hungyen",), 30, "web-sqli"), series):
        place = jobs_dir(world.keys.directory.parent) / job.id
        place.mkdir(parents=True)
        (place / "job.json").write_bytes(orjson.dumps(asdict(job)))
        (place / "outcomes.json").write_bytes(b"[]")


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """The world on disk, filled once; each test gets a copy."""
    folder = tmp_path_factory.mktemp("world")
    world = open_world(folder)
    fill(world)
    world.log.close()
    return folder, world


@pytest.fixture
def store(request) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def world(request, store, tmp_path) -> Iterator[World]:
    if store == "elasticsearch":
        with connect(request.getfixturevalue("elastic").url) as client:
            world = open_indexed_world(tmp_path / "data", client)
            fill(world)
            yield world
            world.log.close()
        return
    folder, first = request.getfixturevalue("filled")
    shutil.copytree(folder, tmp_path / "data")
    world = open_world(tmp_path / "data")
    world.alerts |= first.alerts
    world.events |= {org: list(events) for org, events in first.events.items()}
    yield world
    world.log.close()


@pytest.fixture
def jobs(world, compiled):
    """Backtests as the API process starts them, over the world's events."""
    (world.keys.directory.parent / "cache").symlink_to(compiled)
    environment = {"SOC_DATA_DIR": str(world.keys.directory.parent)}
    jobs = Jobs(jobs_dir(world.keys.directory.parent), SOC, environment)
    yield jobs
    jobs.close()


@pytest.fixture
def pushed(world):
    """The id of a source that has a token."""
    source = Source("hungyen-otp", "OTP", "hungyen", "otp.gateway", Transport.PUSH)
    world.stores.sources.add(source, "digest-otp", by="test")
    return source.id


@pytest.fixture
def lists_dir(tmp_path):
    return tmp_path / "lists"


@pytest.fixture
def anomaly_db(tmp_path):
    """Where the observer writes."""
    return tmp_path / "data" / "anomaly.db"


@pytest.fixture
def state(world, jobs, lists_dir, anomaly_db):
    return state_of(
        world.stores,
        clock=world.clock,
        cookie_secure=False,
        version="1.2.3",
        live_interval_s=0.05,
        keys=world.keys,
        jobs=jobs,
        tuning=lambda: read_tuning(world.stores.policies, UTC),
        send_test=world.send_test,
        lists_dir=lists_dir,
        known_lists=KnownLists(world.stores.policies, lists_dir, world.clock).as_now,
        levels=SqliteLevels(anomaly_db),
        anomalies=world.anomalies,
        unusual=SqliteUnusual(anomaly_db),
    )


@pytest.fixture(scope="session")
def made() -> list[FastAPI]:
    return []


@pytest.fixture
def app(state, made) -> FastAPI:
    """The routes are made once, which takes a tenth of a second; what they reach is each test's own."""
    if not made:
        made.append(create_app(state))
    [app] = made
    app.state.soc = state
    return app


@pytest.fixture
def client_of(app):
    """`client_of("analyst")`: a client with that account's API key; None is nobody."""
    opened = []

    def make(name: str | None = None) -> TestClient:
        headers = {"Authorization": f"Bearer key-{name}"} if name else {}
        client = TestClient(app, headers=headers, follow_redirects=False)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def signed_in(app):
    """`signed_in("analyst")`: a browser's client with that account's session."""
    opened = []

    def make(name: str) -> TestClient:
        client = TestClient(app, follow_redirects=False)
        answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()
