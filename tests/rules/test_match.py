"""The engine: which rules an event meets, what a finding says, and that nothing an event or a rule does can stop it."""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC
from pathlib import Path

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import engine as engines
from rules.condition import All, Any, Check, Condition, Not, Search, satisfied
from rules.engine import Engine
from rules.load.folders import load, loads
from rules.logsource import origin, route
from rules.match import scanner
from rules.match.finding import SHOWN_CHARS
from soc.model.event import PIPELINE_ERROR
from soc.model.finding import alert_id, finding_id
from soc.model.rule import LogSource

DAY = 86_400_000


@pytest.mark.parametrize(
    ("fields", "source", "applies"),
    [
        ({}, {"product": "nginx"}, True),
        ({"product": "apache"}, {"product": "nginx"}, False),
        ({"product": "Nginx"}, {"product": "nginx"}, True),
        ({"event.dataset": "nginx.access"}, {"product": "nginx"}, True),
        ({"event.dataset": "nginx.access"}, {"product": "apache"}, False),
        ({"event.dataset": "nginx.access"}, {"category": "webserver"}, True),
        ({"event.dataset": "nginx.access"}, {"category": "proxy"}, False),
        ({"event.dataset": "nginx.access"}, {"product": "nginx", "service": "error"}, False),
        ({"event.dataset": "nginx.error"}, {"category": "webserver"}, True),
        ({"event.dataset": "nginx.access", "product": "apache"}, {"product": "apache", "category": "webserver"}, True),
        ({"event.dataset": "linux.auth", "process.name": "sshd"}, {"product": "linux", "service": "sshd"}, True),
        ({"event.dataset": "linux.auth", "process.name": "sshd-session"}, {"service": "sshd"}, True),
        ({"event.dataset": "linux.auth", "process.name": "sshd"}, {"service": "auth"}, True),
        ({"event.dataset": "linux.auth", "process.name": "su"}, {"service": "sshd"}, False),
        ({"event.dataset": "syslog", "process.name": "sshd"}, {"service": "sshd"}, False),
        ({"event.dataset": "otp.gateway"}, {"product": "otp", "service": "gateway"}, True),
        ({"event.dataset": "otp.gateway"}, {"product": "lgsp"}, False),
        ({"event.dataset": "of.tomorrow"}, {"product": "lgsp"}, True),
        ({"event.dataset": ["nginx.access"], "product": ["x"]}, {"product": "apache"}, True),
    ],
)
def test_log_sources_exclude_only_on_conflict(engine_of, rule_text, event, fields, source, applies) -> None:
    engine = engine_of(rule_text({"s": {"f": "x"}}, logsource=source))
    assert bool(engine.match([event({"f": "x", **fields})])) == applies


def test_a_finding_says_what_where_and_why(engine_of, rule_text, event) -> None:
    text = rule_text(
        {
            "a": {"url.path|contains": ["x", "zz"]},
            "b": {"user.name": "an"},
            "no": {"tag": "ok"},
            "k": ["needle"],
            "condition": "a and not no and (b or k)",
        },
        id="6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0001", govsoc={"entity": "user.name"},
    )  # fmt: skip
    engine = engine_of(text)
    seen = event(
        {"url.path": "/x", "user.name": "An", "m": "a needle", "other": 1, "organization.id": "hy"},
        ts=1_772_470_800_000,
    )
    (finding,) = engine.match([seen])
    rule = engine.ruleset.rules[0]
    assert finding.matched == {"url.path": "/x", "user.name": "An", "m": "a needle"}
    assert (finding.rule_id, finding.rule_hash, finding.entity_field, finding.entity) == (
        rule.id,
        rule.hash,
        "user.name",
        "An",
    )
    # 17:00 UTC is midnight in Ho Chi Minh City: the next local day.
    assert finding.alert_id == alert_id(rule.id, "hy", "An", "2026-03-03")
    assert finding.id == finding_id(finding.alert_id, seen.id)
    assert (finding.ts, finding.event_id, finding.event, finding.silent) == (seen.ts, seen.id, seen, False)


@pytest.mark.parametrize(
    ("fields", "entity"),
    [
        ({"user.id": "u", "source.ip": "1.1.1.1"}, ("user.id", "u")),
        ({"user.id": "", "source.ip": ["1.1.1.1", "2.2.2.2"]}, ("source.ip", "1.1.1.1")),
        ({"user.id": None, "source.ip": [], "host.name": "h"}, ("host.name", "h")),
        ({"organization.id": "hy"}, ("organization.id", "hy")),
        ({}, ("organization.id", "hungyen")),
    ],
)
def test_the_entity_of_a_rule_that_names_none(engine_of, rule_text, event, fields, entity) -> None:
    (finding,) = engine_of(rule_text({"s": {"f": "x"}})).match([event({"f": "x", **fields})])
    assert (finding.entity_field, finding.entity) == entity


