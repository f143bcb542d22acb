"""What a rule file can do to us: refused with file, line and column, whatever it holds, and the other rules run on."""

from __future__ import annotations

import copy
import os
import re
import time
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.load import folders as loading
from rules.load.folders import load, loads

GOOD = "title: Good\nlogsource: {product: x}\ndetection:\n  s: {f: 1}\n  condition: s\n"


def rule(detection: str, condition: str = "s") -> str:
    return f"title: t\nlogsource: {{product: x}}\ndetection:\n  {detection}\n  condition: {condition}\n"


HOSTILE = {
    "merge keys that double": "a0: &a0 {x0: 1}\n"
    + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], x{n}: 1}}\n" for n in range(1, 60)),
    "aliases that double": "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
    "a mapping in itself": "&a\nb: *a\n",
    "the same key twice": rule("s: {f: 1, f: 2}"),
    "1 MB of an expression": rule("s: {f|re: '" + "a|" * 500_000 + "'}"),
    "an expression that explodes": rule("s: {f|re: '(a{1,1000}){1,1000}'}"),
    "4,000 levels of condition": rule("s: {f: 1}", "not " * 4_000 + "s"),
    "101 levels of condition": rule("s: {f: 1}", "not " * 100 + "s"),
    "a huge number": rule("s: {f: " + "9" * 41 + "}"),
    "a number of 10,000 digits": rule("s: {f: " + "9" * 10_000 + "}"),
    "not a number": rule("s: {f|gt: .nan}"),
    "infinity": rule("s: {f|gt: .inf}"),
    "a date": rule("s: {f: 2024-01-01}"),
    "a time": rule("s: {f: 2024-01-01 10:00:00}"),
    "a date that does not exist": rule("s: {f: 2024-13-01}"),
    "bytes": rule("s: {f: !!binary aGk=}"),
    "a set": rule("s: {f: !!set {a, b}}"),
    "a number as key": rule("s: {4624: a}"),
    "a boolean as key": rule("on: {f: 1}", "on"),
    "null as key": rule("s: {~: 1}"),
    "NUL": "title: a\0b\n" + GOOD,
    "UTF-16": GOOD.encode("utf-16"),
    "Latin-1": GOOD.replace("Good", "Luật").encode("cp1258", "replace").replace(b"?", b"\xe9"),
    "tabs": GOOD.replace("  s:", "\ts:"),
    "a Python object": "title: !!python/object/apply:os.system [id]\n",
    "an unknown modifier": rule("s: {f|contain: a}"),
    "windash of four": rule("s: {f|windash|base64: ' -a -b -c -d'}"),
    "an empty list of keywords": rule("s: []"),
    "an unknown action": "action: nonsense\n",
    "nothing to repeat": "action: repeat\n",
}
REFUSED_AT = {
    "the same key twice": (4, 13),
    "an expression that explodes": (4, 7),
    "101 levels of condition": (5, 3),
    "a huge number": (4, 7),
    "a date": (4, 7),
    "a date that does not exist": (4, 10),
    "NUL": (1, 9),
    "tabs": (4, 1),
    "an unknown modifier": (4, 7),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_file_is_refused_where_it_is_wrong(tmp_path: Path, name: str) -> None:
    content = HOSTILE[name]
    (tmp_path / "bad.yml").write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "good.yml").write_text(GOOD)
    ruleset = load([tmp_path])
    assert [one.title for one in ruleset.rules] == ["Good"]
    assert ruleset.errors
    for error in ruleset.errors:
        assert error.path == str(tmp_path / "bad.yml")
        assert error.line
        assert error.column
        assert len(error.reason) < 1000
        assert "Traceback" not in error.reason
    if name in REFUSED_AT:
        assert (ruleset.errors[0].line, ruleset.errors[0].column) == REFUSED_AT[name], str(ruleset.errors[0])


