"""Every shipped rule: it loads, its cases pass, and it has what a person at night needs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from rules.desk.cases import cases, cases_file, run
from rules.desk.check import documented_fields, lint
from rules.desk.explain import explain
from rules.load.folders import CONTENT, is_cases, load
from soc.model.finding import LEVELS
from soc.service.cases import case_parser

FILES = sorted(path for path in CONTENT.rglob("*.yml") if not is_cases(path))
NAMES = [str(path.relative_to(CONTENT)) for path in FILES]


@pytest.fixture(scope="module")
def content():
    return load()


def test_every_rule_loads(content) -> None:
    assert [str(error) for error in content.errors] == []
    assert sum(not rule.silent for rule in content.rules) >= 180


def test_nothing_is_left_to_mend(content) -> None:
    table = CONTENT.parent.parent / "docs" / "fields.md"
    documented = documented_fields(table.read_text(encoding="utf-8")) if table.exists() else None
    assert [str(note) for note in lint(content, documented)] == []


def test_ids_are_unique_uuids_and_so_are_titles(content) -> None:
    alerting = [rule for rule in content.rules if not rule.silent]
    assert all(UUID(rule.id) for rule in alerting)
    for what in ("id", "title", "title_vi"):
        assert [value for value, count in Counter(getattr(rule, what) for rule in alerting).items() if count > 1] == []
    assert all(rule.level in LEVELS for rule in alerting)


def test_names_of_files_and_folders_are_plain() -> None:
    for path in CONTENT.rglob("*"):
        assert re.fullmatch(r"[a-z0-9_]+(\.cases)?(\.yml)?", path.name), path
        if is_cases(path):
            assert path.with_name(path.name.removesuffix(".cases.yml") + ".yml") in FILES, (
                f"{path}: cases without a rule"
            )


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_cases(path: Path, tz) -> None:
    outcomes, errors = run(path, case_parser(), tz)
    assert [str(error) for error in errors] == []
    assert [f"{o.case.path}:{o.case.line} {o.case.name}: {o.problem}" for o in outcomes if o.problem] == []
    positive = Counter(rule for outcome in outcomes if outcome.case.match for rule in outcome.rule_ids)
    negative = Counter(rule for outcome in outcomes if not outcome.case.match for rule in outcome.rule_ids)
    for rule in load([path]).rules:
        if not rule.silent:
            assert positive[rule.id] >= 2 and negative[rule.id] >= 2, f"{cases_file(path).name}: {rule.title}"  # noqa: PT018


def test_rules_look_only_at_events_of_their_own_log_source(content) -> None:
    """A rule without a log source would be asked of every event of the country."""
    for rule in content.rules:
        if rule.condition is not None:
            assert str(rule.logsource), rule.path


def test_every_sql_injection_that_breaks_a_page_counts_toward_the_high_alert(content) -> None:
    """What the medium rule knows, the count of server errors must not miss."""
    attempts = cases(CONTENT / "portal" / "sql_injection.cases.yml", [])
    counted = next(rule for rule in content.rules if rule.name == "portal_sqli_server_errors_request")
    parse = case_parser()
    lines = [line for case in attempts if case.match for line in case.lines]
    assert lines
    broken = {line: {**parse("nginx.access", line), "http.response.status_code": 500} for line in lines}
    assert [line for line, fields in broken.items() if not explain(counted, fields).holds] == []
