"""A verdict on the alert of an anomaly is heard by its series wherever it is given, and taken back with the verdict."""

from __future__ import annotations

import pytest
from too_late import first_too_late

from api.harmless import Standing, Watched
from api.incidents import Desk
from api.triage import decide
from soc.model.alert import Decision, Status, Verdict
from soc.model.anomaly import FIELD, Anomaly
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.incident import IncidentDecision, IncidentStatus
from soc.model.org import Scope
from soc.model.policy import PolicyKind
from soc.model.rule import RuleDoc

NOW = 1_772_452_800_000
HUNGYEN = Scope(frozenset({"hungyen"}))
ENGLISH = {"accept-language": "en"}
RULE = RuleDoc("anomaly-otp-delivery", "hash-anomaly", "Codes not delivered", "high", "name: otp-delivery")
CLOSE = {"status": "closed", "verdict": "benign"}
WHERE = {"rule_id": RULE.id}


def fire(world, org: str, number: int, strength: float = 3.0, series: str = "") -> str:
    """An alert of the observer's, and the anomaly in it; returns its id."""
    first = world.anomalies.list(Scope(frozenset({org})))[-1]
    id_ = alert_id(RULE.id, org, "viettel", f"episode {number}")
    event = f"{first.since + number:012x}" + "0" * 20
    matched = {f"{FIELD}what": "otp-delivery viettel", f"{FIELD}actual": 0.4, f"{FIELD}series": first.series}
    finding = Finding(
        finding_id(id_, event), id_, RULE.id, RULE.hash, org, "govsoc.otp.carrier", "viettel", first.since, event, matched
    )  # fmt: skip
    world.detections.commit([finding], {RULE.hash: RULE}, {}, {}, None, NOW)
    one = Anomaly(
        series or first.series, first.definition, org, first.since + number, first.until, first.at, 0.4, 0.02, 0.0, 0.1, strength, 10, id_
    )  # fmt: skip
    with world.anomalies._db.write() as db:
        from soc.store.progress import write_anomalies

        write_anomalies(db, [one])
    return id_


def patch(client, path: str, change: dict, version: int = 0) -> None:
    answer = client.patch(f"/api/v1/{path}", json={"version": version, **change})
    assert answer.status_code == 200, answer.text


def strengths(client) -> dict[str, float]:
    return {one["series"]: one["strength"] for one in client.get("/api/v1/harmless").json()["items"]}


@pytest.fixture
def alerts(world):
    """Three of one organisation, of two series, and one of another."""
    mine = [
        fire(world, "hungyen", 1),
        fire(world, "hungyen", 2, 5.0),
        fire(world, "hungyen", 3, 2.0, "c" * 24),
    ]
    return mine, fire(world, "ninhbinh", 4)


def bulk(client, change, expected):
    answer = client.post("/api/v1/alerts/bulk", json={"where": WHERE, "change": change, "expected": expected})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_many_alerts_closed_at_once_say_what_each_would_have_said(client_of, world, alerts):
    mine, theirs = alerts
    analyst = client_of("analyst")
    done = bulk(analyst, CLOSE, 3)
    assert (done["changed"], done["refused"]) == (3, {})
    assert strengths(analyst) == {world.anomalies.list(HUNGYEN, alert=mine[1])[0].series: 5.5, "c" * 24: 2.2}
    assert done["moved"] in (2, 3), "the first is told only where it comes before one that is farther off"
    assert strengths(client_of("outsider")) == {}, theirs
    said = [one for one in world.stores.audit.list(action="series.harmless").items if one.by == "analyst"]
    assert len(said) == done["moved"]


def test_what_is_no_longer_benign_is_taken_back_and_what_held_before_holds_again(client_of, alerts):
    mine, _ = alerts
    analyst = client_of("analyst")
    for id_ in mine[:2]:
        patch(analyst, f"alerts/{id_}", CLOSE)
    (series,) = strengths(analyst)
    assert strengths(analyst) == {series: 5.5}
    patch(analyst, f"alerts/{mine[1]}", {"status": "new"}, 1)
    assert strengths(analyst) == {series: 3.3}, "as the other alert said"
    patch(analyst, f"alerts/{mine[0]}", {"status": "closed", "verdict": "true_positive"}, 1)
    assert strengths(analyst) == {}


def test_what_somebody_said_themselves_outlives_the_verdict(client_of, world, alerts):
    mine, _ = alerts
    analyst = client_of("analyst")
    patch(analyst, f"alerts/{mine[0]}", CLOSE)
    (farther,) = world.anomalies.list(HUNGYEN, alert=mine[1])
    said = analyst.post(f"/api/v1/anomalies/{farther.id}/harmless", json={"reason": "a known gateway"})
    assert said.status_code == 201
    patch(analyst, f"alerts/{mine[0]}", {"status": "new"}, 1)
    assert strengths(analyst) == {farther.series: 5.5}


