"""Hostile events: each is judged rightly, stops nothing, and costs no more than its own size."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest
from doors import Judge, event_of, rule_text
from typer.testing import CliRunner

from soc.cli import build
from soc.model.event import MAX_NAME, flat

RULES = [
    rule_text({"s": {"f|contains": "needle"}, "condition": "s"}, "contains"),
    rule_text({"s": {"f|re": "(a|aa)+needle$"}, "condition": "s"}, "expression"),
    rule_text({"s": {"f": ["*a*a*a*a*a*needle", "b?*?*?*c"]}, "condition": "s"}, "wildcards"),
    rule_text({"s": {"f|gt": 5}, "condition": "s"}, "number"),
    rule_text({"s": {"f|cidr": "10.0.0.0/8"}, "condition": "s"}, "block"),
    rule_text({"s": {"f|hour": 9}, "condition": "s"}, "time"),
    rule_text({"s": {"f|fieldref|contains": "g"}, "condition": "s"}, "field"),
    rule_text({"s": {"f|fieldref": "g"}, "condition": "s"}, "same"),
    rule_text({"s": {"f|fieldref|endswith": "g"}, "condition": "s"}, "end"),
    rule_text({"s": {"f|exists": False}, "n": {"f": None}, "condition": "s or n"}, "nothing"),
    rule_text(
        {"s": {"f|base64offset|contains": "needle", "f|windash|contains": " -x"}, "condition": "1 of s*"}, "coded"
    ),
    rule_text({"k": ["needle", "a*needle"], "condition": "k"}, "keyword"),
]

SMALL: list[dict[str, object]] = [
    {},
    {"": "needle", "\0": "needle", ".": 1, "f.": "needle", ".f": 2},
    {"f": [None, True, "needle", 7, 1e308, "\udfff", "10.1.1.1", ""]},
    {"f": [[["10.0.0.1"]], [], [[]]]},
    {"f": [], "g": []},
    {"f": 1e308, "g": -0.0},
    {"f": 2**64, "g": str(2**64)},
    {"f": 10**30},
    {"f": "\ud800needle\udfff", "g": "\ud800"},
    {"f": "\0" * 50 + "needle", "g": "\0"},
    {"f": "9" * 40, "g": "9"},
    {"f": "1e400", "g": "-1e-400"},
    {"f": "10.0.0.1" * 40, "g": "0"},
    {"f": "2026-03-02T09:00:00" + "0" * 400},
    {"f": "a" * 16 + "needl"},
    {"f": "İ" * 20 + "needle"},
    {"f": False, "product": ["x"], "service": {"a": 1}, "category": 7, "event.dataset": ["nginx.access"]},
    {"f": True, "event.kind": "pipeline_error"},
    {"process.name": ["sshd"], "event.dataset": 5, "f": "needle"},
]  # fmt: skip


def test_each_is_judged_as_by_the_reference() -> None:
    Judge(RULES).judge(SMALL)


@pytest.fixture
def large() -> list[dict[str, object]]:
    return [
        {f"f{i}": "x" for i in range(10_000)},
        {f"x{i}.f": ["needle", i] for i in range(10_000)},
        {"f": "a" * 5_000_000},
        {"f": "a" * 5_000_000 + "needle"},
        {"f": ["a"] * 200_000 + ["needle"]},
        {"f": list(range(200_000))},
        {"f": "\u1eaf" * 1_000_000},
        {"f": "\0" * 1_000_000, "g": "x\0" * 100_000},
        {"f": "needle" * 200_000, "g": "needle" * 200_000},
    ]


WHAT_FIRES = [
    {"nothing"},
    {"keyword", "nothing"},
    set(),
    {"contains", "expression", "wildcards", "keyword"},
    {"contains", "keyword"},
    {"number"},
    set(),
    set(),
    {"contains", "field", "same", "end", "keyword"},
]


def test_large_ones_are_judged_and_stop_nothing(large: Sequence[dict[str, object]]) -> None:
    engine = Judge(RULES).engine
    for fields, expected in zip(large, WHAT_FIRES, strict=True):
        assert Judge.hits(engine, [event_of(fields)]) == expected, list(fields)[:1]
    assert Judge.hits(engine, [event_of({"f": "needle"})]) == {"contains", "keyword"}
    assert engine.broken == {}


def cpu_s(act: Callable[[], object]) -> float:
    """The least of three: what else this machine does may slow one of them."""
    spent = []
    for _ in range(3):
        began = time.process_time()
        act()
        spent.append(time.process_time() - began)
    return min(spent)


@pytest.mark.long
def test_the_stream_is_no_slower_behind_them(large: Sequence[dict[str, object]]) -> None:
    engine = Judge(RULES).engine
    number = 0

    def ordinary() -> None:
        nonlocal number
        for _ in range(3000):
            number += 1
            engine.match([event_of({"f": f"value {number}", "g": "x", "h": number})])

    ordinary()
    before = cpu_s(ordinary)
    engine.match([event_of(fields) for fields in large])
    assert cpu_s(ordinary) < 5 * before


@pytest.mark.parametrize(
    "make",
    [
        lambda n: {"f": "a" * n},
        lambda n: {"f": "ab?" * n},
        lambda n: {"f": ["ax"] * n},
        lambda n: {f"x{i}": "a" for i in range(n)},
        lambda n: {"f": "a" * n, "g": "a" * (n // 2) + "b"},
        lambda n: {"f": [f"x{i}" for i in range(n // 10)], "g": [f"y{i}" for i in range(n // 10)]},
        lambda n: {"f": "đ" * n},
        lambda n: {"f": "-" * n},
        lambda n: {"f": "9" * n},
    ],
    ids=["letters", "marks", "list", "fields", "field reference", "two lists", "Vietnamese", "dashes", "digits"],
)
@pytest.mark.long
def test_ten_times_the_size_costs_about_ten_times_as_much(make: Callable[[int], dict[str, object]]) -> None:
    """Not its square: 100 times. A fixed part makes it less."""
    engine = Judge(RULES).engine
    small, big = event_of(make(30_000)), event_of(make(300_000))
    engine.match([small, big])
    assert cpu_s(lambda: engine.match([big])) < 40 * max(cpu_s(lambda: engine.match([small])), 0.0005)


LINES: list[tuple[bytes, bool]] = [  # a line, and whether it is an event
    (b'{"f": "needle"}', True),
    (b'{"f": "needle"', False),
    (b'\xff\xfe{"f": "needle"}', False),
    (b'{"f": "\xc3\x28 needle"}', False),
    (b'{"f": "\\ud800 needle"}', False),
    (b'["needle"]', False),
    (b'"needle"', False),
    (b"null", False),
    (b'{"f": 1e400}', False),
    (b'{"f": NaN}', False),
    (b'{"f": 123456789012345678901234567890}', True),
    (b'{"f": "x", "f": "needle"}', True),
    (b'{"f": "needle", "f": "x"}', True),
    (b'{"a":' * 900 + b'"needle"' + b"}" * 900, True),
    (b'{"a":' * 100_000 + b'"needle"' + b"}" * 100_000, False),
    (b'{"a": ' + b"[" * 200 + b'"needle"' + b"]" * 200 + b"}", True),
    (b"", True),
    (b"   ", True),
    (b'{"f": {"f": {"f": []}}}', True),
    (b'{"' + b"k" * 100_000 + b'": "needle"}', True),
    (b'{"f": "needle"}\r', True),
]  # fmt: skip


def test_the_command_reads_what_it_can_and_counts_the_rest(tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text("---\n".join(RULES), "utf-8")
    ran = CliRunner().invoke(
        build("match"), ["match", "--rules", str(tmp_path)], input=b"\n".join(line for line, _ in LINES)
    )
    bad = sum(not good for _, good in LINES)
    assert f"{bad} lines are no JSON objects" in ran.stderr
    assert ran.exit_code == 3
    hits = [orjson.loads(line) for line in ran.stdout_bytes.splitlines()]
    found = {hit["line"] for hit in hits if hit["rule_id"] == "keyword"}
    assert found == {1, 12, 14, 16, 20, 21}
    assert {hit["line"] for hit in hits if hit["rule_id"] == "contains"} == {1, 12, 21}
    assert {hit["line"] for hit in hits if hit["rule_id"] == "number"} == {11}


def test_a_deep_list_does_not_stop_the_command(tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text("---\n".join(RULES), "utf-8")
    lines = [b'{"a": ' + b"[" * 300 + b"1" + b"]" * 300 + b"}", b'{"f": "needle"}']
    ran = CliRunner().invoke(build("match"), ["match", "--rules", str(tmp_path)], input=b"\n".join(lines))
    assert b'"rule_id":"contains","title":"contains","line":2' in ran.stdout_bytes


def test_flat_keys_of_a_nested_event_are_no_larger_than_it_by_far() -> None:
    line = b'{"' + b"k" * 20_000 + b'":{' + b",".join(b'"%d":1' % i for i in range(2500)) + b"}}"
    assert sum(map(len, flat(orjson.loads(line)))) < 20 * len(line)


def test_lists_of_objects_in_each_other_become_no_multiple_of_themselves() -> None:
    document: dict[str, object] = {"a": "x" * 100_000}
    for _ in range(120):
        document = {"a": [document, {"b": 1}]}
    fields = flat(document)
    assert len(orjson.dumps(fields)) < 20 * 100_000
    assert all(len(name) <= MAX_NAME for name in fields)


def test_a_thousand_lists_in_each_other_end_nothing() -> None:
    line = b'{"f":' + b"[" * 900 + b'{"g":1}' + b"]" * 900 + b"}"
    assert list(flat(orjson.loads(line))) == ["f"]
    deep = b'{"f":' + b'{"g":[' * 250 + b"1" + b"]}" * 250 + b"}"
    assert len(flat(orjson.loads(deep))) < 300
