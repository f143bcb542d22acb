"""Correlations: exact in event time for any order of arrival, any batches, and restarts between them."""

from __future__ import annotations

import random
import sys

import orjson
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.correlate.bound import TermsOf
from rules.correlate.sweep import Sweep
from rules.desk.cases import END_OF_TIME, MemoryState
from rules.engine import Engine
from soc.model.asked import Bounds
from soc.model.event import Event
from soc.model.finding import alert_id, finding_id, local_day

START = 1_772_468_100_000  # 2026-03-02 23:15 in Ho Chi Minh City: windows cross midnight
MINUTE = 60_000

RULES = """
title: base
name: base
logsource: {category: test}
detection: {s: {hit: 1}, condition: s}
---
title: base2
name: base2
logsource: {category: test}
detection: {s: {hit: [1, 2]}, condition: s}
---
title: events
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002
correlation: {type: event_count, rules: [base, base2], group-by: [ip], timespan: 10m, condition: {gte: 3}}
---
title: values
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0003
correlation: {type: value_count, rules: [base2], group-by: [who], timespan: 10m, condition: {gt: 2, field: v}, aliases: {who: {base2: ip}}}
---
title: all
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0004
correlation: {type: event_count, rules: [base], timespan: 30m, condition: {gte: 5}}
govsoc: {entity: user}
"""


def event_at(number: int, ts: int, ip: str, value: str | None, org: str, hit: int = 1) -> Event:
    fields = {"hit": hit, "ip": ip, "organization.id": org} | ({"v": value} if value is not None else {})
    return Event(f"{ts:012x}{number:020x}", ts, org, "test", fields)


def expected(events: list[Event], zone) -> set[tuple[str, str, str]]:
    """(rule id, alert id, finding id) by trying every window of every event: slow and plain."""
    found = set()

    def windows(rule: str, group, counts, span: int, entity) -> None:
        for hit in events:
            if group(hit) is None:
                continue
            window = [e for e in events if group(e) == group(hit) and hit.ts - span < e.ts <= hit.ts]
            if counts(window):
                alert = alert_id(rule, hit.org, entity(hit), local_day(hit.ts, zone))
                found.update((rule, alert, finding_id(alert, e.id)) for e in window)

    ip = lambda e: e.fields["ip"]  # noqa: E731
    first, second, third = (f"6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c000{i}" for i in (2, 3, 4))
    windows(first, lambda e: (e.org, ip(e)), lambda w: len(w) >= 3, 10 * MINUTE, ip)
    windows(
        second,
        lambda e: (e.org, ip(e)) if "v" in e.fields else None,
        lambda w: len({e.fields["v"] for e in w}) > 2,
        10 * MINUTE,
        ip,
    )
    windows(
        third, lambda e: e.org if e.fields["hit"] == 1 else None, lambda w: len(w) >= 5, 30 * MINUTE, lambda e: e.org
    )
    return found


def run(engine: Engine, batches: list[list[Event]], restart: random.Random | None = None) -> list[tuple[str, str, str]]:
    state, found = MemoryState(), []
    for batch in batches:
        found += engine.correlate(engine.match(batch), state)
        if restart and restart.random() < 0.5:
            engine.flush(state)
            if restart.random() < 0.5:
                engine.forget()
    return [(finding.rule_id, finding.alert_id, finding.id) for finding in found]


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 59),
        st.sampled_from("ab"),
        st.sampled_from(["x", "y", "z", "w", None]),
        st.sampled_from(["hy", "nb"]),
        st.sampled_from([1, 1, 2]),
    ),
    max_size=40,
)


@given(drawn=EVENTS, seed=st.integers())
@settings(max_examples=examples(200), deadline=None)
def test_any_order_any_batches_and_restarts_give_the_same_set(engine_of, drawn, seed) -> None:
    events = [
        event_at(i, START + minute * MINUTE, ip, value, org, hit)
        for i, (minute, ip, value, org, hit) in enumerate(drawn)
    ]
    engine = engine_of(RULES)
    want = expected(events, engine_zone())
    rng = random.Random(seed)
    for order in (sorted(events, key=lambda e: e.ts), rng.sample(events, len(events))):
        cuts = sorted(rng.sample(range(len(order) + 1), min(3, len(order) + 1)))
        batches = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
        found = run(engine_of(RULES), batches, rng)
        assert set(found) == want
        assert len(found) == len(set(found)), "each event is found once for each alert"
        assert not engine.correlations.late


