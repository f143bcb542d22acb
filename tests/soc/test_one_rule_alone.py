"""What one rule finds may be of any shape: it can be stored, or that rule alone is stopped, and says so."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import orjson
import pytest

from rules.desk.cases import END_OF_TIME, MemoryState
from rules.desk.doc import doc_of
from rules.desk.tuning import Tuning
from rules.engine import Engine
from rules.load.folders import load, loads
from rules.rule import RuleSet
from soc.buffer.sqlite import EventLog
from soc.model.event import Event, Fields, event_id
from soc.model.finding import Finding
from soc.model.rule import RuleFault
from soc.pipeline import Pipeline
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir

NOON = 1_772_452_800_000
UTC = ZoneInfo("UTC")
BASE = (
    "title: {0}\nname: {0}\nlogsource: {{category: test}}\ndetection: {{s: {{{0}: 1}}, condition: s}}\ngenerate: true\n"
)
MOST = 1 << 53
BODIES = {
    "event_count": ("[a, b]", "{gte: 1}"),
    "event_count of none": ("[a]", f"{{gte: -{MOST}, neq: 0.1}}"),
    "value_count": ("[a, b]", "{gte: 1, field: n}"),
    "value_count of many": ("[a, b]", f"{{lt: {MOST}, field: [n, text, list]}}"),
    "value_sum": ("[a, b]", f"{{neq: {MOST}, field: n}}"),
    "value_avg": ("[a, b]", f"{{lte: {MOST}, gte: -{MOST}, field: n}}"),
    "value_percentile": ("[a, b]", "{neq: 0.5, field: n, percentile: 0}"),
    "value_median": ("[a, b]", f"{{neq: {MOST}, field: n}}"),
    "temporal": ("[a, b]", "{gte: 1}"),
    "temporal_ordered": ("[a, b]", "{lte: 2}"),
    "absence": ("[b, a]", None),
}
SPANS = ("1s", "400d")
NUMBERS = (
    "9" * 21,
    "-1e21",
    "1e-300",
    "1e400",
    1 << 63,
    -(1 << 63),
    1.5e300,
    0.1,
    -0.0,
    "0x10",
    "NaN",
    True,
    None,
    [7],
    [1, 2],
)
TEXTS = ("x" * 100_000, "a\0b", "\x1f", "", "🀄" * 600, "a, b", '"', ["a"] * 3000, ["\0", None, 5], [[]], "\u202e")
TIMES = (0, 1, NOON, NOON + 1, (1 << 47) - 1)


def correlation(name: str, rules: str, condition: str | None, span: str, group: str = "[text, n]") -> str:
    asked = f"condition: {condition}, " if condition else ""
    kind = name.split()[0]
    title = f"{name} {span}"
    return f"title: {title}\nname: {title}\ncorrelation: {{type: {kind}, rules: {rules}, group-by: {group}, {asked}timespan: {span}}}\n"


def extremes() -> RuleSet:
    """Every type of correlation, twice, and chains of them that carry as much as they may."""
    texts = [BASE.format(name) for name in "ab"]
    texts += [correlation(name, *asked, span) for name, asked in BODIES.items() for span in SPANS]
    names = ", ".join(["n", "text", *(f"f{i}" for i in range(18))])
    texts += [
        correlation("event_count all", "[event_count 400d]", "{gte: 1}", "400d", f"[{names}]"),
        correlation("temporal all", "[event_count all 400d, absence 400d]", "{gte: 1}", "400d", "[list]"),
    ]
    ruleset = loads("---\n".join(texts))
    assert not ruleset.errors, [str(error) for error in ruleset.errors]
    return RuleSet(tuple(replace(rule, silent=False) for rule in ruleset.rules))


def events() -> list[Event]:
    found = []
    rest: Fields = {f"f{i}": "x" * 600 for i in range(18)}
    for i, (n, text) in enumerate((n, text) for n in NUMBERS for text in TEXTS):
        ts = TIMES[i % len(TIMES)]
        fields = {"a": 1, "n": n, "text": text, "list": TEXTS[i % 3], **rest}
        found.append(Event(event_id(ts, "hy", str(i), ""), ts, "hy", "test", {**fields, "category": "test"}))
        if i % 3:
            found[-1].fields["b"] = 1
        if i % 3 == 1:
            del found[-1].fields["a"]
    return found


def test_extremes_of_every_rule_can_be_stored(tmp_path) -> None:
    ruleset, detections = extremes(), SqliteDetections(tmp_path)
    by_id = {rule.id: rule for rule in ruleset.rules}
    docs = {rule.hash: doc_of(rule, by_id) for rule in ruleset.rules}
    detections.publish(list(docs.values()), [])
    engine = Engine(ruleset, UTC)
    log = EventLog(events_dir(tmp_path))
    pipeline = Pipeline(log, engine, docs, detections, lambda: END_OF_TIME - 1, Tuning, batch=40)
    log.append(events())
    assert pipeline.drain() > 100
    pipeline.finish()
    assert engine.broken == {}
    found = detections.found()
    assert {by_id[rule].title for rule in found} == {rule.title for rule in ruleset.rules}


def test_what_no_json_can_hold_is_written_otherwise_and_what_cannot_be_stops_the_rules_that_found_it_alone() -> None:
    """No event that was JSON holds such a value; whatever gives events one day may."""
    count = correlation("event_count", "[a]", "{gte: 1}", "10m", "[text]")
    ruleset = loads("---\n".join([BASE.format("a"), BASE.format("b"), count]))
    assert not ruleset.errors
    engine, state = Engine(ruleset, UTC), MemoryState()
    titles = {rule.id: rule.title for rule in ruleset.rules}

    def find(number: int, fields: Fields, org: str = "hy") -> dict[str, Finding]:
        event = Event(event_id(NOON, org, str(number), ""), NOON, org, "test", fields)
        matched = engine.match([event])
        found = matched + engine.correlate(matched, state, None)
        engine.flush(state)
        orjson.dumps([one.matched for one in found])
        return {titles[one.rule_id]: one for one in found}

    found = find(1, {"a": 1, "text": "x\ud800", "user.id": 1 << 70})
    assert (found["a"].entity, found["event_count 10m"].entity) == (str(1 << 70), "x\\ud800")
    assert find(2, {"a": [1, 1 << 70], "text": "x"})["a"].matched == {"a": [1, str(1 << 70)]}
    assert find(3, {"b": 1}, "\ud800") == {}
    assert engine.broken == {ruleset.get("b").id: "TypeError"}
    assert find(4, {"a": 1, "text": "x", "b": 1}).keys() == {"a", "event_count 10m"}


@pytest.mark.parametrize("kind", ["event_count", "absence"])
def test_state_that_cannot_be_stored_stops_its_rule_alone_and_leaves_nothing(kind: str) -> None:
    """Rules that load are not like that."""
    rules, condition = BODIES[kind]
    texts = [correlation(kind, rules, condition, span, "[text]") for span in ("10m", "9m")]
    ruleset = loads("---\n".join([BASE.format("a"), BASE.format("b"), *texts]))
    endless = ruleset.rules[-1]
    endless = replace(endless, correlation=replace(endless.correlation, timespan_ms=1 << 64))
    engine, state = Engine(RuleSet((*ruleset.rules[:-1], endless)), UTC), MemoryState()
    event = Event(event_id(NOON, "hy", "1", ""), NOON, "hy", "test", {"b": 1, "text": "x"})
    found = engine.correlate(engine.match([event]), state, NOON - 1)
    engine.flush(state)
    assert list(engine.broken) == [endless.id]
    assert state
    assert all(key.startswith(next(iter(state))[:17]) for key in state), "of the other rule alone"
    found += engine.tick(NOON + 3_600_000, state)
    engine.flush(state)
    assert ruleset.rules[-2].id in {one.rule_id for one in found}


def test_a_tick_that_fails_takes_nothing_off_its_pages() -> None:
    ruleset = loads(
        "---\n".join([BASE.format("a"), BASE.format("b"), correlation("absence", "[b, a]", None, "10m", "[text]")])
    )
    state = MemoryState()
    engine = Engine(ruleset, UTC)
    for i in range(3):
        event = Event(event_id(NOON, "hy", str(i), ""), NOON, "hy", "test", {"b": 1, "text": f"x{i}"})
        engine.correlate(engine.match([event]), state, None)
    engine.flush(state)
    whole = dict(state)
    group = next(key for key in state if "p" not in key[17:] and not key.endswith("h"))
    state[group] = b"damaged"
    engine = Engine(ruleset, UTC)
    assert engine.tick(END_OF_TIME, state) == []
    engine.flush(state)
    assert list(engine.broken) == [ruleset.rules[-1].id]
    assert state == whole | {group: b"damaged"}
    engine = Engine(ruleset, UTC)
    assert len(engine.tick(END_OF_TIME, whole := MemoryState(whole))) == 3
    assert whole


def test_a_rule_file_whose_name_is_no_text_is_refused_and_told(tmp_path) -> None:
    name = b"rule-\xff.yml".decode(errors="surrogateescape")
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / name).write_text(BASE.format("a"))
    (folder / "other.yml").write_text(BASE.format("b"))
    ruleset = load([folder])
    assert [rule.title for rule in ruleset.rules] == ["b"]
    [error] = ruleset.errors
    assert str(error) == f"{folder}/rule-\\udcff.yml: its name is not UTF-8: rename it"
    docs = [doc_of(rule, {}) for rule in ruleset.rules]
    SqliteDetections(tmp_path).publish(docs, [RuleFault(one.reason, one.path, one.line) for one in ruleset.errors])
