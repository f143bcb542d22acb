"""One decision for all alerts that a filter finds: what was seen, no more, and each with its own history."""

from __future__ import annotations

import pytest

from api import bulk
from soc.errors import Conflict
from soc.model.alert import Status
from soc.model.org import EVERYTHING

CLOSE = {"status": "closed", "verdict": "benign", "comment": "our own scanner"}
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def scans(world):
    """Seven alerts of one organisation, about as many addresses."""
    return [world.fire("hungyen", 1, f"198.51.100.{n}") for n in range(7)]


def send(client, change, expected, **where):
    return client.post("/api/v1/alerts/bulk", json={"where": where, "change": change, "expected": expected})


def test_every_alert_that_the_filter_finds_and_no_other(client_of, world, scans):
    answer = send(client_of("analyst"), CLOSE, 7, text="198.51.100")
    assert answer.json() == {"changed": 7, "moved": 0, "refused": {}, "more": False, "whole": True, "looked_at": 8}
    for id_ in scans:
        assert world.stores.alerts.get(id_, EVERYTHING).triage.status is Status.CLOSED
        assert [line.field for line in world.stores.triage.history(id_)] == ["status", "verdict", "comment"]
    assert world.stores.alerts.get(world.alerts["hungyen"], EVERYTHING).triage.status is Status.NEW
    assert [entry.target for entry in world.stores.audit.list(limit=100).items if entry.action == "alert.bulk"] == [
        "7 alerts"
    ]


def test_a_decision_is_about_what_was_seen(client_of, world, scans):
    answer = send(client_of("analyst"), CLOSE, 6, text="198.51.100")
    assert answer.status_code == 422
    assert "there are 7 by now, not 6" in answer.json()["detail"]
    assert world.stores.triage.history(scans[0]) == []


def test_what_does_not_allow_it_is_left_and_named(client_of, world, scans):
    client = client_of("analyst")
    send(client, CLOSE, 9, text=".100.3")
    answer = send(client, {"status": "acknowledged", "assignee": "analyst"}, 7, text="198.51.100").json()
    assert answer["changed"] == 6
    assert list(answer["refused"]) == [scans[3]]
    assert "reopen it first" in answer["refused"][scans[3]]


def test_what_somebody_changes_meanwhile_is_left_and_named(client_of, world, scans, monkeypatch):
    change = world.stores.triage.change

    def raced(alert_id, decision, **by):
        if alert_id == scans[0]:
            raise Conflict("lan changed this alert meanwhile: look at it again, then decide")
        return change(alert_id, decision, **by)

    monkeypatch.setattr(world.stores.triage, "change", raced)
    answer = send(client_of("analyst"), CLOSE, 7, text="198.51.100").json()
    assert (answer["changed"], list(answer["refused"])) == (6, [scans[0]])


def test_another_organisation_is_out_of_reach(client_of, world, scans):
    assert send(client_of("outsider"), CLOSE, 1000).json()["changed"] == 1  # its own
    assert world.stores.triage.history(scans[0]) == []


def test_what_is_snoozed_or_of_a_rule_in_test_is_decided_where_it_was_shown_and_nowhere_else(client_of, world, scans):
    client = client_of("analyst")
    later = {"snoozed_until": "2026-03-03T09:00:00+07:00", "snooze_reason": "chờ xã"}
    assert send(client, later, 1, text=".100.3").json()["changed"] == 1
    assert send(client, CLOSE, 7, text="198.51.100", stage="test").json()["changed"] == 0
    assert send(client, CLOSE, 7, text="198.51.100", awake=True).json()["changed"] == 6
    assert world.stores.triage.history(scans[3])[-1].field == "snooze_reason"


def test_looking_for_words_ends_and_that_is_said(client_of, signed_in, scans, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_LOOKED_AT", 5)
    assert send(client_of("analyst"), {"comment": "x"}, 5, text="198.51.100").json() == {
        "changed": 5, "moved": 0, "refused": {}, "more": False, "whole": False, "looked_at": 5,
    }  # fmt: skip
    page = signed_in("analyst").get("/alerts/bulk?text=198.51.100", headers=ENGLISH).text
    assert "Only the latest 5 alerts were looked at" in page
    monkeypatch.setattr(bulk, "LONGEST_S", 0.0)
    slow = send(client_of("analyst"), {"comment": "x"}, 5, text="198.51.100").json()
    assert (slow["changed"], slow["whole"], slow["looked_at"]) == (0, False, 0)


def test_the_page_shows_them_first_and_then_what_was_done(signed_in, scans):
    browser = signed_in("analyst")
    page = browser.get("/alerts/bulk?text=198.51.100", headers=ENGLISH).text
    assert "7 alerts" in page
    form = {"action": "close", "expected": 7, "verdict": "benign"}
    done = browser.post("/alerts/bulk?text=198.51.100", data=form, headers=ENGLISH).text
    assert "7 alerts changed" in done
    refused = browser.post("/alerts/bulk?status=all", data=form | {"verdict": "", "comment": "kept"}, headers=ENGLISH)
    assert refused.status_code == 422
    assert "kept" in refused.text
    soon = {"action": "snooze", "expected": 9, "until": "2026-03-03T09:00", "reason": "a test of ours"}
    assert "1 alert changed" in browser.post("/alerts/bulk", data=soon, headers=ENGLISH).text
    assert "No alerts here" in browser.get("/alerts?level=high", headers=ENGLISH).text
    assert "SQL injection" in browser.get("/alerts?level=high&snoozed=1", headers=ENGLISH).text
    again = browser.post("/alerts/bulk", data={"action": "close", "expected": 9, "verdict": "benign"}, headers=ENGLISH)
    assert "0 alerts changed" in again.text, "what is snoozed was not shown"