def engine_zone():
    from zoneinfo import ZoneInfo

    return ZoneInfo("Asia/Ho_Chi_Minh")


def test_the_same_events_again_add_nothing(engine_of) -> None:
    engine, state = engine_of(RULES), MemoryState()
    events = [event_at(i, START + i * 1000, "a", str(i), "hy") for i in range(20)]
    first = engine.correlate(engine.match(events), state)
    assert first
    assert engine.correlate(engine.match(events), state) == []


def test_ten_failures_are_a_counter_of_ten(engine_of) -> None:
    engine, state = engine_of(RULES), MemoryState()
    events = [event_at(i, START + i * 1000, "a", "x", "hy") for i in range(10)]
    found = [f for f in engine.correlate(engine.match(events), state) if f.rule_id.endswith("2")]
    assert len({f.alert_id for f in found}) == 1
    assert {f.event_id for f in found} == {e.id for e in events}
    assert (found[0].entity_field, found[0].entity) == ("ip", "a")
    assert found[-1].matched == {"ip": "a", "govsoc.correlation.event_count": 10}


def test_nothing_is_written_before_flush_and_only_what_changed_after(engine_of) -> None:
    engine, state = engine_of(RULES), MemoryState()
    engine.correlate(engine.match([event_at(1, START, "a", "x", "hy")]), state)
    assert not state
    engine.flush(state)
    written = dict(state)
    assert len(written) == 6  # a group of each correlation, and how many groups each has
    state.clear()
    engine.flush(state)
    assert not state
    engine.correlate(engine.match([event_at(2, START, "b", None, "hy")]), state)
    engine.flush(state)
    assert len(groups(state)) == 2  # one of `events` and the one of `all`; no value, so none of `values`


def groups(state) -> list[bytes]:
    return [value for key, value in state.items() if not key.endswith("h")]


def test_state_expires_when_no_window_after_the_watermark_can_need_it(engine_of) -> None:
    seen = []

    class Expiring(MemoryState):
        def set(self, key: str, value: bytes, expires: int) -> None:
            if not key.endswith("h"):
                seen.append(expires)

    engine, state = engine_of(RULES), Expiring()
    engine.correlate(engine.match([event_at(1, START, "a", None, "hy", hit=2)]), state)
    engine.flush(state)
    assert seen == [START + 10 * MINUTE]


def test_old_entries_leave_and_late_ones_are_counted(engine_of) -> None:
    engine, state = engine_of(RULES), MemoryState()
    for i in range(1000):
        watermark = START + (i - 5) * MINUTE
        engine.correlate(engine.match([event_at(i, START + i * MINUTE, "a", "x", "hy")]), state, watermark)
        engine.tick(watermark, state)
    engine.flush(state)
    assert max(map(len, state.values())) < 1500
    assert engine.correlations.late == {}
    engine.correlate(engine.match([event_at(5000, START + 990 * MINUTE, "a", "x", "hy")]), state, START + 994 * MINUTE)
    assert engine.correlations.late == {f"6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c000{i}": 1 for i in (2, 3, 4)}


def test_the_cap_bites_with_both_counts(engine_of) -> None:
    engine, state = engine_of(RULES, group_cap=50), MemoryState()
    events = [event_at(i, START + i, "a", "x", "hy") for i in range(200)]
    found = engine.correlate(engine.match(events), state)
    capped = engine.correlations.capped["6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002"]
    assert (capped.kept, capped.dropped) == (50, 150)
    assert len({f.event_id for f in found}) == 200, "in order, every event was found before it was dropped"


def test_too_many_groups_are_said_with_both_counts_and_end(engine_of, monkeypatch) -> None:
    monkeypatch.setattr("rules.correlate.one.GROUPS_A_RULE", 3)
    engine, state = engine_of(RULES), MemoryState()

    def send(number: int, ip: str, ts: int) -> None:
        engine.correlate(engine.match([event_at(number, ts, ip, "x", "hy", hit=2)]), state, ts)

    for i in range(5):
        send(i, f"ip{i}", START + i)
    crowded = engine.correlations.crowded["6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002"]
    assert (crowded.kept, crowded.dropped) == (3, 2)
    assert any("too many groups: 3 kept, 2 events" in reason for _, reason in engine.correlations.shortcomings())
    engine.flush(state)
    engine.forget()
    send(6, "ip6", START + 6)
    assert crowded.dropped == 3, "how many there are is in the state"
    engine.tick(START + 60 * MINUTE, state)
    send(7, "ip7", START + 60 * MINUTE)
    assert crowded.dropped == 3, "those before have expired"


