"""A benign verdict on an alert about an entity says that what surprised is harmless: heard wherever it is given, listed, taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from too_late import first_too_late
from unusual_made import AT, RULE, noticed, raised, unusual

from soc.model.policy import PolicyKind
from soc.service.harmless import KnownHarmless

HOUR = 3_600_000
ENGLISH = {"accept-language": "en"}
CLOSE = {"status": "closed", "verdict": "benign"}
HARMLESS = "/api/v1/entities/harmless"


@pytest.fixture
def items(world, anomaly_db):
    """Two of one episode, one of another entity, one of another organisation; each with its alert."""
    first = unusual("hungyen", entity="canbo.a", at=AT - HOUR)
    items = [
        first,
        replace(unusual("hungyen", entity="canbo.a", surprise=9.9), since=first.since, alert=first.alert),
        unusual("hungyen", entity="canbo.b"),
        unusual("ninhbinh"),
    ]
    noticed(anomaly_db, items)
    raised(world.detections, items)
    return items


def said(client):
    return client.get(HARMLESS).json()["items"]


def patch(client, path, change, version=0):
    answer = client.patch(f"/api/v1/{path}", json={"version": version, **change})
    assert answer.status_code == 200, answer.text


def quiet(world, one):
    """Whether the observer would raise no alert about it."""
    harmless = KnownHarmless(world.stores.policies)
    harmless.load()
    return bool(harmless.judged(one).harmless)


def test_closed_as_benign_it_is_harmless_listed_and_written_down(client_of, world, items):
    analyst = client_of("analyst")
    assert not quiet(world, items[0])
    patch(analyst, f"alerts/{items[0].alert}", CLOSE)
    (one,) = said(analyst)
    assert (one["entity"], one["people"], one["org"], one["alert"], one["by"]) == (
        "canbo.a", "officers", "hungyen", items[0].alert, "analyst",
    )  # fmt: skip
    assert items[0].alert in one["reason"]
    assert [(it["kind"], it["surprise"]) for it in one["limits"]] == [("distinct", 10.89), ("rare", 7.81)], (
        "the most of each"
    )
    again = unusual("hungyen", entity="canbo.a", at=AT + HOUR, surprise=10.8)
    assert quiet(world, again)
    assert not quiet(world, unusual("hungyen", entity="canbo.a", surprise=11.0))
    assert not quiet(world, items[2]), "another entity"
    assert not quiet(world, replace(again, org="ninhbinh")), "another organisation"
    assert not quiet(world, replace(again, people="consumers")), "another kind"
    (entry,) = world.stores.audit.list(action="entity.harmless").items
    assert (entry.by, entry.target) == ("analyst", one["id"])
    assert "officers canbo.a, distinct govsoc.lgsp.subject up to 97, rare source.ip" in entry.detail


def test_reopened_judged_otherwise_or_called_again_it_alerts(client_of, world, items):
    analyst = client_of("analyst")
    patch(analyst, f"alerts/{items[0].alert}", CLOSE)
    patch(analyst, f"alerts/{items[0].alert}", {"status": "new"}, 1)
    assert (said(analyst), quiet(world, items[0])) == ([], False)
    patch(analyst, f"alerts/{items[0].alert}", CLOSE, 2)
    assert quiet(world, items[0])
    patch(analyst, f"alerts/{items[0].alert}", {"status": "closed", "verdict": "true_positive"}, 3)
    assert (said(analyst), quiet(world, items[0])) == ([], False)
    patch(analyst, f"alerts/{items[0].alert}", CLOSE, 4)
    (one,) = said(analyst)
    assert analyst.post(f"{HARMLESS}/{one['id']}/withdraw", json={"reason": "an attack"}).status_code == 204
    assert (said(analyst), quiet(world, items[0])) == ([], False)
    assert analyst.post(f"{HARMLESS}/{one['id']}/withdraw", json={"reason": "x"}).status_code == 404
    assert [entry.detail.rpartition(": ")[2] for entry in world.stores.audit.list(action="entity.withdraw").items] == [
        "an attack", f"alert {items[0].alert} is not benign", f"alert {items[0].alert} is not benign",
    ]  # fmt: skip
    held = [policy.body is not None for policy in world.stores.policies.history(PolicyKind.HARMLESS, one["id"])]
    assert held == [True, False, True, False, True, False], "all of it can be read again"


def test_what_somebody_said_themselves_outlives_a_verdict_and_another_verdict(client_of, world, items):
    analyst = client_of("analyst")
    say = f"/api/v1/entities/{items[0].id}/harmless"
    ours = analyst.post(say, json={"reason": f"verdict on alert {items[0].alert}: benign"})
    assert ours.status_code == 422, "so verdicts alone write"
    made = analyst.post(say, json={"reason": "moves an archive"})
    assert made.status_code == 201
    assert [it["surprise"] for it in made.json()["limits"]] == [10.23, 7.81]
    assert analyst.post(say, json={"reason": "x"}).status_code == 422, "as much is harmless already"
    patch(analyst, f"alerts/{items[0].alert}", CLOSE)
    assert len(said(analyst)) == 2
    assert quiet(world, items[1])
    patch(analyst, f"alerts/{items[0].alert}", {"status": "new"}, 1)
    assert [one["reason"] for one in said(analyst)] == ["moves an archive"]
    assert quiet(world, items[0])
    assert not quiet(world, replace(items[1], reasons=unusual("hungyen", surprise=10.5).reasons))


def test_another_organisation_neither_sees_nor_says_nor_withdraws(client_of, world, items):
    analyst, outsider = client_of("analyst"), client_of("outsider")
    patch(analyst, f"alerts/{items[0].alert}", CLOSE)
    (one,) = said(analyst)
    assert said(outsider) == []
    assert len(said(client_of("national"))) == 1
    assert outsider.post(f"{HARMLESS}/{one['id']}/withdraw", json={"reason": "x"}).status_code == 404
    assert outsider.post(f"/api/v1/entities/{items[0].id}/harmless", json={"reason": "x"}).status_code == 404
    assert outsider.get(f"/api/v1/entities/{items[0].id}").status_code == 404
    assert client_of("viewer").post(f"{HARMLESS}/{one['id']}/withdraw", json={"reason": "x"}).status_code == 403
    assert quiet(world, items[0])
    patch(outsider, f"alerts/{items[3].alert}", CLOSE)
    patch(outsider, f"alerts/{items[3].alert}", {"status": "new"}, 1)
    assert len(said(analyst)) == 1


def test_it_is_heard_in_bulk_and_of_an_incident(client_of, world, items):
    analyst = client_of("analyst")

    def bulk(change, expected):
        asked = {"where": {"rule_id": RULE.id}, "change": change, "expected": expected}
        answer = analyst.post("/api/v1/alerts/bulk", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert bulk(CLOSE, 2)["moved"] == 2
    assert {one["entity"] for one in said(analyst)} == {"canbo.a", "canbo.b"}
    assert bulk({"status": "new"}, 2)["moved"] == 2
    assert said(analyst) == []
    made = analyst.post("/api/v1/incidents", json={"title": "x", "alerts": [items[0].alert, items[2].alert]}).json()
    patch(analyst, f"incidents/{made['id']}", CLOSE, made["version"])
    assert len(said(analyst)) == 2
    patch(analyst, f"incidents/{made['id']}", {"status": "open"}, made["version"] + 1)
    assert said(analyst) == []


def test_of_two_at_the_same_moment_both_are_heard(client_of, world, items, monkeypatch):
    first_too_late(monkeypatch, world.stores.policies)
    patch(client_of("analyst"), f"alerts/{items[0].alert}", CLOSE)
    assert len(said(client_of("analyst"))) == 1


def test_series_and_entities_are_listed_apart(client_of, world, items):
    analyst = client_of("analyst")
    patch(analyst, f"alerts/{items[0].alert}", CLOSE)
    assert analyst.get("/api/v1/harmless").json()["items"] == []
    (mine,) = analyst.get("/api/v1/anomalies").json()["items"]
    assert analyst.post(f"/api/v1/anomalies/{mine['id']}/harmless", json={"reason": "known"}).status_code == 201
    assert len(said(analyst)) == len(analyst.get("/api/v1/harmless").json()["items"]) == 1


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_pages_say_it_and_call_again(signed_in, client_of, world, anomaly_db, items, language):
    browser = signed_in("analyst")
    spoken = {"accept-language": language}
    before = browser.get(f"/alerts/{items[0].alert}", headers=spoken).text
    assert {"vi": "lặp lại đúng những điều đó", "en": "The same of this entity, as much of it"}[language] in before
    bulk = browser.get(f"/alerts/bulk?rule={RULE.id}", headers=spoken).text
    assert {"vi": "ai hành xử khác thường, hợp lệ còn có nghĩa", "en": "behaves unusually, benign also says"}[
        language
    ] in bulk
    patch(client_of("analyst"), f"alerts/{items[0].alert}", CLOSE)
    harmless = KnownHarmless(world.stores.policies)
    harmless.load()
    covered = harmless.judged(unusual("hungyen", entity="canbo.a", at=AT + 1))
    noticed(anomaly_db, [covered])
    page = browser.get("/entities", headers=spoken).text
    assert {"vi": "Vô hại, không cảnh báo: analyst", "en": "Harmless, no alert: analyst"}[language] in page
    assert 'href="/alerts/"' not in page, "it has none"
    (one,) = said(client_of("analyst"))
    form = f"/entities/harmless/{one['id']}/withdraw"
    assert f'action="{form}"' in page
    assert 'name="reason"' in page
    assert 'name="reason"' not in signed_in("viewer").get("/entities").text, "who only looks may not"
    assert "canbo.a" not in signed_in("outsider").get("/entities").text
    assert 'id="harmless"' not in signed_in("outsider").get("/entities").text
    assert " style=" not in page
    done = browser.post(form, data={"reason": "đã xong"})
    assert (done.status_code, done.headers["location"]) == (303, "/entities#harmless")
    assert 'id="harmless"' not in browser.get("/entities").text
