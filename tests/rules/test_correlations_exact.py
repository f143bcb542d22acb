"""Every type of correlation, aliases, chains and absence: exact in event time for any order, any delay inside the lateness, any batches,
and restarts between them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

import pytest
from correlation_reference import BASES, MINUTE, START, event, findings, rule_id, rules_text
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.correlate import agenda, memory
from rules.correlate import one as correlator
from rules.correlate.entries import END_OF_TIME
from rules.correlate.sweep import Sweeps
from rules.desk import cases
from rules.engine import Engine
from rules.load.folders import loads
from rules.rule import RuleSet
from soc.model.asked import Bounds, BoundsOf
from soc.model.event import Event
from soc.model.finding import Finding, alert_id, finding_id, local_day

pytestmark = pytest.mark.xdist_group("correlations")  # one worker: what they share takes long to make

LATENESS = 40 * MINUTE
FIXTURE = 50_000
ORDERS = 100


@pytest.fixture(scope="module")
def ruleset() -> RuleSet:
    loaded = loads(rules_text())
    assert not loaded.errors, [str(error) for error in loaded.errors]
    return loaded


def delayed(events: Sequence[Event], rng: random.Random, most: int = LATENESS) -> list[Event]:
    """In the order in which they arrive when each takes its time, at most `most` ms."""
    return sorted(events, key=lambda e: e.ts + rng.randrange(most))


def batches(events: Sequence[Event], rng: random.Random, most: int) -> Iterator[Sequence[Event]]:
    at = 0
    while at < len(events):
        size = rng.randint(1, most)
        yield events[at : at + size]
        at += size


def run(engine: Engine, parts: Iterable[Sequence[Event]], rng: random.Random, *, watermark: bool) -> list[Finding]:
    """As the pipeline does it; now and then what is in memory is lost, before a commit or after."""
    state, found = MemoryState(), list[Finding]()
    newest = 0
    expected = None
    for batch in parts:
        matched = engine.match(batch)
        if rng.random() < 0.1:  # it fails before it commits, and is done again
            engine.correlate(matched, MemoryState(state), expected)
            engine.forget()
        found += engine.correlate(matched, state, expected)
        newest = max([newest, *(e.ts for e in batch)])
        if watermark:
            expected = newest - LATENESS
            found += engine.tick(expected, state)
        engine.flush(state)
        if watermark:  # as the store does
            limit = engine.settled(newest - LATENESS)
            for key in [key for key, expires in state.expires.items() if expires < limit]:
                state.pop(key, None), state.expires.pop(key)
        if rng.random() < 0.2:
            engine.forget()
    found += engine.tick(END_OF_TIME, state)
    while engine.settled(END_OF_TIME) < END_OF_TIME:
        found += engine.tick(END_OF_TIME, state)
    assert not engine.broken
    assert not engine.correlations.late
    return found


class MemoryState(cases.MemoryState):
    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.expires: dict[str, int] = dict(getattr(args[0], "expires", {})) if args else {}

    def set(self, key: str, value: bytes, expires: int) -> None:
        super().set(key, value, expires)
        self.expires[key] = expires


def told(found: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return sorted((one.rule_id, one.alert_id, one.id) for one in found)


@given(
    minutes=st.lists(st.integers(0, 90), max_size=45),
    seed=st.integers(0, 1 << 32),
    spread=st.sampled_from([1, 7, MINUTE]),
)
@settings(max_examples=examples(150), deadline=None)
def test_as_the_reference_says(ruleset, tz, minutes, seed, spread) -> None:
    rng = random.Random(seed)
    events = [event(i, START + minute * MINUTE + rng.randrange(spread), rng) for i, minute in enumerate(minutes)]
    want = sorted(findings(events, tz))
    for order, watermark in ((delayed(events, rng), True), (rng.sample(events, len(events)), False)):
        found = told(run(Engine(ruleset, tz), batches(order, rng, 8), rng, watermark=watermark))
        assert found == want
    assert swept(ruleset, events, tz) == want


@pytest.mark.parametrize("seed", range(30))
def test_so_does_a_tick_that_cannot_decide_all_at_once(ruleset, tz, monkeypatch, seed: int) -> None:
    monkeypatch.setattr(correlator, "GROUPS_A_TICK", 1)
    monkeypatch.setattr(agenda, "PAGE", 2)
    monkeypatch.setattr(memory, "MEMORY_BYTES", 0)
    if seed % 2:  # what ends a tick is that too much is in memory
        monkeypatch.setattr(correlator, "GROUPS_A_TICK", 20_000)
        monkeypatch.setattr(correlator, "_GROUPS_AT_ONCE", 1 + seed % 3)
        monkeypatch.setattr(memory, "HEAVY_BYTES", -1)
    rng = random.Random(seed)
    events = [event(i, START + rng.randrange(5 * 60) * MINUTE, rng, groups=3) for i in range(60)]
    found = told(run(Engine(ruleset, tz), batches(delayed(events, rng), rng, 8), rng, watermark=True))
    assert found == sorted(findings(events, tz))


LAID: dict[
    tuple[str, str], dict[str, object]
] = {  # of the two organisations, one has something of its own, or both have
    ("many", "hy"): {"number": 2, "timespan": "25m"},
    ("few", "hy"): {"number": 1},
    ("not_three", "nb"): {"number": 2, "timespan": "4m"},
    ("everybody", "nb"): {"number": 2},
    ("values", "hy"): {"number": 2, "timespan": "2m"},
    ("pairs", "nb"): {"number": 1, "timespan": "1h"},
    ("two_values", "nb"): {"number": 3},
    ("together", "hy"): {"number": 2, "timespan": "5m"},
    ("a_alone", "hy"): {"timespan": "30m"},
    ("in_order", "nb"): {"number": 2},
    ("sum", "hy"): {"number": -0.5, "timespan": "3m"},
    ("sum", "nb"): {"number": 2.1},
    ("mean", "hy"): {"number": 0.7, "timespan": "40m"},
    ("high", "nb"): {"number": 0.1},
    ("middle", "hy"): {"number": 2},
    ("unanswered", "hy"): {"timespan": "25m"},
    ("unanswered", "nb"): {"timespan": "1m"},
    ("again", "nb"): {"number": 2},
    ("then", "hy"): {"timespan": "1h"},
    ("silence", "hy"): {"number": 1},
    ("all_of_it", "nb"): {"number": 1, "timespan": "10m"},
}


def bounds() -> BoundsOf:
    """`LAID`, as the engine takes it."""
    found: dict[str, dict[str, Bounds]] = {}
    for (name, org), own in LAID.items():
        minutes = int(own["timespan"][:-1]) * (60 if own["timespan"][-1] == "h" else 1) if "timespan" in own else None
        found.setdefault(rule_id(name), {})[org] = Bounds(own.get("number"), minutes and minutes * 60)
    return found


@given(
    minutes=st.lists(st.integers(0, 90), max_size=45),
    seed=st.integers(0, 1 << 32),
    spread=st.sampled_from([1, 7, MINUTE]),
)
@settings(max_examples=examples(150), deadline=None)
def test_so_they_are_with_what_organisations_have_laid_down(ruleset, tz, minutes, seed, spread) -> None:
    rng = random.Random(seed)
    events = [event(i, START + minute * MINUTE + rng.randrange(spread), rng) for i, minute in enumerate(minutes)]
    want = sorted(findings(events, tz, LAID))
    for order, watermark in ((delayed(events, rng), True), (rng.sample(events, len(events)), False)):
        engine = Engine(ruleset, tz)
        engine.bind(bounds())
        assert told(run(engine, batches(order, rng, 8), rng, watermark=watermark)) == want
    assert swept(ruleset, events, tz, bounds()) == want


@pytest.mark.long
def test_what_is_laid_down_makes_a_difference_to_each(ruleset, tz) -> None:
    rng = random.Random(3)
    few, many = (
        [event(i, START + rng.randrange(20 * 60) * MINUTE, rng) for i in range(number)] for number in (300, 600)
    )
    without = [(events, findings(events, tz)) for events in (few, many)]
    for one in LAID:
        assert any(findings(events, tz, {one: LAID[one]}) != found for events, found in without), one


def swept(ruleset: RuleSet, events: Sequence[Event], zone, laid: BoundsOf | None = None) -> list[tuple[str, str, str]]:
    """The same by the sweep over events at hand."""
    sweeps, found = Sweeps(ruleset, laid), set()
    for line, one in enumerate(events):
        for base in BASES:
            if one.fields.get(base) == 1:
                sweeps.add(base, one.org, one.ts, line, one.fields)
    for sweep in sweeps:
        for hit in sweep.hits() if not sweep.rule.silent else ():
            alert = alert_id(sweep.rule.id, hit.org, ", ".join(hit.by) or hit.org, local_day(events[hit.line].ts, zone))
            found |= {(sweep.rule.id, alert, finding_id(alert, events[line].id)) for line in hit.lines}
    return sorted(found)


@pytest.fixture(scope="module")
def fixture(ruleset: RuleSet, tz) -> tuple[list[Event], dict[str, list[Finding]], list[tuple[str, str, str]]]:
    """50,000 events of two days, of which some hundreds are found; what each is found by; and what correlations make of them."""
    rng = random.Random(7)
    events = []
    for i in range(FIXTURE):
        minute = rng.randrange(2 * 24 * 60)
        one = event(i, START + minute * MINUTE + rng.randrange(60) * 1000, rng, groups=3)
        if rng.random() > (0.3 if minute % 1000 < 40 else 0.02):  # now and then there is a burst
            for base in BASES:
                one.fields.pop(base, None)
        events.append(one)
    engine = Engine(ruleset, tz)
    matched = {one.id: found for one in events if (found := engine.match([one]))}
    return events, matched, swept(ruleset, events, tz)


def arrived(ruleset: RuleSet, tz, fixture, seed: int, *, delays: bool) -> list[tuple[str, str, str]]:
    events, matched, _ = fixture
    rng = random.Random(seed)
    order = delayed(events, rng) if delays else rng.sample(events, len(events))

    class Known(Engine):
        def match(self, events: Iterable[Event]) -> list[Finding]:
            return [finding for one in events for finding in matched.get(one.id, ())]

    return told(run(Known(ruleset, tz), batches(order, rng, 4000), rng, watermark=delays))


@pytest.mark.xdist_group("correlations-fixture")  # one worker: what they share takes long to make
@pytest.mark.parametrize("delays", [False, True], ids=["permutation", "delay"])
def test_an_order_of_the_fixture(ruleset, tz, fixture, delays: bool) -> None:
    assert len({alert for _, alert, _ in fixture[2]}) > 100
    assert {rule for rule, *_ in fixture[2]} == {
        rule.id for rule in ruleset.rules if rule.correlation and not rule.silent
    }
    assert arrived(ruleset, tz, fixture, 0, delays=delays) == fixture[2]


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("delays", [False, True], ids=["permutation", "delay"])
def test_a_hundred_orders_of_the_fixture(ruleset, tz, fixture, delays: bool) -> None:
    for seed in range(100, 100 + ORDERS):
        assert arrived(ruleset, tz, fixture, seed, delays=delays) == fixture[2]
