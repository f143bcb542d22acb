"""The pipeline on the real event log, store and rule engine."""

from __future__ import annotations

import random
import threading
from zoneinfo import ZoneInfo

import pytest

from rules.desk.tuning import Tuning
from rules.engine import Engine
from rules.load import folders as load
from soc import telemetry
from soc.buffer.sqlite import EventLog
from soc.errors import StoreUnavailable
from soc.model.event import Stored
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import EVERYTHING, Scope
from soc.model.rule import RuleDoc, Stage
from soc.model.tuning import OrgSetting, RuleException, RuleSetting
from soc.pipeline import Pipeline
from soc.service.handover import ANOMALIES, RERUNS, hand_over, take, waiting
from soc.store.base import AlertFilter
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, open_stores
from soc.watermark import Watermark

NOON = 1_772_452_800_000
HOUR = 3_600_000
MINUTE = 60_000
RULES = """
title: Failed sign-in
id: 3f6e8f0a-0000-4000-8000-000000000001
name: failed
logsource: {product: linux}
detection: {selection: {event.outcome: failure}, condition: selection}
---
title: Many failed sign-ins
id: 3f6e8f0a-0000-4000-8000-000000000002
level: high
correlation: {type: event_count, rules: [failed], group-by: [source.ip], timespan: 1m, condition: {gte: 5}}
---
title: Root
id: 3f6e8f0a-0000-4000-8000-000000000003
level: low
logsource: {product: linux}
detection: {selection: {user.name: root}, condition: selection}
"""


class Rig:
    """A pipeline over a folder; `again` is the same after a restart."""

    def __init__(self, folder, tuning=None, rules=RULES, clock=lambda: NOON, **options):
        ruleset = load.loads(rules)
        assert ruleset.errors == ()
        self.folder, self.options = folder, {"rules": rules, "clock": clock, **options}
        self.log = EventLog(events_dir(folder))
        self.detections = SqliteDetections(folder)
        docs = {
            rule.hash: RuleDoc(rule.id, rule.hash, rule.title, rule.level, rule.text, silent=rule.silent)
            for rule in ruleset.rules
        }
        self.tuning = tuning or Tuning()
        self.pipeline = Pipeline(
            self.log,
            Engine(ruleset, ZoneInfo("UTC")),
            docs,
            self.detections,
            clock,
            lambda: self.tuning,
            **{"batch": 3, **options},
        )

    def again(self):
        return Rig(self.folder, self.tuning, **self.options)

    def alerts(self):
        stores = open_stores(self.folder)
        found = stores.alerts.list(AlertFilter(), EVERYTHING, limit=200).items
        return {
            alert.id: (alert.title, alert.entity, alert.count, alert.first_seen, alert.last_seen,
                       tuple(f.event_id for f in stores.alerts.findings(alert.id, EVERYTHING, limit=200).items))
            for alert in found
        }  # fmt: skip


@pytest.fixture
def failures(make_event):
    def make(count, ip="203.0.113.9", start=NOON, step=1000, user="lan", tag=""):
        return [
            make_event(
                start + i * step,
                f"{ip}{tag}{i}",
                dataset="linux.auth",
                event__outcome="failure",
                source__ip=ip,
                user__name=user,
            )
            for i in range(count)
        ]

    return make


def test_a_correlation_over_several_batches_is_one_alert_with_every_event(tmp_path, failures):
    rig = Rig(tmp_path)
    events = failures(8)
    rig.log.append(events)
    assert rig.pipeline.drain() == 8
    [(title, entity, count, first, last, ids)] = rig.alerts().values()
    assert (title, entity, count, first, last) == ("Many failed sign-ins", "203.0.113.9", 8, NOON, NOON + 7000)
    assert ids == tuple(event.id for event in events)
    assert rig.pipeline.tally.alerts == {"3f6e8f0a-0000-4000-8000-000000000002": 1}


def test_four_are_not_enough_and_one_alert_a_group(tmp_path, failures):
    rig = Rig(tmp_path)
    rig.log.append([*failures(4, "10.0.0.1"), *failures(5, "10.0.0.2"), *failures(9, "10.0.0.3", step=30_000)])
    rig.pipeline.drain()
    assert [alert[1] for alert in rig.alerts().values()] == ["10.0.0.2"]


