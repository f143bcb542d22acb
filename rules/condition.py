"""A rule's condition as a tree of plain data, and the one slow, plain way to evaluate its checks (explaining, verifying)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.predicate import Exists, HasValue, Like, Listed, Number, Predicate, SameAs, TextPredicate, Wild, texts
from soc.model.event import Value, is_object


@dataclass(frozen=True, slots=True)
class Check:
    """One predicate on one field; `field` None is a keyword: any value of the event will do."""

    field: str | None
    predicate: Predicate


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


FILTER = "filter: "  # begins the name of the part that a filter adds; no search identifier of a rule has a space


@dataclass(frozen=True, slots=True)
class Search:
    """A named search identifier of the rule (`selection`); means what its part means."""

    name: str
    part: Condition


Condition = Check | All | Any | Not | Search


def checks(condition: Condition) -> Iterator[Check]:
    """Every check in the tree, left to right."""
    match condition:
        case Check():
            yield condition
        case All(parts) | Any(parts):
            for part in parts:
                yield from checks(part)
        case Not(part) | Search(_, part):
            yield from checks(part)


def satisfied(check: Check, fields: Mapping[str, Value]) -> bool:
    """Whether the event passes the check, computed without any cache or automaton. Not of lists, which have to be asked."""
    return bool(holding(check, fields))


def holding(check: Check, fields: Mapping[str, Value]) -> list[str]:
    """The fields because of which the check holds; empty when it does not."""
    if check.field is None:
        return [name for name, value in fields.items() if any_text(check.predicate, value, keyword=True)]
    if check.field not in fields:
        return []
    value = fields[check.field]
    match check.predicate:
        case Exists():
            held = True
        case HasValue():
            held = bool(texts(value)) or _has_object(value)
        case Listed():
            held = False
        case SameAs(other) as same:
            held = other in fields and same.relates(texts(value), texts(fields[other]))
        case predicate:
            held = any_text(predicate, value)
    return [check.field] if held else []


def holds(condition: Condition, fields: Mapping[str, Value]) -> bool:
    """Whether an event fulfils the whole condition, computed without any cache or automaton."""
    match condition:
        case Check():
            return satisfied(condition, fields)
        case All(parts):
            return all(holds(part, fields) for part in parts)
        case Any(parts):
            return any(holds(part, fields) for part in parts)
        case Not(part):
            return not holds(part, fields)
        case Search(_, part):
            return holds(part, fields)


def _has_object(value: Value) -> bool:
    return any(map(_has_object, value)) if isinstance(value, list) else is_object(value)


def any_text(predicate: Predicate, value: Value, keyword: bool = False) -> bool:
    """Whether any element of the value passes. As a keyword, a number is sought among numbers only, and a text not among booleans."""
    if isinstance(value, list):
        return any(any_text(predicate, element, keyword) for element in value)
    if keyword and (isinstance(value, bool) or (isinstance(value, str) and isinstance(predicate, Number))):
        return False
    return not isinstance(predicate, SameAs | Listed) and any(predicate.holds(text) for text in texts(value))


def anywhere(predicate: TextPredicate) -> TextPredicate:
    """A keyword without wildcards is sought anywhere in a value; one with wildcards is anchored to the whole of it."""
    if isinstance(predicate, Like) and predicate.literal is not None:
        return Like((Wild.ANY, *predicate.parts, Wild.ANY), predicate.cased)
    return predicate
