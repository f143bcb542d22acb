"""Organisations, outages and coverage through the API, on a real store with a clock of its own."""

from __future__ import annotations

from datetime import date

import pytest

from api.coverage import coverage
from api.standing import expect
from soc.model.calendar import Calendar
from soc.model.org import EVERYTHING, Directory, Organisation, OrgKind, Scope
from soc.model.policy import PolicyKind
from soc.model.silence import Expectation, Freshness, Outage, standing
from soc.model.source import Source, SourceHealth, Transport
from soc.service.organisations import SHIPPED, keep, read
from soc.service.watch import Watch
from soc.store.collected import SqliteHealth, open_collected

MINUTE = 60_000
TODAY = date(2026, 3, 2)
TYPES = ("nginx.access", "otp.gateway", "lgsp.gateway", "linux.auth")
COMMUNE = Organisation("hungyen.01", "Xã Một", OrgKind.COMMUNE, parent="hungyen")


def source(id_, org="hungyen", type_="nginx.access"):
    return Source(id_, id_, org, type_, Transport.FILE)


def live(one, now=1000, expectation=None):
    return standing(one, SourceHealth(one.id, now, now, 1, 0, 1.0), expectation or Expectation(), Calendar(), now)


@pytest.fixture
def directory(world):
    keep(world.stores.policies, [*read(SHIPPED), COMMUNE], by="test", now=0, reason="")


@pytest.fixture
def hear(world, tmp_path):
    health = SqliteHealth(open_collected(tmp_path / "data"))

    def report(*ids):
        health.report([SourceHealth(id_, world.now, world.now, 1, 0, 1.0) for id_ in ids])

    return report


def cells(client):
    rows = client.get("/api/v1/coverage").json()["items"]
    return {(row["org"], system): cell for row in rows for system, cell in row["cells"].items()}


