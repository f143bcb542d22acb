"""What a search expression means, as plain data.

`parse` (soc.query.parse) makes one from text, `matches` (soc.query.evaluate) says what each node means on an event, and
every store compiles the same nodes. Values are already typed here: an address is an address, a day is a span of ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Bound = int | float | IPv4Address | IPv6Address

# Where a word without a field is searched.
BARE_FIELDS = ("message", "event.original")
# Running text: a term is looked for anywhere inside. Every other field is compared whole.
TEXT_FIELDS = frozenset({*BARE_FIELDS, "error.message"})
# Fields of instants: their terms and ranges are `Span`s.
TIME_FIELDS = frozenset({"@timestamp", "event.created", "event.ingested", "event.start", "event.end"})


@dataclass(frozen=True, slots=True)
class Everything:
    """Every event."""


@dataclass(frozen=True, slots=True)
class And:
    clauses: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    clauses: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Not:
    clause: Query


@dataclass(frozen=True, slots=True)
class Term:
    """`field` holds `text` (the whole value, or inside running text); a field of None means any of `BARE_FIELDS`.

    A quoted phrase is a Term too: quotes only keep spaces and signs from being read as syntax.
    """

    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    r"""As Term, with `*` (any letters or none) and `?` (one letter); `\*`, `\?` and `\\` are the signs themselves."""

    field: str | None
    pattern: str


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers or addresses between two bounds of the same kind; None is an open end, and one bound is always there."""

    field: str
    low: Bound | None
    high: Bound | None
    include_low: bool = True
    include_high: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """Instants from `since` (inclusive) until `until` (exclusive), ms since 1970 UTC; None is an open end."""

    field: str
    since: int | None
    until: int | None


@dataclass(frozen=True, slots=True)
class Cidr:
    """Addresses inside a network."""

    field: str
    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Exists:
    """`field` has a value: not null, not an empty list."""

    field: str


Query = Everything | And | Or | Not | Term | Wildcard | Range | Span | Cidr | Exists
