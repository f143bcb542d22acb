"""Routes, tests and what could not be delivered: by the API and by the console."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from api import notifications
from soc.model.account import Account, Role
from soc.model.alert import Alert
from soc.model.delivery import DeliveryState
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import PolicyKind
from soc.notify.route import route_of

EN = {"accept-language": "en"}
MAIL = {"name": "On duty", "channel": "email", "addresses": ["lan@hungyen.gov.vn"], "orgs": ["hungyen"]}
HOOK = {"name": "Chat", "channel": "webhook", "url": "https://chat.example.vn/hook/token", "orgs": ["hungyen"]}


def routes(world):
    return {policy.id: route_of(policy) for policy in world.stores.policies.list(PolicyKind.ROUTE)}


def audit(world):
    return [(entry.action, entry.target, entry.detail) for entry in world.stores.audit.list(limit=20).items]


def test_a_route_is_made_changed_and_withdrawn(client_of, world):
    client = client_of("admin")
    made = client.post("/api/v1/routes", json=MAIL).json()
    assert (made["secret"], made["level"], made["per_hour"], made["version"]) == (None, "high", 20, 1)
    path = f"/api/v1/routes/{made['id']}"
    changed = client.patch(path, json={"version": 1, "level": "medium", "digest_minutes": 15})
    assert (changed.json()["level"], changed.json()["version"]) == ("medium", 2)
    assert client.patch(path, json={"version": 1, "level": "low"}).status_code == 409
    assert client.delete(f"{path}?version=1").status_code == 409
    assert client.delete(f"{path}?version=2").status_code == 204
    assert client.patch(path, json={"version": 3, "level": "low"}).status_code == 404
    assert made["id"] not in routes(world)
    # What was asked is written down before it is done: also twice what was refused, as somebody else had been first.
    assert [action for action, target, _ in audit(world) if target == made["id"]] == [
        "route.withdraw",
        "route.withdraw",
        "route.change",
        "route.change",
        "route.add",
    ]


def test_the_secret_of_a_webhook_is_shown_once_and_kept_to_sign_with(client_of, signed_in, world):
    client = client_of("admin")
    made = client.post("/api/v1/routes", json=HOOK).json()
    secret = made["secret"]
    assert len(secret) >= 40
    assert routes(world)[made["id"]].secret == secret
    assert secret not in repr(routes(world))
    path = f"/api/v1/routes/{made['id']}"
    later = [
        client.get("/api/v1/routes"),
        client.patch(path, json={"version": 1, "name": "Other"}),
        client.post(f"{path}/test"),
        client.get("/notifications"),
    ]
    for answer in later:
        assert answer.status_code == 200
        assert secret not in answer.text
    assert secret not in str(audit(world))
    assert "token" not in str(audit(world)), "the path of a URL is not written down"
    assert routes(world)[made["id"]].secret == secret


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"addresses": []}, "1 to 20 addresses"),
        ({"addresses": ["lan@x\r\nBcc: a@b.vn"]}, "is no mail address"),
        ({"addresses": ["a@b.vn"], "url": "https://x"}, "has no URL"),
        ({"orgs": ["a b"]}, "is no agency code"),
        ({"name": "a\nb"}, "on one line"),
        ({"level": "worst"}, "body.level"),
        ({"per_hour": 0}, "body.per_hour"),
        ({"digest_minutes": 100_000}, "body.digest_minutes"),
        ({"secret": "mine"}, "body.secret"),
    ],
)
def test_what_is_wrong_with_a_route_is_said(client_of, wrong, said):
    answer = client_of("national").post("/api/v1/routes", json=MAIL | wrong)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x/", "https://", "javascript:alert(1)", "https://user:pw@x.vn/", "https://x.vn/a b", "https://x.vn/\r\nX: y", "https://x:0/",
     "https://x:99999/", "https://x.vn/#a", "https://cổng.vn/", "//x.vn/", "https://[::1/"],
)  # fmt: skip
def test_a_url_that_is_none_is_refused(client_of, url):
    assert client_of("national").post("/api/v1/routes", json=HOOK | {"url": url}).status_code == 422


def test_an_administrator_of_some_organisations_makes_routes_of_these_alone(client_of, world):
    client = client_of("admin")
    for orgs in (["ninhbinh"], ["hungyen", "ninhbinh"], ["hungyen.*"], []):
        answer = client.post("/api/v1/routes", json=MAIL | {"orgs": orgs})
        assert answer.status_code == 403, orgs
    made = client.post("/api/v1/routes", json={name: value for name, value in MAIL.items() if name != "orgs"}).json()
    assert made["orgs"] == ["hungyen"], "left out: all that one may see"
    assert client.patch(f"/api/v1/routes/{made['id']}", json={"version": 1, "orgs": []}).status_code == 403
    assert client.patch(f"/api/v1/routes/{made['id']}", json={"version": 1, "orgs": ["ninhbinh"]}).status_code == 403
    national = client_of("national").post("/api/v1/routes", json=MAIL | {"orgs": []}).json()
    seen = [route["id"] for route in client.get("/api/v1/routes").json()["items"]]
    assert set(seen) == {made["id"], "route-hungyen"}
    for method, path in (("PATCH", ""), ("DELETE", "?version=1"), ("POST", "/test")):
        answer = client.request(method, f"/api/v1/routes/{national['id']}{path}", json={"version": 1})
        assert answer.status_code == 404
    assert world.tests == []


def test_one_tenant_who_fills_its_room_leaves_that_of_the_others(client_of, monkeypatch):
    monkeypatch.setattr(notifications, "MOST_ROUTES", 3)
    admin, outsider = client_of("admin"), client_of("outsider")
    answers = [admin.post("/api/v1/routes", json=MAIL) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201, 201, 422, 422, 422], "there was one before"
    assert "3 routes of your organisations" in answers[-1].json()["detail"]
    assert outsider.post("/api/v1/routes", json=MAIL | {"orgs": ["ninhbinh"]}).status_code == 201
    assert client_of("national").post("/api/v1/routes", json=MAIL | {"orgs": []}).status_code == 201
    made = answers[0].json()
    assert admin.delete(f"/api/v1/routes/{made['id']}?version=1").status_code == 204
    assert admin.post("/api/v1/routes", json=MAIL).status_code == 201
    monkeypatch.setattr(notifications, "MOST_IN_ALL", 4)
    assert "in all" in outsider.post("/api/v1/routes", json=MAIL | {"orgs": ["ninhbinh"]}).json()["detail"]


@pytest.mark.parametrize(
    "after",
    [
        None,
        Account("leaver", Role.ADMIN, Scope(frozenset({"hungyen"})), disabled=True),
        Account("leaver", Role.ANALYST, Scope(frozenset({"hungyen"}))),
        Account("leaver", Role.ADMIN, Scope(frozenset({"ninhbinh"}))),
    ],
    ids=["gone", "off", "no administrator", "of another organisation"],
)
def test_a_route_whose_maker_may_lay_it_down_no_longer_is_shown_and_taken_over(signed_in, client_of, world, after):
    leaver = Account("leaver", Role.ADMIN, Scope(frozenset({"hungyen"})))
    values = {**MAIL, "addresses": tuple(MAIL["addresses"]), "orgs": ("hungyen",)}
    made = notifications.add(world.stores, leaver, values, world.now)
    client = signed_in("admin")

    def shown():
        return {r["id"]: (r["by"], r["orphaned"]) for r in client_of("admin").get("/api/v1/routes").json()["items"]}

    if after:
        world.stores.accounts.put(leaver, None, by="test")
        assert shown()[made.id] == ("leaver", False)
        page = client.get("/notifications", headers=EN).text
        assert "Laid down by leaver" in page
        assert "Take over" not in page
        world.stores.accounts.put(after, None, by="test")
    assert shown()[made.id] == ("leaver", True)
    page = client.get("/notifications", headers=EN).text
    assert "This account is gone" in page
    assert f"/notifications/routes/{made.id}/take-over" in page
    assert form(client, f"/notifications/routes/{made.id}/take-over", version=1).status_code == 303
    assert shown()[made.id] == ("admin", False)
    assert routes(world)[made.id].since == made.since, "it goes on as it was"


def test_a_route_tells_of_what_is_raised_from_now_on(client_of, world):
    client = client_of("national")
    made = client.post("/api/v1/routes", json=MAIL | {"orgs": [], "level": "low"}).json()
    world.now += 3_600_000
    client.patch(f"/api/v1/routes/{made['id']}", json={"version": 1, "name": "Renamed"})

    def wants(raised_at):
        alert = Alert("a", "r", "h", "t", "low", "hungyen", "f", "e", 0, 0, 1, raised_at)
        return routes(world)[made["id"]].wants(alert)

    assert wants(world.now - 3_600_000)
    assert not wants(world.now - 3_700_000)
    client.patch(f"/api/v1/routes/{made['id']}", json={"version": 2, "level": "informational"})
    assert not wants(world.now - 3_600_000)
    assert wants(world.now)


def test_a_test_says_what_came_of_it_and_waits_between_two(client_of, world):
    client = client_of("admin")
    answer = client.post("/api/v1/routes/route-hungyen/test")
    assert answer.json() == {"arrived": True, "answer": "mail.example:587 took it"}
    again = client.post("/api/v1/routes/route-hungyen/test")
    assert (again.status_code, again.headers["retry-after"]) == (429, "5")
    world.now += 6000
    hook = client.post("/api/v1/routes", json=HOOK).json()
    answer = client.post(f"/api/v1/routes/{hook['id']}/test")
    assert answer.json() == {"arrived": False, "answer": "chat.example.vn answered 500"}
    assert world.tests == ["route-hungyen"]


def test_what_could_not_be_delivered_is_listed_and_tried_again(client_of, world):
    client = client_of("admin")
    [failed] = client.get("/api/v1/deliveries?state=failed").json()["items"]
    assert (failed["alert_id"], failed["error"], failed["attempts"], failed["next_at"]) == (
        world.alerts["hungyen"], "mail.example:587: Connection refused", 9, None,
    )  # fmt: skip
    answer = client.post(f"/api/v1/deliveries/{failed['id']}/retry").json()
    assert (answer["state"], answer["attempts"]) == ("pending", 0)
    assert client.post(f"/api/v1/deliveries/{failed['id']}/retry").status_code == 422
    assert client.get("/api/v1/deliveries").json()["items"] == []
    [pending] = world.stores.deliveries.pending("route-hungyen")
    assert pending.give_up_at == world.now + 24 * 3_600_000
    assert ("delivery.retry", failed["id"], "") in audit(world)


def test_a_delivery_of_a_route_of_others_is_not_seen(client_of, world):
    """The organisation is theirs, the route is the nation's: its receivers' troubles are not for them."""
    made = client_of("national").post("/api/v1/routes", json=MAIL | {"orgs": []}).json()
    [known] = world.stores.deliveries.list(DeliveryState.FAILED, EVERYTHING, routes={"route-hungyen"}).items

    world.stores.deliveries.add([replace(known, id="ab" * 12, route_id=made["id"])])
    client = client_of("admin")
    assert [d["id"] for d in client.get("/api/v1/deliveries").json()["items"]] == [known.id]
    assert client.post(f"/api/v1/deliveries/{'ab' * 12}/retry").status_code == 404
    assert len(client_of("national").get("/api/v1/deliveries").json()["items"]) == 3


def test_a_delivery_whose_route_is_off_or_gone_says_so(client_of, world):
    client = client_of("national")
    [failed] = world.stores.deliveries.list(DeliveryState.FAILED, EVERYTHING, routes={"route-hungyen"}).items
    path = f"/api/v1/deliveries/{failed.id}/retry"
    client.patch("/api/v1/routes/route-hungyen", json={"version": 1, "enabled": False})
    assert "switch it on first" in client.post(path).json()["detail"]
    client.delete("/api/v1/routes/route-hungyen?version=2")
    assert "withdrawn" in client.post(path).json()["detail"]


# The console


def form(client, path, **data):
    return client.post(path, data=data, headers=EN)


def test_the_page_shows_routes_and_failures_to_administrators_alone(client_of, world):
    text = client_of("admin").get("/notifications", headers=EN).text
    for said in (
        "Trực ban hungyen",
        "soc@hungyen.gov.vn",
        "mail.example:587: Connection refused",
        "SQL injection attempt",
    ):
        assert said in text
    assert "ninhbinh" not in text
    assert "Thông báo" in client_of("admin").get("/notifications").text
    assert "/notifications" not in client_of("analyst").get("/alerts").text


def test_everything_works_by_plain_forms(signed_in, world):
    client = signed_in("admin")
    answer = form(
        client, "/notifications/routes", name="Chat", channel="webhook", to="https://chat.example.vn/x", level="low",
        language="en", per_hour=5, digest_minutes=30,
    )  # fmt: skip
    secret = re.search(r"shown this once: <code>([^<]+)</code>", answer.text)[1]
    [made] = [route for route in routes(world).values() if route.name == "Chat"]
    assert (made.secret, made.orgs, made.per_hour) == (secret, ("hungyen",), 5)
    path = f"/notifications/routes/{made.id}"
    assert form(client, path, version=1, name="Chat 2", to=made.url, orgs="hungyen").status_code == 303
    assert form(client, path, version=1, name="Late", to=made.url, orgs="hungyen").status_code == 409
    assert form(client, path, version=2, name="Chat 2", to=made.url, orgs="ninhbinh").status_code == 403
    assert "The test did not arrive:</" not in (tested := form(client, f"{path}/test", version=2)).text
    assert "chat.example.vn answered 500" in tested.text
    assert form(client, f"{path}/test", version=2).status_code == 429
    assert form(client, f"{path}/disable", version=2).status_code == 303
    assert not routes(world)[made.id].enabled
    assert form(client, f"{path}/withdraw", version=3).status_code == 303
    assert made.id not in routes(world)
    [failed] = world.stores.deliveries.list(DeliveryState.FAILED, EVERYTHING, routes={"route-hungyen"}).items
    assert form(client, f"/notifications/deliveries/{failed.id}/retry").status_code == 303
    assert "Everything has been delivered" in client.get("/notifications", headers=EN).text


def test_what_was_typed_is_kept_and_escaped(signed_in):
    answer = form(
        signed_in("admin"), "/notifications/routes", name="<script>x", channel="email", to="<script>y", orgs="hungyen"
    )
    assert answer.status_code == 422
    assert "is no mail address" in answer.text
    assert "&lt;script&gt;x" in answer.text
    assert "<script>x" not in answer.text
    assert "<script>y" not in answer.text


@pytest.mark.parametrize("name", [None, "viewer", "analyst", "outsider"])
def test_the_forms_are_for_administrators_of_the_organisation(client_of, world, name):
    client = client_of(name)
    expected = {None: 303, "viewer": 403, "analyst": 403, "outsider": 404}[name]
    [failed] = world.stores.deliveries.list(DeliveryState.FAILED, EVERYTHING, routes={"route-hungyen"}).items
    before = routes(world)
    for path in (
        "/notifications/routes/route-hungyen",
        *(
            f"/notifications/routes/route-hungyen/{act}"
            for act in ("test", "enable", "disable", "withdraw", "take-over")
        ),
        f"/notifications/deliveries/{failed.id}/retry",
    ):
        answer = form(client, path, version=1, name="x", to="a@b.vn", orgs="ninhbinh")
        assert answer.status_code == expected, path
    assert routes(world) == before
    assert world.tests == []
