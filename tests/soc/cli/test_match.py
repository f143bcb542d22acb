"""`soc match` and `soc rules` as they are used in a shell."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from soc.cli import build

RULES = """
title: base
name: base
logsource: {product: p}
detection: {s: {hit: 1}, condition: s}
---
title: many
name: many
correlation: {type: event_count, rules: [base], group-by: [source.ip], timespan: 10s, condition: {gte: 2}}
---
title: plain
name: plain
logsource: {product: p}
detection: {s: {url.path|contains: evil}, condition: s}
"""
EVENTS = [
    {"@timestamp": "2026-03-02T09:00:05Z", "hit": 1, "source": {"ip": "a"}, "url": {"path": "/evil"}},
    {"@timestamp": "2026-03-02T09:00:00Z", "hit": 1, "source.ip": "a"},
    {"product": "q", "url.path": "/evil"},
    {"product": "P", "url.path": "/EVIL"},
    {"@timestamp": "2026-03-02T09:00:15Z", "hit": 1, "source.ip": "a"},
]


@pytest.fixture
def soc(tmp_path: Path):
    (tmp_path / "r.yml").write_text(RULES)

    def run(*arguments: str, stdin: bytes | None = None):
        return CliRunner().invoke(build(arguments[0]), list(arguments), input=stdin)

    return run


def lines(result) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def test_one_line_a_match_and_the_window_of_a_correlation(soc, tmp_path: Path) -> None:
    result = soc("match", "--rules", str(tmp_path), stdin=b"\n".join(map(orjson.dumps, EVENTS)))
    assert result.exit_code == 0, result.stderr
    assert lines(result) == [
        {"rule_id": "plain", "title": "plain", "line": 1},
        {"rule_id": "plain", "title": "plain", "line": 4},
        {"rule_id": "many", "title": "many", "line": 1, "lines": [2, 1]},
    ]


def test_windows_of_thousands_of_events_are_not_all_held(soc, tmp_path: Path) -> None:
    rules = tmp_path / "many.yml"
    rules.write_text(RULES.replace("timespan: 10s", "timespan: 1h"))
    count, at = 3000, 1_772_442_000_000
    lines = [orjson.dumps({"@timestamp": at + i, "hit": 1, "source.ip": "a"}) for i in range(count)]
    (tmp_path / "e.ndjson").write_bytes(b"\n".join(lines))
    tracemalloc.start()
    found = soc("match", "--rules", str(rules), "--count", str(tmp_path / "e.ndjson"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert orjson.loads(found.stdout)["many"] == count - 1
    assert peak < 20 << 20, "all windows together are 4.5 million lines"


def test_several_rule_directories_after_one_option(soc, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "r.yml").write_text(RULES)
    (tmp_path / "events.ndjson").write_bytes(orjson.dumps(EVENTS[0]))
    result = soc("match", "--rules", str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "events.ndjson"))
    assert (result.exit_code, len(lines(result))) == (0, 1)
    assert soc("match", "one.ndjson", "two.ndjson").exit_code == 2


def test_count_gzip_and_bad_lines(soc, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b"\n".join([*map(orjson.dumps, EVENTS), b"", b"{bad", b"[1]", b"[" * 10_000])))
    result = soc("match", "--rules", str(tmp_path / "r.yml"), "--count", str(path))
    assert (result.exit_code, lines(result)) == (3, [{"plain": 2, "many": 1}])
    assert "3 lines" in result.stderr


def test_bad_rules_are_told_and_the_others_run(soc, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(
        "title: t\nlogsource: {product: p}\ndetection:\n  s:\n    f|nonsense: 1\n  condition: s\n"
    )
    result = soc("match", "--rules", str(tmp_path), stdin=orjson.dumps(EVENTS[0]))
    assert (result.exit_code, len(lines(result))) == (3, 1)
    assert f"{tmp_path / 'bad.yml'}:5:5: " in result.stderr
    assert "nonsense" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.ndjson"],
        ["--pipeline", "nonsense"],
        ["--nonsense"],
        ["--rules", ".", "--pipeline", "r.yml"],
        ["cut.gz"],
    ],
)
def test_bad_usage_is_2_and_no_stack_trace(soc, tmp_path: Path, monkeypatch, arguments: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b'{"a":1}\n' * 10_000)[:40])
    result = soc("match", *arguments, stdin=b"")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_shipped_pipeline_by_name(soc, tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text(
        "title: w\nname: w\nlogsource: {category: webserver}\ndetection: {s: {cs-method: PUT}, condition: s}\n"
    )
    event = orjson.dumps({"event": {"dataset": "nginx.access"}, "http": {"request": {"method": "PUT"}}})
    assert len(lines(soc("match", "--rules", str(tmp_path), "--pipeline", "ecs_web", stdin=event))) == 1


def test_lint_test_list_explain(soc, tmp_path: Path) -> None:
    (tmp_path / "r.cases.yml").write_text("- {match: true, rule: plain, events: [{url.path: /evil}]}\n")
    assert soc("rules", "lint", str(tmp_path)).exit_code == 0
    assert soc("rules", "lint", "--strict", str(tmp_path)).exit_code == 3
    assert soc("rules", "test", str(tmp_path)).exit_code == 0
    (tmp_path / "r.cases.yml").write_text("- {match: false, name: wrong, rule: plain, events: [{url.path: /evil}]}\n")
    failed = soc("rules", "test", str(tmp_path))
    assert (failed.exit_code, failed.stdout.split(": ")[1]) == (3, "wrong")
    listed = soc("rules", "list", "--rules", str(tmp_path), "--json")
    assert [rule["title"] for rule in lines(listed)] == ["many", "plain"]
    event = tmp_path / "e.json"
    event.write_bytes(orjson.dumps(EVENTS[0]))
    told = soc("rules", "explain", "plain", str(event), "--rules", str(tmp_path))
    assert "✓ url.path contains 'evil'   ['/evil']" in told.stdout
    assert soc("rules", "explain", "nobody", str(event), "--rules", str(tmp_path)).exit_code == 2
    event.write_text("[")
    assert soc("rules", "explain", "plain", str(event), "--rules", str(tmp_path)).exit_code == 2


def test_cases_of_lines_go_through_the_real_parser(soc, tmp_path: Path) -> None:
    line = '203.0.113.7 - - [02/Mar/2026:09:00:00 +0700] "GET /evil HTTP/1.1" 200 512 "-" "curl"'
    (tmp_path / "r.yml").write_text(RULES.replace("product: p", "product: nginx"))
    (tmp_path / "r.cases.yml").write_text(
        f"- match: true\n  rule: plain\n  source_type: nginx.access\n  lines: ['{line}']\n"
        "- match: false\n  rule: plain\n  source_type: nonsense\n  lines: [x]\n"
    )
    result = soc("rules", "test", str(tmp_path))
    assert result.exit_code == 3
    assert "no source type 'nonsense'" in result.stdout
    assert "1 cases passed, 1 failed" in result.stderr
