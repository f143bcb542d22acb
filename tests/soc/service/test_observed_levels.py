"""Service levels in the observer: what burns becomes an alert and is shown, and a kill anywhere changes nothing."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

from observing import NO_SERIES, append, watching
from streams import MINUTE, START, receipts, stored

from soc.model.org import EVERYTHING, Scope
from soc.model.service_level import Blame
from soc.service.handover import take
from soc.service.levels import slo_dir
from soc.store.anomalies import anomalies_file
from soc.store.base import AlertFilter
from soc.store.detections import SqliteDetections
from soc.store.levels import SqliteLevels
from soc.store.sqlite import open_stores

DOWN = {"mobifone": (120, 170, 0.95)}


def alerts(place: Path):
    detections = SqliteDetections(place)
    take(place, lambda found, docs: detections.commit(found, docs, {}, {}, None, START))
    detections.close()
    stores = open_stores(place)
    return {
        alert.rule_id: stores.alerts.findings(alert.id, EVERYTHING).items
        for alert in stores.alerts.list(AlertFilter(), EVERYTHING, limit=200).items
    }


def test_a_carrier_that_is_down_is_an_alert_and_on_the_page(tmp_path):
    append(tmp_path, list(receipts(180, 25, 1, DOWN)))
    with watching(tmp_path, NO_SERIES) as (observer, _):
        assert observer.drain() == 180 * 25
    found = alerts(tmp_path)
    assert "level-page-otp" in found
    matched = found["level-page-otp"][0].matched
    assert (matched["govsoc.level.blame"], matched["govsoc.level.upstream"]) == ("upstream", ["mobifone"])
    assert "mobifone" in matched["govsoc.level.reason_vi"]
    levels, count = SqliteLevels(anomalies_file(tmp_path)).worst(Scope(frozenset({"hungyen"})))
    assert count == 2, "delivered, and in time"
    assert levels[0].burning.place.blame is Blame.UPSTREAM
    assert levels[0].parts[0].name == "mobifone"
    assert levels[0].total == sum(part.total for part in levels[0].parts)
    assert SqliteLevels(anomalies_file(tmp_path)).worst(Scope(frozenset({"ninhbinh"}))) == ([], 0)


def test_killed_anywhere_it_ends_as_if_undisturbed(tmp_path):
    events = list(receipts(180, 15, 2, DOWN))
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for place in (calm, killed):
        append(place, events)
    with watching(calm, NO_SERIES) as (observer, _):
        observer.drain()
    rng, kills = random.Random(3), 0
    while True:
        with watching(killed, NO_SERIES, batch=rng.randrange(50, 300)) as (observer, _):
            if any(not observer.step() for _ in range(rng.randrange(1, 6))):
                observer.commit()
                break
            if rng.random() < 0.7:
                observer.commit()
        kills += 1
    assert kills > 3
    shown = [SqliteLevels(anomalies_file(place)).worst(EVERYTHING) for place in (calm, killed)]
    assert shown[0] == shown[1]
    assert shown[0][1] == 2
    assert alerts(calm) == alerts(killed) != {}


def test_an_administrators_objective_and_one_that_cannot_be_read(tmp_path):
    slo_dir(tmp_path).mkdir()
    (slo_dir(tmp_path) / "mail.yml").write_text(
        "name: mail-delivered\ntitles: {vi: Thư, en: Mail}\nsystem: mail\nmeasure: success\n"
        "datasets: [postfix]\ngood: event.outcome:success\nobjective: 99\n---\nname: broken\n"
    )
    append(tmp_path, [stored(START + n * 1000, n, "postfix", event__outcome="success") for n in range(300)])
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    levels, _ = SqliteLevels(anomalies_file(tmp_path)).worst(EVERYTHING)
    assert [(level.name, level.total) for level in levels] == [("mail-delivered", 240)], "of the minutes that are over"
    assert levels[0].at - START == MINUTE * 4


def test_a_source_that_is_hours_behind_holds_nobody_up(tmp_path):
    events = list(receipts(260, 25, 1, DOWN))
    behind = [
        stored(START + minute * MINUTE - 7 * 60 * MINUTE, 50_000 + minute, org="ninhbinh", source="slow")
        for minute in range(260)
    ]
    append(tmp_path, sorted([*events, *behind], key=lambda one: one.ts + (one.source == "slow") * 7 * 60 * MINUTE))
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    assert "level-page-otp" in alerts(tmp_path)


def test_what_cannot_be_read_any_more_goes(tmp_path):
    """Rows are kept by number: those of before would be taken for those of whoever has the number now."""
    append(tmp_path, list(receipts(120, 25, 1, DOWN)))
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    db = sqlite3.connect(anomalies_file(tmp_path))
    db.execute("INSERT INTO level_state VALUES ('hour/1', x'00')")
    assert db.execute("UPDATE level_state SET value = x'00' WHERE name = 'head'").rowcount == 1
    db.commit()
    append(tmp_path, [stored(START + 121 * MINUTE, 90_000, org="ninhbinh")])
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    assert not db.execute("SELECT * FROM level_state WHERE name = 'hour/1'").fetchall()
    assert SqliteLevels(anomalies_file(tmp_path)).worst(EVERYTHING) == ([], 0)
    db.close()
