"""One decision for many alerts is heard by so many series and entities; what has not heard of it is written down for what it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unusual_made import noticed, unusual

from api.harmless import Standing
from api.verdicts import Heard, believe
from soc.model.alert import Decision, Status, Verdict
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import EVERYTHING, Scope
from soc.model.rule import RuleDoc
from soc.store.progress import write_anomalies

NOW = 1_772_452_800_000
HUNGYEN = Scope(frozenset({"hungyen"}))
SERIES = RuleDoc("anomaly-otp-delivery", "hash-anomaly", "Codes not delivered", "high", "name: otp-delivery")
ENTITY = RuleDoc("people-officers", "hash-officers", "An officer looks up unlike before", "high", "name: officers")
CLOSE = {"status": "closed", "verdict": "benign"}
BENIGN = Decision(status=Status.CLOSED, verdict=Verdict.BENIGN)


def fire(world, rule: RuleDoc, id_: str) -> str:
    event = "e" * 32
    finding = Finding(finding_id(id_, event), id_, rule.id, rule.hash, "hungyen", "entity", "one", NOW, event, {})
    world.detections.commit([finding], {rule.hash: rule}, {}, {}, None, NOW)
    return id_


@pytest.fixture
def series(world):
    """Two alerts; the first is about two series."""
    first, second = (fire(world, SERIES, alert_id(SERIES.id, "hungyen", "one", f"episode {n}")) for n in range(2))
    known = world.anomalies.list(HUNGYEN)[-1]
    with world.anomalies._db.write() as db:
        write_anomalies(db, [replace(known, series=one * 24, alert=first) for one in "cd"])
    return first, second


@pytest.fixture
def entity(world, anomaly_db):
    one = unusual("hungyen")
    noticed(anomaly_db, [one])
    return fire(world, ENTITY, one.alert)


def unheard(client, world, rules) -> list[tuple[str, str]]:
    for rule, expected in rules.items():
        asked = {"where": {"rule_id": rule} if rule else {}, "change": CLOSE, "expected": expected}
        answer = client.post("/api/v1/alerts/bulk", json=asked)
        assert answer.status_code == 200, answer.text
        assert answer.json()["moved"] == 0
    return sorted(
        (one.action, one.detail.partition("those of ")[2])
        for one in world.stores.audit.list(limit=100).items
        if one.target == "bulk"
    )


@pytest.mark.parametrize(
    ("rules", "entries"),
    [
        ({SERIES.id: 2}, [("series.harmless", "2 more alerts have not")]),
        ({ENTITY.id: 1}, [("entity.harmless", "1 more alerts have not")]),
        ({"": 4}, [("entity.harmless", "1 more alerts have not"), ("series.harmless", "2 more alerts have not")]),
    ],
)
def test_what_has_not_heard_of_it_is_written_down_for_what_it_is(
    client_of, world, series, entity, monkeypatch, rules, entries
):
    monkeypatch.setattr("api.bulk.MOST_SERIES", 0)
    assert unheard(client_of("analyst"), world, rules) == entries


def test_of_other_verdicts_nobody_hears(client_of, world, series, entity, monkeypatch):
    monkeypatch.setattr("api.bulk.MOST_SERIES", 0)
    monkeypatch.setitem(CLOSE, "verdict", "false_positive")
    assert unheard(client_of("analyst"), world, {"": 4}) == []


@pytest.mark.parametrize(("most", "heard"), [(-1, 0), (0, 0), (1, 1), (None, 2)])
def test_so_many_series_hear_a_verdict_and_an_entity_counts_one(world, series, entity, most, heard):
    me = world.stores.accounts.get("analyst")
    ground = Standing(world.stores, world.anomalies, world.unusual, lambda: world.now)
    about_series, about_entity = (world.stores.alerts.get(id_, EVERYTHING) for id_ in (series[0], entity))
    assert believe(ground, me, about_series, BENIGN, most) == Heard(heard, heard)
    assert believe(ground, me, about_entity, BENIGN, most) == Heard(min(heard, 1), min(heard, 1))
