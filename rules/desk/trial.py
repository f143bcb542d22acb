"""Trying rules on a handful of events, such as pasted lines: what would match, what would count towards a correlation, and what would
become of it by what people laid down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum

from rules.correlate.grouping import values_of
from rules.correlate.sweep import Sweep, Sweeps
from rules.desk.tuning import Tuning
from rules.engine import Engine
from rules.lists.known import Lists
from rules.rule import Rule, RuleSet
from soc.model.event import Event, Fields
from soc.model.finding import Finding
from soc.model.rule import Stage


class Fate(StrEnum):
    """What becomes of what a rule finds. Only the first two are evaluated and count towards correlations."""

    LIVE = "live"  # an alert
    TEST = "test"  # an alert that is kept from the queue
    DRAFT = "draft"  # the rule is not evaluated
    OFF = "off"  # the organisation has switched the rule off
    HIDDEN = "hidden"  # by an exception


@dataclass(frozen=True, slots=True)
class Tuned:
    """`exception`: the id of the one that hides it. `level`: what people set in place of the rule's own, else that."""

    fate: Fate
    level: str
    exception: str | None = None

    @property
    def counts(self) -> bool:
        return self.fate in (Fate.LIVE, Fate.TEST)


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that would match the event of a line."""

    line: int
    rule: Rule
    matched: Fields
    tuned: Tuned


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
    tuned: Tuned


@dataclass(frozen=True, slots=True)
class Outcome:
    matches: tuple[Match, ...]
    counted: tuple[Counted, ...]


class Trial:
    """The rules of a set, as the detector runs them, without any state between two calls. Belongs to one thread. `lists`: what they ask."""

    def __init__(self, ruleset: RuleSet, lists: Lists | None = None) -> None:
        self._engine = Engine(ruleset, UTC, lists=lists)
        self._ruleset = ruleset
        self._rules = {rule.id: rule for rule in ruleset.rules}

    def over(self, events: Iterable[tuple[int, Event]], tuning: Tuning, now: int) -> Outcome:
        """`events`: (line number, event), each of the organisation whose tuning counts. `now`: ms, by which exceptions end.

        A line that could not be parsed matches nothing, as when it is collected.
        """
        self._engine.rest(frozenset())  # lists may have come or gone
        matches = []
        sweeps = Sweeps(self._ruleset, tuning.bounds)
        for number, event in events:
            for finding in self._engine.match([event]):
                rule = self._rules[finding.rule_id]
                tuned = _tuned(rule, finding, tuning, now)
                if not finding.silent:
                    matches.append(Match(number, rule, finding.matched, tuned))
                if tuned.counts:
                    sweeps.add(rule.id, event.org, event.ts, number, event.fields)
        counted = [_counted(sweep, tuning, now) for sweep in sweeps if sweep.groups and not sweep.rule.silent]
        return Outcome(tuple(matches), tuple(counted))


def _tuned(rule: Rule, finding: Finding, tuning: Tuning, now: int, *, correlated: bool = False) -> Tuned:
    judged = tuning.judge([finding], now, correlated=correlated)
    if judged.hidden:
        return Tuned(Fate.HIDDEN, rule.level, judged.hidden[0].exception_id)
    if not judged.kept:
        return Tuned(Fate.DRAFT if rule.id in tuning.drafts else Fate.OFF, rule.level)
    [kept] = judged.kept
    return Tuned(Fate.TEST if kept.stage is Stage.TEST else Fate.LIVE, kept.level or rule.level)


def _counted(sweep: Sweep, tuning: Tuning, now: int) -> Counted:
    """What is said of it is what holds for the group of its lines that gets furthest."""
    rule, asked = sweep.rule, sweep.correlation
    groups = [
        _tuned(rule, _group(rule, org, values_of(asked.group_by, by)), tuning, now, correlated=True)
        for org, *by in sweep.groups
    ]
    reached = any(True for _ in sweep.hits())
    tuned = next((one for one in groups if one.counts), groups[0])
    terms = sweep.terms.of(next(iter(sweep.groups))[0])  # all lines are of one organisation
    return Counted(rule, sweep.lines, terms.need, terms.span, reached, tuned)


def _group(rule: Rule, org: str, matched: Fields) -> Finding:
    """As far as tuning asks what a correlation finds: whose it is, and what it groups by."""
    return Finding("", "", rule.id, rule.hash, org, "", "", 0, "", matched)
