"""What the JSON text of an event must hold before a check can hold of it: RE2 patterns, one of which matches the text then.

They say nothing the other way round: where one matches, the event is parsed and judged. The text is the document as orjson
writes it, without the escapes of quotes and backslashes, and ASCII only (`rules.sieve` sees to that), so a value stands in it
letter for letter, strings between quotes.
"""

from __future__ import annotations

import re2

from rules.condition import Check
from rules.predicate import Like, Matches, Number
from rules.regex import without_anchors
from rules.witness import Witness

# Letters of numbers, booleans and nothing else: such a text may stand without quotes.
_BARE = frozenset("0123456789.+-aeflrstuin")
# What most events hold however long it is: a rule should rather be told by something else.
_COMMON = frozenset({"get", "post", "head", "200", "success", "failure", "event", "http"})


def patterns_of(check: Check) -> Witness[str] | None:
    """None for what any text may satisfy. Commonness: 1 is in every event."""
    predicate, field = check.predicate, check.field
    match predicate:
        case Like() if found := _like(predicate, field):
            return found
        case Matches(regex):
            bare = without_anchors(regex)
            if not _finds_anything(bare):
                return Witness(1e-4, frozenset({bare}))
        case Number(op, number) if field is not None and op in ("=", ">", ">=") and number >= 1:
            return Witness(0.02, frozenset({_key(field) + _at_least(int(number), exactly=op == "=")}))
        case Number("=", number) if field is None:
            return Witness(0.5, frozenset({re2.escape(str(abs(int(number))))}))
    return None if field is None else Witness(0.2, frozenset({_key(field)}))  # whatever is asked of it, it is there


def _finds_anything(regex: str) -> bool:
    """Whether it is found in every text (`.*`), or cannot be used by itself."""
    try:
        return re2.compile(regex).search("") is not None
    except re2.error:
        return True


def _key(field: str) -> str:
    return f'"{re2.escape(field)}":'


def _like(like: Like, field: str | None) -> Witness[str] | None:
    """The longest text between its wildcards, with what stands before and behind it where it begins or ends the value."""
    start = f"(?:{_key(field)}|[\\[,])" if field else ""  # an element of a list follows a bracket or a comma
    if not like.parts:
        return Witness(0.01, frozenset({f'{start}""'}))
    texts = [(len(part), at, part) for at, part in enumerate(like.parts) if isinstance(part, str)]
    if not texts:  # wildcards alone: any value will do
        return None
    _, at, text = max(texts, key=lambda known: known[0])
    text = like.fold(text)  # the Kelvin sign becomes a k
    if not text.isascii():
        return Witness(0.0, frozenset())  # never in an ASCII text
    quoted = field is not None and not _BARE.issuperset(text.lower())
    head = f'{start}"' if quoted and at == 0 else ""
    tail = '"' if quoted and at == len(like.parts) - 1 else ""
    commonness = 1.0 if text.lower() in _COMMON else 5.0 ** -(len(text) + bool(head) + bool(tail))
    return Witness(commonness, frozenset({f"{head}(?i:{re2.escape(text)}){tail}"}))


def _at_least(number: int, *, exactly: bool) -> str:
    """What follows the key where its value is a number that is equal to `number`, or not less: a list, the digits, an exponent,
    or so many digits that reading them rounds to another integer."""
    digits = str(number)
    same_length = digits if exactly else f"[{digits[0]}-9]" + "[0-9]" * (len(digits) - 1)
    longer = "" if exactly else f"|[1-9][0-9]{{{len(digits)},}}"
    return rf'(?:\[|"?(?:0*(?:{same_length}{longer})|[0-9.]+[eE]|[0-9.]{{17,}}))'
