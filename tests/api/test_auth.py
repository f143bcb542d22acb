from __future__ import annotations

import re

import pytest

from api.auth import COOKIE
from api.passwords import digest, hash_password, verify
from rules.desk.tuning import Tuning
from rules.lists.known import Lists
from soc.store.anomalies import SqliteAnomalies

PASSWORD = "a password of the tests"


def sign_in(client, name="analyst", password=PASSWORD):
    return client.post("/api/v1/session", json={"account": name, "password": password})


def test_a_password_gives_a_session_whose_secret_is_not_stored(client_of, world):
    client = client_of()
    answer = sign_in(client)
    assert (answer.status_code, answer.json()) == (201, {"name": "analyst", "role": "analyst", "orgs": ["hungyen"]})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    secret = client.cookies[COOKIE]
    assert world.stores.accounts.by_session(secret, now=world.now) is None
    assert world.stores.accounts.by_session(digest(secret), now=world.now).name == "analyst"
    assert client.get("/api/v1/session").json()["name"] == "analyst"


def test_over_https_the_cookie_is_secure(world, tmp_path):
    from fastapi import Response

    from api.auth import keep_session
    from api.state import state_of
    from soc.backtest.jobs import Jobs
    from soc.store.levels import SqliteLevels
    from soc.store.unusual import SqliteUnusual

    state = state_of(
        world.stores,
        clock=world.clock,
        cookie_secure=True,
        jobs=Jobs(tmp_path, (), {}),
        tuning=Tuning,
        lists_dir=tmp_path,
        known_lists=Lists,
        levels=SqliteLevels(tmp_path / "anomaly.db"),
        anomalies=SqliteAnomalies(tmp_path),
        unusual=SqliteUnusual(tmp_path / "anomaly.db"),
    )
    response = Response()
    keep_session(state, response, "secret")
    assert "Secure" in response.headers["set-cookie"]


def test_signing_out_ends_the_session_on_the_server(client_of):
    client = client_of()
    sign_in(client)
    secret = client.cookies[COOKIE]
    assert client.delete("/api/v1/session").status_code == 204
    client.cookies.set(COOKIE, secret)
    assert client.get("/api/v1/session").status_code == 401


def test_a_session_ends_by_itself(client_of, world):
    client = client_of()
    sign_in(client)
    world.now += 12 * 3600 * 1000
    assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize(("name", "password"), [("analyst", "wrong"), ("nobody", PASSWORD), ("", ""), ("analyst", "")])
def test_wrong_names_and_wrong_passwords_look_the_same(client_of, name, password):
    answer = sign_in(client_of(), name, password)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "name or password is wrong"


def test_guessing_is_stopped_for_the_pair_of_account_and_address(client_of, world):
    client = client_of()
    assert [sign_in(client, password="wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    refused = sign_in(client)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 301
    assert sign_in(client, "viewer").status_code == 201  # somebody else at the same address
    world.now += 301_000
    assert sign_in(client).status_code == 201


def test_signing_in_is_audited_and_unknown_names_are_not_written_down(client_of, world):
    client = client_of()
    sign_in(client)
    sign_in(client, password="wrong")
    sign_in(client, "my secret password", "x")
    entries = [(e.action, e.by) for e in world.stores.audit.list(limit=3).items]
    assert entries == [("sign-in-failed", ""), ("sign-in-failed", "analyst"), ("sign-in", "analyst")]


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic a2V5", "Bearer key-analyst extra", "\xff"])
def test_a_wrong_key_is_nobody_even_beside_a_good_session(signed_in, header):
    client = signed_in("analyst")
    answer = client.get("/api/v1/session", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == (401 if header.startswith("Bearer ") and header.strip() != "Bearer" else 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),  # a program
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://testserver"}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://testserver:81"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[broken"}, 403),
    ],
)
def test_another_site_cannot_change_anything_with_the_cookie(signed_in, world, headers, status):
    client = signed_in("analyst")
    answer = client.post(f"/api/v1/alerts/{world.alerts['hungyen']}/comments", json={"comment": "x"}, headers=headers)
    assert answer.status_code == status
    assert len(world.stores.triage.history(world.alerts["hungyen"])) == (status == 201)


def test_passwords():
    stored = hash_password("một mật khẩu dài")
    assert stored.startswith("$argon2id$")
    assert verify(stored, "một mật khẩu dài")
    assert not verify(stored, "một mật khẩu khác")
    assert not verify(None, "anything")
    assert not verify("not a hash", "anything")


@pytest.mark.parametrize(
    ("address", "headers", "account", "status"),
    [
        ("127.0.0.1", {}, None, 200),
        ("::1", {}, None, 200),
        ("127.0.0.1", {"X-Forwarded-For": "198.51.100.1"}, None, 401),
        ("198.51.100.1", {}, None, 401),
        ("198.51.100.1", {}, "admin", 403),
        ("198.51.100.1", {}, "national", 200),
    ],
)
def test_metrics_are_for_this_machine_and_for_who_sees_everything(client_of, address, headers, account, status):
    client = client_of(account)
    client._transport.client = (address, 50_000)
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("soc_api_request_seconds" in answer.text) == (status == 200)


def test_who_asks_for_openmetrics_hears_of_single_requests(client_of):
    client = client_of(None)
    client._transport.client = ("127.0.0.1", 50_000)
    client.get("/livez")
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert re.search(r'soc_api_request_seconds_bucket\{.*\} \S+ # \{request_id="[0-9a-f]{16}"\}', answer.text)
    assert "request_id" not in client.get("/metrics").text