def test_long_texts_are_cut_and_stay_different(engine_of) -> None:
    engine, state = engine_of(RULES), MemoryState()
    long = ["x" * 100_000 + end for end in "ab"] + ["x\0y"]
    events = [event_at(i, START + i, long[i % 3], "v", "hy") for i in range(9)]
    found = [f for f in engine.correlate(engine.match(events), state) if f.rule_id.endswith("2")]
    assert len({f.alert_id for f in found}) == 3
    engine.flush(state)
    assert max(map(len, state.values())) < 2000


@pytest.mark.parametrize("damage", [1, 10, 30, -1])
def test_damaged_state_stops_that_correlation_alone(engine_of, damage: int) -> None:
    engine, state = engine_of(RULES), MemoryState()
    engine.correlate(engine.match([event_at(1, START, "a", "x", "hy")]), state)
    engine.flush(state)
    key = next(key for key in state if not key.endswith("h"))
    state[key] = state[key][:damage]
    engine.forget()
    engine.correlate(engine.match([event_at(2, START, "a", "x", "hy")]), state)
    assert len(engine.broken) == 1
    engine.correlate(engine.match([event_at(i, START, "a", "x", "hy") for i in range(3, 9)]), state)
    engine.tick(START, state)
    engine.flush(state)
    assert len(engine.broken) == 1


def test_in_order_cost_does_not_grow_with_the_window(engine_of, monkeypatch) -> None:
    """Counted in steps, not seconds: after 8000 events in the window an event touches no more than after 200."""
    from rules.correlate.window import Values

    steps = 0
    add = Values.add

    def counting(self: Values, record: bytes) -> None:
        nonlocal steps
        steps += 1
        add(self, record)

    monkeypatch.setattr(Values, "add", counting)
    engine, state = engine_of(RULES), MemoryState()
    taken = []
    for i in range(8000):
        before = steps
        engine.correlate(engine.match([event_at(i, START + i, "a", str(i), "hy", hit=2)]), state)
        taken.append(steps - before)
    assert max(taken[100:]) == 1


@given(drawn=EVENTS)
@settings(max_examples=examples(100), deadline=None)
def test_the_sweep_over_events_at_hand_gives_the_same_windows(engine_of, drawn) -> None:
    events = [
        event_at(i, START + minute * MINUTE, ip, value, "hy", 1) for i, (minute, ip, value, _, _) in enumerate(drawn)
    ]
    rule = engine_of(RULES).ruleset.get("values")
    sweep = Sweep(rule, rule.correlation, (), TermsOf(rule.correlation))
    for line, event in enumerate(events):
        sweep.add("base2", event.org, event.ts, line, event.fields)
    found = {hit.line: set(hit.lines) for hit in sweep.hits()}
    for line, hit in enumerate(events):
        window = {
            i
            for i, e in enumerate(events)
            if e.fields["ip"] == hit.fields["ip"] and hit.ts - 10 * MINUTE < e.ts <= hit.ts and "v" in e.fields
        }
        satisfied = "v" in hit.fields and len({events[i].fields["v"] for i in window}) > 2
        assert found.get(line) == (window if satisfied else None)


@pytest.mark.parametrize("value", [["a", "b"], "", None, 5])
def test_groups_of_odd_values(engine_of, value) -> None:
    engine, state = engine_of(RULES), MemoryState()
    events = [
        Event(f"{START + i:012x}{i:020x}", START + i, "hy", "test", {"hit": 2, "ip": value, "v": i}) for i in range(5)
    ]
    found = [f for f in engine.correlate(engine.match(events), state) if f.rule_id.endswith("2")]
    assert bool(found) == (value is not None)


def changing(engine: Engine, *steps: tuple[Bounds | None, list[Event]]) -> list[set[str]]:
    """The ids of events that are found in each step, with the bounds that hold from it on."""
    state, found = MemoryState(), []
    for bounds, events in steps:
        engine.bind({"6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002": {"hy": bounds}} if bounds else {})
        told = engine.correlate(engine.match(events), state)
        engine.flush(state)
        found.append({finding.event_id for finding in told if finding.rule_id.endswith("2")})
    return found


