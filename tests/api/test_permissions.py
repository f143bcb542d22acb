"""Every route, for everybody: nobody, three roles, and another organisation's administrator."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fastapi.routing import iter_route_contexts
from levels_made import level, observed
from servers import both_stores
from unusual_made import noticed, unusual

from api.incidents import Desk
from api.indicators import Which, put, replaced
from rules.lists.pack import Entry
from soc.model.anomaly import series_id
from soc.model.delivery import delivery_id
from soc.model.finding import alert_id
from soc.model.harmless import behaviour
from soc.model.indicator import ListType
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.surge import Surge

NOW = 1_772_452_800_000
pytestmark = pytest.mark.usefixtures("pushed")
ROLES = ("viewer", "analyst", "admin")
NEW_SOURCE = {"id": "new-1", "org": "hungyen", "type": "nginx.access", "transport": "push"}
DECISION = {"version": 0, "status": "acknowledged"}
EXCEPTION = {"rule_id": "web-sqli", "condition": "source.ip:192.0.2.9", "orgs": ["hungyen"], "reason": "our scanner"}
SETTING = {"version": 0, "stage": "live", "reason": "noisy here", "orgs": {"hungyen": {"enabled": False}}}
# Two incidents of Hưng Yên, an alert of the first, and two of none.
INCIDENT, OTHER = "a" * 24, "b" * 24
JOINED, FREE, FREE_TOO = (alert_id("web-sqli", "hungyen", f"198.51.100.{n}", "2026-03-02") for n in (1, 2, 4))
SAYINGS = "a" * 32, "b" * 32
SURGE = {
    "name": "Enrolment",
    "since": "2026-07-01T07:00:00+07:00",
    "until": "2026-07-09T17:00:00+07:00",
    "factor": 5,
    "reason": "x",
}
ENTRIES = {"org": "hungyen", "type": "ip", "text": "192.0.2.1", "reason": "scans"}
# (method, route): (lowest role, or None for everybody; what is sent). `{...}` parameters are of Hưng Yên's things.
ROUTES = {
    ("GET", "/openapi.json"): (None, {}),
    ("GET", "/livez"): (None, {}),
    ("GET", "/readyz"): (None, {}),
    ("POST", "/api/v1/session"): (None, {"json": {"account": "x", "password": "y"}}),
    ("GET", "/"): (None, {}),
    ("GET", "/sign-in"): (None, {}),
    ("POST", "/sign-in"): (None, {"data": {"name": "x", "password": "y"}}),
    ("POST", "/sign-out"): (None, {}),
    ("GET", "/language/{language}"): (None, {}),
    ("GET", "/api/v1/session"): ("viewer", {}),
    ("DELETE", "/api/v1/session"): ("viewer", {}),
    ("GET", "/api/v1/alerts"): ("viewer", {}),
    ("GET", "/api/v1/alerts/{alert_id}"): ("viewer", {}),
    ("PATCH", "/api/v1/alerts/{alert_id}"): ("analyst", {"json": DECISION}),
    ("POST", "/api/v1/alerts/{alert_id}/comments"): ("analyst", {"json": {"comment": "seen"}}),
    ("GET", "/api/v1/alerts/{alert_id}/history"): ("viewer", {}),
    ("GET", "/api/v1/alerts/{alert_id}/findings"): ("viewer", {}),
    ("GET", "/api/v1/alerts/{alert_id}/explain"): ("viewer", {}),
    ("POST", "/api/v1/alerts/bulk"): ("analyst", {"json": {"where": {}, "change": {"comment": "x"}, "expected": 9}}),
    ("GET", "/api/v1/alerts/times"): ("viewer", {}),
    ("GET", "/api/v1/anomalies"): ("viewer", {}),
    ("GET", "/api/v1/anomalies/{anomaly_id}"): ("viewer", {}),
    ("POST", "/api/v1/anomalies/{anomaly_id}/harmless"): ("analyst", {"json": {"reason": "a new office"}}),
    ("GET", "/api/v1/harmless"): ("viewer", {}),
    ("GET", "/api/v1/series"): ("viewer", {}),
    ("GET", "/api/v1/series/counts"): ("viewer", {}),
    ("POST", "/api/v1/series/check"): ("admin", {"json": {"text": "name: x"}}),
    ("GET", "/api/v1/series/backtests"): ("viewer", {}),
    ("GET", "/api/v1/series/backtests/{job_id}"): ("viewer", {}),
    ("POST", "/api/v1/series/backtests/{job_id}/resume"): ("admin", {}),
    ("POST", "/api/v1/series/backtests/{job_id}/stop"): ("admin", {}),
    ("GET", "/series/backtests"): ("viewer", {}),
    ("POST", "/series/backtests/check"): ("admin", {"data": {"text": "name: x"}}),
    ("GET", "/series/backtests/{job_id}"): ("viewer", {}),
    ("POST", "/series/backtests/{job_id}/{act}"): ("admin", {}),
    ("GET", "/api/v1/series/{series_id}"): ("viewer", {}),
    ("POST", "/api/v1/series/{series_id}/withdraw"): ("analyst", {"json": {"reason": "over"}}),
    ("POST", "/api/v1/series/{series_id}/reset"): ("admin", {"json": {"reason": "moved"}}),
    ("POST", "/series/{series_id}/reset"): ("admin", {"data": {"reason": "moved"}}),
    ("GET", "/api/v1/entities"): ("viewer", {}),
    ("GET", "/api/v1/entities/counts"): ("viewer", {}),
    ("GET", "/api/v1/entities/harmless"): ("viewer", {}),
    ("GET", "/api/v1/entities/{item_id}"): ("viewer", {}),
    ("POST", "/api/v1/entities/{item_id}/harmless"): ("analyst", {"json": {"reason": "moves house"}}),
    ("POST", "/api/v1/entities/harmless/{saying_id}/withdraw"): ("analyst", {"json": {"reason": "over"}}),
    ("GET", "/entities"): ("viewer", {}),
    ("POST", "/entities/harmless/{saying_id}/withdraw"): ("analyst", {"data": {"reason": "over"}}),
    ("GET", "/anomalies"): ("viewer", {}),
    ("GET", "/anomalies/{anomaly_id}"): ("viewer", {}),
    ("POST", "/anomalies/{anomaly_id}/harmless"): ("analyst", {"data": {"reason": "a new office"}}),
    ("GET", "/series"): ("viewer", {}),
    ("GET", "/series/{series_id}"): ("viewer", {}),
    ("POST", "/series/{series_id}/withdraw"): ("analyst", {"data": {"reason": "over"}}),
    ("GET", "/api/v1/incidents"): ("viewer", {}),
    ("GET", "/api/v1/incidents/{incident_id}"): ("viewer", {}),
    ("GET", "/api/v1/incidents/{incident_id}/history"): ("viewer", {}),
    ("PATCH", "/api/v1/incidents/{incident_id}"): ("analyst", {"json": {"version": 1, "title": "Seen"}}),
    ("POST", "/api/v1/incidents/{incident_id}/alerts"): ("analyst", {"json": {"alerts": [JOINED]}}),
    ("POST", "/api/v1/incidents/{incident_id}/split"): ("analyst", {"json": {"title": "x", "alerts": [JOINED]}}),
    ("POST", "/api/v1/incidents/{incident_id}/merge"): ("analyst", {"json": {"incident": OTHER}}),
    ("DELETE", "/api/v1/incidents/{incident_id}/alerts/{alert_id}"): ("analyst", {}),
    ("POST", "/api/v1/incidents"): ("analyst", {"json": {"title": "x", "alerts": [FREE]}}),
    ("GET", "/api/v1/events"): ("viewer", {}),
    ("POST", "/api/v1/events/person"): ("analyst", {"json": {"number": "0912345678"}}),
    ("GET", "/api/v1/events/{event_id}"): ("viewer", {}),
    ("GET", "/api/v1/events/{event_id}/neighbours"): ("viewer", {}),
    ("GET", "/api/v1/rules"): ("viewer", {}),
    ("GET", "/api/v1/rules/{rule_id}"): ("viewer", {}),
    ("PUT", "/api/v1/rules/{rule_id}/setting"): ("admin", {"json": SETTING}),
    ("GET", "/api/v1/rules/{rule_id}/history"): ("viewer", {}),
    ("GET", "/api/v1/rules/{rule_id}/ledger"): ("viewer", {}),
    ("GET", "/api/v1/exceptions"): ("viewer", {}),
    ("POST", "/api/v1/exceptions"): ("admin", {"json": EXCEPTION}),
    ("POST", "/api/v1/exceptions/preview"): ("admin", {"json": EXCEPTION}),
    ("GET", "/api/v1/exceptions/{exception_id}"): ("viewer", {}),
    ("GET", "/api/v1/exceptions/{exception_id}/history"): ("viewer", {}),
    ("PUT", "/api/v1/exceptions/{exception_id}"): ("admin", {"json": EXCEPTION | {"version": 1, "why": "moved"}}),
    ("POST", "/api/v1/exceptions/{exception_id}/withdraw"): ("admin", {"json": {"version": 2, "reason": "gone"}}),
    ("GET", "/api/v1/lists"): ("viewer", {}),
    ("POST", "/api/v1/lists/{name}/entries"): ("admin", {"json": ENTRIES}),
    ("GET", "/api/v1/lists/{name}"): ("viewer", {"params": {"org": "hungyen"}}),
    ("GET", "/api/v1/lists/{name}/entries"): ("viewer", {"params": {"org": "hungyen"}}),
    ("GET", "/lists/{name}"): ("viewer", {"params": {"org": "hungyen"}}),
    ("POST", "/api/v1/lists/{name}/remove"): ("admin", {"json": {"org": "hungyen", "reason": "over"}}),
    ("GET", "/api/v1/backtests"): ("viewer", {}),
    ("POST", "/api/v1/backtests"): ("admin", {"json": {"rule_id": "web-sqli"}}),
    ("GET", "/api/v1/backtests/{job_id}"): ("viewer", {}),
    ("POST", "/api/v1/backtests/{job_id}/resume"): ("admin", {}),
    ("POST", "/api/v1/backtests/{job_id}/stop"): ("admin", {}),
    ("GET", "/api/v1/sources"): ("viewer", {}),
    ("GET", "/api/v1/sources/{source_id}"): ("viewer", {}),
    ("PATCH", "/api/v1/sources/{source_id}/expectation"): ("admin", {"json": {"limit_minutes": 30}}),
    ("GET", "/api/v1/sources/{source_id}/expectation/history"): ("viewer", {}),
    ("GET", "/api/v1/outages"): ("viewer", {}),
    ("GET", "/api/v1/organisations"): ("viewer", {}),
    ("GET", "/api/v1/coverage"): ("viewer", {}),
    ("POST", "/api/v1/sources"): ("admin", {"json": NEW_SOURCE}),
    ("POST", "/api/v1/sources/preview"): ("analyst", {"content": "a line"}),
    ("PATCH", "/api/v1/sources/{source_id}"): ("admin", {"json": {"enabled": True}}),
    ("POST", "/api/v1/sources/{source_id}/token"): ("admin", {}),
    ("DELETE", "/api/v1/sources/{source_id}/token"): ("admin", {}),
    ("GET", "/api/v1/sources/{source_id}/check"): ("viewer", {}),
    ("GET", "/api/v1/sources/{source_id}/config"): ("viewer", {}),
    ("GET", "/api/v1/health"): ("viewer", {}),
    ("GET", "/api/v1/services"): ("viewer", {}),
    ("GET", "/api/v1/surges"): ("viewer", {}),
    ("POST", "/api/v1/surges"): ("admin", {"json": SURGE | {"orgs": ["hungyen"]}}),
    ("GET", "/api/v1/surges/{surge_id}"): ("viewer", {}),
    ("POST", "/api/v1/surges/{surge_id}/end"): ("admin", {"json": {"reason": "rain"}}),
    ("GET", "/services"): ("viewer", {}),
    ("GET", "/services/surges"): ("viewer", {}),
    ("POST", "/services/surges"): ("admin", {"data": SURGE | {"orgs": "hungyen"}}),
    ("POST", "/services/surges/{surge_id}/end"): ("admin", {"data": {"reason": "rain"}}),
    ("GET", "/alerts"): ("viewer", {}),
    ("GET", "/alerts/{alert_id}"): ("viewer", {}),
    ("POST", "/alerts/{alert_id}/triage"): ("analyst", {"data": {"action": "comment", "comment": "seen"}}),
    ("GET", "/alerts/bulk"): ("analyst", {}),
    ("POST", "/alerts/bulk"): ("analyst", {"data": {"action": "comment", "comment": "x", "expected": 9}}),
    ("GET", "/incidents"): ("viewer", {}),
    ("GET", "/incidents/{incident_id}"): ("viewer", {}),
    ("POST", "/incidents"): ("analyst", {"data": {"alert": FREE_TOO, "title": "x"}}),
    ("POST", "/incidents/{incident_id}"): ("analyst", {"data": {"action": "comment", "comment": "x"}}),
    ("GET", "/events"): ("viewer", {}),
    ("POST", "/events/person"): ("analyst", {"data": {"number": "0912345678"}}),
    ("GET", "/events/{event_id}"): ("viewer", {}),
    ("GET", "/sources"): ("viewer", {}),
    ("GET", "/coverage"): ("viewer", {}),
    ("GET", "/backtests"): ("viewer", {}),
    ("GET", "/backtests/{job_id}"): ("viewer", {}),
    ("POST", "/backtests/{job_id}/{act}"): ("admin", {}),
    ("GET", "/sources/new"): ("analyst", {}),
    ("POST", "/sources/new/preview"): ("analyst", {"files": {"file": b"a line"}}),
    ("POST", "/sources/new"): ("admin", {"data": NEW_SOURCE | {"name": "new-2"}}),
    ("GET", "/sources/{source_id}"): ("viewer", {}),
    ("GET", "/sources/{source_id}/check"): ("viewer", {}),
    ("POST", "/sources/{source_id}/token"): ("admin", {"data": {"action": "renew"}}),
    ("POST", "/sources/{source_id}/enabled"): ("admin", {"data": {"enabled": "true"}}),
    ("POST", "/sources/{source_id}/expectation"): (
        "admin",
        {"data": {"version": "1", "schedule": "always", "limit": "30"}},
    ),
    ("GET", "/rules"): ("viewer", {}),
    ("GET", "/rules/{rule_id}"): ("viewer", {}),
    ("POST", "/rules/{rule_id}/setting"): ("admin", {"data": {"version": 1, "org": "hungyen", "reason": "noisy"}}),
    ("GET", "/alerts/{alert_id}/explain"): ("viewer", {}),
    ("GET", "/alerts/{alert_id}/exception"): ("admin", {}),
    ("POST", "/alerts/{alert_id}/exception"): (
        "admin",
        {"data": {"action": "preview", "condition": "source.ip:192.0.2.9", "orgs": "hungyen"}},
    ),
    ("GET", "/exceptions/{exception_id}"): ("viewer", {}),
    ("POST", "/exceptions/{exception_id}/withdraw"): ("admin", {"data": {"version": 1, "reason": "gone"}}),
    ("GET", "/lists"): ("viewer", {}),
    ("POST", "/lists"): (
        "admin",
        {"data": {"name": "x", "type": "ip", "text": "192.0.2.1", "reason": "x", "org": "hungyen"}},
    ),
    # Tested in console/test_list_pages.py: by here it is gone.
    ("POST", "/lists/{name}/remove"): None,
    # Tested in test_backtests.py and test_series_backtests.py, as only one runs at a time.
    ("POST", "/backtests"): None,
    ("POST", "/series/backtests"): None,
    ("POST", "/api/v1/series/backtests"): None,
    ("GET", "/api/v1/routes"): ("admin", {}),
    ("POST", "/api/v1/routes"): ("admin", {"json": {"name": "x", "channel": "email", "addresses": ["a@example.vn"]}}),
    ("POST", "/api/v1/routes/{route_id}/test"): ("admin", {}),
    ("GET", "/api/v1/deliveries"): ("admin", {}),
    ("POST", "/api/v1/deliveries/{delivery_id}/retry"): ("admin", {}),
    ("PATCH", "/api/v1/routes/{route_id}"): ("admin", {"json": {"version": 1, "per_hour": 5}}),
    ("DELETE", "/api/v1/routes/{route_id}"): ("admin", {"params": {"version": 2}}),
    ("GET", "/notifications"): ("admin", {}),
    ("POST", "/notifications/routes"): ("admin", {"data": {"name": "x", "channel": "email", "to": "a@example.vn"}}),
    # Tested in test_notifications.py: each needs a route as the one before has left it.
    ("POST", "/notifications/routes/{route_id}"): None,
    ("POST", "/notifications/routes/{route_id}/{act}"): None,
    ("POST", "/notifications/deliveries/{delivery_id}/retry"): None,
    # Tested in test_audit.py, as it takes more than a role.
    ("GET", "/api/v1/audit"): None,
    ("GET", "/audit"): None,
    # Tested in test_live.py, as it never ends, and in test_auth.py, as it asks where the request comes from.
    ("GET", "/api/v1/alerts/stream"): None,
    ("GET", "/metrics"): None,
}
# What belongs to no organisation: rules are everybody's.
ENROLLING = (("POST", "/api/v1/sources"), ("POST", "/sources/new"))  # for an organisation that the body names
SHARED = ("rule_id", "language")
# What names Hưng Yên in what is sent: known, and not theirs to do.
NOT_THEIRS = {
    ("PUT", "/api/v1/rules/{rule_id}/setting"),
    ("POST", "/api/v1/exceptions"),
    ("POST", "/api/v1/exceptions/preview"),
    ("POST", "/rules/{rule_id}/setting"),
    ("POST", "/api/v1/lists/{name}/entries"),
    ("POST", "/lists"),
    ("POST", "/api/v1/surges"),
    ("POST", "/services/surges"),
}
# What names Hưng Yên's things in its body.
NAMING_THEIRS = (("POST", "/api/v1/incidents"), ("POST", "/incidents"))
CASES = [(method, path, *case) for (method, path), case in ROUTES.items() if case]


def test_every_route_is_in_the_table(app):
    routes = {
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in (getattr(route, "methods", None) or ())
        if method != "HEAD"
    }
    assert routes == set(ROUTES)


@pytest.fixture(autouse=True)
def theirs(world, lists_dir, anomaly_db):
    desk = Desk(world.stores, world.stores.accounts.get("national"), world.now, None)
    assert [world.fire("hungyen", 1, f"198.51.100.{n}") for n in (1, 2, 4)] == [JOINED, FREE, FREE_TOO]
    desk.open(INCIDENT, "hungyen", [JOINED])
    desk.open(OTHER, "hungyen", [world.fire("hungyen", 1, "198.51.100.3")])
    seen = replaced([Entry("192.0.2.7")])
    national, which = world.stores.accounts.get("national"), Which("scanners", "hungyen")
    put(world.stores, lists_dir, national, which, ListType.IP, seen, reason="scans", now=world.now)
    for id_ in ("s-1", "s-2"):
        surge = Surge(id_, "Tựu trường", NOW + 1, NOW + 2, 300, orgs=("hungyen",))
        world.stores.policies.put(Policy(PolicyKind.SURGE, id_, 1, surge.body(), "national", NOW))
    observed(anomaly_db, [level("hungyen"), level("ninhbinh")])
    noticed(anomaly_db, [unusual("hungyen"), unusual("ninhbinh")])
    for id_ in SAYINGS:
        said = behaviour(id_, "", [unusual("hungyen")])
        world.stores.policies.put(Policy(PolicyKind.HARMLESS, id_, 1, said.body(), "national", NOW, "known"))
    for org in world.alerts:
        world.keys.key(org)  # a person is searched for where there is one


def send(client, world, method, path, sent):
    ids = {
        "alert_id": world.alerts["hungyen"],
        "incident_id": INCIDENT,
        "anomaly_id": world.anomalies.list(Scope(frozenset({"hungyen"})))[0].id,
        "series_id": series_id("otp-delivery", "hungyen", ("viettel",)),
        "event_id": world.events["hungyen"][3].id,
        "source_id": "hungyen-otp" if path.endswith("/token") else "hungyen-portal",
        "rule_id": "web-sqli",
        "language": "en",
        "exception_id": "x-1" if path.startswith("/api/") else "y-1",
        "job_id": world.series_job if "/series/" in path else world.job,
        "name": "scanners",
        "surge_id": "s-1" if path.startswith("/api/") else "s-2",
        "act": "stop",
        "item_id": unusual("hungyen").id,
        "saying_id": SAYINGS[path.startswith("/api/")],
        "route_id": "route-hungyen",
        "delivery_id": delivery_id("route-hungyen", world.alerts["hungyen"], "raised"),
    }
    return client.request(method, path.format(**ids), **sent)


def ask_all(client, world, cases):
    """Every case in turn, as (method, route): answer."""
    return {(method, path): send(client, world, method, path, sent) for method, path, _, sent in cases}


def test_nobody_is_let_in(client_of, world):
    answers = ask_all(client_of(None), world, [case for case in CASES if case[2]])
    for (_, path), answer in answers.items():
        assert "203.0.113.7" not in answer.text
        if path.startswith("/api/"):
            assert answer.status_code == 401, path
            assert answer.headers["content-type"] == "application/problem+json"
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/sign-in?next=")


def test_some_routes_are_for_everybody(client_of, world):
    for path, answer in ask_all(client_of(None), world, [case for case in CASES if not case[2]]).items():
        assert answer.status_code in (200, 303, 401), path  # 401: these credentials are wrong
        assert "203.0.113.7" not in answer.text


@both_stores
@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_its_own(client_of, world, role):
    cases = [case for case in CASES if case[2]]
    answers = ask_all(client_of(role), world, cases)
    for method, path, lowest, _ in cases:
        answer = answers[method, path]
        if ROLES.index(role) >= ROLES.index(lowest):
            assert answer.status_code in (200, 201, 202, 204, 303), path
            assert not answer.headers.get("location", "").startswith("/sign-in?")
        else:
            assert answer.status_code == 403, path


@both_stores
def test_another_organisation_does_not_exist(client_of, world):
    answers = ask_all(client_of("outsider"), world, [case for case in CASES if case[2]])
    for (method, path), answer in answers.items():
        theirs = ("{" in path and not any(name in path for name in SHARED)) or (method, path) in (
            *NAMING_THEIRS,
            *ENROLLING,
        )
        expected = (403,) if (method, path) in NOT_THEIRS else (404,) if theirs else (200, 201, 202, 204, 303)
        assert answer.status_code in expected, path
        # What was asked for may be repeated; nothing else.
        asked = re.sub(
            "(no source |không có nguồn |/sources/)hungyen-(portal|otp)|(no route|không có quy tắc thông báo) route-hungyen|"
            'name="orgs?" value="hungyen"|org%3Dhungyen',
            "",
            answer.text,
        )
        assert "hungyen" not in asked, path
    assert world.stores.triage.history(world.alerts["hungyen"]) == []


FILTERS = ("org=hungyen", "text=hungyen", "status=all", "q=organization.id:hungyen", "q=NOT x")


@both_stores
def test_no_filter_reaches_another_organisation(client_of, world):
    client = client_of("outsider")
    for path in ("/api/v1/alerts", "/api/v1/events", "/alerts", "/events"):
        for query in FILTERS:
            answer = client.get(f"{path}?{query}", headers={"accept-language": "en"})
            found = answer.text.replace(query.partition("=")[2], "")
            assert "hungyen-portal" not in found, (path, query)
            if path.startswith("/api/") and answer.status_code == 200:
                assert all(item["org"] == "ninhbinh" for item in answer.json()["items"]), (path, query)


@both_stores
def test_a_disabled_account_is_nobody_at_once(client_of, signed_in, world):
    browser, program = signed_in("analyst"), client_of("analyst")
    assert browser.get("/api/v1/session").status_code == program.get("/api/v1/session").status_code == 200
    account = world.stores.accounts.get("analyst")
    world.stores.accounts.put(replace(account, disabled=True), None, by="test")
    assert browser.get("/api/v1/session").status_code == program.get("/api/v1/session").status_code == 401