def test_restarts_and_failed_commits_change_nothing(tmp_path, failures):
    events = [
        e for i in range(6) for e in failures(7, f"10.0.0.{i}", start=NOON + i * 300, user="root" if i == 3 else "lan")
    ]
    calm = Rig(tmp_path / "calm")
    calm.log.append(events)
    calm.pipeline.drain()

    rng = random.Random(3)
    rig = Rig(tmp_path / "disturbed")
    for start in range(0, len(events), 4):
        rig.log.append(events[start : start + 4])
        if rng.random() < 0.5:
            rig.pipeline.step()
        if rng.random() < 0.3:
            commit = rig.detections.commit

            def fail(*_):
                raise StoreUnavailable("no")

            rig.detections.commit = fail
            if rig.log.read(rig.detections.cursor(), 1).events:
                with pytest.raises(StoreUnavailable):
                    rig.pipeline.step()
            rig.detections.commit = commit
        if rng.random() < 0.3:
            rig = rig.again()
    rig.pipeline.drain()
    assert rig.alerts() == calm.alerts()
    assert len(calm.alerts()) == 7


def test_the_order_of_arrival_does_not_matter_within_the_lateness(tmp_path, failures):
    events = [
        *failures(9, "10.0.0.1"),
        *failures(6, "10.0.0.2", step=9000),
        *failures(4, "10.0.0.3"),
        *failures(6, "10.0.0.4", step=16_000),
    ]
    results = []
    for seed in range(5):
        rig = Rig(tmp_path / str(seed))
        shuffled = events[:]
        random.Random(seed).shuffle(shuffled)
        for start in range(0, len(shuffled), 5):
            rig.log.append(shuffled[start : start + 5])
            rig.pipeline.drain()
            if seed % 2:
                rig = rig.again()
        results.append(rig.alerts())
    assert all(result == results[0] for result in results)
    assert sorted(alert[1] for alert in results[0].values()) == ["10.0.0.1", "10.0.0.2"]


def test_an_old_log_replayed_beside_live_events_is_correlated_as_well(tmp_path, failures, make_event):
    rig = Rig(tmp_path)
    old = [
        make_event(
            NOON - 4000 * HOUR + i * 1000,
            f"old{i}",
            source="old",
            dataset="linux.auth",
            event__outcome="failure",
            source__ip="10.9.9.9",
        )
        for i in range(8)
    ]
    live = failures(8, "10.0.0.1")
    for a, b in zip(old, live, strict=True):
        rig.log.append([b])
        rig.pipeline.drain()
        rig.log.append([a])
        rig.pipeline.drain()
    assert {alert[1]: alert[2] for alert in rig.alerts().values()} == {"10.0.0.1": 8, "10.9.9.9": 8}


@pytest.fixture
def seen(make_event):
    """An event as the event log gives it."""

    def make(ts, tag="1", source="portal"):
        event = make_event(ts, tag, source=source)
        return Stored(event.id, event.ts, event.org, event.dataset, source, None, b"")

    return make


def test_the_watermark_is_that_of_the_least_advanced_active_source(seen):
    watermark, now = Watermark(lateness_ms=HOUR, idle_s=60), NOON + HOUR
    assert watermark.time(now) == NOON, "no source is known: event time is that of the clock"
    both = [seen(NOON, source="a"), seen(NOON - 5 * HOUR, source="b")]
    assert watermark.before(both, now) == NOON - 6 * HOUR
    watermark.observe(both)
    assert watermark.time(now) == NOON - 6 * HOUR
    assert watermark.observe([seen(NOON - HOUR, source="a"), seen(NOON - HOUR - 1, "2", source="a")]) == 1
    watermark.rest(59)
    watermark.observe([seen(NOON + 1, source="a")])
    watermark.rest(2)
    assert watermark.time(now) == NOON + 1 - HOUR, "b is idle"
    saved = watermark.dump()
    again = Watermark(lateness_ms=HOUR, idle_s=60)
    again.load(saved)
    assert again.time(now) == watermark.time(now)
    late = [seen(NOON - 5 * HOUR, source="b"), seen(NOON - 3 * HOUR, "2", source="b")]
    assert watermark.before(late, now) == NOON - 6 * HOUR, "b speaks again and is not late"
    watermark.observe(late)
    assert watermark.time(now) == NOON - 4 * HOUR
    watermark.observe([seen(NOON + 9 * HOUR, source="a"), seen(NOON + 9 * HOUR, source="b")])
    assert watermark.time(now) == now - HOUR, "a clock that is ahead makes no others late"