def test_a_threshold_that_changes_finds_the_windows_as_they_are(engine_of) -> None:
    one, two, three, four = events = [event_at(i, START + i * MINUTE, "x", None, "hy") for i in range(4)]
    ids = [event.id for event in events]
    theirs = [event_at(9 + i, START + i * MINUTE, "x", None, "nb") for i in range(2)]
    lowered = changing(
        engine_of(RULES), (None, [one]), (Bounds(2), [two, *theirs]), (None, [three]), (Bounds(9), [four])
    )
    assert lowered == [set(), set(ids[:2]), {ids[2]}, set()], "what counted before counts on; theirs is as it was"


def test_a_window_that_grows_holds_what_is_still_there_and_one_that_shrinks_what_lies_in_it(engine_of) -> None:
    events = [event_at(i, START + i * 8 * MINUTE, "x", None, "hy") for i in range(4)]
    ids = [event.id for event in events]
    grown = changing(
        engine_of(RULES), (None, events[:2]), (Bounds(None, 3600), events[2:3]), (Bounds(2, 60), events[3:])
    )
    assert grown == [set(), set(ids[:3]), set()]


def test_bounds_that_do_not_fit_the_text_count_for_nothing_and_are_told(engine_of) -> None:
    engine = engine_of(RULES)
    events = [event_at(i, START + i * MINUTE, "x", None, "hy") for i in range(3)]
    assert changing(engine, (Bounds(2.5), events)) == [{event.id for event in events}]
    [(rule_id, reason)] = engine.correlations.shortcomings()
    assert rule_id.endswith("2")
    assert "for hy does not fit it" in reason


@pytest.mark.parametrize("value", ["99999999999999999999", "1e21", -(10**18)])
def test_what_a_window_comes_to_can_be_stored(engine_of, event, value) -> None:
    rules = """
title: base
name: base
logsource: {category: test}
detection: {sel: {f: x}, condition: sel}
---
title: sum
name: sum
correlation: {type: value_sum, rules: [base], group-by: [g], timespan: 5m, condition: {field: n, neq: 1}}
"""
    engine, state = engine_of(rules), MemoryState()
    events = [event({"f": "x", "g": "y", "n": value}, number=i) for i in range(2)]
    engine.correlate(engine.match(events), state)
    found = engine.tick(END_OF_TIME, state)
    assert found
    orjson.dumps([finding.matched for finding in found])


def test_a_child_that_rests_does_not_hold_up_what_is_made_of_it(engine_of, event) -> None:
    base = "title: {0}\nname: {0}\nlogsource: {{category: test}}\ndetection: {{sel: {{f: {0}}}, condition: sel}}\n"
    many = "title: many\nname: many\ncorrelation: {type: value_avg, rules: [b], group-by: [g], timespan: 5m, "
    many += "condition: {field: n, gt: 1}}\n"
    missing = (
        "title: missing\nname: missing\ncorrelation: {type: absence, rules: [a, many], group-by: [g], timespan: 5m}\n"
    )
    for resting, told in ((frozenset(), True), (frozenset({"many"}), True)):
        engine, state = engine_of("---\n".join([base.format("a"), base.format("b"), many, missing])), MemoryState()
        engine.rest(resting)
        engine.correlate(engine.match([event({"f": "a", "g": "y"})]), state)
        assert bool([one for one in engine.tick(END_OF_TIME, state) if one.rule_id == "missing"]) is told


def test_no_two_groups_share_an_alert(engine_of, event) -> None:
    rules = """
title: base
name: base
logsource: {category: test}
detection: {s: {hit: 1}, condition: s}
---
title: twice
name: twice
correlation: {type: event_count, rules: [base], group-by: [a, b], timespan: 10m, condition: {gte: 2}}
"""
    engine, state = engine_of(rules), MemoryState()
    groups = [
        ("x, y", "z"), ("x", "y, z"), (["x", "y"], "z"), ("x", ["y", "z"]), ("x\x1fy", "z"), (["x\x1fy", "w"], "z"),
        (["x", "y\x1fw"], "z"), (["x", "y", "w"], "z"), ("x\0y", "z"), ("x,", "y"), ("x", ", y"), ("x", ",y"),
    ]  # fmt: skip
    events = [event({"hit": 1, "a": a, "b": b}, number=i) for i, (a, b) in enumerate(groups * 2)]
    found = engine.correlate(engine.match(events), state)
    assert len(found) == len(events)
    assert len({one.alert_id for one in found}) == len(groups)
    told = {(one.entity, str(one.matched["a"]), str(one.matched["b"])) for one in found}
    assert {("x, y, z", "['x', 'y']", "z"), ("x, y, z", "x, y", "z"), ("x, y, z", "x", "['y', 'z']")} <= told
    assert not any("\0" in one.entity or "\x1f" in one.entity for one in found)


