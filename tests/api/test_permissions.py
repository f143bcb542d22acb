"""Every route, for everybody: nobody, three roles, and another organisation's administrator."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fastapi.routing import iter_route_contexts

pytestmark = pytest.mark.usefixtures("pushed")
ROLES = ("viewer", "analyst", "admin")
NEW_SOURCE = {"id": "new-1", "org": "hungyen", "type": "nginx.access", "transport": "push"}
DECISION = {"version": 0, "status": "acknowledged"}
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
    ("GET", "/api/v1/events"): ("viewer", {}),
    ("GET", "/api/v1/events/{event_id}"): ("viewer", {}),
    ("GET", "/api/v1/events/{event_id}/neighbours"): ("viewer", {}),
    ("GET", "/api/v1/rules"): ("viewer", {}),
    ("GET", "/api/v1/rules/{rule_id}"): ("viewer", {}),
    ("GET", "/api/v1/sources"): ("viewer", {}),
    ("GET", "/api/v1/sources/{source_id}"): ("viewer", {}),
    ("POST", "/api/v1/sources"): ("admin", {"json": NEW_SOURCE}),
    ("POST", "/api/v1/sources/preview"): ("analyst", {"content": "a line"}),
    ("PATCH", "/api/v1/sources/{source_id}"): ("admin", {"json": {"enabled": True}}),
    ("POST", "/api/v1/sources/{source_id}/token"): ("admin", {}),
    ("DELETE", "/api/v1/sources/{source_id}/token"): ("admin", {}),
    ("GET", "/api/v1/sources/{source_id}/check"): ("viewer", {}),
    ("GET", "/api/v1/sources/{source_id}/config"): ("viewer", {}),
    ("GET", "/api/v1/health"): ("viewer", {}),
    ("GET", "/alerts"): ("viewer", {}),
    ("GET", "/alerts/{alert_id}"): ("viewer", {}),
    ("POST", "/alerts/{alert_id}/triage"): ("analyst", {"data": {"action": "comment", "comment": "seen"}}),
    ("GET", "/events"): ("viewer", {}),
    ("GET", "/events/{event_id}"): ("viewer", {}),
    ("GET", "/sources"): ("viewer", {}),
    ("GET", "/sources/new"): ("analyst", {}),
    ("POST", "/sources/new/preview"): ("analyst", {"files": {"file": b"a line"}}),
    ("POST", "/sources/new"): ("admin", {"data": NEW_SOURCE | {"name": "new-2"}}),
    ("GET", "/sources/{source_id}"): ("viewer", {}),
    ("GET", "/sources/{source_id}/check"): ("viewer", {}),
    ("POST", "/sources/{source_id}/token"): ("admin", {"data": {"action": "renew"}}),
    ("POST", "/sources/{source_id}/enabled"): ("admin", {"data": {"enabled": "true"}}),
    ("GET", "/rules"): ("viewer", {}),
    ("GET", "/rules/{rule_id}"): ("viewer", {}),
    # Tested in test_live.py, as it never ends, and in test_auth.py, as it asks where the request comes from.
    ("GET", "/api/v1/alerts/stream"): None,
    ("GET", "/metrics"): None,
}
# What belongs to no organisation: rules are everybody's.
ENROLLING = (("POST", "/api/v1/sources"), ("POST", "/sources/new"))  # for an organisation that the body names
SHARED = ("rule_id", "language")
CASES = [(method, path, *case) for (method, path), case in ROUTES.items() if case]


def test_every_route_is_in_the_table(app):
    routes = {
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in (getattr(route, "methods", None) or ())
        if method != "HEAD"
    }
    assert routes == set(ROUTES)


def send(client, world, method, path, sent):
    ids = {
        "alert_id": world.alerts["hungyen"],
        "event_id": world.events["hungyen"][3].id,
        "source_id": "hungyen-otp" if path.endswith("/token") else "hungyen-portal",
        "rule_id": "web-sqli",
        "language": "en",
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


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_its_own(client_of, world, role):
    cases = [case for case in CASES if case[2]]
    answers = ask_all(client_of(role), world, cases)
    for method, path, lowest, _ in cases:
        answer = answers[method, path]
        if ROLES.index(role) >= ROLES.index(lowest):
            assert answer.status_code in (200, 201, 204, 303), path
            assert not answer.headers.get("location", "").startswith("/sign-in?")
        else:
            assert answer.status_code == 403, path


def test_another_organisation_does_not_exist(client_of, world):
    for (method, path), answer in ask_all(client_of("outsider"), world, [case for case in CASES if case[2]]).items():
        theirs = ("{" in path and not any(name in path for name in SHARED)) or (method, path) in ENROLLING
        assert answer.status_code in ((404,) if theirs else (200, 204)), path
        # What was asked for may be repeated; nothing else.
        assert "hungyen" not in re.sub("(no source |/sources/)hungyen-(portal|otp)", "", answer.text), path
    assert world.stores.triage.history(world.alerts["hungyen"]) == []


@pytest.mark.parametrize("query", ["org=hungyen", "text=hungyen", "status=all", "q=organization.id:hungyen", "q=NOT x"])
@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v1/events", "/alerts", "/events"])
def test_no_filter_reaches_another_organisation(client_of, path, query):
    answer = client_of("outsider").get(f"{path}?{query}", headers={"accept-language": "en"})
    found = answer.text.replace(query.partition("=")[2], "")
    assert "hungyen-portal" not in found
    if path.startswith("/api/") and answer.status_code == 200:
        assert all(item["org"] == "ninhbinh" for item in answer.json()["items"])


def test_a_disabled_account_is_nobody_at_once(client_of, signed_in, world):
    browser, program = signed_in("analyst"), client_of("analyst")
    assert browser.get("/api/v1/session").status_code == program.get("/api/v1/session").status_code == 200
    account = world.stores.accounts.get("analyst")
    world.stores.accounts.put(replace(account, disabled=True), None, by="test")
    assert browser.get("/api/v1/session").status_code == program.get("/api/v1/session").status_code == 401