@pytest.mark.parametrize(
    "text",
    [
        rule("s: {f|contains: [" + ", ".join(f"needle{n}" for n in range(10_000)) + "]}"),
        "title: t\nlogsource: {product: x}\ndetection:\n"
        + "".join(f"  s{n}: {{f: v{n}}}\n" for n in range(5_000))
        + "  condition: 1 of s*\n",
        rule("s: {f|re: '" + "(a+)+" * 50 + "b'}"),  # catastrophic where expressions go back and forth
        rule("s: {f: " + "9" * 40 + "}"),
        rule('s: {f: "a\\0b"}'),
        rule("s: {f: 1}", "(" * 5_000 + "s" + ")" * 5_000),
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        "%YAML 1.1\n---\n" + GOOD,
        "base: &b {f: 1}\n" + rule("s: {<<: *b, g: 2}"),
        GOOD + "custom: {any: [thing, 1, 2024-01-01]}\ndate: 2024-01-01\ntaxonomy: sigma\nscope: [server]\n"
        "license: MIT\nrelated: [{id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0001, type: derived}]\nfields: [a]\n",
    ],
    ids=range(12),
)
def test_what_is_only_large_or_odd_is_loaded(text: str) -> None:
    ruleset = loads(text)
    assert [str(error)[:300] for error in ruleset.errors] == []
    assert len(ruleset.rules) == 1


def expressions(rule: int, count: int, thousands: int) -> str:
    """A rule of so many expressions, each of so many thousand RE2 instructions."""
    each = ("|".join(f"(?:r{rule}x{n}y{k}z[a-z]{{1000}})" for k in range(thousands)) for n in range(count))
    listed = "".join(f"\n      - '{regex}'" for regex in each)
    head = f"title: Rule {rule}\nid: 3f6e8f0a-0000-4000-8000-00000000{rule:04d}\nlogsource: {{product: windows}}\n"
    return f"{head}detection:\n  s:\n    field|re:{listed}\n  condition: s\n"


def test_expressions_that_are_too_large_are_refused_before_they_are_compiled() -> None:
    """400 of 90,000 instructions each took half a minute; now it is less than a second."""
    began = time.process_time()
    refused = loads(expressions(1, 400, 90))
    assert time.process_time() - began < 6
    assert not refused.rules
    assert {error.line for error in refused.errors} == set(range(7, 57))
    assert all("at most 30000 are allowed" in error.reason for error in refused.errors)
    assert len(loads(expressions(1, 3, 29)).rules) == 1


def test_many_large_expressions_are_refused_where_they_become_too_many() -> None:
    """Each of them would do, and so would each rule."""
    began = time.process_time()
    plain = "detection:\n  sel_a: {field|contains: x}\n  sel_b: {field|contains: y}\n  condition: 1 of sel_*\n"
    last = expressions(40, 0, 0).partition("detection:")[0] + plain
    loaded = loads("---\n".join([*(expressions(n, 10, 12) for n in range(40)), last]))
    assert time.process_time() - began < 6
    assert [rule.title for rule in loaded.rules] == ["Rule 0", "Rule 1", "Rule 40"]
    assert all("more than 300000 instructions: split it" in error.reason for error in loaded.errors)
    assert [error.line for error in loaded.errors[:6]] == [48, 49, 50, 51, 52, 61]


def test_an_expression_with_a_fault_beside_it_counts_once() -> None:
    """To find the fault, the parts of the rule are compiled again and again."""
    [error] = loads(expressions(1, 10, 28) + "  other: {field|no_such: 1}\n").errors
    assert "no_such" in error.reason