UNANSWERED = """
title: Asked
name: asked
logsource: {product: linux}
detection: {selection: {user.name: lan}, condition: selection}
---
title: Answered
name: answered
logsource: {product: linux}
detection: {selection: {user.name: mai}, condition: selection}
---
title: Nobody answers
id: 3f6e8f0a-0000-4000-8000-000000000011
correlation: {type: absence, rules: [asked, answered], group-by: [source.ip], timespan: 10m}
---
title: Nobody answers again and again
id: 3f6e8f0a-0000-4000-8000-000000000012
correlation: {type: event_count, rules: [3f6e8f0a-0000-4000-8000-000000000011], group-by: [source.ip], timespan: 1h, condition: {gte: 2}}
"""


def test_what_nobody_answers_is_told_when_time_has_passed_though_no_event_comes(tmp_path, failures):
    clock = [NOON]
    rig = Rig(tmp_path, rules=UNANSWERED, clock=lambda: clock[0], lateness_ms=HOUR)
    rig.log.append(failures(2, step=30 * MINUTE, start=NOON - 40 * MINUTE))
    rig.log.append(failures(2, ip="203.0.113.1", step=20 * MINUTE, start=NOON - 40 * MINUTE))
    rig.log.append(failures(2, ip="203.0.113.1", step=20 * MINUTE, start=NOON - 35 * MINUTE, user="mai"))
    rig.pipeline.drain()
    rig.pipeline.tick()
    assert rig.alerts() == {}
    rig = rig.again()
    rig.pipeline.tick()
    rig.pipeline._watermark.rest(600)  # all sources are silent: the clock goes on
    clock[0] = NOON + HOUR - 10 * MINUTE
    rig.pipeline.tick()
    assert rig.alerts() == {}, "one of both may still have been answered"
    clock[0] = NOON + HOUR + 30 * MINUTE
    rig.pipeline.tick()
    [[title, entity, count, *_]] = rig.alerts().values()
    assert (title, entity, count) == ("Nobody answers again and again", "203.0.113.9", 2)
    before = clock[0]
    clock[0] += 500
    rig.pipeline.tick()
    assert rig.pipeline._ticked[0] == before - HOUR, "it looks once a second"


def test_while_nothing_happens_the_disk_is_left_alone(tmp_path, failures, monkeypatch):
    clock = [NOON]
    rig = Rig(tmp_path, rules=UNANSWERED, clock=lambda: clock[0], lateness_ms=0)
    rig.log.append(failures(1, start=NOON - HOUR))
    rig.pipeline.drain()
    rig.pipeline._watermark.rest(600)
    rig.pipeline.tick()
    commits = []
    commit = rig.detections.commit
    monkeypatch.setattr(rig.detections, "commit", lambda *args: commits.append(clock[0]) or commit(*args))
    for _ in range(180):
        clock[0] += 1000
        rig.pipeline.tick()
    assert len(commits) == 3, "once a minute, for what expires"


def test_nothing_waits_for_a_watermark_when_no_event_will_come_any_more(tmp_path, failures):
    rig = Rig(tmp_path, rules=UNANSWERED, lateness_ms=HOUR)
    rig.log.append(failures(2, step=15 * MINUTE, start=NOON - 30 * MINUTE))
    rig.pipeline.drain()
    assert rig.alerts() == {}
    rig.pipeline.finish()
    assert [count for _, _, count, *_ in rig.alerts().values()] == [2]


def test_what_an_exception_hides_of_a_correlation_does_not_count_towards_others(tmp_path, failures):
    hiding = RuleException("x", "3f6e8f0a-0000-4000-8000-000000000011", "source.ip:203.0.113.9", "known", "lan")
    rig = Rig(tmp_path, Tuning(exceptions=[hiding]), rules=UNANSWERED, lateness_ms=HOUR)
    for ip in ("203.0.113.9", "203.0.113.8"):
        rig.log.append(failures(2, ip=ip, step=15 * MINUTE, start=NOON - 30 * MINUTE))
    rig.pipeline.drain()
    rig.pipeline.finish()
    assert [entity for _, entity, *_ in rig.alerts().values()] == ["203.0.113.8"]
    assert sum(one.events for one in open_stores(tmp_path).alerts.hidden(EVERYTHING, since="")) == 2


