"""Communes share the indices of their province: each read of one commune shows nothing of another, or of the province."""

from __future__ import annotations

import pytest
from indexed import IndexedLog

from soc.errors import NotFound
from soc.model.alert import Decision, Status
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import EVERYTHING, Scope
from soc.model.rule import RuleDoc
from soc.model.source import Source, Transport
from soc.query.parse import parse
from soc.store.base import AlertFilter
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.open import open_detections, open_stores

pytestmark = pytest.mark.server

NOON = 1_772_452_800_000
RULE = RuleDoc("r-1", "hash-1", "SSH brute force", "high", "title: SSH brute force")
# A province, two communes of it, one whose code only begins alike, and another province.
ORGS = ["hungyen", "hungyen.001", "hungyen.002", "hungyen2", "ninhbinh.001"]


@pytest.fixture
def country(elastic, tmp_path, make_event):
    """Stores, and by organisation its event and its alert; all have the same entity."""
    with connect(elastic.url) as client:
        setup.install(client)
        stores, detections = open_stores(client), open_detections(client, tmp_path)
        events = {org: make_event(NOON + i, "1", org=org, source__ip="192.0.2.1") for i, org in enumerate(ORGS)}
        IndexedLog(tmp_path / "events", client).append(list(events.values()))
        alerts = {}
        for org, event in events.items():
            alert = alert_id(RULE.id, org, "192.0.2.1", "day")
            ids = (finding_id(alert, event.id), alert, RULE.id, RULE.hash, org)
            [alerts[org]] = detections.commit(
                [Finding(*ids, "source.ip", "192.0.2.1", event.ts, event.id, {})], {RULE.hash: RULE}, {}, {}, None, NOON
            )
            stores.sources.add(Source(f"s-{org}", org, org, "nginx.access", Transport.PUSH), None, by="test")
            stores.triage.change(alerts[org], Decision(assignee="lan"), by="lan", now=1)
        yield stores, events, alerts


def test_every_read_keeps_to_the_organisation(country):
    for org in ORGS:
        every_read_keeps_to(org, *country)


def every_read_keeps_to(org, stores, events, alerts):
    mine, others = Scope(frozenset({org})), [other for other in ORGS if other != org]
    everything = AlertFilter()
    assert [a.org for a in stores.alerts.list(everything, mine).items] == [org]
    assert [a.org for a in stores.alerts.list(AlertFilter(entity="192.0.2.1", assignee="lan"), mine).items] == [org]
    assert stores.alerts.counts(mine)[Status.NEW] == 1
    assert stores.alerts.by_rule(mine) == {"r-1": 1}
    assert [f.event_id for f in stores.alerts.findings(alerts[org], mine).items] == [events[org].id]
    assert list(stores.events.search(parse("source.ip:192.0.2.1"), mine).items) == [events[org]]
    assert list(stores.events.search(parse("organization.id:*"), mine).items) == [events[org]]
    assert stores.events.many([e.id for e in events.values()], mine) == [events[org]]
    assert stores.events.neighbours(events[org].id, mine) == ([], [])
    assert [source.org for source in stores.sources.list(mine)] == [org]
    for other in others:
        assert stores.alerts.list(AlertFilter(org=other), mine).items == ()
        for read in (
            lambda other=other: stores.alerts.get(alerts[other], mine),
            lambda other=other: stores.alerts.findings(alerts[other], mine),
            lambda other=other: stores.events.get(events[other].id, mine),
            lambda other=other: stores.events.neighbours(events[other].id, mine),
            lambda other=other: stores.sources.get(f"s-{other}", mine),
        ):
            with pytest.raises(NotFound):
                read()


def test_who_may_see_nothing_sees_nothing_and_who_may_see_all_sees_all(country):
    stores, events, alerts = country
    nothing = Scope(frozenset())
    assert stores.alerts.list(AlertFilter(), nothing).items == ()
    assert sum(stores.alerts.counts(nothing).values()) == 0
    assert stores.alerts.by_rule(nothing) == {}
    assert stores.events.search(parse(""), nothing).items == ()
    assert stores.events.many([e.id for e in events.values()], nothing) == []
    assert stores.sources.list(nothing) == []
    with pytest.raises(NotFound):
        stores.alerts.get(alerts["hungyen"], nothing)
    assert {a.org for a in stores.alerts.list(AlertFilter(), EVERYTHING).items} == set(ORGS)
    assert len(stores.events.search(parse(""), EVERYTHING).items) == len(ORGS)
    two = Scope(frozenset({"hungyen.001", "ninhbinh.001"}))
    assert {a.org for a in stores.alerts.list(AlertFilter(), two).items} == two.orgs
    assert {e.org for e in stores.events.search(parse(""), two).items} == two.orgs
