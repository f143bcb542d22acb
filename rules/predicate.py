"""What a rule may ask of one value. Each predicate says it twice: `holds`, slow and plain, and a pattern for one-pass scanning."""

from __future__ import annotations

import operator
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import re2

from rules.regex import before_last_break
from soc.model.event import Value, is_object


class Wild(Enum):
    """`*` and `?` of Sigma strings."""

    ANY = "*"
    ONE = "?"
    DASH = "-"  # or what Windows takes for one: see DASHES


DASHES = "-/–—―"
NO_TEXT = "\uffff"  # a character that stands for none in any text
_HALF = re.compile("[\ud800-\udfff]")


def utf8(text: str) -> bytes:
    """UTF-8 for RE2; a lone surrogate (JSON allows them) becomes `NO_TEXT`."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return _HALF.sub(NO_TEXT, whole).encode()


def fold(text: str) -> str:
    """As texts are compared whatever the case: letter for letter. İ alone would become two; the second small sigma is the first."""
    low = text.lower()
    if low.isascii():
        return low
    if "İ" in text:
        low = "İ".join(part.lower() for part in text.split("İ"))
    return low.replace("ς", "σ")


def texts(value: Value) -> list[str]:
    """The texts of a field's value: each element of a list, numbers and booleans as JSON writes them, nothing for null or an object."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for element in value for text in texts(element)]
    if value is None or is_object(value):
        return []
    return ["true" if value else "false"] if isinstance(value, bool) else [str(value)]


@lru_cache(maxsize=4096)
def pattern(source: str) -> re2._Regexp:  # bounded: explaining and verifying only, scanning has its own automata
    return re2.compile(source)


@dataclass(frozen=True, slots=True)
class Like:
    """A Sigma string with wildcards, matched against the whole text; upper and lower case are equal unless `cased`."""

    parts: tuple[str | Wild, ...]
    cased: bool = False

    @property
    def literal(self) -> str | None:
        """The text itself where there are no wildcards, lower case unless `cased`."""
        if any(isinstance(part, Wild) for part in self.parts):
            return None
        return self.fold("".join(str(part) for part in self.parts))

    @property
    def regex(self) -> str:
        """For RE2; to be applied to the lower-case text unless `cased`."""
        return self._regex(r"\A", r"(?s:.)", r"\z")

    def between(self, mark: str) -> str:
        """The same for texts joined by `mark` (a regular expression of one character): whether one of them is like this."""
        return self._regex(rf"(?:\A|{mark})", f"[^{mark}]", rf"(?:{mark}|\z)")

    def _regex(self, start: str, one: str, end: str) -> str:
        parts = self.parts
        head = "" if parts[:1] == (Wild.ANY,) else start
        tail = "" if parts[-1:] == (Wild.ANY,) else end
        inner = parts[not head : len(parts) - (not tail)] if len(parts) > 1 or head else ()
        spelt = {Wild.ANY: f"{one}*", Wild.ONE: one, Wild.DASH: f"[{DASHES}]"}
        return head + "".join(spelt[p] if isinstance(p, Wild) else re2.escape(self.fold(p)) for p in inner) + tail

    def holds(self, text: str) -> bool:
        return self.compiled.search(utf8(self.fold(text))) is not None

    @property
    def compiled(self) -> re2._Regexp:
        """To be searched for in the folded text, as UTF-8."""
        return _whole(self)

    def fold(self, text: str) -> str:
        """As it is compared."""
        return text if self.cased else fold(text)

    def __str__(self) -> str:
        return "".join(p.value if isinstance(p, Wild) else p for p in self.parts)


@lru_cache(maxsize=4096)
def _whole(like: Like) -> re2._Regexp:  # spelling the expression out costs more than searching with it
    return pattern(like.regex)


@dataclass(frozen=True, slots=True)
class Matches:
    """A regular expression found anywhere in the text. `regex` carries its flags inline: `(?i)...`."""

    regex: str

    def holds(self, text: str) -> bool:
        return self.compiled.search(utf8(text)) is not None

    @property
    def compiled(self) -> re2._Regexp:
        """To be searched for in the text, as UTF-8."""
        return pattern(before_last_break(self.regex))

    def __str__(self) -> str:
        return f"/{self.regex}/"


