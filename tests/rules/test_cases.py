"""Cases: what they may say, and that a wrong one is a fault and never a pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.desk.cases import ms_of, run

RULES = """
title: base
name: base
logsource: {category: test}
detection: {s: {hit: 1}, condition: s}
---
title: many
name: many
correlation: {type: event_count, rules: [base], group-by: [ip], timespan: 1m, condition: {gte: 3}}
---
title: unanswered
name: unanswered
correlation: {type: absence, rules: [base, other], group-by: [ip], timespan: 1m}
---
title: other
name: other
logsource: {category: test}
detection: {s: {user.name|startswith: u1}, condition: s}
"""


@pytest.fixture
def outcomes(tmp_path: Path, tz):
    def make(cases: str, parse=lambda kind, line: {"hit": 1}):
        (tmp_path / "r.yml").write_text(RULES)
        (tmp_path / "r.cases.yml").write_text(cases)
        found, errors = run(tmp_path / "r.yml", parse, tz)
        return [outcome.problem for outcome in found], [str(error) for error in errors]

    return make


def test_events_are_repeated_in_time_with_a_counter(outcomes) -> None:
    ten = "events: [{repeat: 11, every: 5s, event: {hit: 1, ip: a, user.name: 'u{i}'}}]"
    assert outcomes(f"- {{match: true, rule: many, {ten}}}") == ([None], [])
    assert outcomes(f"- {{match: true, rule: other, {ten}}}") == ([None], [])
    assert outcomes(f"- {{match: false, rule: many, {ten.replace('5s', '40s')}}}") == ([None], [])
    assert outcomes(f"- {{match: false, rule: many, {ten}}}")[0][0].startswith("it should not match, but does")
    assert outcomes("- {match: true, rule: many, events: [{hit: 1, ip: a}]}") == (["it should match and does not"], [])


def test_what_waits_for_the_watermark_is_decided_after_the_last_event(outcomes) -> None:
    asked = "{hit: 1, ip: a}"
    assert outcomes(f"- {{match: true, rule: unanswered, events: [{asked}]}}") == ([None], [])
    assert outcomes(f"- {{match: false, rule: unanswered, events: [{asked}, {{ip: a, user.name: u1}}]}}") == (
        [None],
        [],
    )


def test_lines_go_through_the_parser_given(outcomes) -> None:
    seen = []

    def parse(kind: str, line: str) -> dict[str, object]:
        seen.append((kind, line))
        return {"hit": 1, "ip": "a"} if line != "bad" else {"event.kind": "pipeline_error", "error.message": "odd"}

    assert outcomes("- {match: true, rule: many, source_type: x, lines: [a, b, c]}", parse) == ([None], [])
    assert seen == [("x", "a"), ("x", "b"), ("x", "c")]
    assert outcomes("- {match: false, rule: many, source_type: x, lines: [bad]}", parse)[0] == [
        "the line does not parse: odd"
    ]


@pytest.mark.parametrize(
    "case",
    [
        "{match: maybe, events: [{}]}", "{events: [{a: 1}]}", "{match: true}", "text", "{match: true, lines: [a]}",
        "{match: true, events: [text]}", "{match: true, events: [{repeat: 0, event: {a: 1}}]}", "{match: true, evnts: [{a: 1}]}",
        "{match: true, events: [{repeat: 1000000, event: {a: 1}}]}", "{match: true, events: [{every: soon, event: {a: 1}}]}",
        "{match: true, events: [{repeat: x, event: {a: 1}}]}", "{match: true, events: 5}",
    ],
)  # fmt: skip
def test_what_is_no_case_is_a_fault_with_its_line(outcomes, case: str) -> None:
    problems, errors = outcomes(f"- {{match: false, rule: many, events: [{{a: 1}}]}}\n- {case}")
    assert problems == [None]
    assert len(errors) == 1
    assert ".cases.yml:2: not a case" in errors[0]


def test_a_case_must_be_about_one_rule_that_exists(outcomes) -> None:
    problems, _ = outcomes("- {match: false, events: [{a: 1}]}\n- {match: false, rule: nobody, events: [{a: 1}]}")
    assert "several rules" in problems[0]
    assert "nobody" in problems[1]


@pytest.mark.parametrize("text", ["a: 1", "[", "- &a [*a]", "- " * 1000])
def test_a_file_that_is_no_list_of_cases_is_a_fault(outcomes, text: str) -> None:
    problems, errors = outcomes(text)
    assert problems == []
    assert len(errors) == 1


def test_times() -> None:
    assert (
        ms_of("2026-03-02T09:00:00+07:00")
        == ms_of("2026-03-02T02:00:00Z")
        == ms_of("2026-03-02T02:00:00")
        == 1_772_416_800_000
    )
    assert ms_of(1_772_416_800_000) == 1_772_416_800_000
    assert [ms_of(value) for value in ("soon", None, True, -1, 1e300, float("nan"), [])] == [None] * 7