def test_the_alert_of_a_plain_group_is_named_as_it_always_was(engine_of, event) -> None:
    rules = """
title: base
name: base
logsource: {category: test}
detection: {s: {hit: 1}, condition: s}
---
title: twice
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0009
correlation: {type: event_count, rules: [base], group-by: [a, b], timespan: 10m, condition: {gte: 1}}
"""
    [found] = engine_of(rules).correlate(engine_of(rules).match([event({"hit": 1, "a": "x", "b": 5})]), MemoryState())
    assert found.alert_id == alert_id(found.rule_id, "hungyen", "x, 5", "2026-03-02")


def test_the_entity_is_the_first_value_that_there_is(engine_of, event) -> None:
    rule = "title: t\nlogsource: {category: test}\ndetection: {s: {hit: 1}, condition: s}\n"
    engine = engine_of(rule)
    for value, entity in (([None, "bob"], "bob"), (["", 5], "5"), ([None], "10.0.0.1"), (None, "10.0.0.1")):
        [found] = engine.match([event({"hit": 1, "user.id": value, "source.ip": "10.0.0.1"})])
        assert found.entity == entity


def test_bounds_that_bit_are_told_by_the_engine_that_comes_after_until_the_rule_is_edited(engine_of) -> None:
    engine, state = engine_of(RULES, group_cap=50), MemoryState()
    engine.correlate(engine.match([event_at(i, START + i, "a", "x", "hy") for i in range(60)]), state, START + 70)
    before = sorted(engine.correlations.shortcomings())
    assert len(before) == 6, "three outgrew their bound, three were late"
    edited = engine_of(RULES.replace("gte: 5", "gte: 6"), group_cap=50)
    edited.succeed(engine)
    kept = [told for told in before if not told[0].endswith("4")]
    assert sorted(edited.correlations.shortcomings()) == kept
    engine.correlate(engine.match([event_at(99, START + 70, "a", "x", "hy")]), state, START + 80)
    assert len(dict(edited.correlations.late)) == 2
    assert edited.correlations.late["6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002"] == 61, "what ran on meanwhile counts"
    again = engine_of(RULES.replace("gte: 5", "gte: 6"), group_cap=50)
    again.succeed(edited)
    assert sorted(again.correlations.shortcomings()) == sorted(edited.correlations.shortcomings())


UNANSWERED = """
title: asked
name: asked
logsource: {category: test}
detection: {s: {hit: 1}, condition: s}
---
title: answered
name: answered
logsource: {category: test}
detection: {s: {hit: 2}, condition: s}
---
title: unanswered
name: unanswered
correlation: {type: absence, rules: [asked, answered], group-by: [ip], timespan: 10m}
"""


def test_what_is_unanswered_costs_each_its_own(engine_of) -> None:
    """Counted in calls, not seconds."""

    def calls(events: int) -> int:
        engine, state = engine_of(UNANSWERED), MemoryState()
        found = engine.match([event_at(i, START + i, "a", None, "hy") for i in range(events)])
        engine.correlate(found, state)
        called = 0

        def count(*_: object) -> None:
            nonlocal called
            called += 1

        sys.setprofile(count)
        told = engine.tick(START + 20 * MINUTE, state)
        sys.setprofile(None)
        assert len(told) == events
        late = event_at(5000, START, "a", None, "hy")
        engine.correlate(engine.match([late]), state, START + 20 * MINUTE)
        assert engine.tick(START + 40 * MINUTE, state) == [], "it comes after its instant was decided"
        return called

    assert calls(800) < 2.5 * calls(400)


