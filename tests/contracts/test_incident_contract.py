"""Incidents and snooze in every store."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opened import NOON, commit, finding

from soc.errors import Conflict, NotFound, QueryError
from soc.model.alert import Decision, Status, Verdict
from soc.model.incident import Incident, IncidentDecision, IncidentStatus
from soc.model.org import EVERYTHING, Scope
from soc.store.base import AlertFilter

HUNGYEN, NINHBINH = Scope(frozenset({"hungyen"})), Scope(frozenset({"ninhbinh"}))
BOTH = Scope(frozenset({"hungyen", "ninhbinh"}))


def incident(number, orgs=("hungyen",), at=NOON):
    return Incident(f"{number:024x}", f"Sự cố {number}", orgs, at, "lan", at, "lan")


def ids(page):
    return [item.id for item in page.items]


def test_an_incident_is_what_was_written_also_after_a_restart(opened, reopen):
    first = incident(1, ("hungyen", "ninhbinh"))
    opened.stores.incidents.create(first, by="lan", split_from="f" * 24)
    with pytest.raises(Conflict, match=first.id):
        opened.stores.incidents.create(incident(1), by="minh")
    again = reopen().stores.incidents
    assert again.get(first.id, EVERYTHING) == first
    assert [(c.about, c.at, c.by, c.field, c.old, c.new) for c in again.history(first.id)] == [
        (first.id, NOON, "lan", "title", None, "Sự cố 1"),
        (first.id, NOON, "lan", "split_from", None, "f" * 24),
    ]
    assert again.history("e" * 24) == []
    for change in (
        lambda: again.get("e" * 24, EVERYTHING),
        lambda: again.change("e" * 24, IncidentDecision(title="x"), by="lan", now=1),
    ):
        with pytest.raises(NotFound):
            change()


def test_changes_are_recorded_with_who_and_when(opened):
    store, first = opened.stores.incidents, incident(1, ("ninhbinh",))
    store.create(first, by="lan")
    store.change(
        first.id,
        IncidentDecision(title="OTP", assignee="lan", comment="gọi nhà mạng", orgs=["hungyen"]),
        by="lan",
        now=NOON + 1,
    )
    closed = store.change(
        first.id,
        IncidentDecision(status=IncidentStatus.CLOSED, verdict=Verdict.BENIGN, assignee=""),
        by="minh",
        now=NOON + 2,
    )
    assert closed == replace(
        first,
        title="OTP",
        orgs=("hungyen", "ninhbinh"),
        status=IncidentStatus.CLOSED,
        verdict=Verdict.BENIGN,
        version=2,
        updated_at=NOON + 2,
        updated_by="minh",
    )
    assert store.get(first.id, EVERYTHING) == closed
    assert [(c.by, c.field, c.old, c.new) for c in store.history(first.id)[1:]] == [
        ("lan", "title", "Sự cố 1", "OTP"),
        ("lan", "assignee", None, "lan"),
        ("lan", "orgs", "ninhbinh", "hungyen, ninhbinh"),
        ("lan", "comment", None, "gọi nhà mạng"),
        ("minh", "status", "open", "closed"),
        ("minh", "verdict", None, "benign"),
        ("minh", "assignee", "lan", None),
    ]
    reopened = store.change(first.id, IncidentDecision(status=IncidentStatus.OPEN), by="minh", now=NOON + 3)
    assert (reopened.verdict, reopened.version) == (None, 3)
    assert (
        store.change(first.id, IncidentDecision(orgs=["hungyen"], title="OTP"), by="minh", now=NOON + 4) == reopened
    ), "nothing new"


def test_the_second_of_two_people_hears_of_the_first(opened):
    store, first = opened.stores.incidents, incident(1)
    store.create(first, by="lan")
    store.change(first.id, IncidentDecision(version=0, title="x"), by="lan", now=NOON)
    with pytest.raises(Conflict, match="lan changed this incident"):
        store.change(first.id, IncidentDecision(version=0, title="y"), by="minh", now=NOON)
    assert store.get(first.id, EVERYTHING).title == "x"


def test_a_merge_is_a_line_on_both_sides_and_always_a_new_version(opened):
    store, one, two = opened.stores.incidents, incident(1), incident(2)
    store.create(one, by="lan")
    store.create(two, by="lan")
    assert [store.change(two.id, IncidentDecision(merged=one.id), by="lan", now=NOON).version for _ in range(2)] == [
        1,
        2,
    ]
    store.change(one.id, IncidentDecision(status=IncidentStatus.CLOSED, merged_into=two.id), by="lan", now=NOON)
    assert store.get(one.id, EVERYTHING).merged_into == two.id
    assert [(c.field, c.new) for c in store.history(one.id)[1:]] == [("status", "closed"), ("merged_into", two.id)]
    assert [(c.field, c.new) for c in store.history(two.id)[1:]] == [("merged", one.id)] * 2


def test_who_may_not_see_all_organisations_does_not_see_the_incident(opened):
    store = opened.stores.incidents
    store.create(incident(1, ("hungyen",)), by="lan")
    store.create(incident(2, ("ninhbinh",)), by="lan")
    store.create(incident(3, ("hungyen", "ninhbinh")), by="lan")
    store.create(incident(4, ("hungyen.001",)), by="lan")
    seen = {HUNGYEN: [1], NINHBINH: [2], BOTH: [3, 2, 1], EVERYTHING: [4, 3, 2, 1], Scope(frozenset()): []}
    for scope, numbers in seen.items():
        assert ids(store.list(scope)) == [incident(n).id for n in numbers]
        for n in range(1, 5):
            if n in numbers:
                assert store.get(incident(n).id, scope).id == incident(n).id
            else:
                with pytest.raises(NotFound):
                    store.get(incident(n).id, scope)
    store.change(incident(1).id, IncidentDecision(orgs=["ninhbinh"]), by="national", now=NOON)
    assert ids(store.list(HUNGYEN)) == []


def test_incidents_are_listed_newest_first_by_cursor_and_status(opened):
    store = opened.stores.incidents
    for n in range(11):
        store.create(incident(n, at=NOON + n // 3), by="lan")
    store.change(
        incident(4).id, IncidentDecision(status=IncidentStatus.CLOSED, verdict=Verdict.BENIGN), by="lan", now=NOON
    )
    seen, cursor = [], None
    while True:
        page = store.list(HUNGYEN, cursor=cursor, limit=3)
        assert len(page.items) <= 3
        seen += ids(page)
        if (cursor := page.next) is None:
            break
    assert seen == [incident(n).id for n in reversed(range(11))]
    assert ids(store.list(EVERYTHING, status=IncidentStatus.CLOSED)) == [incident(4).id]
    assert len(ids(store.list(EVERYTHING, status=IncidentStatus.OPEN))) == 10
    with pytest.raises(QueryError, match="cursor"):
        store.list(EVERYTHING, cursor="x")


def test_membership_is_a_field_of_the_alert(opened, reopen, make_event):
    a, b = (commit(opened, [finding(make_event(NOON, e), entity=e)])[0] for e in "ab")
    stores, one, two = opened.stores, "1" * 24, "2" * 24
    assert stores.alerts.get(a, EVERYTHING).triage.incident is None
    assert stores.triage.change(a, Decision(version=0, incident=one), by="lan", now=1).incident == one
    with pytest.raises(Conflict, match="lan"):
        stores.triage.change(a, Decision(version=0, incident=two), by="minh", now=1)
    stores.triage.change(b, Decision(incident=one), by="lan", now=2)
    stores.triage.change(b, Decision(incident=two), by="lan", now=3)
    again = reopen().stores
    assert ids(again.alerts.list(AlertFilter(incident=one), EVERYTHING)) == [a]
    assert ids(again.alerts.list(AlertFilter(incident=two), HUNGYEN)) == [b]
    assert ids(again.alerts.list(AlertFilter(incident=two), NINHBINH)) == []
    left = again.triage.change(b, Decision(incident=""), by="minh", now=4)
    assert again.alerts.get(b, EVERYTHING).triage == left
    assert left.incident is None
    assert [(c.by, c.field, c.old, c.new) for c in again.triage.history(b)] == [
        ("lan", "incident", None, one),
        ("lan", "incident", one, two),
        ("minh", "incident", two, None),
    ]


def test_a_snoozed_alert_is_asleep_until_then_and_keeps_its_status(opened, reopen, make_event):
    a, b = (commit(opened, [finding(make_event(NOON, e), entity=e)])[0] for e in "ab")
    snoozed = opened.stores.triage.change(a, Decision(snoozed_until=NOON, reason="chờ nhà mạng"), by="lan", now=1)
    assert (snoozed.snoozed_until, snoozed.status, snoozed.version) == (NOON, Status.NEW, 1)
    stores = reopen().stores
    assert stores.alerts.get(a, EVERYTHING).triage == snoozed
    assert ids(stores.alerts.list(AlertFilter(awake_at=NOON - 1), EVERYTHING)) == [b]
    assert set(ids(stores.alerts.list(AlertFilter(awake_at=NOON), EVERYTHING))) == {a, b}
    assert set(ids(stores.alerts.list(AlertFilter(), EVERYTHING))) == {a, b}
    assert stores.triage.change(a, Decision(snoozed_until=0), by="minh", now=2).snoozed_until is None
    assert set(ids(stores.alerts.list(AlertFilter(awake_at=1), EVERYTHING))) == {a, b}
    assert [(c.field, c.old, c.new) for c in stores.triage.history(a)] == [
        ("snoozed_until", None, "2026-03-02T12:00:00.000Z"),
        ("snooze_reason", None, "chờ nhà mạng"),
        ("snoozed_until", "2026-03-02T12:00:00.000Z", None),
    ]


def test_closing_and_reopening_end_the_snooze_and_acknowledging_does_not(opened, make_event):
    [a] = commit(opened, [finding(make_event(NOON, "1"))])
    change = opened.stores.triage.change
    change(a, Decision(snoozed_until=NOON, reason="x"), by="lan", now=1)
    assert change(a, Decision(status=Status.ACKNOWLEDGED), by="lan", now=2).snoozed_until == NOON
    assert change(a, Decision(status=Status.CLOSED, verdict=Verdict.BENIGN), by="lan", now=3).snoozed_until is None
    change(
        a, Decision(snoozed_until=NOON, reason="x"), by="lan", now=4
    )  # the store keeps what it is told; the API refuses this
    assert change(a, Decision(status=Status.NEW), by="lan", now=5).snoozed_until is None


def test_findings_that_come_in_leave_incident_and_snooze_alone(opened, make_event):
    [a] = commit(opened, [finding(make_event(NOON, "1"))])
    opened.stores.triage.change(a, Decision(incident="1" * 24, snoozed_until=NOON, reason="x"), by="lan", now=1)
    commit(opened, [finding(make_event(NOON + 1, "2"))])
    alert = opened.stores.alerts.get(a, EVERYTHING)
    assert (alert.count, alert.triage.incident, alert.triage.snoozed_until) == (2, "1" * 24, NOON)
    assert opened.stores.alerts.list(AlertFilter(incident="1" * 24), EVERYTHING).items == (alert,)
