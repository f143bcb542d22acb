"""Sigma filters: what they narrow, how that is told, and that nothing of it is lost later."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.desk.explain import explain, lines
from rules.engine import Engine
from rules.load.cache import Cache
from rules.load.folders import load, loads
from rules.rule import RuleSet

RULE = """\
title: Logon
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0001
name: logon
logsource: {product: windows, category: process_creation}
detection:
  selection: {EventID: 4624}
  condition: 1 of selection*
"""
OTHER = RULE.replace("0001", "0002").replace("Logon", "Other").replace("name: logon", "name: other")
LINUX = RULE.replace("0001", "0003").replace("product: windows", "product: linux").replace("name: logon\n", "")
FILTER = """\
title: Known administrators
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0009
logsource: {product: windows}
filter:
  rules: [logon]
  selection_adm: {User|startswith: adm_}
  selection_svc: {User: svc}
  condition: not 1 of selection_*
"""


def fired(ruleset: RuleSet, tz, **fields: object) -> list[str]:
    return sorted(one.rule.title for one in Engine(ruleset, tz).plan(fields).fire(fields))


def together(*texts: str) -> RuleSet:
    ruleset = loads("---\n".join(texts), "f.yml")
    assert [str(error) for error in ruleset.errors] == []
    return ruleset


def test_the_rules_that_it_names_are_narrowed_and_no_others(tz) -> None:
    ruleset = together(RULE, OTHER, FILTER)
    assert len(ruleset.rules) == 2  # a filter is no rule
    assert fired(ruleset, tz, EventID=4624, User="adm_an") == ["Other"]
    assert fired(ruleset, tz, EventID=4624, User="svc") == ["Other"]
    assert fired(ruleset, tz, EventID=4624, User="an") == ["Logon", "Other"]
    assert fired(ruleset, tz, User="an") == []


@pytest.mark.parametrize("rules", ["any", "Any", "[]"])
def test_any_is_every_rule_whose_log_source_lies_within_the_filters(tz, rules: str) -> None:
    ruleset = together(RULE, OTHER, LINUX, FILTER.replace("[logon]", rules))
    assert fired(ruleset, tz, EventID=4624, User="adm_an") == ["Logon"]  # the one of LINUX
    assert fired(ruleset, tz, EventID=4624, User="an") == ["Logon", "Logon", "Other"]


def test_by_id_in_any_case_and_across_files_and_in_any_order(tmp_path: Path, tz) -> None:
    (tmp_path / "a.yml").write_text(FILTER.replace("logon", "6F1F7D0A-6f0e-4c52-9b57-3f7f6f1c0001"))
    (tmp_path / "b.yml").write_text(RULE)
    assert fired(load([tmp_path]), tz, EventID=4624, User="adm_an") == []


def test_several_filters_all_hold(tz) -> None:
    second = FILTER.replace("0009", "0008").replace("svc", "bot").replace("adm_", "x_")
    ruleset = together(RULE, FILTER, second)
    for user, fires in (("adm_an", False), ("x_an", False), ("bot", False), ("an", True)):
        assert bool(fired(ruleset, tz, EventID=4624, User=user)) is fires


def test_it_is_explained_by_its_title() -> None:
    (rule,) = together(RULE, FILTER).rules
    told = list(lines(explain(rule, {"EventID": 4624, "User": "adm_an"})))
    assert "    ✗ filter: Known administrators" in told
    assert "    ✓ filter: Known administrators" in list(lines(explain(rule, {"EventID": 4624, "User": "an"})))


def test_the_text_and_the_hash_of_a_rule_hold_its_filters_and_load_again_to_the_same(tz) -> None:
    plain = together(RULE, OTHER).rules
    ruleset = together(RULE, OTHER, FILTER.replace("[logon]", "[logon, other]"))
    for rule, unfiltered in zip(ruleset.rules, plain, strict=True):
        assert rule.hash != unfiltered.hash
        assert rule.id == unfiltered.id
        again = loads(rule.text)
        assert again.errors == ()
        assert [(one.id, one.hash, one.condition) for one in again.rules] == [(rule.id, rule.hash, rule.condition)]
    # A rule more in the filter's list is no change to those that were in it.
    assert together(RULE, OTHER, FILTER.replace("[logon]", "[logon, other]")).rules[0].hash == ruleset.rules[0].hash
    alone = together(RULE, OTHER, FILTER.replace("[logon]", "[6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0001, other]"))
    assert alone.rules[0].hash == ruleset.rules[0].hash
    changed = together(RULE, OTHER, FILTER.replace("svc", "bot").replace("[logon]", "[logon, other]"))
    assert changed.rules[0].hash != ruleset.rules[0].hash


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        (("[logon]", "[logon, nobody]"), "13:18", "'nobody'"),
        (("  rules: [logon]\n", ""), "12:1", "rules"),
        (("[logon]", "{a: b}"), "13:3", "any"),
        (("not 1 of selection_*", "[not selection_adm, selection_svc]"), "16:3", "exactly one condition"),
        (("not 1 of selection_*", "not 1 of nothing_*"), "16:3", "nothing_*"),
        (("startswith", "nonsense"), "14:19", "nonsense"),
        (("product: windows", "product: linux"), "13:11", "the filter is for product linux"),
        (("logsource: {product: windows}\n", ""), "9:1", "log source"),
        (("title: Known administrators", "title: [a]"), "9:1", "text"),
    ],
)
def test_a_bad_filter_is_refused_where_it_is_wrong(change: tuple[str, str], place: str, reason: str, tz) -> None:
    ruleset = loads(RULE + "--- \n" + FILTER.replace(*change), "f.yml")
    assert len(ruleset.rules) == 1
    error = str(ruleset.errors[0])
    assert reason in error
    assert error.startswith(f"f.yml:{place}: "), error


def test_a_correlation_is_not_narrowed_but_what_it_counts_is(tz) -> None:
    many = "title: Many\nname: many\ncorrelation:\n  {type: event_count, rules: [logon], timespan: 1h, condition: {gte: 2}}\n"
    ruleset = loads("---\n".join([RULE, many, FILTER.replace("[logon]", "[logon, many]")]))
    assert ["narrows the rules that it counts" in error.reason for error in ruleset.errors] == [True]
    assert len(ruleset.rules) == 2
    assert fired(ruleset, tz, EventID=4624, User="adm_an") == []


def test_pipelines_see_a_filter_as_a_part_of_the_rule(tmp_path: Path, tz) -> None:
    """The filter is for all of Windows, the mapping for process creations only: the rule's log source decides."""
    pipeline = tmp_path / "p.yml"
    pipeline.write_text(
        "transformations:\n- {type: field_name_mapping, mapping: {User: user.name}, rule_conditions: [{type: logsource, "
        "category: process_creation}]}\n"
    )
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yml").write_text(RULE + "---\n" + FILTER)
    for _ in range(2):
        with Cache(tmp_path / "cache") as cache:
            ruleset = load([tmp_path / "rules"], [pipeline], cache=cache)
        assert ruleset.errors == ()
        assert fired(ruleset, tz, EventID=4624, **{"user.name": "adm_an"}) == []
        assert fired(ruleset, tz, EventID=4624, User="adm_an") == ["Logon"]


def test_texts_that_were_kept_load_together_each_with_its_filter() -> None:
    """As a file does that goes on as it was, beside the filter in another file."""
    whole = FILTER.replace("[logon]", "[logon, other]")
    before = together(RULE, OTHER, whole).rules
    assert together(*(rule.text + "\n" for rule in before)).rules[0].hash == before[0].hash
    again = together(*(rule.text + "\n" for rule in before), whole)
    assert [rule.hash for rule in again.rules] == [rule.hash for rule in before]


def test_the_same_filter_twice_is_a_fault_unless_it_says_the_same() -> None:
    assert "already taken by f.yml:9" in str(
        loads(RULE + "---\n" + FILTER + "---\n" + FILTER.replace("svc", "x"), "f.yml").errors[0]
    )
    assert together(RULE, FILTER, FILTER).rules == together(RULE, FILTER).rules