def test_dead_letters_pass_without_findings(tmp_path, make_event):
    rig = Rig(tmp_path)
    rig.log.append([make_event(0, "x", dataset="linux.auth", event__kind="pipeline_error", user__name="root")])
    assert rig.pipeline.drain() == 1
    assert rig.alerts() == {}


@pytest.mark.parametrize("trouble", [StoreUnavailable("away"), KeyError("away")], ids=["known", "of no known kind"])
def test_run_survives_a_step_that_fails(tmp_path, failures, trouble, capsys):
    rig = Rig(tmp_path)
    rig.log.append(failures(6))
    commit, calls = rig.detections.commit, []

    def flaky(*arguments):
        calls.append(1)
        if len(calls) < 3:
            raise trouble
        return commit(*arguments)

    rig.detections.commit = flaky
    before = telemetry.STEP_FAILURES._value.get()
    stop = threading.Event()
    thread = threading.Thread(target=rig.pipeline.run, args=(stop, 0.01))
    thread.start()
    for _ in range(5000):
        if rig.alerts():
            break
        stop.wait(0.02)
    stop.set()
    thread.join(60)
    assert len(rig.alerts()) == 1
    assert telemetry.STEP_FAILURES._value.get() - before == 2
    said = capsys.readouterr().out
    assert "cannot go on for now" in said
    assert "detection goes on" in said
    assert said.count("[warning") == said.count("[info") == 1, "not at each try"
    assert said.count("Traceback") == isinstance(trouble, KeyError), "where it failed is said once"


