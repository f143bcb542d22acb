"""Explanations say the same as the engine, and show what was seen."""

from __future__ import annotations

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.desk.explain import CHECK_EFFORT, Part, effort, explain, lines, rows
from rules.desk.seen import place
from rules.load.folders import loads
from rules.predicate import Like, Matches, Number, Wild

FIELDS = st.dictionaries(
    st.sampled_from("fgh"), st.one_of(st.sampled_from(["a", "b", "ab", ""]), st.integers(0, 2), st.none())
)


@given(fields=FIELDS, condition=st.sampled_from(["a and not b", "1 of them", "not (a or b)", "a or c", "all of them"]))
@settings(max_examples=examples(100), deadline=None)
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
        "✓ e exists   [null]",
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
    assert any("38 more that do not hold left out" in line for line in shown)
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
    assert any("✗ ip has a value   [absent]" in line for line in lines(told))


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
    assert "✗ user has a value   [absent]" in told
    assert "✓ ip has a value" in told


PREDICATES = st.one_of(
    st.builds(
        Like,
        st.lists(st.sampled_from(["a", "B", "σ", "İ", Wild.ANY, Wild.ONE]), max_size=4).map(tuple),
        st.booleans(),
    ),
    st.sampled_from(["a+", "^b", "(?i)AB", "$", "x*", "\\n"]).map(Matches),
    st.just(Number(">=", 5)),
)


@given(predicate=PREDICATES, text=st.text(alphabet="abBσΣİ\n5\ud800\U0001f600", max_size=8))
@settings(max_examples=examples(500), deadline=None)
def test_the_place_is_there_when_the_predicate_holds_and_holds_by_itself(predicate, text) -> None:
    found = place(predicate, text)
    assert (found is not None) == predicate.holds(text)
    if found is not None:
        start, end = found
        assert 0 <= start <= end <= len(text)
        whole = isinstance(predicate, Matches) and any(sign in predicate.regex for sign in "^$")
        if not whole and "\ud800" not in text:
            assert predicate.holds(text[start:end])


@pytest.mark.parametrize(
    ("check", "value", "match"),
    [
        ({"f|contains": "UNION"}, "x union y", "union"),
        ({"f|startswith": "ab"}, "ABc", "AB"),
        ({"f|endswith": "c"}, ["x", "abC"], "C"),
        ({"f": "a*c"}, "abc", "abc"),
        ({"f|re": "[0-9]+"}, "đ 42 x", "42"),
        ({"f|cidr": "10.0.0.0/8"}, ["192.0.2.1", "10.1.2.3"], "10.1.2.3"),
        ({"f|gte": 5}, [1, 7], "7"),
        ({"f|contains": "needle"}, "x" * 5000 + "a Needle" + "y" * 5000, "Needle"),
        ({"f|fieldref|contains": "g"}, "it is GG!", "GG"),
        ({"f|exists": True}, "x", ""),
    ],
)
def test_what_matched_is_marked_and_what_is_long_is_cut_around_it(engine_of, rule_text, check, value, match) -> None:
    rule = engine_of(rule_text({"s": check, "condition": "s"})).ruleset.rules[0]
    told = explain(rule, {"f": value, "g": "gg"})
    [checked] = [row.explained for row in rows(told) if row.explained.part is Part.CHECK]
    assert checked.holds
    assert checked.seen.match == match
    assert len(checked.seen.value) < 300
    assert bool(checked.seen.length) == (len(str(value)) > 300)


def test_a_rule_that_many_correlations_count_is_explained_once() -> None:
    """Three correlations a level, each made of all three below: as a tree it has 3^12 leaves."""
    text = "title: base\nname: l0_0\nlogsource: {category: test}\ndetection: {s: {hit: 1}, condition: s}\n"
    below = ["l0_0"]
    for level in range(1, 13):
        names = [f"l{level}_{n}" for n in range(3)]
        for name in names:
            text += (
                f"---\ntitle: {name}\nname: {name}\ncorrelation: {{type: temporal, rules: [{', '.join(below)}], group-by: [ip],"
                " timespan: 1m}\n"
            )
        below = names
    ruleset = loads(text)
    rule = ruleset.get("l12_0")
    told = explain(rule, {"hit": 1, "ip": "a"}, ruleset)
    assert told.holds
    assert len(list(rows(told))) < 1000
    assert any("see above" in line for line in lines(told))


def test_an_alias_is_followed_down_to_the_field_of_the_event() -> None:
    ruleset = loads(
        "title: base\nname: base\nlogsource: {category: test}\ndetection: {s: {hit: 1}, condition: s}\n---\n"
        "title: many\nname: many\ncorrelation: {type: event_count, rules: base, group-by: who, timespan: 1m,"
        " condition: {gte: 2}, aliases: {who: {base: user}}}\n---\n"
        "title: again\ncorrelation: {type: event_count, rules: many, group-by: person, timespan: 1h, condition: {gt: 2},"
        " aliases: {person: {many: who}}}\n"
    )
    told = explain(ruleset.get("again"), {"hit": 1, "user": "b"}, ruleset)
    assert told.holds, list(lines(told))


def test_the_effort_is_what_has_to_be_read(engine_of, rule_text) -> None:
    rules = engine_of(rule_text({"a": {"f|contains": ["x", "y"]}, "condition": "a"})).ruleset.rules
    assert effort(rules, {"f": "z" * 1000, "g": "z" * 9000}) == 2 * (1000 + CHECK_EFFORT)
    rules = engine_of(rule_text({"a": ["word"], "condition": "a"})).ruleset.rules
    assert effort(rules, {"f": "z" * 1000, "g": ["z" * 9000]}) > 10_000