def test_the_hash_of_a_rule_is_that_of_its_text_without_byte_order_mark_and_line_ends() -> None:
    wanted = loads(GOOD).rules[0].hash
    assert {
        loads(text).rules[0].hash for text in ("\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), "--- # x\n" + GOOD)
    } == {wanted}


def test_a_document_that_is_not_yaml_leaves_the_others_of_its_file() -> None:
    ruleset = loads(GOOD + "---\na: [\n---\n" + GOOD.replace("Good", "Other"), "f.yml")
    assert [one.title for one in ruleset.rules] == ["Good", "Other"]
    assert [str(error).split(": ")[0] for error in ruleset.errors] == ["f.yml:8:1"]
    assert ruleset.rules[1].line == 9


def test_every_fault_of_a_rule_comes_at_once() -> None:
    text = """\
title: t
level: huge
status: [odd]
logsource: {product: x}
related: [a]
detection:
  one:
    a|re: '(a'
    b|nonsense: 1
    good|contains: [x, y]
    c|cidr: [10.0.0.0/8, 10.0.0.1/8, nowhere]
  two:
    - d: 1
    - e|gt: many
  condition: one and three
"""
    found = sorted((error.line, error.column) for error in loads(text).errors)
    assert found == [(2, 1), (3, 1), (5, 11), (8, 5), (9, 5), (11, 26), (11, 38), (14, 7), (15, 3)]


def test_a_folder_of_too_many_files_and_one_that_cannot_be_read_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(12):
        (tmp_path / f"{n:02}.yml").write_text(GOOD.replace("Good", f"Good {n}"))
    monkeypatch.setattr(loading, "MAX_FILES", 10)
    ruleset = load([tmp_path])
    assert len(ruleset.rules) == 10
    assert "12 files; only the first 10" in str(ruleset.errors[0])
    monkeypatch.setattr(loading, "MAX_BYTES", 3 * len(GOOD) + 10)
    ruleset = load([tmp_path])
    assert len(ruleset.rules) == 3
    assert "rules; the files from here on are left out" in ruleset.errors[-1].reason


def test_what_never_ends_is_read_to_its_limit(tmp_path: Path) -> None:
    assert "larger than" in load([Path("/dev/zero")]).errors[0].reason
    os.mkfifo(tmp_path / "pipe.yml")  # nobody writes to it: opening it would wait for ever
    assert load([tmp_path]).errors == ()


WHOLE = yaml.safe_load("""\
title: A rule
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0001
name: good
status: test
level: high
description: what
author: me
license: MIT
date: 2024-01-01
modified: 2024-01-02
taxonomy: sigma
scope: [server]
fields: [a]
tags: [attack.t1110]
references: [https://example.org]
falsepositives: [none]
related: [{id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002, type: similar}]
logsource: {product: linux, service: sshd, category: a, definition: x}
detection:
  sel: {f|contains|all: [a, b], g|re|i: a.c, h|cidr: 10.0.0.0/8, i|exists: true, j|gt: 3, k: null}
  keywords: [a, 1]
  more: [{a: 1}, {b|windash: -x}]
  condition: [sel and not keywords, 1 of more*]
generate: true
govsoc: {entity: source.ip, title: {vi: a}, runbook: {vi: a, en: b}}
""")
FILTER = yaml.safe_load("""\
title: A filter
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0003
logsource: {product: linux}
filter: {rules: [good], sel: {f: 1}, condition: not sel}
""")
CORRELATION = yaml.safe_load("""\
title: Many
correlation:
  type: value_count
  rules: [good]
  group-by: [ip]
  timespan: 5m
  condition: {gte: 3, field: f}
  aliases: {ip: {good: source.ip}}
""")
OTHERS = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**50,
        1.5,
        float("inf"),
        float("nan"),
        "",
        "x",
        "a|b",
        "%x%",
        date(2024, 1, 1),
        b"x",
        [],
        {},
        [[]],
        [None],
        {"a": {}},
        {"a": [1]},
        [{"a": 1}, 2],
        {1: 2},
        {None: None},
        {True: []},
        "\0",
        "*",
        "not",
        "1 of them",
        "(" * 99,
    ]
)


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for key, below in items for place in places(below, (*path, key))]


@pytest.mark.parametrize("document", [WHOLE, FILTER, CORRELATION], ids=["rule", "filter", "correlation"])
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_node_of_a_rule_may_be_of_any_other_type(document: dict[str, object], data: st.DataObject) -> None:
    changed = copy.deepcopy(document)
    place = data.draw(st.sampled_from(places(document)))
    below: object = changed
    for key in place[:-1]:
        below = below[key]  # type: ignore[index]
    if data.draw(st.booleans()):
        below[place[-1]] = data.draw(OTHERS)  # type: ignore[index]
    else:
        del below[place[-1]]  # type: ignore[attr-defined]
    base = "" if document is WHOLE else yaml.safe_dump(WHOLE) + "---\n"
    ruleset = loads(base + yaml.safe_dump(changed), "f.yml")
    assert ruleset.rules or ruleset.errors
    for error in ruleset.errors:
        assert error.path == "f.yml"
        assert error.line
        assert error.column
        assert not re.search(r"cannot be understood|object|NoneType|Error", error.reason), error.reason
