"""Lint: a rule that works may still lack what people need."""

from __future__ import annotations

from pathlib import Path

from rules.desk.check import documented_fields, lint, unsifted
from rules.load.folders import load

BARE = """
title: t
logsource: {category: test}
detection: {s: {odd: 1, url.path: x, govsoc.otp.status: y, govsoc.nonsense: z}, condition: s}
"""


def test_everything_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text(BARE)
    (tmp_path / "bad.yml").write_text("title: t\n")
    notes = lint(load([tmp_path]), {"govsoc.otp.status"})
    reasons = " ".join(note.reason for note in notes if note.severity == "warning")
    for word in (
        "`id`",
        "`level`",
        "`tags`",
        "Vietnamese title",
        "runbook",
        "field odd",
        "govsoc.nonsense",
        "0 positive",
        "0 negative",
    ):
        assert word in reasons
    assert "url.path" not in reasons
    assert "otp.status" not in reasons
    assert [Path(note.path).name for note in notes if note.severity == "error"] == ["bad.yml"] * 2
    assert str(notes[-1]).startswith(f"{tmp_path / 'r.yml'}:2: warning: ")


def test_the_table_of_own_fields_is_read() -> None:
    rows = [
        "| field | type |",
        "|---|---|",
        "| `govsoc.otp.status` | keyword |",
        "| govsoc.lgsp.api | keyword |",
        "| url.path | x |",
    ]
    table = "\n".join([*rows, "text govsoc.not"])
    assert documented_fields(table) == {"govsoc.otp.status", "govsoc.lgsp.api"}


def test_rules_that_are_too_much_for_the_sieve_are_told_by_the_longest(rule_text, tmp_path, monkeypatch) -> None:
    for name, wanted in (("short", "abc"), ("long", "abcdef" * 20)):
        (tmp_path / f"{name}.yml").write_text(rule_text({"s": {"url.path": wanted}}))
    ruleset = load([tmp_path])
    assert list(unsifted(ruleset)) == []
    monkeypatch.setattr(
        "rules.match.database.Compiler.databases", lambda *_: []
    )  # as where Hyperscan takes none of them
    assert list(unsifted(ruleset)) == []
    monkeypatch.setattr("rules.match.sieve.MEMORY", 1000)
    [note] = unsifted(ruleset)
    assert "too much at once" in note.reason
    assert Path(note.path).name == "long.yml"
    assert note in lint(ruleset)


def test_a_rule_that_looks_at_everything_is_named(rule_text, tmp_path) -> None:
    (tmp_path / "r.yml").write_text(rule_text({"hidden": {"url.path": "/health"}, "condition": "not hidden"}))
    assert any("nothing that must be there" in note.reason for note in lint(load([tmp_path])))
