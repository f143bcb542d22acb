"""Why a rule fired on an event of an alert: by the text that it had then, with what it counted and what people laid down about it.

The API and the console share it. Of the rules that a correlation counts only the text of now is known.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from rules.correlate.bound import NOTHING, TermsOf
from rules.desk.counted import Counted, Window, window
from rules.desk.explain import Explained, Row, counted_as, effort, explain, rows
from rules.desk.tuning import Fate
from rules.load.folders import of_texts
from rules.rule import Rule, RuleSet
from soc.errors import Busy, NotFound
from soc.model.alert import Alert
from soc.model.event import Event
from soc.model.finding import ASKED, COUNTED, Finding
from soc.model.org import Scope
from soc.model.rule import RuleDoc

if TYPE_CHECKING:
    from api.state import State

MOST_CHARACTERS = 50_000_000  # read to explain one event, which takes about a second
MOST_EVENTS = 500  # of a window
MOST_ROWS = 300  # of a tree, as it is shown
EVENTS_SHOWN = 50  # of a window
_PAGE = 50
_PATIENCE_S = 20.0
_KEPT = 50  # compiled rules


class Unexplained(StrEnum):
    """Why there is no tree."""

    DELETED = "deleted"  # the event, by retention
    NO_TEXT = "no_text"  # neither the rule's text of then is kept nor is such a rule running
    BROKEN = "broken"  # the text cannot be compiled (any more)
    TOO_LARGE = "too_large"  # the event, for as many comparisons as the rule has


@dataclass(frozen=True, slots=True)
class Correlated:
    """`group`: field and value. `asked_then`: what was asked for when it fired, `asked_now` what is asked for in this organisation now.
    `counted_then`: what the window came to when it fired; None where the event came into a window that had been found already.

    `window`: None where it cannot be worked out. `events`: those around the event that are looked at; `whole`: no others are there.
    """

    group: tuple[tuple[str, str], ...]
    asked_then: str
    asked_now: str
    counted_then: float | None
    window: Window | None
    events: Sequence[Counted]
    whole: bool

    @property
    def shown(self) -> Sequence[Counted]:
        """Of the window's events, else of those around, the first."""
        return (self.window.events if self.window else self.events)[:EVENTS_SHOWN]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What would become of the event now. `base`: of a rule that the alert's rule counts. `only`: what the rule is narrowed by."""

    rule: RuleDoc
    fate: Fate
    only: str | None
    base: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """`rule`: whose text is explained; None where none is known. `then`: it is the text of when it fired. `runs`: a rule with its id does,
    and `changed`: with another text, by which it would fire or not (`fires_now`, None: not known, or not changed).

    `event`: None once retention has deleted it. `tree`: None where `unexplained` says why; `fault`: what does not compile.
    `docs`: by id, the rules that are named.
    """

    alert: Alert
    finding: Finding
    event: Event | None
    rule: RuleDoc | None
    then: bool
    runs: bool
    changed: bool
    fires_now: bool | None = None
    tree: Explained | None = None
    unexplained: Unexplained | None = None
    fault: str = ""
    correlated: Correlated | None = None
    tuned: tuple[Tuned, ...] = ()
    docs: Mapping[str, RuleDoc] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        """The tree as it is shown."""
        return list(islice(rows(self.tree), MOST_ROWS)) if self.tree is not None else []

    @property
    def cut(self) -> int:
        """How many rows of the tree are not shown."""
        return sum(1 for _ in rows(self.tree)) - len(self.rows) if self.tree is not None else 0


class Compiled:
    """Rules from their kept texts, the last few kept. Whoever has the `turn` compiles and explains."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self._known: OrderedDict[tuple[str, ...], RuleSet] = OrderedDict()

    def ruleset(self, docs: Sequence[RuleDoc]) -> RuleSet:
        key = tuple(doc.hash for doc in docs)
        if key not in self._known:
            self._known[key] = of_texts((doc.path, doc.text, doc.pipelines) for doc in docs)
        self._known.move_to_end(key)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return self._known[key]


def explanation(state: State, scope: Scope, alert_id: str, event_id: str | None) -> Explanation:
    """Of one folded event, the alert's first where none is named. Raises `NotFound`, and `Busy` when too many others are asking."""
    alerts = state.stores.alerts
    alert = alerts.get(alert_id, scope)
    if event_id is not None:
        finding = alerts.finding(alert_id, event_id, scope)
    else:
        first = alerts.findings(alert_id, scope, limit=1).items
        if not first:
            raise NotFound("no event of this alert is known yet")
        finding = first[0]
    asked = _Asked(state, scope, alert, finding)
    if not state.compiled.turn.acquire(timeout=_PATIENCE_S):
        raise Busy("others are having alerts explained: wait a moment")
    try:
        return asked.explanation()
    finally:
        state.compiled.turn.release()