def test_a_tick_decides_no_more_than_its_bound_though_all_are_due_at_once(engine_of, monkeypatch) -> None:
    monkeypatch.setattr("rules.correlate.one.GROUPS_A_TICK", 10)
    monkeypatch.setattr("rules.correlate.agenda.PAGE", 25)
    engine, state = engine_of(UNANSWERED), MemoryState()
    events = [event_at(i, START + i, f"ip{i}", None, "hy") for i in range(90)]
    engine.correlate(engine.match(events[:60]), state)
    engine.flush(state)
    engine.correlate(engine.match(events[60:]), state)  # noted on no page yet
    found = []
    for i in range(9):
        told = engine.tick(END_OF_TIME, state)
        assert len(told) == 10
        found += told
        assert (engine.settled(END_OF_TIME) < END_OF_TIME) is (i < 8)
        if i % 2:
            engine.flush(state)
            engine.forget()
    assert {one.event_id for one in found} == {one.id for one in events}
    assert engine.tick(END_OF_TIME, state) == []
    assert engine.settled(END_OF_TIME) == END_OF_TIME


def test_what_a_group_carries_is_bounded_and_says_so(engine_of, monkeypatch) -> None:
    monkeypatch.setattr("rules.correlate.group.MOST_CARRIED", 200_000)
    rules = (
        RULES
        + """
---
title: again
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0005
correlation:
  {type: value_count, rules: [6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0004], group-by: [ip], timespan: 30m, condition: {gte: 2, field: v}}
"""
    )
    engine, state = engine_of(rules), MemoryState()
    for batch in range(10):
        events = [
            event_at(batch * 100 + i, START + batch * 100 + i, "a", f"{batch}.{i}" * 90, "hy") for i in range(100)
        ]
        assert engine.correlate(engine.match(events), state)
        engine.flush(state)
        if batch % 2:
            engine.forget()
    assert max(map(len, state.values())) < 250_000
    capped = engine.correlations.capped["6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0004"]
    assert 0 < capped.dropped < 1000
    assert not engine.broken


def test_what_all_groups_carry_is_forgotten_with_their_events(engine_of) -> None:
    rules = (
        RULES
        + """
---
title: again
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0005
correlation: {type: event_count, rules: [6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0004], group-by: [ip], timespan: 30m, condition: {gte: 2}}
"""
    )
    engine, state, at = engine_of(rules), MemoryState(), START
    for i in range(300):
        at += MINUTE
        engine.correlate(engine.match([event_at(i, at, f"address {i}", None, "hy")]), state, at)
        engine.tick(at, state)
        engine.flush(state)
        if i % 10 == 0:
            engine.forget()
    assert max(len(value) for key, value in state.items() if not key.endswith("h")) < 30 * 24 + 3 * 30 * 40


def test_all_groups_together_are_bounded_and_say_so(engine_of, monkeypatch) -> None:
    monkeypatch.setattr("rules.correlate.all.BYTES_IN_ALL", 100_000)
    engine, state = engine_of(RULES), MemoryState()

    def send(ip: str, first: int, count: int) -> None:
        engine.correlate(
            engine.match([event_at(first + i, START + i, ip, "x", "hy", hit=2) for i in range(count)]), state
        )
        engine.flush(state)

    for ip in "ab":
        send(ip, 0, 1500)
    sizes = sorted(map(len, groups(state)))
    assert sum(sizes) > 100_000
    engine.forget()
    engine.tick(START - 60 * MINUTE, state)
    send("a", 5000, 1500)
    assert sum(map(len, groups(state))) < sum(sizes) + 200, "no group grows"
    send("c", 9000, 5)
    crowded = engine.correlations.crowded["6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002"]
    assert crowded.dropped == 5, "none begins"
    assert any("may have" in reason for _, reason in engine.correlations.shortcomings())
    engine.tick(START + 60 * MINUTE, state)
    engine.flush(state)
    send("d", 9100, 5)
    assert crowded.dropped == 5, "all have expired"


def test_bytes_are_counted_as_they_are_stored(engine_of) -> None:
    engine, state = engine_of(RULES), MemoryState()
    rng = random.Random(5)
    for i in range(60):
        events = [event_at(i * 20 + n, START + i * MINUTE + n, rng.choice("abcd"), str(n), "hy") for n in range(20)]
        engine.correlate(engine.match(events), state, START + (i - 1) * MINUTE)
        engine.flush(state)
        if rng.random() < 0.3:
            engine.forget()
    engine.tick(0, state)
    stored = sum(map(len, groups(state)))
    heads = [orjson.loads(value) for key, value in state.items() if key.endswith("h")]
    assert sum(size for _, _, sizes in heads for _, size in sizes) == stored
