"""Entities in the observer: who behaves unlike before becomes an alert and is listed, and a kill anywhere changes nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from observing import NO_SERIES, append, watching
from officers import CURIOUS, DAY, lookups
from streams import START

from detector.people import watch
from soc.model.finding import alert_id_after
from soc.model.harmless import behaviour, verdict_id
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.unusual import Covered, Unusual, entity_id
from soc.query.parse import parse
from soc.service.handover import take
from soc.service.harmless import KnownHarmless
from soc.service.people import people_dir
from soc.store.anomalies import SqliteAnomalies, anomalies_file
from soc.store.base import AlertFilter
from soc.store.detections import SqliteDetections
from soc.store.sqlite import open_stores
from soc.store.unusual import SqliteUnusual

pytestmark = pytest.mark.xdist_group("observed-people")  # one worker: what they share takes long to make
DAYS = 6


def alerts(place: Path) -> list[tuple[str, str, str, int]]:
    detections = SqliteDetections(place)
    take(place, lambda found, docs: detections.commit(found, docs, {}, {}, None, START))
    detections.close()
    listed = open_stores(place).alerts.list(AlertFilter(), EVERYTHING, limit=200).items
    return sorted((one.rule_id, one.entity, one.id, one.count) for one in listed if one.rule_id.startswith("people-"))


def shown(place: Path, scope: Scope = EVERYTHING) -> list[Unusual]:
    return list(SqliteUnusual(anomalies_file(place)).ranked(scope, 0, START + 100 * DAY, limit=200).items)


@pytest.fixture(scope="module")
def curious(tmp_path_factory) -> Path:
    """After the observer has been through it, a day of each kind."""
    place = tmp_path_factory.mktemp("curious")
    append(place, list(lookups(DAYS, 1, curious_on=4)))
    with watching(place, NO_SERIES) as (observer, _):
        observer.drain()
    return place


def test_an_officer_who_reads_too_many_is_an_alert_and_listed(curious):
    first = shown(curious)[0]
    assert (first.people, first.entity, first.org, first.field) == ("officers", CURIOUS, "hungyen", "user.id")
    assert START + 4 * DAY < first.since < first.at < START + 5 * DAY, "on the same day"
    said = [reason.text["vi"] for reason in first.reasons[:3]]
    assert any("công dân" in text or "sự kiện" in text for text in said), said
    assert any(reason.actual > 3 * max(reason.expected, 1) for reason in first.reasons[:3])
    parse(first.query)
    found = {(rule, entity): id_ for rule, entity, id_, _ in alerts(curious)}
    assert found["people-officers", CURIOUS] == first.alert
    stores = open_stores(curious)
    alert = stores.alerts.get(first.alert, EVERYTHING)
    assert (alert.level, alert.entity_field) == ("high", "user.id")
    rule = stores.alerts.rule(alert.rule_hash)
    assert rule.titles["vi"] == "Cán bộ tra cứu khác thường qua LGSP"
    assert set(rule.runbook) == {"vi", "en"}
    matched = stores.alerts.findings(alert.id, EVERYTHING).items[0].matched
    assert len(matched["govsoc.people.reasons_vi"]) == len(matched["govsoc.people.reasons"]) > 0
    assert matched["user.id"] == CURIOUS, "exceptions may ask for it"
    assert matched["govsoc.people.query"].startswith(
        f'event.dataset:"lgsp.gateway" AND organization.id:"hungyen" AND user.id:"{CURIOUS}"'
    )


def test_each_organisation_sees_its_own(curious):
    mine = SqliteUnusual(anomalies_file(curious))
    first = shown(curious)[0]
    assert shown(curious, Scope(frozenset({"hungyen"}))) == shown(curious)
    assert shown(curious, Scope(frozenset({"ninhbinh"}))) == []
    assert mine.of_alert(Scope(frozenset({"ninhbinh"})), first.alert) == []
    assert first in mine.of_alert(EVERYTHING, first.alert)
    assert mine.crowds(Scope(frozenset({"ninhbinh"}))) == []
    counts = {one.people: one.entities for one in mine.crowds(EVERYTHING)}
    assert counts == {"officers": 12, "consumers": 1}


def test_a_list_is_read_in_pages(curious):
    store, everything = SqliteUnusual(anomalies_file(curious)), shown(curious)
    assert len(everything) > 2
    pages, cursor = [], None
    while True:
        page = store.ranked(EVERYTHING, 0, START + 100 * DAY, cursor=cursor, limit=1)
        pages += page.items
        cursor = page.next
        if cursor is None:
            break
    assert pages == everything
    assert [one.score for one in pages] == sorted((one.score for one in pages), reverse=True)


def test_killed_anywhere_it_ends_as_if_undisturbed(curious, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "_SOONER", 300)  # snapshots also in so little
    append(tmp_path, list(lookups(DAYS, 1, curious_on=4)))
    rng, kills = random.Random(3), 0
    while True:
        with watching(tmp_path, NO_SERIES, batch=rng.randrange(50, 250)) as (observer, _):
            if any(not observer.step() for _ in range(rng.randrange(1, 4))):
                observer.commit()
                break
            if rng.random() < 0.7:
                observer.commit()
        kills += 1
    assert kills > 3
    assert shown(tmp_path) == shown(curious)
    assert alerts(tmp_path) == alerts(curious) != []


def test_a_kind_of_an_administrator_and_one_that_is_wrong(tmp_path):
    people_dir(tmp_path).mkdir()
    mine = (
        'name: officers\nsystem: lgsp\ntitles: {vi: "Của tôi", en: "Mine"}\ndatasets: [lgsp.gateway]\n'
        "entity: [user.id]\nwhat: [govsoc.lgsp.subject]\n"
    )
    (people_dir(tmp_path) / "own.yml").write_text(f"{mine}---\nname: broken\nsystem: nowhere\n", encoding="utf-8")
    append(tmp_path, list(lookups(1, 2)))
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    crowds = SqliteUnusual(anomalies_file(tmp_path)).crowds(EVERYTHING)
    assert {one.people: one.titles["en"] for one in crowds}["officers"] == "Mine"
    kept = SqliteAnomalies(tmp_path)
    faults = {fault.reason.partition(":")[0] for fault in kept.running()[1] if fault.path.endswith("own.yml")}
    kept.close()
    assert {"system", "titles", "datasets", "entity", "what"} <= faults, "administrators are shown these"
    (people_dir(tmp_path) / "own.yml").write_text(mine.replace("subject", "service_code"), encoding="utf-8")
    append(tmp_path, list(lookups(1, 3, start=START + DAY, officers=3)))
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    crowds = {one.people: one for one in SqliteUnusual(anomalies_file(tmp_path)).crowds(EVERYTHING)}
    assert crowds["officers"].entities == 3, "it means something else now, and is learned anew"
    assert crowds["consumers"].entities == 1


def test_what_has_no_room_is_counted_and_said(tmp_path):
    append(tmp_path, [*lookups(1, 1, officers=2), *lookups(1, 2, officers=2, org="ninhbinh")])
    with watching(tmp_path, NO_SERIES, most_crowds=3) as (observer, _):
        observer.drain()
    crowds = SqliteUnusual(anomalies_file(tmp_path)).crowds(EVERYTHING)
    assert len([one for one in crowds if one.org]) == 3
    (beyond,) = [one for one in crowds if not one.org]
    assert beyond.other == sum(1 for _ in lookups(1, 2, officers=2))
    append(tmp_path, list(lookups(1, 3, officers=2, org="hoabinh", start=START + DAY)))
    with watching(tmp_path, NO_SERIES, most_crowds=3) as (observer, _):
        observer.drain()
    crowds = SqliteUnusual(anomalies_file(tmp_path)).crowds(EVERYTHING)
    assert max(one.other for one in crowds if not one.org) > beyond.other, "it goes on counting after a restart"


def test_a_folder_without_kinds_switches_it_off(tmp_path):
    (tmp_path / "none").mkdir()
    append(tmp_path, list(lookups(1, 1)))
    with watching(tmp_path, NO_SERIES, people=[tmp_path / "none"]) as (observer, _):
        observer.drain()
    assert SqliteUnusual(anomalies_file(tmp_path)).crowds(EVERYTHING) == []


def test_a_slip_of_the_pen_costs_nothing_that_was_learned(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    text = (
        "name: {name}\nsystem: lgsp\ntitles: {{vi: Của tôi, en: Mine}}\ndatasets: [lgsp.gateway]\n"
        "entity: [user.id]\nwhat: [govsoc.lgsp.subject]\n"
    )
    for number, written in enumerate((text, text.replace("what", "waht"), text)):
        (own / "own.yml").write_text(written.format(name="mine"), encoding="utf-8")
        append(tmp_path, list(lookups(1, number, start=START + number * DAY, officers=12 if number == 0 else 3)))
        with watching(tmp_path, NO_SERIES, people=[own]) as (observer, _):
            observer.drain()
    (mine,) = SqliteUnusual(anomalies_file(tmp_path)).crowds(EVERYTHING)
    assert mine.entities == 12, "those of the first day are known still"


def test_a_slip_of_the_pen_in_what_replaces_ours_costs_nothing_while_it_runs(tmp_path):
    file = people_dir(tmp_path) / "own.yml"
    file.parent.mkdir()
    text = (
        "name: officers\nsystem: lgsp\ntitles: {vi: Của tôi, en: Mine}\ndatasets: [lgsp.gateway]\n"
        "entity: [user.id]\nwhat: [govsoc.lgsp.subject]\n"
    )
    with watching(tmp_path, NO_SERIES) as (observer, _):
        for number, written in enumerate((text, text.replace("what", "waht"), text)):
            file.write_text(written, encoding="utf-8")
            observer.commit()
            observer._observer = None  # as when files have changed
            append(tmp_path, list(lookups(1, number, start=START + number * DAY, officers=12 if number == 0 else 3)))
            observer.drain()
            crowds = SqliteUnusual(anomalies_file(tmp_path)).crowds(EVERYTHING)
            assert [one.entities for one in crowds if one.people == "officers"] == [12]


def said_before(place: Path, said: Sequence[Policy]) -> list[Unusual]:
    """What the observer shows of the curious one where this had been laid down before."""
    policies = open_stores(place).policies
    for policy in said:
        policies.put(policy)
    append(place, list(lookups(DAYS, 1, curious_on=4)))
    harmless = KnownHarmless(policies)
    harmless.load()
    with watching(place, NO_SERIES, judged=harmless.judged) as (observer, _):
        observer.drain()
    return [one for one in shown(place) if one.entity == CURIOUS]


def saying(of: Unusual, **other: str) -> list[Policy]:
    said = replace(behaviour("a" * 44, of.alert, [of]), **other)
    return [Policy(PolicyKind.HARMLESS, said.id, 1, said.body(), "lan", START, "moves an archive")]


def test_what_was_said_to_be_harmless_raises_no_alert_and_is_kept_and_learned_alike(curious, tmp_path):
    expected = [one for one in shown(curious) if one.entity == CURIOUS]
    first, *others = expected
    assert others, "by other features, of the same episode"
    found = said_before(tmp_path, saying(first))
    assert [replace(one, harmless=(), alert=first.alert) for one in found] == expected, "the same was learned"
    assert [(one.alert, one.harmless) for one in found] == [
        ("", (Covered("lan", START, "moves an archive", first.alert),)),
        *((first.alert, ()) for _ in others),
    ], "what nobody spoke of is raised as ever"
    before, after = ({id_: count for *_, id_, count in alerts(place)} for place in (curious, tmp_path))
    assert after == before | {first.alert: before[first.alert] - 1}


def test_beyond_what_a_verdict_said_is_another_alert_as_that_one_is_closed(curious, tmp_path):
    first, *others = (one for one in shown(curious) if one.entity == CURIOUS)
    (said,) = saying(first, id=verdict_id(entity_id(first.people, first.org, first.entity), first.alert))
    found = said_before(tmp_path, [said])
    after = alert_id_after(first.alert, 1)
    assert [one.alert for one in found] == ["", *(after for _ in others)]
    raised = {id_: count for *_, id_, count in alerts(tmp_path)}
    assert raised[after] == len(others)
    assert first.alert not in raised


def test_what_was_withdrawn_or_said_of_others_raises_alerts_again(curious, tmp_path):
    expected = [one for one in shown(curious) if one.entity == CURIOUS]
    (said,) = saying(expected[0])
    for name, laid in {
        "withdrawn": [said, replace(said, version=2, body=None)],
        "elsewhere": saying(expected[0], org="ninhbinh"),
        "somebody": saying(expected[0], entity="canbo.01"),
        "another": saying(expected[0], people="consumers"),
        "less": [
            replace(
                said,
                body=dict(said.body)
                | {"limits": [[*one[:3], one[3] / 1.2, one[4] / 1.5] for one in said.body["limits"]]},
            )
        ],
        "damaged": [replace(said, body=dict(said.body) | {"limits": "all"})],
    }.items():
        assert said_before(tmp_path / name, laid) == expected, name
        assert alerts(tmp_path / name) == alerts(curious), name
