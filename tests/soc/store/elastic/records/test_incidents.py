"""Acts on incidents on a real server, where one write of an alert's triage is several requests: cut at each of them."""

from __future__ import annotations

from contextlib import suppress
from itertools import count

import pytest
from mortal import Killed, mortal
from opened import NOON, commit, finding, open_elastic

from api.incidents import Desk
from soc.model.account import Account, Role
from soc.model.alert import Decision, Triage
from soc.model.org import EVERYTHING
from soc.store.base import AlertFilter
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.open import open_stores
from soc.store.elastic.records.triage import triage_of

pytestmark = pytest.mark.server

LAN = Account("lan", Role.ANALYST, EVERYTHING)
TRIAGE = "govsoc-triage-hungyen"


@pytest.fixture
def opened(elastic, tmp_path):
    with connect(elastic.url) as client:
        setup.install(client)
        yield open_elastic(tmp_path, client)


def alerts_of(opened, make_event, number, many):
    findings = [finding(make_event(NOON, f"{number}.{n}"), entity=f"10.0.{number}.{n}") for n in range(many)]
    commit(opened, findings)
    return [found.alert_id for found in findings]


@pytest.mark.parametrize("answered", [False, True], ids=["before the server has it", "after the server has done it"])
@pytest.mark.parametrize("act", ["open", "merge"])
def test_killed_at_any_request_the_act_is_finished_by_doing_it_again(opened, elastic, make_event, act, answered):
    for at in count(1):
        a, (one, two) = alerts_of(opened, make_event, at, 2), (f"{at:020x}{n:04x}" for n in (1, 2))
        desk = Desk(opened.stores, LAN, NOON, None)
        desk.open(two, "Sự cố", [a[1]])
        if act == "merge":
            desk.open(one, "Sự cố khác", [a[0]])

        def work(desk, a=a, one=one, two=two):
            return desk.merge(one, two) if act == "merge" else desk.open(one, "Sự cố khác", [a[0]])

        with mortal(elastic.url, at, answered) as client:
            with suppress(Killed):
                work(Desk(open_stores(client), LAN, NOON, None))
            whole = client.at > 0
        held = [opened.stores.alerts.get(id_, EVERYTHING).triage.incident for id_ in a]
        assert held[0] in (one, two, None)
        assert held[1] == two
        incident = work(desk)
        wanted = {a[0], a[1]} if act == "merge" else {a[0]}
        assert {x.id for x in opened.stores.alerts.list(AlertFilter(incident=incident.id), EVERYTHING).items} == wanted
        lines = [line.new for line in opened.stores.triage.history(a[0]) if line.field == "incident"]
        assert lines == ([one, two] if act == "merge" else [one])
        if whole:
            break
    assert at > 8


def test_a_record_of_an_older_govsoc_is_in_no_incident(opened, elastic, make_event):
    [alert] = alerts_of(opened, make_event, 1, 1)
    opened.stores.triage.change(alert, Decision(comment="x"), by="lan", now=1)
    with_all = elastic.request("GET", f"/{TRIAGE}/_doc/{alert}")["_source"]
    old = {name: value for name, value in with_all.items() if name not in ("incident", "snoozed_until")}
    elastic.request("PUT", f"/{TRIAGE}/_doc/{alert}", old)
    assert triage_of(old) == Triage(version=1, updated_at=1, updated_by="lan")
    assert (
        opened.stores.triage.change(alert, Decision(version=1, incident="1" * 24), by="lan", now=2).incident == "1" * 24
    )
    assert [line.field for line in opened.stores.triage.history(alert)] == ["comment", "incident"]
