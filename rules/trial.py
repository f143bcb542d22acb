"""Trying rules on a handful of events, such as pasted lines: what would match, and what would count towards a correlation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC

from rules.match import Engine
from rules.rule import Rule, RuleSet
from rules.sweep import Sweep
from soc.model.event import Event, Fields


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that would raise an alert for the event of a line."""

    line: int
    rule: Rule
    matched: Fields


@dataclass(frozen=True, slots=True)
class Counted:
    """Lines that count towards a correlation, which asks for `at_least` (events, or values) within `timespan_ms`.

    `reached`: these lines alone are enough.
    """

    rule: Rule
    lines: tuple[int, ...]
    at_least: int
    timespan_ms: int
    reached: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    matches: tuple[Match, ...]
    counted: tuple[Counted, ...]


class Trial:
    """The rules of a set, as the detector runs them, without any state between two calls. Belongs to one thread."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._engine = Engine(ruleset, UTC)
        self._rules = {rule.id: rule for rule in ruleset.rules}

    def over(self, events: Iterable[tuple[int, Event]]) -> Outcome:
        """`events`: (line number, event). A line that could not be parsed matches nothing, as when it is collected."""
        matches = []
        sweeps = [Sweep(rule, rule.correlation, {}) for rule in self._rules.values() if rule.correlation is not None]
        for number, event in events:
            for finding in self._engine.match([event]):
                if not finding.silent:
                    matches.append(Match(number, self._rules[finding.rule_id], finding.matched))
                for sweep in sweeps:
                    if finding.rule_id in sweep.correlation.rules:
                        sweep.add(finding.rule_id, event.org, event.ts, number, event.fields)
        return Outcome(tuple(matches), tuple(counted for sweep in sweeps if (counted := _counted(sweep))))


def _counted(sweep: Sweep) -> Counted | None:
    lines = sorted({line for group in sweep.groups.values() for _, line, _ in group})
    if not lines:
        return None
    asked = sweep.correlation
    return Counted(sweep.rule, tuple(lines), asked.at_least, asked.timespan_ms, any(True for _ in sweep.hits()))
