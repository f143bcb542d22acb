"""Events, rules, sources, health."""

from __future__ import annotations

import pytest

from soc.model.event import iso
from soc.model.ledger import Deeds, Entries


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 25),
        ("source.ip:203.0.113.0/24", 25),
        ("source.ip:192.0.2.0/24", 0),
        ('url.query:"id=3 UNION SELECT 1"', 1),
        ("union", 25),
        ("since=2026-03-02T11:00:20Z", 5),
        ("until=2026-03-02T11:00:05Z", 5),
    ],
)
def test_search(client_of, query, found):
    params = dict([query.split("=", 1)]) if query.startswith(("since", "until")) else {"q": query}
    page = client_of("viewer").get("/api/v1/events", params=params | {"limit": 100}).json()
    assert len(page["items"]) == found
    assert page["next"] is None


def test_search_walks_by_cursor(client_of, world):
    client, seen, cursor = client_of("viewer"), [], ""
    while cursor is not None:
        page = client.get(f"/api/v1/events?limit=7{cursor}").json()
        seen += [event["id"] for event in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert seen == sorted((e.id for e in world.events["hungyen"]), reverse=True)


def test_a_search_that_cannot_be_read_says_where(client_of):
    answer = client_of("viewer").get("/api/v1/events", params={"q": "source.ip:("})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:govsoc:problem:query-error"
    assert answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/alerts"])
@pytest.mark.parametrize("cursor", ["x", "%00", "AAAA", "9" * 200, "zzzz", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTp4"])
def test_a_made_up_cursor_is_refused_or_harmless(client_of, path, cursor):
    assert client_of("viewer").get(f"{path}?cursor={cursor}").status_code in (200, 400)


def test_neighbours(client_of, world):
    events = world.events["hungyen"]
    page = client_of("viewer").get(f"/api/v1/events/{events[5].id}/neighbours?each_side=2").json()
    assert [e["id"] for e in page["before"]] == [events[3].id, events[4].id]
    assert [e["id"] for e in page["after"]] == [events[6].id, events[7].id]


def test_rules_with_faults_and_counts(client_of):
    rules = client_of("viewer").get("/api/v1/rules").json()
    assert [(r["id"], r["alerts"], r["text"]) for r in rules["items"]] == [("web-sqli", 1, None)]
    assert rules["faults"] == [
        {"reason": "no detection: add one", "path": "portal/broken.yml", "line": 7, "rule_id": None},
        {
            "reason": "the id web-sqli is already taken by portal/web-sqli.yml:3",
            "path": "web/twice.yml",
            "line": 2,
            "rule_id": None,
        },
    ]
    assert client_of("viewer").get("/api/v1/rules/web-sqli").json()["text"].startswith("title:")
    assert client_of("viewer").get("/api/v1/rules/gone").status_code == 404


def test_nobody_is_told_where_the_server_keeps_its_rules(client_of, world):
    client, alert = client_of("national"), world.alerts["hungyen"]
    assert client.get(f"/api/v1/alerts/{alert}").json()["rule"]["path"] == "portal/web-sqli.yml"
    assert client.get("/api/v1/rules/web-sqli").json()["path"] == "portal/web-sqli.yml"
    for page in ("/rules", "/rules/web-sqli", f"/alerts/{alert}", "/api/v1/rules", "/api/v1/health"):
        assert "govsoc/rules" not in client.get(page).text, page


def test_sources_with_health(client_of):
    (source,) = client_of("viewer").get("/api/v1/sources").json()["items"]
    assert (source["id"], source["state"], source["rate"], source["dead"]) == ("hungyen-portal", "live", 12.5, 3)
    assert source["last_event"] == "2026-03-02T11:59:58.000Z"
    assert client_of("viewer").get("/api/v1/sources/hungyen-portal").json() == source


def test_health(client_of):
    health = client_of("national").get("/api/v1/health").json()
    assert health["version"] == "1.2.3"
    assert (health["rules"], health["rule_faults"]) == (1, 2)
    assert health["alerts"] == {"new": 2, "acknowledged": 0, "closed": 0}
    assert health["sources"] == {"live": 1, "late": 0, "silent": 0, "never_seen": 1, "exempt": 0, "disabled": 0}


def test_the_ledger_of_a_rule_by_hour_and_minute_for_whom_it_concerns(client_of, world):
    hour = world.now - world.now % 3_600_000
    done = Entries(
        {("web-sqli", "hungyen"): Deeds(3, 1, 2), ("web-sqli", "ninhbinh"): Deeds(9, 9)},
        {("web", "hungyen"): 100, ("web", "ninhbinh"): 50, ("", "hungyen"): 4},
        {"web": ("web-sqli",)},
    )
    world.detections.commit([], {}, {}, {}, None, world.now, (), done)
    path = "/api/v1/rules/web-sqli/ledger"
    ours = client_of("viewer").get(path).json()
    assert [(one["at"], one["seen"], one["matched"], one["hidden"]) for one in ours["items"]] == [
        (iso(hour), 100, 3, 2)
    ]
    assert ours["unread"] == 4
    minutes = client_of("viewer").get(path, params={"per": "minute"}).json()["items"]
    assert [(one["seen"], one["folded"]) for one in minutes] == [(None, 1)]
    assert client_of("viewer").get(path, params={"org": "ninhbinh"}).json()["items"] == []
    assert client_of("viewer").get(path, params={"until": iso(hour)}).json()["items"] == []
    assert client_of("viewer").get("/api/v1/rules/gone/ledger").status_code == 404
    listed = client_of("viewer").get("/api/v1/rules").json()["items"][0]["stats"]
    assert listed == {"seen": 100, "matched": 3, "hidden": 2, "last_match": iso(hour), "last_run": iso(hour)}
    page = client_of("viewer").get("/rules/web-sqli", headers={"accept-language": "en"}).text
    for text in ("What became of what it saw", ">100<", "4 events could not be read"):
        assert text in page
    assert ">3<" in client_of("viewer").get("/rules").text
