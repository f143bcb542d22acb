"""What an event has in a field, fit to be shown: cut, and with the place because of which a condition holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.condition import any_text
from rules.predicate import Exists, HasValue, Like, Listed, Matches, Predicate, SameAs, fold, pattern, texts, utf8
from rules.regex import before_last_break
from soc.model.event import Value

SHOWN = 200  # characters of a value; a part of it on each side of what matched
_AROUND = 60  # characters before what matched

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """The value of `field` is `before`, `match` and `after`; `match` is what made a check hold, where its place is known.

    Of a list it is the element that matched. `length`: characters of all of it, where only a part is here, else 0. `quoted`: it is a
    text, not a number or the like. `absent`: the event has no such field.
    """

    field: str
    before: str = ""
    match: str = ""
    after: str = ""
    length: int = 0
    quoted: bool = False
    absent: bool = False

    @property
    def value(self) -> str:
        return self.before + self.match + self.after


def seen(field: str, fields: Mapping[str, Value], predicate: Predicate | None = None, *, keyword: bool = False) -> Seen:
    """What there is; with a predicate that holds of it (as a keyword, where it is one) also where it does."""
    if field not in fields:
        return Seen(field, absent=True)
    value = fields[field]
    if predicate is None or isinstance(predicate, Exists | HasValue | Listed):
        return _cut(field, value, None)
    others = texts(fields.get(predicate.field)) if isinstance(predicate, SameAs) else []
    for element in _elements(value):
        span = _span(predicate, element, others, keyword)
        if span is not None:
            return _cut(field, element, span)
    return _cut(field, value, None)


def _elements(value: Value) -> Iterator[Value]:
    if isinstance(value, list):
        for element in value:
            yield from _elements(element)
    else:
        yield value


def _span(predicate: Predicate, element: Value, others: list[str], keyword: bool) -> Span | None:
    """Where in an element of a value the predicate holds; None where it does not."""
    if isinstance(predicate, SameAs):
        return next((_related(predicate, text, other) for text in texts(element) for other in others
                     if predicate.relates(text, other)), None)  # fmt: skip
    if not any_text(predicate, element, keyword):
        return None
    return next((span for text in texts(element) if (span := place(predicate, text)) is not None), None)


def place(predicate: Predicate, text: str) -> Span | None:
    """The part of the text because of which the predicate holds, which may be empty; all of it where none is known."""
    if isinstance(predicate, Like) and predicate.literal is None:
        folded = predicate.fold(text)
        return _found(predicate.regex, folded) if len(folded) == len(text) else _whole(predicate, text)
    if isinstance(predicate, Matches):
        return _found(before_last_break(predicate.regex), text)
    return _whole(predicate, text)


def _whole(predicate: Predicate, text: str) -> Span | None:
    return (0, len(text)) if not isinstance(predicate, SameAs | Listed) and predicate.holds(text) else None


def _found(regex: str, text: str) -> Span | None:
    data = utf8(text)
    found = pattern(regex).search(data)
    if found is None:
        return None
    before, part = data[: found.start()].decode(errors="replace"), found[0].decode(errors="replace")
    return len(before), min(len(before) + len(part), len(text))


def _related(same: SameAs, text: str, other: str) -> Span:
    match same.how:
        case "startswith":
            return 0, len(other)
        case "endswith":
            return len(text) - len(other), len(text)
        case "contains":
            at = text.find(other) if same.cased else fold(text).find(fold(other))
            return at, at + len(other)
    return 0, len(text)


def _cut(field: str, value: Value, span: Span | None) -> Seen:
    quoted = isinstance(value, str)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    start, end = span or (0, 0)
    first = max(0, start - _AROUND) if end > SHOWN else 0
    last = min(len(text), first + SHOWN)
    cut = first > 0 or last < len(text)
    before, match, after = text[first:start], text[start : min(end, last)], text[max(end, first) : last]
    dots = "…" if first else ""
    return Seen(field, dots + before, match, after + ("…" if last < len(text) else ""), len(text) if cut else 0, quoted)