def test_a_long_value_is_cut_in_the_finding_with_a_mark(engine_of, rule_text, event) -> None:
    engine = engine_of(
        rule_text(
            {"a": {"body|contains": "x", "many|contains": "y", "n": 1}}, id="6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0001"
        )
    )
    fields = {"body": "x" * 1_000_000, "many": ["y" * 3000, "z" * 3000, "w", 5], "n": 1, "organization.id": "hy"}
    (finding,) = engine.match([event(fields, ts=1_772_470_800_000)])
    assert finding.matched == {
        "body": "x" * SHOWN_CHARS + " … [cut]",
        "many": ["y" * 3000, "z" * (SHOWN_CHARS - 3001) + " … [cut]", "… [cut]"],
        "n": 1,
    }
    assert finding.event.fields == fields, "the event holds it whole"
    short = {"body": "x" * SHOWN_CHARS, "many": ["y", 5, None, True], "n": 1, "organization.id": "hy"}
    (finding,) = engine.match([event(short, ts=1_772_470_800_000)])
    assert finding.matched == {name: short[name] for name in ("body", "many", "n")}


def test_dead_letters_are_not_matched(engine_of, rule_text, event) -> None:
    engine = engine_of(rule_text({"s": {"f": "x"}}))
    assert not engine.match([event({"f": "x", "event.kind": PIPELINE_ERROR}, ts=0)])
    assert engine.match([event({"f": "x"}, ts=0)])


VALUE = st.one_of(
    st.sampled_from(["a", "b", "ab", "ba", "", "5", "z\0a"]),
    st.integers(4, 6),
    st.none(),
    st.lists(st.sampled_from(["a", "b", 5]), max_size=2),
)
FIELDS = st.dictionaries(st.sampled_from("fgh"), VALUE)
ITEM = st.one_of(
    st.dictionaries(
        st.sampled_from(["f", "g|contains", "h|startswith", "f|re", "g|exists", "h|gt", "f|fieldref"]),
        st.just("a"), min_size=1, max_size=3,
    ),
    st.lists(st.sampled_from(["a", "b*", 5]), min_size=1, max_size=2),
)  # fmt: skip
PROPER = {"g|exists": True, "h|gt": 4, "f|fieldref": "g"}
CONDITION = st.sampled_from(
    [
        "a and b",
        "a or b",
        "not a",
        "a and not b",
        "not (a or b) or c",
        "1 of them",
        "all of them",
        "1 of a* and not c",
        "not 1 of them",
        "c or (a and b)",
    ]
)


def holds(tree: Condition, fields: dict[str, object]) -> bool:
    match tree:
        case Check():
            return satisfied(tree, fields)
        case Search(_, part):
            return holds(part, fields)
        case Not(part):
            return not holds(part, fields)
        case All(parts):
            return all(holds(part, fields) for part in parts)
        case Any(parts):
            return any(holds(part, fields) for part in parts)


@given(
    rules=st.lists(st.tuples(ITEM, ITEM, ITEM, CONDITION), min_size=1, max_size=5),
    events=st.lists(FIELDS, min_size=1, max_size=8),
)
@settings(max_examples=examples(150), deadline=None)
def test_many_rules_at_once_find_what_each_finds_alone_and_slowly(engine_of, rule_text, event, rules, events) -> None:
    texts = []
    for number, (a, b, c, condition) in enumerate(rules):
        search = {
            n: {k: PROPER.get(k, v) for k, v in s.items()} if isinstance(s, dict) else s
            for n, s in (("a", a), ("b", b), ("c", c))
        }
        texts.append(rule_text({**search, "condition": condition}, name=f"r{number}"))
    engine = engine_of("---\n".join(texts))
    for _ in range(2):  # the second time from the caches
        for i, fields in enumerate(events):
            found = {finding.rule_id for finding in engine.match([event(fields, number=i)])}
            assert found == {rule.id for rule in engine.ruleset.rules if holds(rule.condition, fields)}


def test_a_rule_that_raises_is_stopped_alone_and_says_so(engine_of, rule_text, event, monkeypatch) -> None:
    from rules.predicate import DatePart

    def explode(self: DatePart, text: str) -> bool:
        raise RuntimeError(f"cannot read {text}")

    monkeypatch.setattr(DatePart, "holds", explode)
    engine = engine_of(
        rule_text({"s": {"t|hour": 3}}, name="bad") + "---\n" + rule_text({"s": {"t|contains": "20"}}, name="good")
    )
    for _ in range(2):
        assert [finding.rule_id for finding in engine.match([event({"t": "2026-03-02T03:00:00Z"})])] == ["good"]
    assert engine.broken == {"bad": "RuntimeError"}, (
        "its text quotes an event: it is not for every reader of the rules page"
    )