_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_EXACT = 310  # characters: longer ones are greater than any number that a rule may have, or have zeros before them


def number(text: str) -> int | float | None:
    """The number that a text spells as JSON would, else None. Beyond what a float holds it is infinite."""
    if text[:1] not in _FIRST or _NUMBER.fullmatch(text) is None:
        return None
    return int(text) if len(text) <= _EXACT and text.removeprefix("-").isdecimal() else float(text)


_FIRST = frozenset("-0123456789")


OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Number:
    """A comparison with a number. Texts that spell a number count as that number."""

    op: str
    number: int | float

    def holds(self, text: str) -> bool:
        found = number(text)
        return found is not None and OPERATORS[self.op](found, self.number)

    def __str__(self) -> str:
        return f"{self.op} {self.number}"


@lru_cache(maxsize=4096)
def address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Within:
    """An address inside a CIDR block."""

    network: IPv4Network | IPv6Network

    def holds(self, text: str) -> bool:
        found = address(text) if len(text) <= 64 else None
        return found is not None and found in self.network

    def __str__(self) -> str:
        return f"in {self.network}"


@dataclass(frozen=True, slots=True)
class DatePart:
    """`minute` ... `year` of an ISO 8601 time, in the zone it is written in, against a number; `week` is the ISO week."""

    unit: str
    number: int
    op: str = "="

    def holds(self, text: str) -> bool:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return False
        found: int = at.isocalendar().week if self.unit == "week" else getattr(at, self.unit)
        return OPERATORS[self.op](found, self.number)

    def __str__(self) -> str:
        return f"{self.unit} {self.number}" if self.op == "=" else f"{self.unit} {self.op} {self.number}"


@dataclass(frozen=True, slots=True)
class HasValue:
    """The field is there and is not null (nor an empty list)."""

    def holds(self, text: str) -> bool:  # noqa: ARG002 - any text will do
        return True

    def __str__(self) -> str:
        return "has a value"


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there, be it null."""

    def holds(self, text: str) -> bool:  # noqa: ARG002
        return True

    def __str__(self) -> str:
        return "exists"


@dataclass(frozen=True, slots=True)
class SameAs:
    """The text against the text of another field of the same event; upper and lower case are equal unless `cased`."""

    field: str
    how: str = "equals"  # equals, startswith, endswith, contains
    cased: bool = False

    def relates(self, mine: Sequence[str], theirs: Sequence[str]) -> bool:
        """Whether any text of this field is so related to any of the other. Hostile events have long lists of both."""
        here, there = ({one if self.cased else fold(one) for one in some} for some in (mine, theirs))
        match self.how:
            case "startswith":
                return _any_starts(here, there)
            case "endswith":
                return _any_starts({one[::-1] for one in here}, {one[::-1] for one in there})
            case "contains":
                return _any_contains(here, there)
        return not here.isdisjoint(there)

    def __str__(self) -> str:
        return f"{self.how} field {self.field}{' (case counts)' if self.cased else ''}"


@dataclass(frozen=True, slots=True)
class Listed:
    """The text is on the list of indicators of this name (`rules.lists`), which is asked when the rules run."""

    name: str

    def __str__(self) -> str:
        return f"on the list {self.name}"


TextPredicate = Like | Matches | Number | Within | DatePart
Predicate = TextPredicate | HasValue | Exists | SameAs | Listed


_FEW = 500  # parts of one length that are sooner found one after the other


def _any_contains(texts_: set[str], parts: set[str]) -> bool:
    by_length: dict[int, set[str]] = {}
    for part in parts:
        by_length.setdefault(len(part), set()).add(part)
    for length, some in by_length.items():
        for text in texts_:
            places = len(text) - length + 1
            if places > 0 and len(some) > _FEW:
                found = any(text[at : at + length] in some for at in range(places))
            else:
                found = places > 0 and any(part in text for part in some)
            if found:
                return True
    return False


def _any_starts(texts_: set[str], prefixes: set[str]) -> bool:
    """Of prefixes none of which begins another, a text's own can only be the last that is not behind the text."""
    shortest: list[str] = []
    for one in sorted(prefixes):
        if not shortest or not one.startswith(shortest[-1]):
            shortest.append(one)
    return any((at := bisect_right(shortest, text)) and text.startswith(shortest[at - 1]) for text in texts_)
