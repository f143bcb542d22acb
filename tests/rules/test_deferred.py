"""Checks that are asked last: whatever is put off, the same rules fire, and for the same reasons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from unittest.mock import patch

import pytest
from doors import event_of, rule_text
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.condition import checks, satisfied
from rules.engine import Engine
from rules.load.folders import loads
from rules.match import deferred, plan
from rules.match.numbered import HELD, AllOf, AnyOf, NoneOf, Numbered, supposing, truth

COMMON = ["-e", "a", ".exe", "c:\\windows\\", " /c"]
RARE = ["mimikatz", "invoke-web", "certutil"]
FIELDS = ["CommandLine", "ParentCommandLine"]


@contextmanager
def putting_off(few: int) -> Iterator[None]:
    """As if each field had thousands of patterns. `few`: how many are asked one by one."""
    with patch.object(deferred, "MANY", 0), patch.object(plan, "FEW", few):
        yield


trees = st.recursive(
    st.integers(0, 7),
    lambda part: st.one_of(
        st.builds(NoneOf, part),
        st.builds(AllOf, st.frozensets(st.integers(0, 7), min_size=1), st.lists(part, max_size=2).map(tuple)),
        st.builds(AnyOf, st.frozensets(st.integers(0, 7), min_size=1), st.lists(part, max_size=2).map(tuple)),
    ),
    max_leaves=8,
)


@given(trees, st.frozensets(st.integers(0, 7)), st.frozensets(st.integers(0, 7)))
def test_what_may_hold_is_never_given_up(tree: Numbered, unknown: frozenset[int], true: frozenset[int]) -> None:
    if truth(tree)(true):
        assert truth(supposing(tree, unknown))((true - unknown) | {HELD})


def test_what_cannot_hold_any_more_is() -> None:
    tree = AllOf(frozenset({1, 2}), (NoneOf(3), AnyOf(frozenset({4, 5}), ())))
    may = truth(supposing(tree, frozenset({2, 3})))
    assert may(frozenset({HELD, 1, 4}))
    assert not may(frozenset({HELD, 4})), "1 is known, and does not hold"
    assert not may(frozenset({HELD, 1})), "neither do 4 and 5"


def searches() -> st.SearchStrategy[dict[str, object]]:
    item = st.tuples(
        st.sampled_from(FIELDS),
        st.sampled_from(["contains", "startswith", "endswith", "re", "contains|cased", "contains|all"]),
        st.lists(st.sampled_from([*COMMON, *RARE]), min_size=1, max_size=3),
    )
    pair = st.just(("CommandLine", "fieldref", ["ParentCommandLine"]))
    return st.lists(item | pair, min_size=1, max_size=2).map(
        lambda items: {f"{f}|{m}": spelt(m, v) for f, m, v in items}
    )


def spelt(modifier: str, values: list[str]) -> object:
    if modifier == "fieldref":
        return values[0]
    if modifier == "contains|all" and len(values) < 2:
        values = [*values, "x"]
    return [value.replace("\\", "\\\\").replace(".", "\\.") if modifier == "re" else value for value in values]


CONDITIONS = ["a", "a and b", "a and not b", "a or b", "not a", "not (a and b)", "a or not b"]
values = st.lists(st.sampled_from([*COMMON, *RARE, "x", "Ж"]), max_size=4).map("".join)


@given(
    st.lists(st.tuples(searches(), searches(), st.sampled_from(CONDITIONS)), min_size=1, max_size=6),
    st.lists(
        st.dictionaries(st.sampled_from(FIELDS), values | st.lists(values, max_size=2) | st.none()),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0, 16]),
)
@settings(max_examples=examples(60), deadline=None)  # each compiles its rules
def test_the_same_rules_fire_for_the_same_reasons(rules, events, few: int) -> None:
    texts = [rule_text({"a": a, "b": b, "condition": condition}, f"r{n}") for n, (a, b, condition) in enumerate(rules)]
    ruleset = loads("---\n".join(texts))
    now = Engine(ruleset, UTC)
    with putting_off(few):
        later = Engine(ruleset, UTC)
        for _ in range(2):  # the second time from the caches
            for fields in events:
                fired = {one.rule.id: one.because for one in later.plan(fields).fire(fields)}
                assert fired == {one.rule.id: one.because for one in now.plan(fields).fire(fields)}
                slowly = {rule.id for rule in ruleset.rules if rule.condition and _holds(rule.condition, fields)}
                assert fired.keys() == slowly


def test_a_text_that_nearly_all_values_hold_is_put_off_but_not_where_a_rule_has_nothing_else() -> None:
    both = rule_text({"s": {"CommandLine|contains|all": ["-e", "mimikatz"]}, "condition": "s"}, "both")
    alone = rule_text({"s": {"CommandLine|contains": "/c"}, "condition": "s"}, "alone")
    with putting_off(16):
        table = Engine(loads("---\n".join([both, alone])), UTC)._table
    put_off = {str(table.checks[number].predicate) for number in table.deferred}
    assert put_off == {"*-e*"}


def test_few_patterns_are_not_worth_it() -> None:
    both = rule_text({"s": {"CommandLine|contains|all": ["-e", "mimikatz"]}, "condition": "s"}, "both")
    assert not Engine(loads(both), UTC)._table.deferred


@pytest.mark.parametrize("value", ["-E x", ["y", "-e"], 7, None, True, ["a", 7, None]])
def test_few_are_judged_as_all_are(value: object) -> None:
    wanted = [{"CommandLine|contains": "-e"}, {"CommandLine|contains": "7"}, {"CommandLine|re": "[tT]rue"}]
    rule = loads("---\n".join(rule_text({"s": one, "condition": "s"}, str(n)) for n, one in enumerate(wanted)))
    numbered = dict(enumerate(check.predicate for one in rule.rules for check in checks(one.condition)))
    few = deferred.Few(numbered, lambda *_: None)
    all_checks = [check for one in rule.rules for check in checks(one.condition)]
    assert few.of(value) == {n for n, check in enumerate(all_checks) if satisfied(check, {"CommandLine": value})}


def _holds(condition, fields) -> bool:
    from doors import slowly

    return slowly(condition, event_of(fields).fields)
