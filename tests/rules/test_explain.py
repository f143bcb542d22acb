"""Explanations say the same as the engine, and show what was seen."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.explain import explain, lines
from rules.load import loads

FIELDS = st.dictionaries(
    st.sampled_from("fgh"), st.one_of(st.sampled_from(["a", "b", "ab", ""]), st.integers(0, 2), st.none())
)


@given(fields=FIELDS, condition=st.sampled_from(["a and not b", "1 of them", "not (a or b)", "a or c", "all of them"]))
@settings(max_examples=100, deadline=None)
def test_the_top_of_the_tree_is_what_the_engine_says(engine_of, rule_text, event, fields, condition) -> None:
    engine = engine_of(
        rule_text({"a": {"f|contains": ["a", "x"]}, "b": {"g": None}, "c": ["b", 1], "condition": condition})
    )
    told = explain(engine.ruleset.rules[0], fields)
    assert told.holds == bool(engine.match([event(fields)]))


def test_each_part_says_what_it_saw(engine_of, rule_text) -> None:
    text = rule_text(
        {
            "a": {
                "f|contains": "needle",
                "g|endswith|cased": "Z",
                "n|gte": 5,
                "r|re": "^x",
                "e|exists": True,
                "o": None,
                "q|fieldref": "f",
            },
            "k": ["word"],
            "condition": "a and not k",
        }
    )
    rule = engine_of(text).ruleset.rules[0]
    shown = "\n".join(
        lines(
            explain(
                rule,
                {"f": "a needle", "g": "z", "n": 3, "e": None, "m": "a word", "long": "x" * 1000, "category": "test"},
            )
        )
    )
    for part in (
        "✓ log source: category test   [category test]",
        "✓ f contains 'needle'   ['a needle']",
        "✗ g ends with 'Z' (case counts)   ['z']",
        "✗ n >= 5   [3]",
        "✗ r matches /^x/   [absent]",
        "✓ e exists   [None]",
        "✓ o has no value   [absent]",
        "✗ q equals field f   [absent]",
        "✗ not",
        "✓ any field contains 'word'   [in m: 'a word']",
    ):
        assert part in shown


def test_many_alternatives_are_cut_short_and_values_too(engine_of, rule_text) -> None:
    rule = engine_of(rule_text({"a": {"f": [f"v{i}" for i in range(50)]}})).ruleset.rules[0]
    shown = list(lines(explain(rule, {"f": "x" * 1000})))
    assert len(shown) < 25
    assert "and 38 more" in shown[-1]
    assert max(map(len, shown)) < 300


def test_a_correlation_is_explained_by_what_it_counts() -> None:
    ruleset = loads(
        "title: base\nname: base\nlogsource: {category: test}\ndetection: {s: {hit: 1}, condition: s}\n---\n"
        "title: many\ncorrelation: {type: value_count, rules: base, group-by: ip, timespan: 1m, condition: {gte: 2, field: v}}\n"
    )
    rule = ruleset.get("many")
    assert explain(rule, {"hit": 1, "ip": "a", "v": 1}, ruleset).holds
    told = explain(rule, {"hit": 1, "v": 1}, ruleset)
    assert not told.holds
    assert any("✗ has ip   [absent]" in line for line in lines(told))


def test_a_chain_is_explained_down_to_its_rules() -> None:
    ruleset = loads(
        "title: base\nname: base\nlogsource: {category: test}\ndetection: {s: {hit: 1}, condition: s}\n---\n"
        "title: many\nname: many\ncorrelation: {type: event_count, rules: base, group-by: ip, timespan: 1m, condition: {gte: 2}}\n---\n"
        "title: again\ncorrelation: {type: event_count, rules: many, group-by: who, timespan: 1h, condition: {gt: 2},"
        " aliases: {who: {many: user}}}\n"
    )
    rule = ruleset.get("again")
    assert explain(rule, {"hit": 1, "ip": "a", "user": "b"}, ruleset).holds
    told = "\n".join(lines(explain(rule, {"hit": 1, "ip": "a"}, ruleset)))
    assert "again counts this event, and asks for event_count gt 2 within 3600 s" in told
    assert "✗ has user   [absent]" in told
    assert "✓ has ip" in told
