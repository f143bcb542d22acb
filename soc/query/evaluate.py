"""What a query means, on one event.

- Letters are compared folded (soc.query.fold): `Hung Yen` finds `Hưng Yên`, `GET` finds `get`.
- A term on running text (`ast.TEXT_FIELDS`) is found anywhere inside it; on every other field it is the whole value.
  A term without a field is searched in `ast.BARE_FIELDS`.
- A number in the event equals a term that is a number (`404`, `404.0`); a numeric string in the event is compared as a
  string by terms and as a number by ranges. Wildcards see a number as it is written (`4*` finds 404). True and false are
  the words `true` and `false`.
- An address is compared as an address: `2001:db8::1` finds `2001:DB8:0::1`, ranges and networks count as one expects.
  Values that are not of the kind of a range or network are outside it.
- Instants are ISO 8601 strings (UTC where no zone is named), or numbers of ms since 1970.
- A list matches when one of its elements does. Null and the empty list are the same as no field, which nothing matches
  but `Not`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from soc.model.event import Fields, Scalar
from soc.query.ast import (
    BARE_FIELDS,
    TEXT_FIELDS,
    And,
    Cidr,
    Everything,
    Exists,
    Not,
    Or,
    Query,
    Range,
    Span,
    Term,
    Wildcard,
)
from soc.query.fold import fold
from soc.query.values import address, instant, number

Predicate = Callable[[Fields], bool]
Test = Callable[[Scalar], bool]


def matches(query: Query, fields: Fields) -> bool:
    """Whether an event (flat, dotted keys) is one of those that `query` asks for."""
    return predicate(query)(fields)


@lru_cache(1024)
def predicate(query: Query) -> Predicate:
    """`query` made ready to be asked of many events; safe to share between threads."""
    match query:
        case Everything():
            return lambda _: True
        case Not(clause):
            inner = predicate(clause)
            return lambda fields: not inner(fields)
        case And(clauses):
            return _all([predicate(clause) for clause in clauses])
        case Or(clauses):
            return _any([predicate(clause) for clause in clauses])
        case Term(field, text):
            return _words(field, _contains(text), _equals(text))
        case Wildcard(field, pattern):
            return _words(field, _like(f"*{pattern}*"), _like(pattern))
        case Exists(field):
            return _on(field, lambda _: True)
        case Range(field):
            return _on(field, _between(query))
        case Span(field):
            return _on(field, _during(query))
        case Cidr(field, network):
            return _on(field, _inside(network))


def _all(parts: list[Predicate]) -> Predicate:
    def check(fields: Fields) -> bool:
        for part in parts:  # noqa: SIM110 - half the time of all()
            if not part(fields):
                return False
        return True

    return check


def _any(parts: list[Predicate]) -> Predicate:
    def check(fields: Fields) -> bool:
        for part in parts:  # noqa: SIM110
            if part(fields):
                return True
        return False

    return check


def _words(field: str | None, inside: Test, whole: Test) -> Predicate:
    if field is None:
        return _any([_on(name, inside) for name in BARE_FIELDS])
    return _on(field, inside if field in TEXT_FIELDS else whole)


def _on(field: str, test: Test) -> Predicate:
    def check(fields: Fields) -> bool:
        value = fields.get(field)
        if value is None:
            return False
        if isinstance(value, list):
            return any(test(item) for item in value if item is not None)
        return test(value)

    return check


def _text(value: Scalar) -> str:
    if isinstance(value, str):
        return fold(value)
    return str(value).lower()  # True, 404


def _contains(text: str) -> Test:
    wanted = fold(text)
    return lambda value: wanted in _text(value)


def _equals(text: str) -> Test:
    ip = address(text)
    if isinstance(ip, IPv6Address):
        return lambda value: isinstance(value, str) and (value == text or (":" in value and address(value) == ip))
    if ip is not None:  # an IPv4 address has one spelling
        return lambda value: value == text
    wanted, amount = fold(text), number(text)

    def test(value: Scalar) -> bool:
        if isinstance(value, str):
            return value == text or fold(value) == wanted
        if isinstance(value, bool):
            return wanted == ("true" if value else "false")
        return amount is not None and value == amount

    return test


def _like(pattern: str) -> Test:
    r"""Anchored at both ends. Each literal after a `*` is looked for once, from the left: no backtracking, linear in the value."""
    parts = [""]
    for sign in re.findall(r"\\.|[^\\]", pattern, re.DOTALL):
        if sign == "*":
            parts.append("")
        else:
            parts[-1] += "." if sign == "?" else re.escape(fold(sign[-1]))
    first, *middle = parts
    last = f".*{middle.pop()}" if middle else ""
    like = re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + last, re.DOTALL).fullmatch
    return lambda value: like(_text(value)) is not None


def _between(query: Range) -> Test:
    low, high, with_low, with_high = query.low, query.high, query.include_low, query.include_high
    kind = _amount if isinstance(low if low is not None else high, int | float) else _address
    version = getattr(low if low is not None else high, "version", None)

    def test(value: Scalar) -> bool:
        x: Any = kind(value)  # of the kind of the bounds, which mypy cannot know
        if x is None or getattr(x, "version", None) != version:
            return False
        above = low is None or (x >= low if with_low else x > low)
        return above and (high is None or (x <= high if with_high else x < high))

    return test


def _amount(value: Scalar) -> int | float | None:
    if isinstance(value, str):
        return number(value)
    return None if isinstance(value, bool) else value


def _address(value: Scalar) -> IPv4Address | IPv6Address | None:
    return address(value) if isinstance(value, str) else None


def _inside(network: IPv4Network | IPv6Network) -> Test:
    version, first, last = network.version, int(network.network_address), int(network.broadcast_address)
    # three times as fast as `in`
    return lambda value: (ip := _address(value)) is not None and ip.version == version and first <= int(ip) <= last


def _during(query: Span) -> Test:
    since, until = query.since, query.until

    def test(value: Scalar) -> bool:
        ms = instant(value) if isinstance(value, str) else _amount(value)
        return ms is not None and (since is None or ms >= since) and (until is None or ms < until)

    return test