def test_hostile_events_only_cost_their_own_time(engine_of, rule_text, event) -> None:
    engine = engine_of(rule_text({"s": {"f|re": "(a|aa)+$"}}) + "---\n" + rule_text({"k": ["needle"]}, name="k"))
    hostile = [
        {f"f{i}": "x" for i in range(10_000)},
        {"f": "a" * 1_000_000 + "b"},
        {"f": [["deep"], {"a": 1}, None, True, 1e308, "\ud800"]},
        {"f": 10**4000},
        {"f": "\0" * 1000, "": "x", "\0": "y"},
    ]
    assert engine.match([event(fields, number=i) for i, fields in enumerate(hostile)]) == []
    assert engine.broken == {}
    assert [finding.rule_id for finding in engine.match([event({"f": "needle"})])] == ["k"]


@pytest.mark.long
def test_memory_is_bounded_by_what_values_take(engine_of, rule_text, event, monkeypatch) -> None:
    """Long values, each of another class."""
    monkeypatch.setattr(engines, "ROOM", 512 << 10)
    rng = random.Random(2)
    engine = engine_of(rule_text({"s": {"f|contains": [f"w{i:03d}" for i in range(400)]}}))
    tracemalloc.start()
    for number in range(1500):
        words = " ".join(f"w{i:03d}" for i in rng.sample(range(400), 100))
        engine.plan({"f": words}).fire({"f": f"{words} đ{number}"})
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 1 << 20


def test_memory_is_bounded_whatever_values_come(engine_of, rule_text, event, monkeypatch) -> None:
    monkeypatch.setattr(engines, "ROOM", 50_000)
    monkeypatch.setattr(engines, "ROUTES_KNOWN", 100)
    rng = random.Random(1)
    detection = {f"s{i}": {"f|contains": f"{i}", "g|endswith": f"{i}"} for i in range(20)}
    engine = engine_of(rule_text({**detection, "condition": "1 of s*"}))

    def feed(count: int) -> None:
        for number in range(count):
            engine.match(
                [event({"f": f"{rng.random()}", "g": f"{rng.random()}", "product": f"p{rng.random()}"}, number=number)]
            )

    feed(300)
    tracemalloc.start()
    feed(300)
    before = tracemalloc.get_traced_memory()[0]
    feed(1000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 100_000
    assert len(engine._plans) == 1


def test_an_automaton_too_large_is_split_and_finds_everything(monkeypatch) -> None:
    monkeypatch.setattr(scanner, "AUTOMATON_BYTES", 1 << 16)
    monkeypatch.setattr(scanner, "PATTERN_BYTES", 0)
    words = [f"word{i:05d}" for i in range(3000)]
    automata = scanner.automata(
        [scanner.Pattern(i, rf"(?s){word}") for i, word in enumerate(words)],
        lambda check, error: pytest.fail(f"{check}: {error}"),
    )
    assert len(automata) > 1
    for i in (0, 1500, 2999):
        assert [check for one in automata for check in one.scan(f"xx {words[i]} yy")] == [i]


def test_a_pattern_that_fits_no_automaton_stops_its_rule_alone(engine_of, rule_text, event, monkeypatch) -> None:
    monkeypatch.setattr(scanner, "LARGE", 0)
    monkeypatch.setattr(scanner, "AUTOMATON_BYTES", 1 << 15)
    monkeypatch.setattr(scanner, "PATTERN_BYTES", 0)
    large = rule_text({"s": {"f|re": "(ab?c?){400}"}}, name="large")
    engine = engine_of(large + "---\n" + rule_text({"s": {"f|contains": "a"}}, name="small"))
    assert [finding.rule_id for finding in engine.match([event({"f": "a" * 500})])] == ["small"]
    assert list(engine.broken) == ["large"]


def test_origin_prefers_what_the_event_says_of_itself() -> None:
    where = origin(route({"event.dataset": "nginx.access", "service": "special"}))
    assert (where.product, where.category, where.services) == ("nginx", "webserver", {"special"})
    assert where.admits(LogSource(service="special"))


def test_loading_is_repeatable(tmp_path: Path, rule_text, event) -> None:
    (tmp_path / "a.yml").write_text(rule_text({"s": {"f": "x"}}), "utf-8")
    one, two = load([tmp_path]), load([tmp_path])
    assert one == two
    seen = [event({"f": "x"})]
    assert Engine(one, UTC).match(seen) == Engine(two, UTC).match(seen)
    assert loads("").rules == ()
