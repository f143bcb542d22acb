"""The observer over a real event log: what it finds becomes alerts, and it can be killed or told things late without changing anything."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
from observing import append, watching
from streams import LOST, MINUTE, START, receipts, stored

from detector.series.definition import Definitions, load, loads
from soc import telemetry
from soc.buffer.sqlite import EventLog
from soc.model.anomaly import RECORD_BYTES, Board, half
from soc.model.event import Stored
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.surge import Surge, Surges
from soc.service.declared import declared_in, definitions_of
from soc.service.handover import take
from soc.service.levels import KnownSurges
from soc.service.observer import Watching
from soc.service.stamps import Files
from soc.settings import Observe, Settings
from soc.store.anomalies import SqliteAnomalies
from soc.store.base import AlertFilter
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, open_stores

DAY = 1440
DEFINITION = """
name: delivery
system: otp
titles: {vi: "Tin nhắn OTP không đến", en: "Codes not delivered"}
runbook: {vi: "Gọi nhà mạng.", en: "Call the carrier."}
dataset: otp.gateway
where: govsoc.otp.event:dlr
group_by: [govsoc.otp.carrier]
measure: ratio
hit: event.outcome:failure
direction: high
severity: high
---
name: delay
system: otp
titles: {vi: "Thời gian đến", en: "Time to deliver"}
dataset: otp.gateway
group_by: [govsoc.otp.carrier]
measure: quantile
quantile: 0.5
field: govsoc.otp.latency_ms
direction: high
---
name: receipts
system: otp
titles: {vi: "Số biên nhận", en: "Receipts"}
dataset: otp.gateway
measure: count
"""
OTHER_MEASURES = """
---
name: longest
system: otp
titles: {vi: "Thời gian đến dài nhất", en: "Longest time to deliver"}
dataset: otp.gateway
group_by: [govsoc.otp.carrier]
measure: quantile
quantile: 0.95
field: govsoc.otp.latency_ms
direction: high
---
name: mean
system: otp
titles: {vi: "Thời gian trung bình", en: "Mean time"}
dataset: otp.gateway
measure: mean
field: govsoc.otp.latency_ms
---
name: again
system: otp
titles: {vi: "Lặp lại", en: "Repeats"}
dataset: otp.gateway
group_by: [event.outcome]
measure: repeats
field: govsoc.otp.carrier
---
name: carriers
system: otp
titles: {vi: "Số nhà mạng", en: "Carriers"}
dataset: otp.gateway
measure: distinct
field: govsoc.otp.latency_ms
"""


@pytest.fixture
def definitions(tmp_path) -> Definitions:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "otp.yml").write_text(DEFINITION, encoding="utf-8")
    found = load([folder])
    assert not found.faults
    return found


def rows(kept: SqliteAnomalies) -> dict[tuple[Board, int], bytes]:
    return {(board, ts): data for board in kept.boards() for ts, data in kept.rows(board, 0)}


def handed(place: Path) -> list[str]:
    """The alerts that come of it, by id."""
    detections = SqliteDetections(place)
    take(place, lambda found, docs: detections.commit(found, docs, {}, {}, None, START))
    detections.close()
    alerts = open_stores(place).alerts.list(AlertFilter(), EVERYTHING, limit=200).items
    return sorted(f"{one.id} {one.rule_id} {one.entity} {one.count}" for one in alerts)


def test_a_carrier_that_loses_messages_is_an_alert(tmp_path, definitions):
    append(tmp_path, receipts(DAY + 120, 25, 1, LOST))
    with watching(tmp_path, definitions) as (observer, kept):
        assert observer.drain() == (DAY + 120) * 25
        anomalies = kept.list(EVERYTHING)
        assert [one.definition for one in anomalies] == ["delivery"]
        one = anomalies[0]
        assert (DAY + 50) * MINUTE <= one.since - START <= (DAY + 62) * MINUTE, "when the evidence began to add up"
        assert one.actual > one.upper > one.expected
        assert kept.list(Scope(frozenset({"ninhbinh"}))) == []
    assert len(handed(tmp_path)) == 1
    stores = open_stores(tmp_path)
    alert = stores.alerts.list(AlertFilter(), EVERYTHING).items[0]
    assert (alert.rule_id, alert.entity, alert.org, alert.level) == ("anomaly-delivery", "viettel", "hungyen", "high")
    assert stores.alerts.rule(alert.rule_hash).titles["vi"] == "Tin nhắn OTP không đến"
    matched = stores.alerts.findings(alert.id, EVERYTHING).items[0].matched
    assert matched["govsoc.otp.carrier"] == "viettel", "which an exception can ask"
    assert matched["govsoc.anomaly.query"].startswith(
        'event.dataset:"otp.gateway" AND organization.id:"hungyen" AND (govsoc.otp.event:dlr)'
    )
    assert one.alert == alert.id


def test_what_closes_no_bucket_is_known_to_be_read_when_nothing_follows(tmp_path, definitions):
    """A log at its limit takes nothing new, and can be cut down only by days that were read to their end."""
    append(tmp_path, list(receipts(1, 25, 1))[:20])
    with watching(tmp_path, definitions, commit_s=0) as (observer, kept):
        while observer.step():
            pass
        assert sum(kept.cursor().values()) == 20


def test_a_series_whose_first_bucket_is_open_at_a_restart_is_listed_all_the_same(tmp_path, definitions):
    events = list(receipts(6, 25, 1))
    append(tmp_path, events[:10])
    with watching(tmp_path, definitions) as (observer, kept):
        observer.drain()
        assert kept.series(EVERYTHING) == []
    append(tmp_path, events[10:])
    with watching(tmp_path, definitions) as (observer, kept):
        observer.drain()
        listed = {one.series.board.definition for one in kept.series(EVERYTHING)}
        assert listed == {"delivery", "delay", "receipts"}
        assert all(kept.readings(one.series, 0, START + DAY * MINUTE) for one in kept.series(EVERYTHING))


@pytest.mark.long
def test_killed_anywhere_it_ends_as_if_undisturbed(tmp_path, definitions):
    events = list(receipts(DAY + 120, 15, 2, LOST))
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for place in (calm, killed):
        append(place, events)
    with watching(calm, definitions) as (observer, kept):
        observer.drain()
        expected, found = rows(kept), kept.list(EVERYTHING)
    rng, kills = random.Random(3), 0
    while True:
        with watching(killed, definitions, batch=rng.randrange(300, 1500), commit_s=rng.choice((0, 0, 0.05))) as (
            observer,
            kept,
        ):
            if any(not observer.step() for _ in range(rng.randrange(1, 8))):
                observer.commit()
                break
        kills += 1
    assert kills > 3
    with watching(killed, definitions) as (_, kept):
        assert rows(kept) == expected
        assert kept.list(EVERYTHING) == found
    assert found
    assert handed(killed) == handed(calm)


@pytest.mark.long
def test_late_events_correct_what_was_judged_without_them(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "otp.yml").write_text(DEFINITION + OTHER_MEASURES, encoding="utf-8")
    definitions = load([tmp_path / "own"])
    assert not definitions.faults
    events = list(receipts(DAY + 120, 15, 4, LOST))
    late = {
        one.id
        for at, one in enumerate(events)
        if at % 50 == 7 and START + (DAY - 100) * MINUTE < one.ts < START + (DAY + 100) * MINUTE
    }
    in_time, behind, live = tmp_path / "in_time", tmp_path / "behind", tmp_path / "live"
    append(in_time, events)
    stream = _delayed(events, late, 20 * MINUTE)
    append(behind, stream)
    with watching(in_time, definitions) as (observer, kept):
        observer.drain()
        expected = rows(kept)
    assert len({board for board, _ in expected}) == 7
    with watching(behind, definitions, commit_s=0) as (observer, kept):
        observer.drain()
        assert rows(kept) == expected
        assert {counts.lost for counts in kept.counts(EVERYTHING).values()} == {0}
    rng, at = random.Random(5), 0
    while at < len(stream):  # as it comes, past midnight, too, and killed again and again
        append(live, stream[at : (at := at + rng.randrange(200, 1500))])
        with watching(live, definitions, batch=rng.randrange(100, 900), commit_s=rng.choice((0, 0.05))) as (
            observer,
            kept,
        ):
            for _ in range(rng.randrange(4)):
                observer.step()
    with watching(live, definitions) as (observer, kept):
        observer.drain()
        assert rows(kept) == expected


def _delayed(events: list[Stored], ids: set[str], by_ms: int) -> list[Stored]:
    return sorted(events, key=lambda one: one.ts + (by_ms if one.id in ids else 0))


def test_a_source_that_is_silent_is_unknown_and_calls_nobody(tmp_path, definitions):
    gap = (START + (DAY + 30) * MINUTE + 17_000, START + (DAY + 75) * MINUTE + 41_000)
    append(tmp_path, (one for one in receipts(DAY + 120, 25, 5) if not gap[0] <= one.ts < gap[1]))
    with watching(tmp_path, definitions) as (observer, kept):
        observer.drain()
        times = sorted(ts for ts, _ in kept.rows(Board("receipts", "hungyen"), 0))
        assert not [ts for ts in times if gap[0] - MINUTE < ts < gap[1]], "no bucket that the silence touches is known"
        assert START + (DAY + 29) * MINUTE in times
        assert START + (DAY + 76) * MINUTE in times
        assert kept.list(EVERYTHING) == []


def test_one_that_waits_for_the_detector_is_behind(tmp_path, definitions, monkeypatch):
    class OneStep(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            self.set()
            return True

    append(tmp_path, receipts(5, 20, 1))
    monkeypatch.setattr("soc.service.observer.waiting", lambda *_: 1001)
    with watching(tmp_path, definitions) as (observer, _):
        done_at = []
        monkeypatch.setattr(telemetry.OBSERVER_BEHIND, "caught_up", lambda: done_at.append(1))
        observer.run(OneStep())
        assert len(done_at) == 1, "when it began"


def test_more_keys_than_there_is_room_for_are_counted_as_other(tmp_path, definitions):
    events = (
        stored(
            START + n * 20, n, govsoc__otp__event="dlr", govsoc__otp__carrier=f"c{n % 20_000}", event__outcome="success"
        )
        for n in range(40_000)
    )
    append(tmp_path, events)
    with watching(tmp_path, definitions, most_series=700) as (observer, kept):
        observer.drain()
        counts = kept.counts(EVERYTHING)
        delivery = counts[Board("delivery", "hungyen")]
        assert delivery.series <= 501
        assert delivery.beyond == pytest.approx(19_500, rel=0.15)
        assert sum(one.series for one in counts.values()) <= 703, "one `other` a definition beyond the bound"
        assert all(len(row) <= 501 * RECORD_BYTES for row in rows(kept).values())


def test_clocks_that_jump_stop_nothing(tmp_path, definitions):
    rng = random.Random(6)
    events = list(receipts(60, 20, 6))
    for n, at in enumerate(rng.sample(range(len(events)), 30)):
        ahead = rng.choice((-90, 7, 22)) * 3_600_000
        events.insert(
            at, stored(events[at].ts + ahead, 10_000 + n, govsoc__otp__event="dlr", govsoc__otp__carrier="viettel")
        )
    append(tmp_path, events)
    with watching(tmp_path, definitions) as (observer, kept):
        observer.drain()
        known = [ts for ts, _ in kept.rows(Board("receipts", "hungyen"), 0)]
        assert len([ts for ts in known if START <= ts < START + 60 * MINUTE]) >= 50


def test_a_definition_that_means_something_else_begins_with_nothing_of_the_old_one(tmp_path, definitions):
    append(tmp_path, receipts(90, 20, 7))
    with watching(tmp_path, definitions) as (observer, _):
        observer.drain()
    folder = tmp_path / "own"
    (folder / "otp.yml").write_text(
        DEFINITION.replace("hit: event.outcome:failure", "hit: event.outcome:success"), encoding="utf-8"
    )
    with watching(tmp_path, load([folder])) as (observer, kept):
        observer.step()
        assert list(kept.rows(Board("delivery", "hungyen"), 0)) == []
        assert kept.series(EVERYTHING, definition="delivery") == []
        assert len(list(kept.rows(Board("receipts", "hungyen"), 0))) > 80, "the others go on"


def test_what_was_learned_outlives_a_slip_of_the_pen(tmp_path, definitions):
    file = tmp_path / "own" / "otp.yml"
    append(tmp_path, receipts(90, 20, 7))
    with watching(tmp_path, definitions) as (observer, kept):
        observer.drain()
        series = {one.series for one in kept.series(EVERYTHING, definition="delivery")}
    file.write_text(DEFINITION.replace("measure: ratio", "measure: ration"), encoding="utf-8")
    append(tmp_path, receipts(30, 20, 8, start=START + 90 * MINUTE))
    with watching(tmp_path, load([file.parent])) as (observer, _):
        observer.drain()
    file.write_text(DEFINITION, encoding="utf-8")
    append(tmp_path, receipts(30, 20, 9, start=START + 120 * MINUTE))
    with watching(tmp_path, load([file.parent])) as (observer, kept):
        observer.drain()
        assert {one.series for one in kept.series(EVERYTHING, definition="delivery")} == series
        known = [(ts - START) // MINUTE for ts, _ in kept.rows(Board("delivery", "hungyen"), 0)]
    assert known == list(range(1, 149)), "as the file was, also when it is started meanwhile"


def test_old_logs_of_one_organisation_are_kept_beside_todays_of_another(tmp_path, definitions):
    long_ago = START - 20 * DAY * MINUTE
    old = receipts(60, 20, 7, start=long_ago)
    append(tmp_path, receipts(60, 20, 8))
    append(tmp_path, (stored(one.ts, n, org="ninhbinh", govsoc__otp__event="dlr") for n, one in enumerate(old)))
    with watching(tmp_path, definitions, commit_s=0, batch=300) as (observer, kept):
        observer.drain()
        assert len(list(kept.rows(Board("receipts", "ninhbinh"), 0))) > 50


def test_a_reset_that_is_not_committed_is_asked_still(tmp_path, definitions):
    append(tmp_path, receipts(60, 20, 7))
    with watching(tmp_path, definitions) as (observer, kept):
        observer.drain()
        series = kept.series(EVERYTHING, definition="delivery")[0].series
        kept.reset(series.id, EVERYTHING)
    with watching(tmp_path, definitions, commit_s=100) as (observer, kept):
        observer._committed_at = float("inf")
        observer.step()  # and killed before it commits
        assert kept.asked() == [series.id]
    with watching(tmp_path, definitions) as (observer, kept):
        observer.drain()
        assert kept.asked() == []
        assert kept.one(series.id, EVERYTHING).series.born > series.born


def test_definitions_are_read_again_while_it_runs(tmp_path, definitions):
    file = tmp_path / "own" / "otp.yml"
    settings = Settings(data_dir=tmp_path, observe=Observe(series=[file.parent], commit_s=100))
    log, kept = EventLog(events_dir(tmp_path)), SqliteAnomalies(tmp_path)
    observer = Watching(settings, log, kept, definitions, files=Files(declared_in(settings), every_s=0))

    def goes_on(minute: int, seed: int) -> set[str]:
        """30 minutes more; the definitions that run."""
        log.append(list(receipts(30, 20, seed, start=START + minute * MINUTE)))
        observer.drain()
        return set(kept.running()[0])

    assert goes_on(0, 7) == {"delivery", "delay", "receipts"}
    file.write_text(DEFINITION + "---\n" + ADDED, encoding="utf-8")
    assert goes_on(30, 8) == {"delivery", "delay", "receipts", "answers"}
    file.write_text(DEFINITION.replace("measure: ratio", "measure: ration"), encoding="utf-8")
    assert goes_on(60, 9) == {"delivery", "delay", "receipts", "answers"}, "as the file was, while it has a fault"
    assert [fault.path for fault in kept.running()[1]] == [str(file)]
    file.write_text(DEFINITION, encoding="utf-8")
    assert goes_on(90, 10) == {"delivery", "delay", "receipts"}
    assert kept.running()[1] == []
    known = [(ts - START) // MINUTE for ts, _ in kept.rows(Board("delivery", "hungyen"), 0)]
    assert known == list(range(1, 119)), "nothing of what went on was lost"
    assert len(list(kept.rows(Board("answers", "hungyen"), 0))) > 50
    log.close()
    kept.close()


@pytest.mark.parametrize("replaces", [True, False])
def test_a_slip_of_the_pen_and_a_folder_that_is_away_cost_nothing_over_a_restart(tmp_path, replaces):
    """`replaces`: what is declared has the name of one of ours, which is read, too."""
    own, name = tmp_path / "series", "otp-delivery" if replaces else "delivery"
    own.mkdir()
    file = own / "otp.yml"
    settings = Settings(data_dir=tmp_path, observe=Observe(series=[] if replaces else [own]))
    right = DEFINITION.replace("name: delivery", f"name: {name}")
    slip = right.replace("measure: ratio", "measure: ration")
    for number, text in enumerate((right, slip, right if replaces else None, right)):
        if text is None:
            own.rename(tmp_path / "away")
        else:
            if not own.exists():
                (tmp_path / "away").rename(own)
            file.write_text(text, encoding="utf-8")
        append(tmp_path, receipts(30, 20, 7 + number, start=START + 30 * number * MINUTE))
        log, kept = EventLog(events_dir(tmp_path)), SqliteAnomalies(tmp_path)
        observer = Watching(settings, log, kept, definitions_of(settings))
        observer.drain()
        known = [(ts - START) // MINUTE for ts, _ in kept.rows(Board(name, "hungyen"), 0)]
        assert known == list(range(1, 30 * (number + 1) - 1)), number
        faulty = {1: file, 2: own if text is None else None}.get(number)
        assert [fault.path for fault in kept.running()[1]] == ([str(faulty)] if faulty else [])
        log.close()
        kept.close()


ADDED = """
name: answers
system: otp
titles: {vi: "Biên nhận tốt", en: "Good receipts"}
dataset: otp.gateway
where: event.outcome:success
measure: count
"""


def test_after_a_clock_that_was_ahead_a_restart_goes_on_as_if_there_had_been_none(tmp_path, definitions):
    append(tmp_path, receipts(90, 25, 7, {"viettel": (60, 90, 0.5)}))
    ahead = START + (90 + DAY) * MINUTE
    new = (
        stored(one.ts, n, govsoc__otp__event="dlr", govsoc__otp__carrier="new", event__outcome="success")
        for n, one in enumerate(receipts(30, 25, 8, start=ahead))
    )
    append(tmp_path, new)
    with watching(tmp_path, definitions) as (observer, kept):
        observer.drain()
        assert max(ts for _, ts in rows(kept)) > ahead
    append(tmp_path, receipts(90, 25, 9, start=START + 90 * MINUTE))
    with watching(tmp_path, definitions, commit_s=0) as (observer, kept):
        observer.drain()
        live = {series: track.dump() for series, track in observer._observer.tracks()}
        assert max(ts for _, ts in rows(kept)) < START + 181 * MINUTE, "no page shows the future"
    with watching(tmp_path, definitions) as (observer, kept):
        observer.step()
        assert {series: track.dump() for series, track in observer._observer.tracks()} == live
    (new_one,) = [series for series in live if series.key == ("new",) and series.board.definition == "delivery"]
    assert new_one.born < START + 181 * MINUTE, "it need not wait for the time to come"


def test_what_people_say_later_changes_nothing_of_what_was_judged(tmp_path, definitions):
    """A surge that has ended and a verdict that was withdrawn, between two starts."""
    append(tmp_path, [*receipts(40, 25, 7), *receipts(50, 45, 8, start=START + 40 * MINUTE)])
    log, kept = EventLog(events_dir(tmp_path)), SqliteAnomalies(tmp_path)
    surge = Surge("s1", "enrolment", START + 30 * MINUTE, START + 80 * MINUTE, 110)
    observer = Watching(Settings(data_dir=tmp_path), log, kept, definitions, lambda _: 2.517, Surges([surge]))
    observer.drain()
    live = {series: track.dump() for series, track in observer._observer.tracks()}
    (receipts_,) = [one.series for one in kept.series(EVERYTHING, definition="receipts")]
    told = {(one.surge, one.harmless) for one in kept.readings(receipts_, START, START + 90 * MINUTE)}
    assert told == {(None, half(2.517)), (half(1.1), half(2.517))}
    log.close()
    kept.close()
    with watching(tmp_path, definitions) as (observer, _):
        observer.step()
        assert {series: track.dump() for series, track in observer._observer.tracks()} == live


OF_CARRIERS = """
name: by-carrier
system: otp
titles: {vi: "Mã theo nhà mạng", en: "Codes by carrier"}
dataset: otp.gateway
group_by: [govsoc.otp.carrier]
measure: count
---
name: by-caller
system: lgsp
titles: {vi: "Lượt gọi", en: "Calls"}
dataset: otp.gateway
group_by: [govsoc.otp.carrier]
measure: count
"""


def expected_of(place: Path, surge: Surge) -> dict[tuple[str, str], tuple[list[int], bool]]:
    """By system and carrier: the minutes for which a surge was noted, and whether a half hour of three times as much came to be
    expected, as what is no surge does."""
    policies = open_stores(place).policies
    policies.put(Policy(PolicyKind.SURGE, surge.id, 1, surge.body(), "x", START))
    surges = KnownSurges(policies)
    surges.load()
    events = []
    for minute in range(70):
        at, carriers = START + minute * MINUTE, ("viettel", "mobifone", "")
        much = 60 if 30 <= minute < 60 else 20
        events += [stored(at + n, n, govsoc__otp__carrier=carriers[n % 3]) for n in range(3 * much)]
    append(place, events)
    log, kept = EventLog(events_dir(place)), SqliteAnomalies(place)
    Watching(Settings(data_dir=place), log, kept, loads(OF_CARRIERS, "a.yml"), surges=surges).drain()
    found = {}
    for known in kept.series(EVERYTHING):
        readings = kept.readings(known.series, START, START + 70 * MINUTE)
        surging = [(one.ts - START) // MINUTE for one in readings if one.surge is not None]
        system = {"by-carrier": "otp", "by-caller": "lgsp"}[known.series.board.definition]
        found[system, known.series.key[0]] = surging, any(one.expected > 40 for one in readings)
    log.close()
    kept.close()
    return found


def test_a_declared_surge_is_of_its_system_service_and_hours(tmp_path):
    surge = Surge(
        "s1", "x", START, START + DAY * MINUTE, 300, systems=("otp",), services=("viettel",), opens=450, closes=480
    )
    assert expected_of(tmp_path, surge) == {
        ("otp", "viettel"): (list(range(30, 60)), False),
        ("otp", "mobifone"): ([], True),
        ("otp", ""): ([], True),
        ("lgsp", "viettel"): ([], True),
        ("lgsp", "mobifone"): ([], True),
        ("lgsp", ""): ([], True),
    }


def test_a_surge_of_a_system_is_of_what_says_no_name_too(tmp_path):
    surge = Surge("s1", "x", START + 30 * MINUTE, START + 60 * MINUTE, 300, systems=("otp",))
    found = expected_of(tmp_path, surge)
    surging = (list(range(30, 60)), False)
    assert [found["otp", name] for name in ("viettel", "mobifone", "")] == [surging] * 3
    assert [found["lgsp", name] for name in ("viettel", "mobifone", "")] == [([], True)] * 3