def test_what_somebody_has_withdrawn_stays_withdrawn_whatever_they_wrote(client_of, alerts):
    mine, _ = alerts
    analyst = client_of("analyst")
    patch(analyst, f"alerts/{mine[0]}", CLOSE)
    (series,) = strengths(analyst)
    place = f"/api/v1/series/{series}/withdraw"
    ours = analyst.post(place, json={"reason": f"alert {mine[0]} is not benign"})
    assert ours.status_code == 422, "so verdicts alone write"
    assert analyst.post(place, json={"reason": "This was an attack, it is not benign"}).status_code == 204
    patch(analyst, f"alerts/{mine[1]}", CLOSE)
    assert strengths(analyst) == {series: 5.5}
    patch(analyst, f"alerts/{mine[1]}", {"status": "new"}, 1)
    assert strengths(analyst) == {}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_verdict_that_stands_holds_whichever_was_given_first(client_of, alerts, order):
    mine, _ = alerts
    analyst = client_of("analyst")
    for place in order:
        patch(analyst, f"alerts/{mine[place]}", CLOSE)
    (series,) = strengths(analyst)
    patch(analyst, f"alerts/{mine[1]}", {"status": "new"}, 1)
    assert strengths(analyst) == {series: 3.3}, "as the other alert says, also where it had nothing to add"
    patch(analyst, f"alerts/{mine[0]}", {"status": "new"}, 1)
    assert strengths(analyst) == {}


def test_of_two_verdicts_at_the_same_moment_both_are_heard(client_of, world, alerts, monkeypatch):
    mine, _ = alerts
    first_too_late(monkeypatch, world.stores.policies)
    patch(client_of("analyst"), f"alerts/{mine[0]}", CLOSE)
    assert list(strengths(client_of("analyst")).values()) == [3.3]


class KillError(Exception):
    """As if the process had ended there."""


def killed_at(monkeypatch, where, act):
    def killed(*_, **__):
        raise KillError

    with monkeypatch.context() as patched:
        patched.setattr(*where, killed)
        with pytest.raises(KillError):
            act()


def test_what_is_cut_short_between_verdict_and_series_is_mended_by_doing_it_again(
    client_of, world, alerts, monkeypatch
):
    mine, _ = alerts
    analyst, me = client_of("analyst"), world.stores.accounts.get("analyst")
    ground = Standing(world.stores, world.anomalies, world.unusual, lambda: world.now)
    benign = Decision(status=Status.CLOSED, verdict=Verdict.BENIGN)
    killed_at(monkeypatch, ("api.triage.believe",), lambda: decide(ground, me, mine[0], benign))
    assert strengths(analyst) == {}
    decide(ground, me, mine[0], benign)
    assert list(strengths(analyst).values()) == [3.3]
    change = (type(world.stores.triage), "change")
    killed_at(monkeypatch, change, lambda: decide(ground, me, mine[0], Decision(status=Status.NEW)))
    assert strengths(analyst) == {}, "a call too many, not one too few"


def test_an_incident_closed_again_is_heard_but_not_over_what_somebody_said_since(client_of, world, alerts, monkeypatch):
    mine, _ = alerts
    analyst, me = client_of("analyst"), world.stores.accounts.get("analyst")
    made = analyst.post("/api/v1/incidents", json={"title": "Viettel", "alerts": mine[1:]}).json()
    close = IncidentDecision(status=IncidentStatus.CLOSED, verdict=Verdict.BENIGN)
    desk = Desk(world.stores, me, world.now, Watched(world.anomalies, world.unusual))
    killed_at(monkeypatch, ("api.incidents.believe",), lambda: desk.decide(made["id"], close))
    assert strengths(analyst) == {}
    desk.decide(made["id"], close)
    assert sorted(strengths(analyst).values()) == [2.2, 5.5]
    assert analyst.post(f"/api/v1/series/{'c' * 24}/withdraw", json={"reason": "an attack"}).status_code == 204
    desk.decide(made["id"], close)
    assert list(strengths(analyst).values()) == [5.5]


