"""Lint: what a rule that works still lacks before a person can rely on it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rules.condition import Condition, checks
from rules.desk.cases import cases, cases_file
from rules.match.database import Compiler
from rules.match.patterns import Sign, patterns_of
from rules.match.sieve import Sieve
from rules.match.witness import witness
from rules.predicate import SameAs
from rules.rule import Rule, RuleSet
from soc.errors import RuleError
from soc.model.finding import LEVELS

CASES_WANTED = 2  # of each kind, for each rule that alerts

# The field sets of ECS 8: the first part of every field name that it knows.
ECS_FIELD_SETS = frozenset(
    """
    @timestamp agent as client cloud code_signature container data_stream destination device dll dns ecs elf email error event
    faas file geo group hash host http interface labels log macho message network observer orchestrator organization os
    package pe process registry related risk rule server service source span tags threat tls trace transaction url user
    user_agent vlan volume vulnerability x509 govsoc
    """.split()
)


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to mend. A `warning` leaves the rule working."""

    severity: str
    reason: str
    path: str
    line: int | None
    column: int | None = None

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line or 1, self.column) if part)
        return f"{where}: {self.severity}: {self.reason}"


def lint(ruleset: RuleSet, own_fields: Collection[str] | None = None) -> list[Note]:
    """Everything to mend, by file and line. `own_fields`: the documented `govsoc.*` fields; None leaves them unchecked."""
    notes = faulty(ruleset)
    notes += unsifted(ruleset)
    for rule in ruleset.rules:
        notes += (Note("warning", reason, rule.path, rule.line) for reason in _lacking(rule))
        notes += (Note("warning", reason, rule.path, rule.line) for reason in _fields(rule, own_fields))
    for path in dict.fromkeys(rule.path for rule in ruleset.rules):
        notes += _cases(Path(path), [rule for rule in ruleset.rules if rule.path == path and not rule.silent])
    return sorted(notes, key=_place)


def faulty(ruleset: RuleSet) -> list[Note]:
    """What could not be loaded, by file and line."""
    return sorted(map(_note, ruleset.errors), key=_place)


def _place(note: Note) -> tuple[str, int, int, str]:
    return note.path, note.line or 0, note.column or 0, note.reason


def unsifted(ruleset: RuleSet, compiler: Compiler | None = None) -> Iterator[Note]:
    """Why the sieve lets through every event of a log source, so that the detector has to parse all of them."""
    looked_for: list[tuple[int, Rule, Condition]] = []
    for rule in ruleset.rules:
        if rule.condition is None:
            continue
        if (found := witness(rule.condition, patterns_of)) is not None:
            looked_for.append(
                (sum(len(sign.pattern) for sign in found.signs if isinstance(sign, Sign)), rule, rule.condition)
            )
            continue
        reason = "it names nothing that must be there, so every event of its log source has to be parsed for it: "
        yield Note("warning", f"{reason}add a text, a number or a field", rule.path, rule.line)
    if Sieve((condition for _, _, condition in looked_for), compiler or Compiler()).open:
        _, longest, _ = max(looked_for, key=lambda known: known[0])
        reason = "all rules together look for too much at once, so every event may have to be parsed: this one for most"
        yield Note("warning", reason, longest.path, longest.line)


def _note(error: RuleError) -> Note:
    return Note("error", error.reason, error.path or "-", error.line, error.column)


def _lacking(rule: Rule) -> Iterator[str]:
    try:
        UUID(rule.id)
    except ValueError:
        if not rule.silent:
            yield "no `id` (a UUID)"
    if rule.silent:
        return
    if not re.search(r"^level\s*:", rule.text, re.MULTILINE):
        yield f"no `level` ({', '.join(LEVELS)})"
    if not rule.tags:
        yield "no `tags` (ATT&CK technique, such as attack.t1110)"
    if not rule.title_vi:
        yield "no Vietnamese title (govsoc.title.vi)"
    if not rule.runbook_vi or not rule.runbook_en:
        yield "no runbook in both languages (govsoc.runbook.vi and .en)"


def _fields(rule: Rule, own_fields: Collection[str] | None) -> Iterator[str]:
    names = {check.field for check in checks(rule.condition) if check.field} if rule.condition else set()
    if rule.condition:
        names |= {check.predicate.field for check in checks(rule.condition) if isinstance(check.predicate, SameAs)}
    if rule.correlation:
        names |= {*rule.correlation.group_by, *rule.correlation.counted} - set(rule.correlation.aliases)
    for name in sorted(names):
        if name.split(".")[0] not in ECS_FIELD_SETS:
            yield f"the field {name} is neither of ECS nor of govsoc"
        elif name.startswith("govsoc.") and own_fields is not None and name not in own_fields:
            yield f"the field {name} is not documented in docs/fields.md"


def _cases(path: Path, alerting: Iterable[Rule]) -> Iterator[Note]:
    errors: list[RuleError] = []
    alerting = list(alerting)
    found = cases(cases_file(path), errors) if path.is_file() else []
    yield from map(_note, errors)
    for rule in alerting:
        mine = [case for case in found if case.rule in (None, rule.id, rule.name)]
        for kind, wanted in (("positive", True), ("negative", False)):
            count = sum(case.match is wanted for case in mine)
            if count < CASES_WANTED:
                reason = f"{count} {kind} cases in {cases_file(path).name}; at least {CASES_WANTED} are wanted"
                yield Note("warning", reason, rule.path, rule.line)


def documented_fields(table: str) -> frozenset[str]:
    """The `govsoc.*` names in the first column of the Markdown table of docs/fields.md."""
    rows = (line.split("|") for line in table.splitlines() if line.startswith("|"))
    return frozenset(name for row in rows if (name := row[1].strip(" `")).startswith("govsoc."))
