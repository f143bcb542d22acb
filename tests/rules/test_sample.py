"""Costs of rules are sampled, in bounds."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from rules.engine import Engine
from rules.load import folders as load
from rules.match.sample import ALLOWED_NS, EVERY, Sampler
from soc.model.event import Stored

NOON = 1_772_452_800_000
CHEAP, DEAR = "3f6e8f0a-0000-4000-8000-000000000001", "3f6e8f0a-0000-4000-8000-000000000002"
RULES = f"""
title: Cheap
id: {CHEAP}
logsource: {{product: linux}}
detection: {{a: {{user.name: root}}, condition: a}}
---
title: Dear
id: {DEAR}
logsource: {{product: linux}}
detection:
  a: {{event.original|re: [{", ".join(f"'a[b-d]{{2,9}}{n}x+$'" for n in range(40))}]}}
  condition: a
"""


def events(make_event, number, original="abc" * 50, dataset="linux.auth"):
    return [Stored.of(make_event(NOON, f"e{n}", dataset=dataset, event__original=original)) for n in range(number)]


def engine():
    ruleset = load.loads(RULES)
    assert ruleset.errors == ()
    return Engine(ruleset, ZoneInfo("UTC"))


def test_a_dear_rule_costs_more_than_a_cheap_one(make_event):
    running, some = engine(), events(make_event, EVERY)
    for _ in range(20):
        running.sift(some)
    dear, cheap = running.costs()
    assert (dear.rule_id, cheap.rule_id) == (DEAR, CHEAP)
    assert dear.seconds > 3 * cheap.seconds > 0


def test_one_event_in_a_thousand_whatever_the_batches(make_event):
    running, some = engine(), events(make_event, 70)
    for _ in range(EVERY // 70 * 10 + 10):
        running.sift(some)
    assert sum(one.samples for one in running.costs()) <= 2 * 10
    assert running.costs()


def test_rules_of_other_log_sources_are_not_sampled(make_event):
    running = engine()
    for _ in range(5):
        running.sift(events(make_event, EVERY, dataset="otp.gateway"))
    assert running.costs() == []


def test_a_dear_event_is_paid_for_before_the_next_is_sampled(make_event):
    running, now = engine(), [0]

    def clock():
        now[0] += 10 * ALLOWED_NS * EVERY  # each look at the clock takes what ten thousand events allow
        return now[0]

    sampler, some = Sampler(running.plan, clock), events(make_event, EVERY)
    for _ in range(100):
        sampler.batch(some)
    assert now[0] <= 10 * ALLOWED_NS * EVERY * 4 * (100 // 10)
    assert len(sampler.costs()) <= 2


def test_all_rules_have_their_turn_though_the_time_is_enough_for_few(make_event):
    running, now = engine(), [0]

    def clock():
        now[0] += ALLOWED_NS * EVERY // 3
        return now[0]

    sampler, some = Sampler(running.plan, clock), events(make_event, EVERY)
    for _ in range(20):
        sampler.batch(some)
    assert {one.rule_id for one in sampler.costs()} == {CHEAP, DEAR}
