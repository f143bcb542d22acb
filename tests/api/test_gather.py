"""New alerts about the same join the open incident; what a person took out stays out."""

from __future__ import annotations

import threading

import pytest
from interrupted import interrupted

from api.gather import ROBOT, Gatherer, gather
from api.incidents import Desk
from soc.errors import StoreUnavailable
from soc.model.alert import Verdict
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.incident import IncidentDecision, IncidentStatus
from soc.model.org import EVERYTHING
from soc.model.rule import RuleDoc

INCIDENT = "a" * 24
SCAN = RuleDoc("web-scan", "hash-scan", "Scanner", "low", "title: Scanner")


def fire(world, org="hungyen", entity="203.0.113.7", field="source.ip", day="2026-03-02"):
    """Another rule's alert about an entity."""
    event = world.events[org][0]
    id_ = alert_id(SCAN.id, org, entity, day)
    found = Finding(finding_id(id_, event.id), id_, SCAN.id, SCAN.hash, org, field, entity, event.ts, event.id, {})
    world.detections.commit([found], {SCAN.hash: SCAN}, {}, {}, None, world.now + 1000)
    return id_


@pytest.fixture
def desk(world):
    desk = Desk(world.stores, world.stores.accounts.get("analyst"), world.now, None)
    desk.open(INCIDENT, "Quét", [world.alerts["hungyen"]])
    return desk


def incident_of(world, id_):
    return world.stores.alerts.get(id_, EVERYTHING).triage.incident


def test_a_new_alert_about_the_same_joins_and_its_history_says_who_did_it(world, desk):
    new = fire(world)
    assert Gatherer(world.stores).look(world.now) == 1
    assert incident_of(world, new) == INCIDENT
    assert [(line.by, line.field, line.new) for line in world.stores.triage.history(new)] == [
        (ROBOT.name, "incident", INCIDENT)
    ]


def test_what_is_about_something_else_or_of_others_does_not(world, desk):
    others = [
        fire(world, entity="203.0.113.8"),
        fire(world, org="ninhbinh"),
        fire(world, entity="x", field="user.name"),
    ]
    assert Gatherer(world.stores).look(world.now) == 0
    assert {incident_of(world, id_) for id_ in others} == {None}


def test_what_a_person_took_out_stays_out(world, desk):
    new = fire(world)
    gatherer = Gatherer(world.stores)
    gatherer.look(world.now)
    desk.remove(INCIDENT, [new])
    assert gatherer.look(world.now) == Gatherer(world.stores).look(world.now) == 0
    assert incident_of(world, new) is None


def test_what_was_there_when_it_was_opened_was_left_out_on_purpose(world):
    new = fire(world)
    Desk(world.stores, world.stores.accounts.get("analyst"), world.now + 2000, None).open(
        INCIDENT, "Quét", [world.alerts["hungyen"]]
    )
    assert Gatherer(world.stores).look(world.now) == 0
    assert incident_of(world, new) is None


def test_nothing_joins_a_closed_incident(world, desk):
    desk.decide(INCIDENT, IncidentDecision(status=IncidentStatus.CLOSED, verdict=Verdict.BENIGN))
    fire(world)
    assert Gatherer(world.stores).look(world.now) == 0


def test_of_a_burst_none_is_left_out(world, desk):
    gatherer = Gatherer(world.stores)
    assert gatherer.look(world.now) == 0
    burst = [fire(world, day=f"day {n}") for n in range(250)]
    assert gatherer.look(world.now) == 250
    assert {incident_of(world, id_) for id_ in burst} == {INCIDENT}
    lines = [line for line in desk.history(INCIDENT) if line.by == ROBOT.name]
    assert len(lines) <= 3, "not a line for each alert"
    assert gatherer.look(world.now) == 0


def test_one_that_is_seen_late_joins_though_newer_ones_have_been_looked_at(world, desk):
    gatherer = Gatherer(world.stores)
    world.now += 30_000
    fire(world, day="newer")
    assert gatherer.look(world.now) == 1
    world.now -= 25_000
    late = fire(world, day="late")
    assert gatherer.look(world.now) == 1
    assert incident_of(world, late) == INCIDENT


def test_what_could_not_be_written_is_tried_again(world, desk):
    new, calls = fire(world), []

    def away():
        calls.append(1)
        raise StoreUnavailable("away")

    gatherer = Gatherer(interrupted(world.stores, 0, away))
    with pytest.raises(StoreUnavailable):
        gatherer.look(world.now)
    assert (gatherer.look(world.now), calls) == (1, [1])
    assert incident_of(world, new) == INCIDENT


def test_one_that_cannot_join_does_not_keep_the_others_out(world, desk):
    other, late = "b" * 24, fire(world, entity="203.0.113.8", day="first")
    Desk(world.stores, desk.account, world.now + 2000, None).open(other, "Khác", [late])
    world.now += 3000
    mine, theirs = fire(world), fire(world, entity="203.0.113.8")
    close = IncidentDecision(status=IncidentStatus.CLOSED, verdict=Verdict.BENIGN)
    assert Gatherer(interrupted(world.stores, 0, lambda: desk.decide(other, close))).look(world.now) == 1
    assert (incident_of(world, mine), incident_of(world, theirs)) == (INCIDENT, None)


def test_a_store_that_is_away_does_not_end_it(world, desk):
    stop, looks = threading.Event(), []

    class Away(Gatherer):
        def look(self, now):
            looks.append(now)
            if len(looks) == 3:
                stop.set()
            raise StoreUnavailable("away") if len(looks) < 2 else ValueError("a fault of ours")

    gather(Away(world.stores), world.clock, stop, look_s=0.001)
    assert len(looks) == 3
