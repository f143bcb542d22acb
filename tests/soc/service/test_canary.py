"""Canaries through the real pipeline: every rule is proven, and nobody sees anything of it."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from rules.condition import checks
from rules.desk.canary import example_of, stored
from rules.desk.doc import doc_of
from rules.desk.tuning import Tuning
from rules.engine import Engine
from rules.load.folders import CONTENT, load, loads
from rules.predicate import Listed
from soc import telemetry
from soc.buffer.sqlite import EventLog
from soc.errors import StoreUnavailable
from soc.model.canary import Life, is_canary
from soc.model.org import CODE, EVERYTHING
from soc.model.rule import Stage
from soc.model.tuning import RuleException, RuleSetting
from soc.pipeline import Pipeline
from soc.query.parse import parse
from soc.service.alone import Alone, fires
from soc.service.canary import Canaries
from soc.service.cases import case_parser
from soc.service.reload import Rules
from soc.service.ruleset import Chosen
from soc.store.base import AlertFilter
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, open_stores

NOON = 1_772_452_800_000
HOUR = 3_600_000
ROOT, FAILED, MANY, ODD, GONE = (f"3f6e8f0a-0000-4000-8000-00000000000{n}" for n in range(1, 6))
WIDE = "3f6e8f0a-0000-4000-8000-000000000006"
RULES = """
title: Root
id: 3f6e8f0a-0000-4000-8000-000000000001
name: root
logsource: {product: linux, service: auth}
detection: {a: {user.name: root}, b: {event.outcome|contains|all: [fail, ure]}, c: {user.id: 0}, condition: a and b and not c}
---
title: Failed
id: 3f6e8f0a-0000-4000-8000-000000000002
name: failed
logsource: {product: windows, category: process_creation}
detection: {a: {CommandLine|contains: ['-enc', '-e']}, condition: a}
---
title: Many
id: 3f6e8f0a-0000-4000-8000-000000000003
name: many
correlation: {type: value_count, rules: [failed], group-by: [user.name], timespan: 5m, condition: {gte: 20, field: source.ip}}
---
title: Odd
id: 3f6e8f0a-0000-4000-8000-000000000004
name: odd
logsource: {product: linux}
detection: {a: {user.name|re: '^a{3}$'}, condition: a}
---
title: Gone
id: 3f6e8f0a-0000-4000-8000-000000000005
name: gone
correlation: {type: event_count, rules: [failed], group-by: [user.name], timespan: 5m, condition: {lt: 5}}
"""


class Rig:
    def __init__(self, folder, ruleset, tuning=None):
        assert ruleset.errors == ()
        known = {rule.id: rule for rule in ruleset.rules}
        self.folder, self.now, self.tuning = folder, NOON, tuning or Tuning()
        self.log, self.detections = EventLog(events_dir(folder)), SqliteDetections(folder)
        self.engine = Engine(ruleset, ZoneInfo("UTC"))
        docs = tuple(doc_of(rule, known) for rule in ruleset.rules)
        by_hash = {doc.hash: doc for doc in docs}
        clock, laid = (lambda: self.now), (lambda: self.tuning)
        self.pipeline = Pipeline(self.log, self.engine, by_hash, self.detections, clock, laid)
        self.canaries = Canaries(self.pipeline, self.detections, laid, case_parser(), HOUR, clock, lambda: 0.0)
        self.canaries.follow(Rules(Chosen(ruleset, docs, ""), self.engine, frozenset()))
        self.canaries.look()
        assert self.lives() == {}  # what waits in the log has its turn first
        self.now += 60_000

    def look(self, times=1):
        for _ in range(times):
            self.canaries.look()
            self.now += 1000

    def lives(self):
        return {rule: one.life for rule, one in open_stores(self.folder).alerts.canaries().items()}


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path, loads(RULES))


def test_each_rule_is_proven_by_an_event_made_for_it(rig):
    rig.look()
    assert rig.lives() == {
        ROOT: Life.ALIVE,
        FAILED: Life.ALIVE,
        MANY: Life.ALIVE,
        ODD: Life.UNPROVABLE,
        GONE: Life.UNPROVABLE,
    }
    assert rig.canaries.faults() == []


def test_nobody_sees_anything_of_it(rig, make_event):
    event = make_event(NOON, "real", dataset="linux.auth", user__name="root", event__outcome="failure")
    rig.look(3)
    rig.log.append([event])
    rig.pipeline.drain()
    rig.look(3)
    stores = open_stores(rig.folder)
    [alert] = stores.alerts.list(AlertFilter(stage=None), EVERYTHING).items
    assert (alert.org, alert.count, rig.pipeline.tally.findings) == (event.org, 1, 1)
    assert [one.id for one in stores.events.search(parse(""), EVERYTHING).items] == [event.id]
    totals = stores.ledger.totals(EVERYTHING, since=0)
    assert {rule: (one.seen, one.deeds.matched) for rule, one in totals.items()} == {ROOT: (1, 1), ODD: (1, 0)}
    assert rig.engine.correlations.late == {}


def test_a_rule_that_finds_nothing_is_blind_and_alive_again_when_it_does(rig, monkeypatch):
    plan = Engine.match
    monkeypatch.setattr(
        Engine, "match", lambda self, events: [one for one in plan(self, events) if one.rule_id != FAILED]
    )
    rig.look()
    assert (rig.lives()[FAILED], rig.lives()[MANY], rig.lives()[ROOT]) == (Life.BLIND, Life.BLIND, Life.ALIVE)
    assert {fault.rule_id for fault in rig.canaries.faults()} == {FAILED, MANY}
    monkeypatch.undo()
    rig.look()
    assert rig.lives()[FAILED] is Life.BLIND  # until the next round
    rig.now += HOUR
    rig.look()
    assert (rig.lives()[FAILED], rig.lives()[MANY]) == (Life.ALIVE, Life.ALIVE)


def test_a_rule_hidden_for_everybody_is_not_alive_and_one_hidden_for_some_is(tmp_path):
    hidden = RuleException("x-1", ROOT, "user.name:root", "why not", "an")
    some = RuleException("x-2", FAILED, "CommandLine:*", "why not", "an", orgs=frozenset({"hue"}))
    rig = Rig(tmp_path, loads(RULES), Tuning([], [hidden, some]))
    rig.look()
    assert (rig.lives()[ROOT], rig.lives()[FAILED]) == (Life.HIDDEN, Life.ALIVE)
    [fault] = rig.canaries.faults()
    assert (fault.rule_id, "exception x-1" in fault.reason) == (ROOT, True)
    assert list(open_stores(tmp_path).alerts.hidden(EVERYTHING, since="")) == []
    rig.tuning = Tuning([], [replace(hidden, expires_at=NOON + HOUR)])
    rig.now += HOUR
    rig.look()
    assert rig.lives()[ROOT] is Life.ALIVE


def test_a_threshold_or_a_scope_that_is_laid_down_blinds_no_canary(tmp_path):
    far = RuleSetting(MANY, threshold=500, timespan_s=60)
    rig = Rig(tmp_path, loads(RULES), Tuning([far, RuleSetting(FAILED, only="user.name:nobody")]))
    rig.look()
    assert (rig.lives()[FAILED], rig.lives()[MANY], rig.canaries.faults()) == (Life.ALIVE, Life.ALIVE, [])


def test_what_no_source_feeds_is_not_compiled_for_a_canary_alone(tmp_path, make_event):
    many = ", ".join(f"'word {n}'" for n in range(600))
    wide = (
        RULES
        + f"""