def test_a_bulk_asks_once_what_holds_and_ends_at_so_many_series(client_of, world, alerts, monkeypatch):
    monkeypatch.setattr("api.bulk.MOST_SERIES", 1)
    analyst = client_of("analyst")
    assert bulk(analyst, CLOSE, 3)["moved"] == 1
    assert len(strengths(analyst)) == 1
    (cut,) = [one for one in world.stores.audit.list(action="series.harmless").items if one.target == "bulk"]
    assert "those of 2 more alerts have not" in cut.detail
    monkeypatch.undo()
    bulk(analyst, CLOSE, 3)
    asked = []
    list_ = type(world.stores.policies).list
    monkeypatch.setattr(type(world.stores.policies), "list", lambda self, kind: asked.append(kind) or list_(self, kind))
    assert bulk(analyst, {"status": "new"}, 3)["moved"] == 2
    assert asked.count(PolicyKind.HARMLESS) == 1
    assert strengths(analyst) == {}


def test_other_verdicts_say_nothing(client_of, alerts):
    analyst = client_of("analyst")
    assert bulk(analyst, {"status": "closed", "verdict": "false_positive"}, 3)["moved"] == 0
    assert strengths(analyst) == {}


def test_the_page_says_how_many_series_and_reopens_as_many_at_once(signed_in, client_of, alerts):
    browser = signed_in("analyst")
    where = f"rule={RULE.id}"
    done = browser.post(
        f"/alerts/bulk?{where}", data={"action": "close", "verdict": "benign", "expected": 3}, headers=ENGLISH
    ).text
    assert "series or entities are judged otherwise from now on" in done
    assert 'href="/anomalies#harmless"' in done
    assert 'value="reopen"' not in browser.get(f"/alerts/bulk?{where}").text
    closed = f"{where}&status=closed"
    assert 'value="reopen"' in browser.get(f"/alerts/bulk?{closed}").text
    assert browser.post(f"/alerts/bulk?{closed}", data={"action": "reopen", "expected": 3}).status_code == 200
    assert strengths(client_of("analyst")) == {}


def test_closing_an_incident_as_benign_is_heard_and_reopening_it_too(client_of, alerts):
    mine, _ = alerts
    analyst = client_of("analyst")
    made = analyst.post("/api/v1/incidents", json={"title": "Viettel", "alerts": mine}).json()
    patch(analyst, f"incidents/{made['id']}", CLOSE, made["version"])
    assert sorted(strengths(analyst).values()) == [2.2, 5.5]
    patch(analyst, f"incidents/{made['id']}", {"status": "open"}, made["version"] + 1)
    assert strengths(analyst) == {}


def test_an_alert_of_very_many_series_says_how_many_it_spoke_of(client_of, world, alerts, monkeypatch):
    monkeypatch.setattr("api.verdicts.MOST_OF_AN_ALERT", 1)
    many = fire(world, "hungyen", 5, 1.0, "d" * 24)
    with world.anomalies._db.write() as db:
        db.execute("UPDATE anomaly SET alert = ? WHERE series = ?", (many, "c" * 24))
    analyst = client_of("analyst")
    patch(analyst, f"alerts/{many}", CLOSE)
    assert strengths(analyst) == {"c" * 24: 2.2}, "that which was farthest off"
    (cut,) = [one for one in world.stores.audit.list(action="series.harmless").items if one.target == many]
    assert "only 1 of its 2 series" in cut.detail


def test_an_exception_is_made_seen_and_withdrawn_from_the_page_of_the_alert(signed_in, client_of, alerts):
    mine, _ = alerts
    browser = signed_in("admin")
    form = f"/alerts/{mine[0]}/exception"
    assert f'href="{form}"' in browser.get(f"/alerts/{mine[0]}").text
    assert f'href="{form}"' not in signed_in("analyst").get(f"/alerts/{mine[0]}").text
    page = browser.get(form).text
    assert "govsoc.anomaly.what:&#34;otp-delivery viettel&#34;</textarea>" in page, "no figure, which never comes again"
    condition = 'govsoc.anomaly.what:"otp-delivery viettel"'
    wanted = {"condition": condition, "orgs": "hungyen", "reason": "biết rồi", "action": "save", "confirm": "vẫn đúng"}
    place = browser.post(form, data=wanted).headers["location"]
    assert place.startswith("/exceptions/")
    assert "biết rồi" in browser.get(place).text
    assert f'href="{place}"' in browser.get("/anomalies").text
    assert f'href="{place}"' not in signed_in("outsider").get("/anomalies").text
    assert signed_in("outsider").get(place).status_code == 404
    assert browser.post(f"{place}/withdraw", data={"version": 9, "reason": "x"}).status_code == 409
    gone = browser.post(f"{place}/withdraw", data={"version": 1, "reason": "đã sửa"})
    assert (gone.status_code, gone.headers["location"]) == (303, place)
    assert "It is withdrawn." in browser.get(place, headers=ENGLISH).text
    assert f'href="{place}"' not in browser.get("/anomalies").text
