"""Rules tried on lines match what they match live, and correlations say what counts towards them."""

from __future__ import annotations

from datetime import UTC

import pytest
from texts import SQLI

from rules.desk.trial import Fate, Trial, Tuned
from rules.desk.tuning import Tuning
from rules.engine import Engine
from rules.load.folders import load, of_texts
from soc.model.event import Event
from soc.model.rule import Stage
from soc.model.tuning import OrgSetting, RuleException, RuleSetting

NOON = 1_772_452_800_000
FAILED = """
title: One failure
name: one_failure
logsource: {product: linux, service: auth}
detection:
  selection: {event.outcome: failure}
  condition: selection
"""
MANY = """
title: Many failures
name: many
level: medium
correlation:
  type: event_count
  rules: [one_failure]
  group-by: [source.ip]
  timespan: 1m
  condition: {gte: 3}
"""


@pytest.fixture
def trial():
    ruleset = of_texts([("a", SQLI, ()), ("b", FAILED, ()), ("c", MANY, ())])
    assert ruleset.errors == ()
    return Trial(ruleset)


def over(trial, events, *laid, now=NOON):
    """`laid`: settings and exceptions of rules."""
    settings = [one for one in laid if isinstance(one, RuleSetting)]
    exceptions = [one for one in laid if isinstance(one, RuleException)]
    return trial.over(events, Tuning(settings, exceptions), now)


def exception(rule_id, condition, **more):
    return RuleException("x-1", rule_id, condition, "known", "lan", **more)


def failures(make_event, number):
    return [
        (
            i,
            make_event(
                NOON + i * 1000, str(i), dataset="linux.auth", event__outcome="failure", source__ip="203.0.113.9"
            ),
        )
        for i in range(1, number + 1)
    ]


def test_a_match_names_its_line_and_fields(trial, make_event):
    bad = make_event(NOON, "2", url__query="id=1 UNION SELECT 2")
    outcome = over(trial, [(1, make_event(NOON, "1", url__query="id=1")), (4, bad)])
    [match] = outcome.matches
    assert (match.line, match.rule.id, match.matched) == (4, "sqli", {"url.query": "id=1 UNION SELECT 2"})
    assert outcome.counted == ()


@pytest.mark.parametrize(("number", "reached"), [(2, False), (3, True)])
def test_lines_that_count_towards_a_correlation(trial, make_event, number, reached):
    outcome = over(trial, failures(make_event, number))
    assert outcome.matches == ()  # the base rule only feeds it
    [counted] = outcome.counted
    assert (counted.rule.id, len(counted.lines), counted.at_least, counted.reached) == ("many", number, 3, reached)


def test_nothing_is_kept_between_two_trials(trial, make_event):
    for _ in range(3):
        assert not over(trial, failures(make_event, 2)).counted[0].reached


def test_a_line_that_could_not_be_parsed_matches_nothing(trial):
    dead = Event("0" * 32, 0, "x", "nginx.access", {"event.kind": "pipeline_error", "url.query": "UNION SELECT"})
    assert over(trial, [(1, dead)]).matches == ()


def test_it_agrees_with_the_engine_on_the_rules_that_come_with_govsoc(make_event):
    """`of_texts` of what the detector keeps of its rules is what it runs."""
    loaded = load()
    again = of_texts([(rule.path, rule.text, rule.pipelines) for rule in loaded.rules])
    assert {(rule.id, rule.hash, rule.silent) for rule in again.rules} == {
        (rule.id, rule.hash, rule.silent) for rule in loaded.rules
    }
    events = [
        make_event(NOON, str(i), url__query=q, url__original=f"/?{q}")
        for i, q in enumerate(("a=1", "id=1' UNION SELECT password FROM users-- "))
    ]
    live = Engine(loaded, UTC).match(events)
    tried = over(Trial(again), enumerate(events)).matches
    assert [(m.rule.id, m.matched) for m in tried] == [(f.rule_id, f.matched) for f in live if not f.silent]
    assert tried


@pytest.mark.parametrize(
    ("laid", "tuned"),
    [
        ([], Tuned(Fate.LIVE, "high")),
        ([RuleSetting("sqli", level="low")], Tuned(Fate.LIVE, "low")),
        ([RuleSetting("sqli", Stage.TEST)], Tuned(Fate.TEST, "high")),
        ([RuleSetting("sqli", Stage.DRAFT)], Tuned(Fate.DRAFT, "high")),
        ([RuleSetting("sqli", orgs={"hungyen": OrgSetting(enabled=False)})], Tuned(Fate.OFF, "high")),
        ([RuleSetting("sqli", orgs={"ninhbinh": OrgSetting(enabled=False)})], Tuned(Fate.LIVE, "high")),
        ([exception("sqli", "url.path:/search")], Tuned(Fate.HIDDEN, "high", "x-1")),
        ([exception("sqli", "url.path:/search", orgs=frozenset({"ninhbinh"}))], Tuned(Fate.LIVE, "high")),
        ([exception("sqli", "url.path:/search", expires_at=NOON)], Tuned(Fate.LIVE, "high")),
        ([exception("sqli", "url.path:/other")], Tuned(Fate.LIVE, "high")),
    ],
)
def test_what_would_become_of_a_match(trial, make_event, laid, tuned):
    bad = make_event(NOON, "2", org="hungyen", url__query="id=1 UNION SELECT 2", url__path="/search")
    [match] = over(trial, [(1, bad)], *laid).matches
    assert match.tuned == tuned


@pytest.mark.parametrize(
    ("laid", "tuned"),
    [
        ([RuleSetting("many", Stage.TEST)], Tuned(Fate.TEST, "medium")),
        ([RuleSetting("many", Stage.DRAFT)], Tuned(Fate.DRAFT, "medium")),
        ([exception("many", "source.ip:203.0.113.9")], Tuned(Fate.HIDDEN, "medium", "x-1")),
        ([exception("many", "source.ip:203.0.113.8")], Tuned(Fate.LIVE, "medium")),
    ],
)
def test_what_would_become_of_what_a_correlation_counts(trial, make_event, laid, tuned):
    [counted] = over(trial, failures(make_event, 3), *laid).counted
    assert counted.tuned == tuned


@pytest.mark.parametrize(
    "laid", [RuleSetting("one_failure", Stage.DRAFT), exception("one_failure", "source.ip:203.0.113.9")]
)
def test_what_the_base_rule_does_not_let_through_counts_towards_nothing(trial, make_event, laid):
    assert over(trial, failures(make_event, 3), laid).counted == ()


def test_lines_count_by_what_the_organisation_has_laid_down(trial, make_event):
    events = failures(make_event, 2)
    [as_written] = over(trial, events).counted
    assert (as_written.at_least, as_written.reached) == (3, False)
    own = RuleSetting(as_written.rule.id, orgs={events[0][1].org: OrgSetting(threshold=2, timespan_s=30)})
    [counted] = over(trial, events, own).counted
    assert (counted.at_least, counted.timespan_ms, counted.reached) == (2, 30_000, True)