---
title: Wide
id: {WIDE}
logsource: {{product: windows, category: process_creation}}
detection: {{a: {{ParentCommandLine|contains: [{many}]}}, condition: a}}
"""
    )
    rig = Rig(tmp_path, loads(wide))
    rig.look()
    assert rig.lives()[WIDE] is Life.WAITING
    heard(rig, WIDE)
    [wide] = [one for one in open_stores(rig.folder).alerts.canaries().values() if one.rule_id == WIDE]
    assert (wide.life, wide.reason) == (Life.UNFED, "no event has had the field ParentCommandLine")
    assert (rig.lives()[ROOT], rig.canaries.faults()) == (Life.ALIVE, [])
    assert not rig.engine._table.judge("ParentCommandLine").compiled
    rig.log.append(
        [
            make_event(
                NOON,
                "real",
                dataset="win",
                product="windows",
                category="process_creation",
                ParentCommandLine="a word 1",
            )
        ]
    )
    rig.pipeline.drain()
    rig.now += HOUR
    rig.look()
    assert rig.lives()[WIDE] is Life.ALIVE


def heard(rig, rule_id):
    """Look until it is known what the rule does alone."""
    for _ in range(500):
        rig.look(60)
        rig.pipeline.tick()
        if rig.lives()[rule_id] is not Life.WAITING:
            return
        time.sleep(0.01)


def test_what_no_source_feeds_and_would_not_fire_by_itself_is_blind(tmp_path, monkeypatch):
    monkeypatch.setattr(Engine, "unmet", lambda *_: "nobody's field")
    monkeypatch.setattr("soc.service.alone.fires", lambda rule, *_: rule.id != ROOT)
    rig = Rig(tmp_path, loads(RULES))
    rig.look()
    for rule_id in (ROOT, FAILED, MANY):
        heard(rig, rule_id)
    assert (rig.lives()[ROOT], rig.lives()[FAILED], rig.lives()[MANY]) == (Life.BLIND, Life.UNFED, Life.UNFED)
    [fault] = rig.canaries.faults()
    assert fault.rule_id == ROOT


def test_a_rule_is_tried_alone_with_all_that_it_is_made_of():
    known = {rule.id: rule for rule in loads(RULES).rules}
    for rule_id in (ROOT, FAILED, MANY):
        events = stored(example_of(known[rule_id], known, None), rule_id, NOON)
        assert fires(known[rule_id], known, events)
        assert len(events) == 1 or not fires(known[rule_id], known, events[1:])
        assert not fires(known[ROOT], known, stored(example_of(known[FAILED], known, None), ROOT, NOON))


def test_a_rule_that_nothing_can_be_made_up_for_leaves_the_others_proven(rig, monkeypatch):
    def fail(rule, *rest):
        if rule.id == ROOT:
            raise KeyError("no")
        return example_of(rule, *rest)

    monkeypatch.setattr("soc.service.canary.example_of", fail)
    rig.look()
    assert (rig.lives()[ROOT], rig.lives()[FAILED]) == (Life.UNPROVABLE, Life.ALIVE)


def test_a_dash_of_any_kind_is_made_up(tmp_path):
    rig = Rig(
        tmp_path, loads(RULES.replace("CommandLine|contains: ['-enc', '-e']", "CommandLine|windash|contains: ' -enc '"))
    )
    rig.look()
    assert rig.lives()[FAILED] is Life.ALIVE


def test_a_draft_is_not_proven_and_a_correlation_of_it_is_blind(tmp_path):
    rig = Rig(tmp_path, loads(RULES), Tuning([RuleSetting(FAILED, Stage.DRAFT)]))
    rig.look()
    assert FAILED not in rig.lives()
    assert rig.lives()[MANY] is Life.BLIND


def test_what_the_watermark_decides_has_until_then(tmp_path):
    ruleset = loads(RULES)
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "few.yml").write_text(RULES)
    (rules / "few.cases.yml").write_text(
        "- {name: few, match: true, rule: gone, events: [{product: windows, category: process_creation, "
        "CommandLine: x -enc y, user.name: a}]}\n"
    )
    ruleset = load([rules])
    rig = Rig(tmp_path / "data", ruleset)
    rig.look()
    assert rig.lives()[GONE] is Life.WAITING
    rig.now += HOUR // 2
    rig.pipeline.tick()
    rig.look()
    assert rig.lives()[GONE] is Life.WAITING
    rig.now += HOUR
    rig.pipeline.tick()
    rig.look()
    assert rig.lives()[GONE] is Life.ALIVE
    assert open_stores(rig.folder).alerts.list(AlertFilter(stage=None), EVERYTHING).items == ()


def test_what_never_comes_back_from_the_watermark_is_blind(tmp_path, monkeypatch):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "few.yml").write_text(RULES)
    (rules / "few.cases.yml").write_text(
        "- {name: few, match: true, rule: gone, events: [{product: windows, category: process_creation, "
        "CommandLine: x -enc y, user.name: a}]}\n"
    )
    rig = Rig(tmp_path / "data", load([rules]))
    monkeypatch.setattr(Engine, "tick", lambda *_: [])
    rig.look()
    for _ in range(4):
        rig.now += HOUR
        rig.pipeline.tick()
    assert rig.lives()[GONE] is Life.BLIND


def test_rules_that_are_taken_up_meanwhile_are_proven_anew(rig):
    ruleset = rig.engine.ruleset
    rig.look()
    fewer = tuple(rule for rule in ruleset.rules if rule.id != ROOT)
    rig.canaries.follow(Rules(Chosen(replace(ruleset, rules=fewer), (), ""), rig.engine, frozenset()))
    assert rig.canaries._sent == {}
    rig.now += 60_000
    rig.look()
    assert ROOT not in rig.lives()
    assert rig.lives()[MANY] is Life.ALIVE


def test_a_store_that_is_away_makes_no_rule_blind(rig):
    commit = rig.detections.commit

    def fail(*_):
        raise StoreUnavailable("no")

    rig.detections.commit = fail
    before = telemetry.CANARY_FAILURES._value.get()
    rig.look(3)
    assert telemetry.CANARY_FAILURES._value.get() == before + 3
    assert rig.canaries.faults() == []
    rig.detections.commit = commit
    rig.look()
    assert rig.lives()[ROOT] is Life.ALIVE


def test_no_source_can_have_the_organisation_of_a_canary(rig):
    rig.canaries.look()
    [[org, *_]] = [[one.org] for one in rig.canaries._of(rig.canaries._known[ROOT], NOON + 5)]
    assert is_canary(org)
    assert not CODE.fullmatch(org)


@pytest.mark.long
def test_every_rule_that_comes_with_govsoc_is_alive_within_its_time(tmp_path):
    rig = Rig(tmp_path, load([CONTENT]))
    began = time.process_time()
    rig.look(len(rig.canaries._known) // 25 + 1)
    first = time.process_time() - began
    for _ in range(30):
        rig.now += HOUR
        rig.pipeline.tick()
    lives = rig.lives()
    asks_a_list = {
        rule.id: Life.UNPROVABLE
        for rule in rig.canaries._known.values()
        if rule.condition is not None and any(isinstance(one.predicate, Listed) for one in checks(rule.condition))
    }
    assert {rule: life for rule, life in lives.items() if life is not Life.ALIVE} == asks_a_list
    assert len(lives) == len(rig.canaries._known)
    rig.now += HOUR
    began = time.process_time()
    rig.look(len(rig.canaries._known) // 25 + 1)
    print(f"CPU: {first:.2f} s for the first round, {time.process_time() - began:.2f} s for another")


def test_correlations_made_of_one_another_by_many_ways_are_gone_through_once():
    """Three on each of twelve levels, each made of all three below: half a million ways down."""
    levels = [["d"], *([f"c{level}{n}" for n in "abc"] for level in range(12))]
    text = ["title: d\nname: d\nlogsource: {category: x}\ndetection: {s: {f: 1}, condition: s}"]
    for below, here in itertools.pairwise(levels):
        text += [
            f"title: {name}\nname: {name}\n"
            f"correlation: {{type: temporal, rules: [{', '.join(below)}], group-by: [g], timespan: 1m}}"
            for name in here
        ]
    loaded = loads("\n---\n".join(text))
    assert loaded.errors == ()
    known = {rule.id: rule for rule in loaded.rules}
    top = loaded.rules[-1]
    asked = []

    class Counted(dict):
        def __getitem__(self, key):
            asked.append(key)
            return super().__getitem__(key)

    example_of(top, Counted(known), None)
    assert len(asked) < 500


def test_what_is_known_of_a_rule_alone_goes_by_all_texts_that_it_is_made_of():
    known = {rule.id: rule for rule in loads(RULES).rules}
    alone = Alone()

    def tried(rule_id, known):
        alone.ask(known[rule_id], known, stored(example_of(known[rule_id], known, None), rule_id, NOON))
        alone.go_on()
        if alone._at_work is not None:
            alone._at_work.join()
        return alone.answer(rule_id)

    assert tried(MANY, known)
    alone.forget()
    alone._at_work = None
    assert tried(MANY, known)
    assert alone._at_work is None, "nothing was tried again"
    alone.forget()
    assert tried(MANY, known | {FAILED: replace(known[FAILED], hash="another text")})
    assert alone._at_work is not None
