"""`action: global`, `reset` and `repeat` in one file, and placeholders that a pipeline fills."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.engine import Engine
from rules.load.folders import loads
from rules.rule import RuleSet

COLLECTION = """\
action: global
title: Shared
level: high
logsource: {product: x}
detection:
  condition: sel
---
name: one
detection: {sel: {f: 1}}
---
name: two
level: low
detection: {sel: {f: 2}}
---
action: repeat
name: three
detection: {sel: {f: 3}}
---
action: reset
---
title: Alone
name: four
logsource: {product: y}
detection: {sel: {f: 4}, condition: sel}
"""


def fired(ruleset: RuleSet, tz, **fields: object) -> list[str | None]:
    return sorted(str(one.rule.name) for one in Engine(ruleset, tz).plan(fields).fire(fields))


def test_a_global_document_goes_into_the_rules_after_it(tz) -> None:
    ruleset = loads(COLLECTION, "f.yml")
    assert ruleset.errors == ()
    assert [(r.name, r.title, r.level, r.line) for r in ruleset.rules] == [
        ("one", "Shared", "high", 8),
        ("two", "Shared", "high", 11),  # the shared one wins, as in pySigma
        ("three", "Shared", "high", 15),
        ("four", "Alone", "medium", 21),
    ]
    for n, name in enumerate(("one", "two", "three", "four"), 1):
        assert fired(ruleset, tz, f=n) == [name]


def test_a_merged_rule_means_the_same_by_its_text_alone() -> None:
    for rule in loads(COLLECTION).rules:
        (again,) = loads(rule.text).rules
        assert (again.condition, again.level, again.hash, again.logsource) == (
            rule.condition,
            rule.level,
            rule.hash,
            rule.logsource,
        )


def test_pysigma_reads_it_alike() -> None:
    from sigma.collection import SigmaCollection

    theirs = [(r.name, r.title, str(r.level)) for r in SigmaCollection.from_yaml(COLLECTION).rules]
    assert [(r.name, r.title, r.level) for r in loads(COLLECTION).rules][:3] == [
        (n, t, lv.lower()) for n, t, lv in theirs
    ][:3]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("action: repeat\n", "f.yml:1:1"),
        ("title: t\naction: nonsense\n", "f.yml:2:1"),
        ("title: t\naction: [global]\n", "f.yml:2:1"),
        (COLLECTION.replace("level: high", "level: huge"), "f.yml:3:1"),  # of the shared document
        (COLLECTION.replace("f: 2", "f|re: '('"), "f.yml:13:19"),
        (COLLECTION.replace("level: high", "level: ["), "f.yml:5:1"),
    ],
)
def test_faults_are_where_they_were_written(text: str, place: str) -> None:
    found = [str(error) for error in loads(text, "f.yml").errors]
    assert any(one.startswith(place) for one in found), found


def test_when_a_document_is_no_yaml_nothing_of_a_collection_is_guessed() -> None:
    assert loads(COLLECTION.replace("action: reset", "action: [")).rules == ()


def test_a_pipeline_fills_placeholders_before_lists_are_asked(tmp_path: Path, tz) -> None:
    path = tmp_path / "p.yml"
    path.write_text("vars: {bad: [three]}\ntransformations: [{type: value_placeholders, include: [bad]}]\n")
    rule = "title: t\nlogsource: {product: x}\ndetection: {s: {f|expand: ['%bad%', 'x%bad%y']}, condition: s}\n"
    ruleset = loads(rule, pipelines=[path])
    assert fired(ruleset, tz, f="three") == ["None"]
    assert fired(ruleset, tz, f="xthreey") == ["None"]
    assert fired(ruleset, tz, f="one") == []
