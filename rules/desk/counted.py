"""What a correlation counted in the window that holds an event, worked out again from events that are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rules.correlate.bound import NOTHING, TermsOf
from rules.correlate.sweep import Hit, Sweep
from rules.desk.explain import counted_as, explain
from rules.lists.known import Lists
from rules.rule import Rule, RuleSet
from soc.model.asked import Bounds
from soc.model.event import Event


@dataclass(frozen=True, slots=True)
class Counted:
    """`bases`: the ids of the base rules that found the event."""

    event: Event
    bases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Later than `since`, up to `until` (ms); of an absence, the time in which what has to follow did not come. `size`: what its events
    come to. `asked`: what is asked for there."""

    since: int
    until: int
    size: float
    asked: str
    events: tuple[Counted, ...]


def window(
    rule: Rule,
    ruleset: RuleSet,
    event: Event,
    events: Sequence[Event],
    bounds: Mapping[str, Bounds] = NOTHING,
    lists: Lists | None = None,
) -> tuple[Window | None, list[Counted]]:
    """The window of the first hit that holds the event, rather its own; and how each of the events counts.

    `events`: of its group, in the order of time, the event among them. None where they are not what the rule asks for (any more), and
    where it is made of correlations whose other events are not at hand.
    """
    assert rule.correlation is not None
    sweep = Sweep(rule, rule.correlation, (), TermsOf(rule.correlation, bounds))
    counted = []
    for line, one in enumerate(events):
        bases = counted_as(explain(rule, one.fields, ruleset, lists))
        counted.append(Counted(one, tuple(bases)))
        for base in bases:
            sweep.add(base, one.org, one.ts, line, one.fields)
    here = next((line for line, one in enumerate(events) if one.id == event.id), -1)
    hits = [hit for hit in sweep.hits() if here in hit.lines]
    hit = min(hits, key=lambda hit: (hit.line != here, hit.line), default=None)
    return (None if hit is None else _window(sweep, hit, counted)), counted


def _window(sweep: Sweep, hit: Hit, counted: Sequence[Counted]) -> Window:
    terms = sweep.terms.of(hit.org)
    at = counted[hit.line].event.ts
    since, until = (at, at + terms.span) if sweep.correlation.type == "absence" else (at - terms.span, at)
    return Window(since, until, hit.size, terms.correlation.asked, tuple(counted[line] for line in hit.lines))