FAILED, MANY, ROOT = (f"3f6e8f0a-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


def excepted(rule_id, condition, **more):
    return RuleException(more.pop("id", "x-1"), rule_id, condition, "our own scanner", "lan", **more)


def hidden(rig):
    found = open_stores(rig.folder).alerts.hidden(EVERYTHING, since="")
    return {(one.rule_id, one.exception_id, one.org, one.day): one.events for one in found}


def test_an_exception_hides_and_counts_until_it_is_over(tmp_path, failures):
    root = failures(4, "10.0.0.1", user="root") + failures(3, "10.0.0.2", user="root")
    rig = Rig(tmp_path, Tuning([], [excepted(ROOT, "source.ip:10.0.0.1", expires_at=NOON + 1)]))
    rig.log.append(root)
    rig.pipeline.drain()
    assert [(alert[1], alert[2]) for alert in rig.alerts().values()] == [("10.0.0.2", 3)]
    assert hidden(rig) == {(ROOT, "x-1", "hungyen", "2026-03-02"): 4}
    rig.tuning = Tuning([], [excepted(ROOT, "source.ip:10.0.0.1", expires_at=NOON)])  # the same, a moment later
    rig.log.append(failures(1, "10.0.0.1", start=NOON + HOUR, user="root", tag="later"))
    rig.pipeline.drain()
    assert sorted(alert[1:3] for alert in rig.alerts().values()) == [("10.0.0.1", 1), ("10.0.0.2", 3)]
    assert sum(hidden(rig).values()) == 4


def observed(carrier):
    """As the observer hands it over."""
    alert = alert_id("anomaly-otp-delivery", "hungyen", carrier, "episode 1")
    event = f"{NOON:012x}" + carrier.encode().hex().ljust(20, "0")[:20]
    matched = {"govsoc.otp.carrier": carrier, "govsoc.anomaly.actual": 0.4}
    return Finding(
        finding_id(alert, event), alert, "anomaly-otp-delivery", "h", "hungyen", "govsoc.otp.carrier", carrier, NOON, event, matched,
    )  # fmt: skip


def test_what_people_laid_down_holds_for_what_the_observer_hands_over(tmp_path):
    rule = RuleDoc("anomaly-otp-delivery", "h", "Codes not delivered", "high", "name: otp-delivery")
    rig = Rig(tmp_path, Tuning([], [excepted(rule.id, "govsoc.otp.carrier:viettel")]))
    rig.pipeline.drain()
    found = [observed("viettel"), observed("mobifone")]
    hand_over(tmp_path, ANOMALIES, "one", found, [rule])
    take(tmp_path, rig.pipeline.add, rig.pipeline.add_observed)
    assert [alert[1] for alert in rig.alerts().values()] == ["mobifone"]
    assert hidden(rig) == {(rule.id, "x-1", "hungyen", "2026-03-02"): 1}
    rig.tuning = Tuning([RuleSetting(rule.id, orgs={"hungyen": OrgSetting(enabled=False)})])
    hand_over(tmp_path, ANOMALIES, "two", [observed("vinaphone")], [rule])
    take(tmp_path, rig.pipeline.add, rig.pipeline.add_observed)
    assert len(rig.alerts()) == 1, "it is switched off there"


@pytest.mark.parametrize("damaged", [b"{", b"[]", b'{"findings": [{"id": 1}], "rules": []}'])
def test_what_was_handed_over_and_cannot_be_read_is_put_aside_and_stops_nothing(tmp_path, damaged):
    rule = RuleDoc("anomaly-otp-delivery", "h", "Codes not delivered", "high", "name: otp-delivery")
    rig = Rig(tmp_path, Tuning([], []))
    for giver in (RERUNS, ANOMALIES):
        hand_over(tmp_path, giver, "a", [], [])
        (tmp_path / giver / "handed" / "a.json").write_bytes(damaged)
    hand_over(tmp_path, ANOMALIES, "b", [observed("viettel")], [])  # without its rule
    hand_over(tmp_path, ANOMALIES, "c", [observed("mobifone")], [rule])
    closed = tmp_path / RERUNS / "handed" / "0.json"
    closed.mkdir()  # cannot be opened
    with pytest.raises(IsADirectoryError):
        take(tmp_path, rig.pipeline.add, rig.pipeline.add_observed)
    assert [alert[1] for alert in rig.alerts().values()] == ["mobifone"]
    assert (waiting(tmp_path, ANOMALIES), waiting(tmp_path, RERUNS)) == (0, 1)
    closed.rmdir()
    take(tmp_path, rig.pipeline.add, rig.pipeline.add_observed)
    assert sorted(file.name for file in tmp_path.rglob("*.bad")) == ["a.bad", "a.bad", "b.bad"]


def test_an_exception_on_a_base_rule_hides_from_the_correlation_and_one_on_the_correlation_by_its_groups(
    tmp_path, failures
):
    events = failures(9, "10.0.0.1") + failures(9, "10.0.0.2") + failures(9, "10.0.0.3", user="minh")
    rig = Rig(tmp_path, Tuning([], [
        excepted(FAILED, "user.name:minh", id="base"), excepted(MANY, "source.ip:10.0.0.2", id="group"),
        excepted(MANY, "user.name:lan", id="not what it groups by"),
    ]))  # fmt: skip
    rig.log.append(events)
    rig.pipeline.drain()
    assert [alert[1] for alert in rig.alerts().values()] == ["10.0.0.1"]
    assert {key[1]: number for key, number in hidden(rig).items()} == {"base": 9, "group": 9}


def test_what_is_hidden_counts_once_whatever_is_repeated(tmp_path, failures):
    tuning = Tuning([], [excepted(ROOT, "source.ip:10.0.0.1")])
    rig = Rig(tmp_path, tuning)
    for part in range(5):
        rig.log.append(failures(4, "10.0.0.1", start=NOON + part * 60_000, user="root", tag=str(part)))
        if part % 2:
            rig.pipeline.step()
            commit = rig.detections.commit

            def fail(*arguments):
                raise StoreUnavailable("no")

            rig.detections.commit = fail
            with pytest.raises(StoreUnavailable):
                rig.pipeline.step()
            rig.detections.commit = commit
            rig = rig.again()
    rig.pipeline.drain()
    assert hidden(rig) == {(ROOT, "x-1", "hungyen", "2026-03-02"): 20}


def test_a_rule_in_test_raises_alerts_of_its_own_out_of_the_queue(tmp_path, failures):
    rig = Rig(tmp_path, Tuning([RuleSetting(MANY, Stage.TEST, level="critical")]))
    before = telemetry.TESTED._value.get()
    rig.log.append(failures(8))
    rig.pipeline.drain()
    alerts = open_stores(tmp_path).alerts
    assert rig.alerts() == {}
    assert (alerts.counts(EVERYTHING)["new"], alerts.by_rule(EVERYTHING), rig.pipeline.tally.alerts) == (0, {}, {})
    [tested] = alerts.list(AlertFilter(stage=Stage.TEST), EVERYTHING).items
    assert (tested.stage, tested.level, tested.count) == (Stage.TEST, "critical", 8)
    assert telemetry.TESTED._value.get() - before == 8
    assert alerts.by_rule(EVERYTHING, stage=Stage.TEST, since=NOON) == {MANY: 1}
    rig.tuning = Tuning([RuleSetting(MANY, Stage.LIVE)])
    rig.log.append(failures(8, start=NOON + HOUR, tag="later"))
    rig.pipeline.drain()
    [live] = alerts.list(AlertFilter(), EVERYTHING).items
    assert (live.id != tested.id, live.level, live.count) == (True, "high", 8)
    assert alerts.get(tested.id, EVERYTHING).count == 8


def test_a_draft_is_not_evaluated_and_wakes(tmp_path, failures, monkeypatch):
    rig = Rig(tmp_path, Tuning([RuleSetting(MANY, Stage.DRAFT)]))
    events = failures(9)
    rig.log.append(events)
    matched = []
    match = Engine.match
    monkeypatch.setattr(Engine, "match", lambda self, events: matched.append(match(self, events)) or matched[-1])
    rig.pipeline.drain()
    assert not any(matched), "nor is the base rule that only it needs"
    rig.tuning = Tuning()
    rig.log.append(failures(9, start=NOON + HOUR, tag="later"))
    rig.pipeline.drain()
    assert [alert[2] for alert in rig.alerts().values()] == [9]


def test_an_organisation_may_have_a_rule_off_or_at_another_level(tmp_path, make_event):
    def root(org, tag):
        return make_event(NOON, tag, org=org, dataset="linux.auth", user__name="root", source__ip="10.0.0.1")

    setting = RuleSetting(ROOT, orgs={"hungyen": OrgSetting(enabled=False), "ninhbinh": OrgSetting(level="critical")})
    rig = Rig(tmp_path, Tuning([setting]))
    rig.log.append([root(org, org) for org in ("hungyen", "ninhbinh", "hanoi")])
    rig.pipeline.drain()
    found = open_stores(tmp_path).alerts.list(AlertFilter(), EVERYTHING).items
    assert {alert.org: alert.level for alert in found} == {"ninhbinh": "critical", "hanoi": "low"}


def deeds(rig):
    return open_stores(rig.folder).ledger.totals(EVERYTHING, since=0)


FAILED, MANY = "3f6e8f0a-0000-4000-8000-000000000001", "3f6e8f0a-0000-4000-8000-000000000002"


def test_the_ledger_says_what_became_of_all_that_a_rule_found(tmp_path, failures, make_event):
    setting = RuleSetting(MANY, orgs={"hue": OrgSetting(enabled=False)})
    rig = Rig(tmp_path, Tuning([setting], [excepted(ROOT, "source.ip:10.0.0.1")]), batch=4)
    quiet = make_event(NOON, "quiet", dataset="linux.auth", event__outcome="success")
    other = make_event(NOON, "other", dataset="otp.gateway")
    unfit = make_event(NOON, "unfit", dataset="linux.auth", event__outcome="failure")
    failed = {"event__outcome": "failure", "source__ip": "10.1.1.1"}
    hue = [make_event(NOON + i, f"h{i}", org="hue", dataset="linux.auth", **failed) for i in range(5)]
    rig.log.append(
        [quiet, other, unfit, *hue, *failures(6), *failures(2, "10.0.0.1", user="root"), *failures(1, "10.0.0.2", user="root")]
    )  # fmt: skip
    rig.pipeline.drain()
    found = deeds(rig)
    failed, many, root = found[FAILED], found[MANY], found[ROOT]
    assert (failed.seen, many.seen, root.seen) == (16, 16, 16)  # all but the gateway's, whatever the sieve held back
    assert (failed.deeds.matched, failed.deeds.folded, failed.deeds.off) == (15, 0, 0)
    assert (many.deeds.matched, many.deeds.folded, many.deeds.off, many.deeds.unfit) == (11, 6, 5, 1)
    assert (root.deeds.matched, root.deeds.folded, root.deeds.hidden) == (3, 1, 2)
    assert root.last_match == root.last_run == NOON
    hungyen = open_stores(tmp_path).ledger.totals(Scope(frozenset({"hungyen"})), since=0)
    assert (hungyen[MANY].seen, hungyen[MANY].deeds.off) == (11, 0)


def test_the_ledger_counts_a_batch_once_whatever_is_repeated(tmp_path, failures):
    rig = Rig(tmp_path)
    for part in range(5):
        rig.log.append(failures(4, "10.0.0.1", start=NOON + part * 60_000, user="root", tag=str(part)))
        if part % 2:
            rig.pipeline.step()
            commit = rig.detections.commit

            def fail(*arguments):
                raise StoreUnavailable("no")

            rig.detections.commit = fail
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    rig.pipeline.step()
            rig.detections.commit = commit
            rig.pipeline._rules.tick = fail  # before it is known what there is to commit
            with pytest.raises(StoreUnavailable):
                rig.pipeline.step()
            del rig.pipeline._rules.tick
            rig = rig.again() if part == 1 else rig
    rig.pipeline.drain()
    found = deeds(rig)
    assert (found[ROOT].seen, found[ROOT].deeds.matched, found[ROOT].deeds.folded) == (20, 20, 20)
    assert (found[FAILED].seen, found[FAILED].deeds.matched) == (20, 20)


def test_the_ledger_counts_late_and_forgotten_events_for_their_correlation(tmp_path, failures):
    ruleset = load.loads(RULES)
    rig = Rig(tmp_path, batch=20)
    rig.pipeline._rules = Engine(ruleset, ZoneInfo("UTC"), group_cap=8)
    rig.log.append(failures(20))
    rig.pipeline.drain()
    assert deeds(rig)[MANY].deeds.capped == 12
    rig.log.append(failures(2, start=NOON - 3 * HOUR, tag="late"))
    rig.pipeline.drain()
    assert deeds(rig)[MANY].deeds.late == 2


def test_rules_that_rest_or_break_see_nothing(tmp_path, failures):
    rig = Rig(tmp_path, Tuning([RuleSetting(ROOT, Stage.DRAFT)]), batch=10)
    rig.log.append(failures(4))
    rig.pipeline.drain()
    assert ROOT not in deeds(rig)
    rig.tuning = Tuning()
    rig.log.append(failures(3, "10.0.0.5"))
    rig.pipeline.drain()
    assert (deeds(rig)[ROOT].seen, deeds(rig)[FAILED].seen) == (3, 7)
    engine = rig.pipeline._rules
    engine._break(engine.ruleset.get(ROOT), ValueError())
    rig.log.append(failures(2, "10.0.0.6"))
    rig.pipeline.drain()
    assert (deeds(rig)[ROOT].seen, deeds(rig)[ROOT].deeds.failed, deeds(rig)[FAILED].seen) == (3, 1, 9)


def test_an_event_that_names_its_own_log_source_is_seen_by_the_rules_for_it(tmp_path, make_event):
    rig = Rig(tmp_path)
    rig.log.append(
        [
            make_event(NOON, "own", dataset="otp.gateway", product="linux", user__name="root"),
            make_event(NOON, "away", dataset="linux.auth", product="windows", user__name="root"),
        ]
    )
    rig.pipeline.drain()
    assert (deeds(rig)[ROOT].seen, deeds(rig)[ROOT].deeds.matched) == (1, 1)


def test_a_detector_is_not_behind_that_has_read_to_the_end_though_more_comes_each_time(
    tmp_path, make_event, monkeypatch
):
    rig, now = Rig(tmp_path, batch=3), [100.0]
    monkeypatch.setattr(telemetry.time, "monotonic", lambda: now[0])

    def behind() -> float:
        return telemetry.BEHIND.collect()[0].samples[0].value

    for n in range(5):
        rig.log.append([make_event(NOON + n, f"one{n}")])
        now[0] += 400
        assert rig.pipeline.step() == 1
        assert behind() == 0
    rig.log.append([make_event(NOON + n, f"many{n}") for n in range(10)])
    now[0] += 400
    rig.pipeline.step()
    assert behind() == 400, "a full batch says nothing of the end"
