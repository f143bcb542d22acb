"""The audit is read by administrators of everything, by nobody else."""

from __future__ import annotations

import pytest
from servers import both_stores

from soc.store.base import AuditEntry


@pytest.fixture(autouse=True)
def entries(world):
    for n in range(120):
        world.stores.audit.record(AuditEntry(n, f"an{n % 2}", "alert.change", f"alert-{n}", "<b>status</b>"))
    world.stores.audit.record(AuditEntry(500, "an0", "search.person", "hungyen", "3 tokens"))


@both_stores
def test_it_comes_in_pages_newest_first(client_of):
    client, cursor, got = client_of("national"), None, []
    while True:
        page = client.get("/api/v1/audit", params={"by": "an0", "limit": 25} | ({"cursor": cursor} if cursor else {}))
        got += [(entry["at"], entry["by"]) for entry in page.json()["items"]]
        if (cursor := page.json()["next"]) is None:
            break
    assert got == [(500, "an0"), *((n, "an0") for n in range(118, -1, -2))]
    one = client.get("/api/v1/audit", params={"action": "search.person"}).json()["items"]
    assert [(entry["target"], entry["detail"]) for entry in one] == [("hungyen", "3 tokens")]
    assert client.get("/api/v1/audit", params={"cursor": "x"}).status_code == 400


def test_the_page_shows_it_and_goes_on(client_of):
    text = client_of("national").get("/audit", params={"by": "an1"}).text
    assert "alert-119" in text
    assert "alert-118" not in text
    assert "&lt;b&gt;status&lt;/b&gt;" in text
    assert "by=an1&amp;action=&amp;cursor=" in text
    assert 'href="/audit"' in text


@pytest.mark.parametrize("path", ["/api/v1/audit", "/audit"])
@pytest.mark.parametrize("who", ["viewer", "analyst", "admin", "outsider"])
def test_whoever_does_not_see_everything_sees_none_of_it(client_of, who, path):
    answer = client_of(who).get(path)
    assert answer.status_code == 403
    assert "alert-" not in answer.text
    assert 'href="/audit"' not in client_of(who).get("/alerts").text


def test_nobody_is_let_in(client_of):
    assert client_of(None).get("/api/v1/audit").status_code == 401
    assert client_of(None).get("/audit").status_code == 303
