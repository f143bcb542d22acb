r"""What the JSON text of an event must hold before a check can hold of it: patterns, one of which is found in the text then.

They say nothing the other way round: where one is found, the event is parsed and judged. The text may be flat or nested, and spaced
in any way. Values stand in it letter for letter but for escapes, so what is looked for is printable ASCII, spelt as JSON spells it;
what no such spelling covers is in `ODD`. Regular expressions are looked for in the text without the escapes of quotes and
backslashes (`rules.match.sieve` sees to that).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import re2

from rules.condition import Check
from rules.match.witness import Witness
from rules.predicate import Like, Listed, Matches, Number
from rules.regex import without_anchors


class Sign(NamedTuple):
    """`pattern`: a regular expression. `unescaped`: for the text without escapes, else as it is."""

    pattern: str
    unescaped: bool = False


class OnList(NamedTuple):
    """The value of the field is on the list of this name: the sieve asks it (`rules.match.listed`), as most events have the field."""

    field: str
    name: str


# Ordinary characters under an escape; and the two letters that become ASCII in lower case: İ and the Kelvin sign. What only looks like
# one, behind an escaped backslash, is let through for nothing.
ODD = Sign(r"\\(?:u00[2-7]|u0130|u212[aA]|/)|\x{130}|\x{212a}")
# A list in which not all are scalars: it is judged by the JSON text that we write of those.
NESTED_LIST = Sign(r"[\[,]\s*[{\[]")
# Numbers that JSON and Python, which judges, write differently (1e16 and 1e+16, 0.00001 and 1e-05, what a float rounds).
_REWRITTEN = Sign(r"[:,\[]\s*-?(?:[0-9.]+[eE]|0\.0000|[0-9.]{17})")

_ORDINARY = re.compile(r"[ -~]+")
# Letters of numbers, booleans and nothing else: such a text may stand without quotes.
_BARE = frozenset("0123456789.+-aeflrstuin")
_DIGITS = frozenset("0123456789.+-e")  # of numbers alone: keywords are not sought in the others
# What most events hold however long it is: a rule should rather be told by something else.
_COMMON = frozenset({"get", "post", "head", "200", "success", "failure", "event", "http"})


def patterns_of(check: Check) -> Witness[Sign | OnList] | None:
    """None for what any text may satisfy. Commonness: 1 is in every event."""
    predicate, field = check.predicate, check.field
    match predicate:
        case Like() if found := _like(predicate, field):
            return found
        case Listed(name) if field is not None:
            return Witness(1e-3, frozenset({OnList(field, name)}))
        case Matches(regex):
            bare = without_anchors(regex)
            if not _finds_anything(bare):
                return Witness(1e-4, frozenset({Sign(bare, unescaped=True), _REWRITTEN}))
        case Number(op, number) if field is not None and op in ("=", ">", ">=") and number >= 1:
            pattern = key(field).pattern + _at_least(int(number), exactly=op == "=")
            return Witness(0.02, frozenset({Sign(pattern), _REWRITTEN}))
        case Number("=", number) if field is None:
            return Witness(0.5, frozenset({Sign(re2.escape(str(abs(int(number))))), _REWRITTEN}))
    return None if field is None else Witness(0.2, frozenset({key(field)}))  # whatever is asked of it, it is there


def _finds_anything(regex: str) -> bool:
    """Whether it is found in every text (`.*`), or cannot be used by itself."""
    try:
        return re2.compile(regex).search("") is not None
    except re2.error:
        return True


def key(field: str) -> Sign:
    """What stands before the value of a field: the end of its name, as the beginning may be the name of an object around it."""
    last = field.rpartition(".")[2]
    known = re2.escape(last) if _ORDINARY.fullmatch(last) and not {'"', "\\"} & set(last) else ""
    return Sign(rf'{known}"\s*:\s*')


def _like(like: Like, field: str | None) -> Witness[Sign | OnList] | None:
    """The longest ordinary text between its wildcards, with what stands before and behind it where it begins or ends the value."""
    if not like.parts:
        return Witness(0.01, frozenset({Sign(rf'{_before(field)}""\s*[,\]}}]')}))
    runs = [
        (len(run[0]), run.start() == 0 and at == 0, run.end() == len(part) and at == len(like.parts) - 1, run[0])
        for at, part in enumerate(like.parts)
        if isinstance(part, str)
        for run in _ORDINARY.finditer(part)
    ]
    if not runs:  # wildcards alone, or letters of other scripts
        return None
    _, begins, ends, text = max(runs, key=lambda known: known[0])
    quoted = field is not None and not _BARE.issuperset(text.lower())
    head = f'{_before(field)}"' if quoted and begins else ""
    tail = r'"\s*[,\]}]' if quoted and ends else ""  # a value, not a key
    commonness = 1.0 if text.lower() in _COMMON else 5.0 ** -(len(text) + bool(head) + bool(tail))
    spelt = text.replace("\\", "\\\\").replace('"', '\\"')
    sign = Sign(f"{head}(?i:{re2.escape(spelt)}){tail}")
    bare = (_DIGITS if field is None else _BARE).issuperset(text.lower())
    return Witness(commonness, frozenset({sign, _REWRITTEN} if bare else {sign}))


def _before(field: str | None) -> str:
    """An element of a list follows a bracket or a comma."""
    return "" if field is None else rf"(?:{key(field).pattern}|[\[,]\s*)"


def _at_least(number: int, *, exactly: bool) -> str:
    """What follows the key where its value is a number that is equal to `number`, or not less: a list, the digits, an exponent,
    or so many digits that reading them rounds to another integer."""
    digits = str(number)
    same_length = digits if exactly else f"[{digits[0]}-9]" + "[0-9]" * (len(digits) - 1)
    longer = "" if exactly else f"|[1-9][0-9]{{{len(digits)},}}"
    return rf'(?:\[|"?(?:0*(?:{same_length}{longer})|[0-9.]+[eE]|[0-9.]{{17,}}))'
