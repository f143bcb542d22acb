from __future__ import annotations

import pytest

from soc.model.alert import Status
from soc.model.org import EVERYTHING

OWN = "0123456789abcdef01234567"
BASE = "/api/v1/incidents"


@pytest.fixture
def alerts(world):
    """Three alerts of Hưng Yên and one of Ninh Bình."""
    return [world.fire("hungyen", 1, f"198.51.100.{n}") for n in range(3)] + [world.fire("ninhbinh", 1, "198.51.100.9")]


@pytest.fixture
def analyst(client_of):
    return client_of("analyst")


def made(client, alerts, title="SQL injection vào cổng dịch vụ công", **more):
    answer = client.post(BASE, json={"title": title, "alerts": alerts} | more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def ids(answer):
    return sorted(alert["id"] for alert in answer["alerts"]["items"])


def test_from_alerts_to_closed_and_back(analyst, client_of, alerts):
    incident = made(analyst, alerts[:2])
    assert (incident["status"], incident["orgs"], incident["version"]) == ("open", ["hungyen"], 1)
    path = f"{BASE}/{incident['id']}"
    assert ids(client_of("viewer").get(path).json()) == sorted(alerts[:2])
    assert client_of("viewer").get(BASE).json()["items"] == [incident]
    taken = analyst.patch(path, json={"version": 1, "title": "Cổng", "assignee": "analyst", "comment": "đang xem"})
    assert (taken.json()["title"], taken.json()["assignee"], taken.json()["version"]) == ("Cổng", "analyst", 2)
    closed = analyst.patch(path, json={"version": 2, "status": "closed", "verdict": "true_positive"}).json()
    assert (closed["status"], closed["verdict"]) == ("closed", "true_positive")
    assert {a["status"] for a in analyst.get(path).json()["alerts"]["items"]} == {"closed"}
    assert [len(analyst.get(f"{BASE}?status={s}").json()["items"]) for s in ("open", "closed")] == [0, 1]
    again = analyst.patch(path, json={"version": 3, "status": "open", "assignee": None}).json()
    assert (again["status"], again["verdict"], again["assignee"]) == ("open", None, None)
    history = client_of("viewer").get(f"{path}/history").json()["items"]
    assert [(line["field"], line["new"]) for line in history] == [
        ("title", incident["title"]),
        ("alerts", ", ".join(alerts[:2])),
        ("title", "Cổng"),
        ("assignee", "analyst"),
        ("comment", "đang xem"),
        ("status", "closed"),
        ("verdict", "true_positive"),
        ("status", "open"),
        ("verdict", None),
        ("assignee", None),
    ]
    assert {line["incident"] for line in history} == {incident["id"]}


def test_alerts_come_and_go(analyst, alerts):
    path = f"{BASE}/{made(analyst, alerts[:1])['id']}"
    assert analyst.post(f"{path}/alerts", json={"alerts": alerts[1:3]}).status_code == 200
    assert analyst.post(f"{path}/alerts", json={"alerts": alerts[1:3]}).status_code == 200
    assert analyst.delete(f"{path}/alerts/{alerts[0]}").status_code == 200
    assert ids(analyst.get(path).json()) == sorted(alerts[1:3])
    assert analyst.get(f"/api/v1/alerts/{alerts[0]}").json()["incident"] is None
    listed = analyst.get(f"/api/v1/alerts?incident={path.rpartition('/')[2]}").json()["items"]
    assert {alert["incident"] for alert in listed} == {path.rpartition("/")[2]}
    history = analyst.get(f"/api/v1/alerts/{alerts[0]}/history").json()["items"]
    assert [line["field"] for line in history] == ["incident", "incident"]


def test_merge_and_split(analyst, alerts):
    one, two = made(analyst, alerts[:2], "Một"), made(analyst, alerts[2:3], "Hai")
    merged = analyst.post(f"{BASE}/{two['id']}/merge", json={"incident": one["id"]})
    assert (merged.status_code, merged.json()["id"]) == (200, two["id"])
    assert analyst.get(f"{BASE}/{one['id']}").json()["merged_into"] == two["id"]
    assert ids(analyst.get(f"{BASE}/{two['id']}").json()) == sorted(alerts[:3])
    assert {line["incident"] for line in analyst.get(f"{BASE}/{two['id']}/history").json()["items"]} == {
        one["id"],
        two["id"],
    }
    split = analyst.post(f"{BASE}/{two['id']}/split", json={"id": OWN, "title": "Riêng", "alerts": alerts[:1]})
    assert (split.status_code, split.json()["id"]) == (201, OWN)
    assert ids(analyst.get(f"{BASE}/{OWN}").json()) == alerts[:1]
    assert ids(analyst.get(f"{BASE}/{two['id']}").json()) == sorted(alerts[1:3])


def test_a_request_with_an_id_of_ones_own_may_be_sent_again(analyst, client_of, alerts):
    assert made(analyst, alerts[:1], id=OWN) == made(analyst, alerts[:1], id=OWN)
    assert len(analyst.get(BASE).json()["items"]) == 1
    other = client_of("admin").post(BASE, json={"id": OWN, "title": "Khác", "alerts": alerts[1:2]})
    assert (other.status_code, other.json()["type"]) == (409, "urn:govsoc:problem:conflict")


def test_alerts_of_an_incident_come_in_pages(analyst, world):
    many = [world.fire("hungyen", 1, f"198.51.100.{n}") for n in range(7)]
    path, seen, cursor = f"{BASE}/{made(analyst, many)['id']}", [], ""
    while cursor is not None:
        page = analyst.get(f"{path}?limit=3{cursor}").json()["alerts"]
        seen += [alert["id"] for alert in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert sorted(seen) == sorted(many)


def test_what_collides_is_409_with_the_reason(analyst, client_of, alerts):
    one, two = made(analyst, alerts[:1]), made(analyst, alerts[1:2])
    analyst.patch(f"{BASE}/{one['id']}", json={"version": 1, "title": "x"})
    late = client_of("admin").patch(f"{BASE}/{one['id']}", json={"version": 1, "title": "y"})
    held = analyst.post(f"{BASE}/{two['id']}/alerts", json={"alerts": alerts[:1]})
    again = analyst.post(BASE, json={"title": "x", "alerts": alerts[:1]})
    assert [a.status_code for a in (late, held, again)] == [409] * 3
    assert "analyst changed this incident" in late.json()["detail"]
    assert f"in incident {one['id']}" in held.json()["detail"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"status": "closed"}, "closing needs a verdict"),
        ({"verdict": "benign"}, "given when an incident is closed"),
        ({"assignee": "viewer"}, "give it to an analyst"),
        ({"title": "  "}, "body.title"),
        ({"title": "x" * 201}, "body.title"),
        ({"comment": "x" * 4001}, "body.comment"),
        ({"orgs": []}, "body.orgs"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(analyst, alerts, body, reason):
    incident = made(analyst, alerts[:1])
    answer = analyst.patch(f"{BASE}/{incident['id']}", json={"version": 1} | body)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]
    assert analyst.get(f"{BASE}/{incident['id']}").json()["version"] == 1


@pytest.mark.parametrize(
    "body",
    [{"alerts": []}, {"alerts": ["f" * 24] * 101}, {"alerts": ["x"]}, {"alerts": ["f" * 24], "id": "../x"}, {}],
)
def test_an_incident_has_between_1_and_100_alerts_at_first(analyst, body):
    assert analyst.post(BASE, json={"title": "x"} | body).status_code == 422


class TestTenants:
    """Each route, for who may see one of the two organisations of an incident, and for who may see neither."""

    @pytest.fixture
    def both(self, client_of, alerts):
        return made(client_of("national"), [alerts[0], alerts[3]], id=OWN)

    @pytest.fixture
    def routes(self, alerts):
        path = f"{BASE}/{OWN}"
        return [
            ("GET", path, None),
            ("GET", f"{path}/history", None),
            ("PATCH", path, {"version": 1, "title": "x"}),
            ("PATCH", path, {"version": 1, "status": "closed", "verdict": "benign"}),
            ("POST", f"{path}/alerts", {"alerts": [alerts[1]]}),
            ("DELETE", f"{path}/alerts/{alerts[0]}", None),
            ("DELETE", f"{path}/alerts/{alerts[3]}", None),
            ("POST", f"{path}/split", {"title": "x", "alerts": [alerts[0]]}),
            ("POST", f"{path}/merge", {"incident": "f" * 24}),
            ("POST", BASE, {"title": "x", "alerts": [alerts[0], alerts[3]]}),
        ]

    @pytest.mark.parametrize("who", ["admin", "analyst", "outsider"])
    def test_it_does_not_exist(self, client_of, world, alerts, both, routes, who):
        client = client_of(who)
        for method, path, body in routes:
            answer = client.request(method, path, json=body) if body else client.request(method, path)
            assert answer.status_code == 404, (method, path)
            assert both["title"] not in answer.text
        assert client.get(BASE).json()["items"] == []
        assert client_of("national").get(f"{BASE}/{OWN}").json()["version"] == 1
        assert world.stores.alerts.get(alerts[0], EVERYTHING).triage.status is Status.NEW

    def test_nothing_of_it_comes_by_way_of_an_incident_of_ones_own(self, client_of, alerts, both):
        analyst = client_of("analyst")
        mine = f"{BASE}/{made(analyst, [alerts[1]])['id']}"
        assert analyst.post(f"{mine}/merge", json={"incident": OWN}).status_code == 404
        assert analyst.post(f"{mine}/alerts", json={"alerts": [alerts[3]]}).status_code == 404
        assert analyst.post(f"{mine}/alerts", json={"alerts": [alerts[0]]}).status_code == 409
        assert analyst.post(BASE, json={"id": OWN, "title": both["title"], "alerts": [alerts[2]]}).status_code == 409
        listed = analyst.get(f"/api/v1/alerts?incident={OWN}").json()["items"]
        assert [alert["id"] for alert in listed] == [alerts[0]]
        assert ids(client_of("national").get(f"{BASE}/{OWN}").json()) == sorted([alerts[0], alerts[3]])


def test_a_snooze_needs_a_reason_and_an_end(analyst, world):
    path = f"/api/v1/alerts/{world.alerts['hungyen']}"
    until, why = "2026-03-03T07:00:00+07:00", {"snooze_reason": "chờ nhà mạng trả lời"}
    for body, reason in (
        ({"snoozed_until": until}, "needs a reason"),
        (why, "until when"),
        ({"snoozed_until": "2026-03-02T12:00:00Z"} | why, "ends after now"),
        ({"snoozed_until": "2026-09-02T12:00:00Z"} | why, "within 90 days"),
        ({"snoozed_until": until, "status": "closed", "verdict": "benign"} | why, "cannot be snoozed"),
        ({"snoozed_until": "2026-03-03T07:00:00"} | why, "body.snoozed_until"),
    ):
        refused = analyst.patch(path, json={"version": 0} | body)
        assert (refused.status_code, reason in refused.json()["detail"]) == (422, True), refused.text
    snoozed = analyst.patch(path, json={"version": 0, "snoozed_until": until} | why).json()
    assert (snoozed["snoozed_until"], snoozed["status"]) == ("2026-03-03T00:00:00.000Z", "new")
    assert analyst.get("/api/v1/alerts?awake=true").json()["items"] == []
    assert len(analyst.get("/api/v1/alerts").json()["items"]) == 1
    world.now += 12 * 3_600_000
    assert len(analyst.get("/api/v1/alerts?awake=true").json()["items"]) == 1
    woken = analyst.patch(path, json={"version": 1, "snoozed_until": None}).json()
    assert woken["snoozed_until"] is None
    page = analyst.get(f"/alerts/{world.alerts['hungyen']}", headers={"accept-language": "vi"}).text
    assert "tạm hoãn đến <em>07:00:00 03/03/2026</em>" in page
    assert "kết thúc tạm hoãn" in page