def test_one_of_500_stops_and_only_its_cell_changes_within_its_limit_and_a_minute(world, client_of, directory, hear):
    provinces = [org.code for org in read(SHIPPED) if org.kind is OrgKind.PROVINCE]
    ids = [f"s{n}" for n in range(500)]
    for n, id_ in enumerate(ids):
        org, type_ = provinces[n % 34], TYPES[n // 34 % 4]
        world.stores.sources.add(source(id_, org, type_), None, by="test")
    client, watch = client_of("national"), Watch(world.stores, world.clock)
    hear(*ids)
    before = cells(client)
    stopped, began = "s77", world.now
    expect(world.stores.policies, stopped, {"limit_minutes": 10}, by="test", now=0)
    changed_at = None
    while world.now < began + 15 * MINUTE:
        world.now += 20_000
        hear(*(id_ for id_ in ids if id_ != stopped), "hungyen-portal")
        watch.look()
        after = cells(client)
        changed = {place for place in after if after[place] != before[place]}
        if changed and changed_at is None:
            changed_at = world.now
        assert changed <= {(provinces[77 % 34], "lgsp")}
    assert began + 10 * MINUTE < changed_at <= began + 11 * MINUTE
    cell = after[provinces[77 % 34], "lgsp"]
    assert (cell["state"], cell["states"]["silent"]) == ("silent", 1)
    [outage] = client.get("/api/v1/outages").json()["items"]
    assert (outage["source"], outage["cleared_at"]) == (stopped, None)
    hear(stopped)
    watch.look()
    assert cells(client) == before
    [outage] = client.get("/api/v1/outages").json()["items"]
    assert outage["cleared_at"] is not None
    world.now += 25 * 60 * MINUTE
    assert client.get("/api/v1/outages").json()["items"] == []
    assert len(client.get("/api/v1/outages?since=2026-03-01T00:00:00Z").json()["items"]) == 1


def test_each_sees_the_outages_coverage_and_directory_of_its_own(world, client_of, directory, hear):
    for org in ("hungyen", "ninhbinh"):
        hear(f"{org}-portal")
    world.now += 16 * MINUTE
    Watch(world.stores, world.clock).look()
    for name, orgs in (("viewer", {"hungyen"}), ("outsider", {"ninhbinh"}), ("national", {"hungyen", "ninhbinh"})):
        client = client_of(name)
        assert {item["org"] for item in client.get("/api/v1/outages").json()["items"]} == orgs
        assert {org for org, _ in cells(client)} == orgs
    items = client_of("viewer").get("/api/v1/organisations").json()["items"]
    assert [item["code"] for item in items] == ["hungyen"]


def test_the_directory_by_pages_and_filters(client_of, directory):
    client, seen, cursor = client_of("national"), [], ""
    while cursor is not None:
        page = client.get(f"/api/v1/organisations?limit=30{cursor}").json()
        seen += [org["code"] for org in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert seen == sorted(org.code for org in [*read(SHIPPED), COMMUNE])
    assert [o["code"] for o in client.get("/api/v1/organisations?parent=hungyen").json()["items"]] == ["hungyen.01"]
    assert len(client.get("/api/v1/organisations?kind=ministry").json()["items"]) == 17
    ended = next(o for o in client.get("/api/v1/organisations?limit=200").json()["items"] if o["code"] == "thaibinh")
    assert (ended["valid_to"], ended["successor"]) == ("2025-06-30", "hungyen")


def test_a_source_says_what_is_expected_of_it(world, client_of):
    expect(world.stores.policies, "ninhbinh-portal",
           {"schedule": "office_hours", "exempt_until": "2026-03-31", "reason": "chuyển", "system": "motcua"}, by="t", now=0)  # fmt: skip
    one = client_of("outsider").get("/api/v1/sources/ninhbinh-portal").json()
    known = {name: one[name] for name in ("state", "schedule", "limit_minutes", "exempt_until", "reason", "system")}
    assert known == {"state": "exempt", "schedule": "office_hours", "limit_minutes": 15, "exempt_until": "2026-03-31",
                     "reason": "chuyển", "system": "motcua"}  # fmt: skip
    one = client_of("viewer").get("/api/v1/sources/hungyen-portal").json()
    assert (one["state"], one["silent_at"], one["system"]) == ("live", "2026-03-02T12:14:59.000Z", "portal")


def test_an_administrator_says_what_is_expected(world, client_of):
    client, path = client_of("admin"), "/api/v1/sources/hungyen-portal/expectation"
    given = {"schedule": "office_hours", "limit_minutes": 60, "exempt_until": "2026-12-31", "reason": " moving "}
    answer = client.patch(path, json=given).json()
    assert {name: answer[name] for name in given} == given | {"reason": "moving"}
    answer = client.patch(path, json={"limit_minutes": None, "exempt_until": None, "system": "motcua"}).json()
    known = [answer[name] for name in ("schedule", "limit_minutes", "exempt_until", "reason", "system")]
    assert known == ["office_hours", 15, None, "", "motcua"]
    history = world.stores.policies.history(PolicyKind.SILENCE, "hungyen-portal")
    assert [(policy.version, policy.by, policy.at) for policy in history] == [
        (1, "admin", world.now),
        (2, "admin", world.now),
    ]
    first, second = client.get(f"{path}/history").json()["items"]
    assert (first["by"], first["reason"], first["version"]) == ("admin", "moving", 1)
    changed = {line["field"]: (line["old"], line["new"]) for line in second["lines"]}
    assert changed["limit_minutes"] == ("60", "15")
    assert changed["exempt_until"] == ("2026-12-31", None)


@pytest.mark.parametrize(
    "body",
    [
        {"limit_minutes": 0},
        {"limit_minutes": 10**9},
        {"schedule": "x"},
        {"system": "x"},
        {"exempt_until": "2026-12-31"},
        {"exempt_until": "2026-12-31", "reason": " "},
        {"exempt_until": "9999-12-31", "reason": "x"},
        {"reason": "x" * 401},
        {"limit": 5},
    ],
)
def test_an_expectation_that_makes_no_sense_is_refused(world, client_of, body):
    assert client_of("admin").patch("/api/v1/sources/hungyen-portal/expectation", json=body).status_code == 422
    assert world.stores.policies.list(PolicyKind.SILENCE) == []


def test_rows_are_those_of_today_and_communes_only_where_they_have_a_source():
    orgs = [
        Organisation("old", "Cũ", OrgKind.PROVINCE, valid_to=date(2025, 6, 30), successor="new"),
        Organisation("new", "Mới", OrgKind.PROVINCE, valid_from=date(2025, 7, 1)),
        Organisation("later", "Sau", OrgKind.PROVINCE, valid_from=date(2027, 1, 1)),
        Organisation("bo", "Bộ", OrgKind.MINISTRY),
        *(Organisation(f"new.{n}", f"Xã {n}", OrgKind.COMMUNE, parent="new") for n in range(3)),
    ]
    known = [live(source("a", "old")), live(source("b", "new.1", "otp.gateway")), live(source("c", "nobody"))]
    rows = coverage(Directory(orgs), known, [], EVERYTHING, TODAY)
    assert [(row.org, row.communes, row.uncovered, row.successor) for row in rows] == [
        ("bo", 0, 0, None),
        ("new", 3, 2, None),
        ("new.1", 0, 0, None),
        ("old", 0, 0, "new"),
        ("nobody", 0, 0, None),
    ]
    assert [list(row.cells) for row in rows] == [[], [], ["otp"], ["portal"], ["portal"]]
    scoped = coverage(Directory(orgs), [known[1]], [], Scope(frozenset({"new.1", "new.2"})), TODAY)
    assert [row.org for row in scoped] == ["new.1"]


def test_a_cell_shows_its_worst_source_and_what_is_blind():
    now = 100 * MINUTE
    one, two, off = source("a"), source("b"), Source("c", "c", "hungyen", "nginx.access", Transport.FILE, enabled=False)
    silent = standing(two, SourceHealth("b", 0, 0, 1, 0, 0), Expectation(), Calendar(), now)
    outages = [Outage("1", "b", "hungyen", 0, now, ("r2", "r1")), Outage("2", "a", "hungyen", 0, now, ("r3",), now)]
    known = [live(one, now), silent, live(off, now)]
    [row] = coverage(Directory(), known, outages, EVERYTHING, TODAY)
    cell = row.cells["portal"]
    assert (cell.state, cell.count, cell.blind) == (Freshness.SILENT, 3, ("r1", "r2"))
    [row] = coverage(Directory(), [known[0], known[2]], [], EVERYTHING, TODAY)
    assert row.cells["portal"].state is Freshness.LIVE