class _Asked:
    """One event of one alert."""

    def __init__(self, state: State, scope: Scope, alert: Alert, finding: Finding) -> None:
        self._state, self._scope, self._alert, self._finding = state, scope, alert, finding
        self._running = {doc.id: doc for doc in state.rules.running()[0]}
        self._then, self._now = state.rules.get(finding.rule_hash), self._running.get(alert.rule_id)
        self._event = next(iter(state.stores.events.many([finding.event_id], scope)), None)
        self._tuning = state.tuning()
        self._lists = state.known_lists()

    def explanation(self) -> Explanation:
        changed = self._now is not None and self._now.hash != self._finding.rule_hash
        docs, ruleset, fault = self._text()
        rule = _named(ruleset, self._alert.rule_id)
        text = docs[0] if docs else None
        then = text is not None and text.hash == self._finding.rule_hash
        told = Explanation(
            self._alert, self._finding, self._event, text, then, self._now is not None, changed, fault=fault,
            docs={doc.id: doc for doc in docs},
        )  # fmt: skip
        if self._event is None:
            return replace(told, unexplained=Unexplained.DELETED)
        if rule is None:
            return replace(told, unexplained=Unexplained.BROKEN if docs else Unexplained.NO_TEXT)
        if effort(ruleset.rules, self._event.fields) > MOST_CHARACTERS:
            return replace(told, unexplained=Unexplained.TOO_LARGE)
        tree = explain(rule, self._event.fields, ruleset, self._lists)
        return replace(
            told,
            tree=tree,
            fires_now=self._fires_now() if changed and then else None,
            correlated=self._correlated(rule, ruleset, self._event) if rule.correlation else None,
            tuned=self._tuned(told.docs, rule, counted_as(tree), self._event),
        )

    # -- which text

    def _text(self) -> tuple[list[RuleDoc], RuleSet, str]:
        """That of when it fired, else that of now: the rule and what it is made of, compiled; and why that is not possible."""
        docs, ruleset, fault = list[RuleDoc](), RuleSet(()), ""
        for text in (self._then, self._now):
            if text is None:
                continue
            docs = self._made_of(text)
            ruleset = self._state.compiled.ruleset(docs)
            if _named(ruleset, text.id) is not None:
                return docs, ruleset, ""
            fault = fault or next((error.reason for error in ruleset.errors), "there is no rule in it")
        return docs, ruleset, fault

    def _made_of(self, doc: RuleDoc) -> list[RuleDoc]:
        """The rule, and all that it counts as far as that runs."""
        found, left = {doc.id: doc}, list(doc.bases)
        while left:
            base = self._running.get(left.pop())
            if base is not None and base.id not in found:
                found[base.id] = base
                left += base.bases
        return list(found.values())

    def _fires_now(self) -> bool | None:
        """By the text of now; None where that does not compile, or would take too long."""
        assert self._now is not None
        assert self._event is not None
        ruleset = self._state.compiled.ruleset(self._made_of(self._now))
        rule = _named(ruleset, self._now.id)
        if rule is None or effort(ruleset.rules, self._event.fields) > MOST_CHARACTERS:
            return None
        return explain(rule, self._event.fields, ruleset, self._lists).holds

    # -- what was counted

    def _correlated(self, rule: Rule, ruleset: RuleSet, event: Event) -> Correlated:
        asked, matched = rule.correlation, self._finding.matched
        assert asked is not None
        bounds = self._tuning.bounds.get(rule.id, NOTHING)
        terms = TermsOf(asked, bounds).of(event.org)
        events, whole = self._around(event, terms.span, ruleset)
        found, counted = window(rule, ruleset, event, events, bounds, self._lists)
        size = matched.get(f"{COUNTED}{asked.type}")
        return Correlated(
            group=tuple((name, str(matched[name])) for name in asked.group_by if name in matched),
            asked_then=str(matched.get(ASKED, asked.asked)),
            asked_now=terms.correlation.asked,
            counted_then=size if isinstance(size, int | float) else None,
            window=found if whole else None,
            events=counted,
            whole=whole,
        )

    def _around(self, event: Event, span: int, ruleset: RuleSet) -> tuple[list[Event], bool]:
        """The alert's events of every window that can hold this one, and whether these are all of them. Always with this one."""
        alerts, events = self._state.stores.alerts, self._state.stores.events
        found: dict[str, Event] = {event.id: event}
        left, cursor, more = MOST_CHARACTERS, None, True
        while more and left > 0 and len(found) < MOST_EVENTS:
            page = alerts.findings(self._alert.id, self._scope, since=event.ts - span + 1, cursor=cursor, limit=_PAGE)
            within = [one.event_id for one in page.items if one.ts < event.ts + span]
            for one in events.many(within, self._scope):
                found[one.id] = one
                left -= effort(ruleset.rules, one.fields) + len(str(one.fields.get("event.original", "")))
            cursor = page.next
            more = cursor is not None and len(within) == len(page.items)
        return sorted(found.values(), key=lambda one: one.id), not more

    # -- what people laid down

    def _tuned(self, docs: Mapping[str, RuleDoc], rule: Rule, bases: Sequence[str], event: Event) -> tuple[Tuned, ...]:
        """Of the rule, and of those that it counts the event for."""
        own = replace(self._finding, event=event)
        findings = [own, *(replace(own, rule_id=base, matched=event.fields) for base in bases)]
        told = []
        for finding in findings:
            doc = docs[finding.rule_id]
            fate = self._tuning.fate(finding, self._state.clock(), correlated=bool(doc.bases))
            told.append(Tuned(doc, fate, self._tuning.only_for(doc.id, event.org), base=doc.id != rule.id))
        return tuple(told)


def _named(ruleset: RuleSet, rule_id: str) -> Rule | None:
    return next((rule for rule in ruleset.rules if rule.id == rule_id), None)
