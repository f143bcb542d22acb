"""Events made to fire a rule: those of its first positive case where there is one, else made up from its condition.

What is made up is plain, not likely: of alternatives the first that works, several wanted values of a field as a list. Every event is
held against the rule's condition by the slow, plain way before it is sent, so a canary that does not come back is a fault of the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from rules.condition import All, Any, Check, Condition, Not, Search, checks, holds
from rules.desk.cases import ms_of
from rules.logsource import DATASETS, PROGRAMS, origin, route
from rules.predicate import Exists, HasValue, Like, Listed, Number, Predicate, SameAs, Wild, Within
from rules.rule import Rule, singles
from soc.model.canary import org_of
from soc.model.event import Event, Fields, Stored, Value, event_id, iso
from soc.model.rule import LogSource

MOST_EVENTS = 1_000
_TRIES = 200
_APART_MS = 1_000


@dataclass(frozen=True, slots=True)
class Example:
    """Events that fire a rule, oldest first, each with the ms that it comes before the last; or the reason why none are known."""

    events: tuple[tuple[int, Fields], ...] = ()
    reason: str = ""


def example_of(rule: Rule, known: Mapping[str, Rule], case: Sequence[Fields] | None) -> Example:
    """`known`: all rules by id; `case`: events of its first positive case."""
    if any(isinstance(check.predicate, Listed) for base in singles(rule, known) for check in _checks(base)):
        return Example(reason="it asks a list of indicators, and what is on it may change at any time")
    if case is not None:
        if len(case) > MOST_EVENTS:
            return Example(reason=f"its case takes {len(case)} events, more than {MOST_EVENTS}")
        if any(holds_of(base, event) for base in singles(rule, known) for event in case):
            return Example(tuple(_timed(case)))
    made = _made_up(rule, known, {})
    if not made:
        return Example(reason="it has no case, and no event can be made up from its condition")
    if len(made) > MOST_EVENTS:
        return Example(reason=f"it takes {len(made)} events, more than {MOST_EVENTS}")
    return Example(tuple(((len(made) - 1 - n) * _APART_MS, one) for n, one in enumerate(made)))


def stored(example: Example, rule_id: str, at: int) -> list[Stored]:
    """As the event log would give them, sent at `at` (ms): then is the time of the last of them. What a case says in `@timestamp` stays
    for the condition to look at: a rule may ask for nights."""
    org = org_of(rule_id, at)
    made = []
    for n, (before, fields) in enumerate(example.events):
        ts = at - before
        id_ = event_id(ts, org, str(n), "")
        whole = {"@timestamp": iso(ts), **fields, "organization.id": org, "event.id": id_}
        made.append(Stored.of(Event(id_, ts, org, str(fields.get("event.dataset", "")), whole)))
    return made


def holds_of(rule: Rule, fields: Fields) -> bool:
    return rule.condition is not None and origin(route(fields)).admits(rule.logsource) and holds(rule.condition, fields)


def _checks(rule: Rule) -> Iterator[Check]:
    return checks(rule.condition) if rule.condition is not None else iter(())


def _timed(case: Sequence[Fields]) -> Iterator[tuple[int, Fields]]:
    times = [ms_of(one.get("@timestamp")) for one in case]
    last = max((at for at in times if at is not None), default=0)
    yield from (
        (0 if at is None else last - at, fields | ({} if at is None else {"@timestamp": iso(at)}))
        for fields, at in zip(case, times, strict=True)
    )


# -- made up


def _made_up(rule: Rule, known: Mapping[str, Rule], before: dict[str, list[Fields]]) -> list[Fields]:
    """Nothing where it cannot be done. `before`: of the rules that were asked before, as several may be made of the same."""
    if rule.id not in before:
        before[rule.id] = _made(rule, known, before)
    return before[rule.id]


def _made(rule: Rule, known: Mapping[str, Rule], before: dict[str, list[Fields]]) -> list[Fields]:
    if rule.condition is not None:
        made = (_source(rule.logsource) | wanted for wanted in islice(_wanted(rule.condition, True), _TRIES))
        return next(([one] for one in made if holds_of(rule, one)), [])
    asked = rule.correlation
    assert asked is not None
    bases = {base: _made_up(known[base], known, before) for base in asked.rules}
    if not all(len(made) == 1 for made in bases.values()):
        return []
    if asked.type in ("temporal", "temporal_ordered") and asked.terms:
        return [_grouped(bases[base][0], asked.names_for(base)) for base in asked.terms[0][0] if base in bases]
    if asked.type == "absence":
        first, *answers = asked.rules
        event = _grouped(bases[first][0], asked.names_for(first))
        return [] if any(holds_of(known[answer], event) for answer in answers) else [event]
    if asked.type not in ("event_count", "value_count") or not asked.at_once:
        return []
    base = asked.rules[0]
    names = asked.resolved(asked.counted, base)
    events: list[Fields] = []
    for n in range(min(asked.at_least, MOST_EVENTS + 1)):
        event = _grouped(bases[base][0], asked.names_for(base)) | dict.fromkeys(names, f"canary-{n}")
        if not holds_of(known[base], event) or (asked.at_least - 1) * _APART_MS >= asked.timespan_ms:
            return []
        events.append(event)
    return events


def _grouped(fields: Fields, names: Sequence[str]) -> Fields:
    return dict.fromkeys(names, "canary") | fields


def _source(wanted: LogSource) -> Fields:
    """Fields by which an event is of this log source."""
    for dataset, known in DATASETS.items():
        for program in (None, *PROGRAMS.get(dataset, ())):
            if (known.product, known.category) == (wanted.product or known.product, wanted.category or known.category):
                fields: Fields = {"event.dataset": dataset} | ({"process.name": program} if program else {})
                services = origin(route(fields)).services
                if wanted.service is None or wanted.service in services:
                    return fields
    own = {"product": wanted.product, "category": wanted.category, "service": wanted.service}
    return {"event.dataset": "canary", **{name: value for name, value in own.items() if value}}


def _wanted(condition: Condition, truth: bool) -> Iterator[Fields]:
    """Fields that may make the condition so. What has to be false is left out, and held against the whole in the end."""
    match condition:
        case Search(_, part):
            yield from _wanted(part, truth)
        case Not(part):
            yield from _wanted(part, not truth)
        case Check() if truth:
            yield from _checked(condition)
        case All(parts) if truth:
            yield from _together(parts)
        case Any(parts) if truth:
            for part in parts:
                yield from _wanted(part, True)
        case _:
            yield {}


def _together(parts: Sequence[Condition]) -> Iterator[Fields]:
    if not parts:
        yield {}
        return
    for rest in _together(parts[1:]):
        for first in _wanted(parts[0], True):
            yield _merged(first, rest)


def _merged(one: Fields, other: Fields) -> Fields:
    merged = one | other
    for name in one.keys() & other.keys():
        if one[name] != other[name]:
            merged[name] = [*_listed(one[name]), *_listed(other[name])]
    return merged


def _listed(value: Value) -> list[str | int | float | bool | None]:
    return value if isinstance(value, list) else [value]


def _checked(check: Check) -> Iterator[Fields]:
    field = check.field or "message"
    if isinstance(check.predicate, SameAs):
        yield {field: "canary", check.predicate.field: "canary"}
    elif (value := _value(check.predicate)) is not None:
        yield {field: value}


def _value(predicate: Predicate) -> str | int | float | None:
    """A value that passes; None where none is at hand, as of regular expressions and parts of dates."""
    match predicate:
        case Like(parts):
            spelt = {Wild.ANY: "", Wild.ONE: "x", Wild.DASH: "-"}
            return "".join(spelt[part] if isinstance(part, Wild) else part for part in parts)
        case Number(op, number):
            return number + {"<": -1, ">": 1}.get(op, 0)
        case Within(network):
            return str(network.network_address)
        case HasValue() | Exists():
            return "canary"
    return None
