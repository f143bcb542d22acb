from __future__ import annotations

import pytest
from servers import both_stores


def change(client, alert, **body):
    return client.patch(f"/api/v1/alerts/{alert}", json={"version": 0} | body)


def test_an_alert_with_its_rule(client_of, world):
    alert = client_of("viewer").get(f"/api/v1/alerts/{world.alerts['hungyen']}").json()
    assert (alert["count"], alert["entity"], alert["org"], alert["status"]) == (25, "203.0.113.7", "hungyen", "new")
    assert (alert["first_seen"], alert["last_seen"]) == ("2026-03-02T11:00:00.000Z", "2026-03-02T11:00:24.000Z")
    assert alert["titles"]["vi"] == "Dấu hiệu tấn công SQL injection"
    assert alert["rule"]["runbook"]["en"].startswith("1. Look at")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 1),
        ("level=high", 1),
        ("level=low", 0),
        ("status=new", 1),
        ("status=closed", 0),
        ("rule_id=web-sqli", 1),
        ("entity=203.0.113.7", 1),
        ("assignee=analyst", 0),
        ("text=tan cong", 1),
        ("text=TẤN 203.0", 1),
        ("text=ssh", 0),
        ("since=2026-03-02T11:00:24Z", 1),
        ("since=2026-03-02T18:00:25%2B07:00", 0),
        ("until=2026-03-02T11:00:24Z", 0),
    ],
)
def test_filters(client_of, query, found):
    assert len(client_of("viewer").get(f"/api/v1/alerts?{query}").json()["items"]) == found


@pytest.mark.parametrize("text", ["", "&text=injection", "&text=198.51.100.1"])
def test_walking_the_pages_gives_every_alert_once(client_of, world, text):
    made = {world.alerts["hungyen"]} | {world.fire("hungyen", 1, f"198.51.100.{i}") for i in range(20)}
    if "198" in text:
        made = {a for a in made if world.stores.alerts.get(a, scope_all()).entity.startswith("198.51.100.1")}
    client, seen, cursor = client_of("viewer"), [], ""
    while True:
        page = client.get(f"/api/v1/alerts?limit=3{text}{cursor}").json()
        assert len(page["items"]) <= 3
        seen += [alert["id"] for alert in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == sorted(made)


def scope_all():
    from soc.model.org import EVERYTHING

    return EVERYTHING


@both_stores
def test_triage_from_new_to_closed_and_back(client_of, world):
    client, alert = client_of("analyst"), world.alerts["hungyen"]
    taken = change(client, alert, status="acknowledged", assignee="analyst").json()
    assert (taken["status"], taken["assignee"], taken["version"], taken["updated_by"]) == (
        "acknowledged",
        "analyst",
        1,
        "analyst",
    )
    closed = change(client, alert, version=1, status="closed", verdict="benign", comment="planned test").json()
    assert (closed["status"], closed["verdict"]) == ("closed", "benign")
    again = change(client, alert, version=2, status="new", assignee=None).json()
    assert (again["status"], again["verdict"], again["assignee"]) == ("new", None, None)
    history = client.get(f"/api/v1/alerts/{alert}/history").json()["items"]
    assert [(h["field"], h["new"]) for h in history] == [
        ("status", "acknowledged"),
        ("assignee", "analyst"),
        ("status", "closed"),
        ("verdict", "benign"),
        ("comment", "planned test"),
        ("status", "new"),
        ("verdict", None),
        ("assignee", None),
    ]
    assert {h["by"] for h in history} == {"analyst"}


@both_stores
def test_the_second_of_two_people_hears_of_the_first(client_of, world):
    alert = world.alerts["hungyen"]
    assert change(client_of("analyst"), alert, status="acknowledged").status_code == 200
    late = change(client_of("admin"), alert, status="closed", verdict="false_positive")
    assert late.status_code == 409
    assert "analyst changed this alert" in late.json()["detail"]
    assert client_of("viewer").get(f"/api/v1/alerts/{alert}").json()["status"] == "acknowledged"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"status": "closed"}, "closing needs a verdict"),
        ({"verdict": "benign"}, "only a closed alert has a verdict"),
        ({"status": "acknowledged", "verdict": "benign"}, "only a closed alert has a verdict"),
        ({"assignee": "nobody"}, "no such account"),
        ({"assignee": "outsider"}, "not for this organisation"),
        ({"assignee": "viewer"}, "give it to an analyst"),
        ({"status": "gone"}, "body.status"),
        ({"version": -1}, "body.version"),
        ({"comment": "   "}, "body.comment"),
        ({"comment": "x" * 4001}, "body.comment"),
        ({"colour": "red"}, "body.colour"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(client_of, world, body, reason):
    answer = change(client_of("analyst"), world.alerts["hungyen"], **body)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]
    assert world.stores.triage.history(world.alerts["hungyen"]) == []


def test_a_closed_alert_may_get_another_verdict(client_of, world):
    client, alert = client_of("analyst"), world.alerts["hungyen"]
    change(client, alert, status="closed", verdict="benign")
    assert change(client, alert, version=1, verdict="true_positive").json()["verdict"] == "true_positive"


def test_acknowledging_a_closed_alert_keeps_the_verdict_and_says_how_to_reopen(client_of, world):
    client, alert = client_of("analyst"), world.alerts["hungyen"]
    change(client, alert, status="closed", verdict="false_positive")
    refused = change(client, alert, version=1, status="acknowledged")
    assert (refused.status_code, refused.json()["detail"]) == (422, "it is closed as false positive: reopen it first")
    assert client.get(f"/api/v1/alerts/{alert}").json()["verdict"] == "false_positive"
    assert change(client, alert, status="acknowledged").status_code == 409  # had not seen it closed
    assert change(client, alert, version=1, status="new").json()["verdict"] is None
    assert change(client, alert, version=2, status="acknowledged").json()["status"] == "acknowledged"


def test_comments(client_of, world):
    alert = world.alerts["hungyen"]
    answer = client_of("analyst").post(f"/api/v1/alerts/{alert}/comments", json={"comment": "đã gọi điện"})
    assert answer.status_code == 201
    assert [c.new for c in world.stores.triage.history(alert)] == ["đã gọi điện"]


@both_stores
def test_every_folded_event_is_reachable_with_what_fired(client_of, world):
    client, seen, cursor = client_of("viewer"), [], ""
    while cursor is not None:
        page = client.get(f"/api/v1/alerts/{world.alerts['hungyen']}/findings?limit=10{cursor}").json()
        seen += page["items"]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert [f["event_id"] for f in seen] == [e.id for e in world.events["hungyen"]]
    assert all(f["event"]["fields"]["url.query"] == f["matched"]["url.query"] for f in seen)
