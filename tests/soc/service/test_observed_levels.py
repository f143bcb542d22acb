"""Service levels in the observer: what burns becomes an alert and is shown, and a kill anywhere changes nothing."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

from observing import NO_SERIES, append, watching
from streams import MINUTE, START, receipts, stored

from detector.health.definition import load
from soc.model.org import EVERYTHING, Scope
from soc.model.service_level import Blame
from soc.service.handover import take
from soc.service.levels import slo_dir
from soc.service.process import now_ms
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


MAIL = "name: mail-delivered\ntitles: {vi: Thư, en: Mail}\nsystem: mail\nmeasure: success\ndatasets: [postfix]\n"


def mails(begin: int, minutes: int, good: bool = True):
    outcome = "success" if good else "failure"
    return [
        stored(START + (begin + n) * MINUTE, 10_000 * good + begin + n, "postfix", event__outcome=outcome)
        for n in range(minutes)
    ]


def objectives(place: Path) -> dict[str, tuple[float, int, int]]:
    levels, _ = SqliteLevels(anomalies_file(place)).worst(EVERYTHING)
    return {one.name: (one.objective, one.total, one.bad) for one in levels}


def test_objectives_are_taken_up_while_they_count(tmp_path):
    """A new one, a change of what should be, a slip of the pen, and one that is gone; counts are kept where they mean the same."""
    slo_dir(tmp_path).mkdir()
    file = slo_dir(tmp_path) / "mail.yml"
    file.write_text(MAIL + "good: event.outcome:success\nobjective: 99\n")
    with watching(tmp_path, NO_SERIES) as (observer, kept):

        def after(begin: int) -> dict[str, tuple[float, int, int]]:
            observer.commit()
            observer._observer = None  # as when files have changed: it begins at the commit
            append(tmp_path, mails(begin, 10))
            observer.drain()
            return objectives(tmp_path)

        assert after(0) == {"mail-delivered": (0.99, 9, 0)}
        file.write_text(MAIL + "good: event.outcome:success\nobjective: 95.5\n")
        assert after(10) == {"mail-delivered": (0.955, 19, 0)}
        file.write_text(MAIL + "good: 'event.outcome:('\nobjective: 95\n")
        assert after(20) == {"mail-delivered": (0.955, 29, 0)}, "what ran before goes on"
        assert [fault.line for fault in kept.running()[1]] == [6]
        file.write_text(MAIL + "good: event.outcome:failure\nobjective: 95\n")
        assert after(30) == {"mail-delivered": (0.95, 9, 9)}, "another meaning: counted anew"
        assert kept.running()[1] == []
        file.unlink()
        assert after(40) == {}


def test_a_slip_of_the_pen_in_what_replaces_ours_forgets_no_counts(tmp_path):
    slo_dir(tmp_path).mkdir()
    own = next(one for one in load()[0] if one.name == "otp-delivered")
    file = slo_dir(tmp_path) / "otp.yml"
    replacing = MAIL.replace("mail-delivered", own.name).replace("system: mail", "system: otp")
    right = replacing + "good: event.outcome:success\nobjective: 98\n"
    with watching(tmp_path, NO_SERIES) as (observer, _):
        for text, begin in ((right, 0), (replacing, 10), (right, 20)):
            file.write_text(text)
            observer.commit()
            observer._observer = None  # as when files have changed
            append(tmp_path, mails(begin, 10))
            observer.drain()
            assert objectives(tmp_path) == {own.name: (0.98, begin + 9, 0)}


def test_a_slip_of_the_pen_at_the_start_forgets_no_counts(tmp_path):
    slo_dir(tmp_path).mkdir()
    file = slo_dir(tmp_path) / "mail.yml"
    right = MAIL + "good: event.outcome:success\nobjective: 99\n"
    for text, begin in ((right, 0), (MAIL, 10), (right, 20)):
        file.write_text(text)
        append(tmp_path, mails(begin, 10))
        with watching(tmp_path, NO_SERIES) as (observer, _):
            observer.drain()
    assert objectives(tmp_path) == {"mail-delivered": (0.99, 19, 0)}, "but for the ten minutes without it"


def test_the_alert_of_what_burned_says_that_it_is_over(tmp_path):
    append(tmp_path, list(receipts(320, 25, 1, DOWN)))
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    findings = sorted(alerts(tmp_path)["level-page-otp"], key=lambda one: one.ts)
    assert ["govsoc.level.ended" in one.matched for one in findings] == [False] * (len(findings) - 1) + [True]
    assert "đã qua" in findings[-1].matched["govsoc.level.reason_vi"]


def test_a_clock_ten_years_ahead_is_no_beginning(tmp_path):
    ahead = stored(now_ms() + 10 * 365 * 1440 * MINUTE, 99_999, source="ahead", org="ninhbinh")
    append(tmp_path, [ahead])
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    append(tmp_path, list(receipts(180, 25, 1, DOWN)))
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    assert "level-page-otp" in alerts(tmp_path)


def test_a_slip_of_the_pen_in_what_is_good_is_no_outage(tmp_path):
    slo_dir(tmp_path).mkdir()
    (slo_dir(tmp_path) / "own.yml").write_text(MAIL + "good: event.outcome:sucess\nobjective: 99\n")
    append(tmp_path, [stored(START + n * 1000, n, "postfix", event__outcome="success") for n in range(4000)])
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    assert alerts(tmp_path) == {}
    (level,) = SqliteLevels(anomalies_file(tmp_path)).never_good()
    assert (level.name, level.ratio, level.burning) == ("mail-delivered", 0.0, None)
