"""Draft: what one rule file means by itself, before the rules of all files are linked. Plain data, which a cache can keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import orjson

from rules.compile.plain import Reader, Writer, reader
from rules.condition import Check, Condition
from rules.rule import Place, Rule
from soc.errors import RuleError
from soc.model.rule import LogSource


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule with its correlation's references as written. Its `path` is empty: the same file may lie in several places.

    `written`: the log source before pipelines changed it. `base_alerts` (`generate`): base rules alert by themselves although a
    correlation uses them. `places`: where its id and each of its references stand.
    """

    rule: Rule
    written: LogSource
    base_alerts: bool
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """A Sigma filter: what other rules must satisfy, too. `rules`: ids or names; None means any rule of its log source.

    `text`: the document as written.
    """

    id: str
    title: str
    text: str
    place: Place
    written: LogSource
    rules: tuple[str, ...] | None
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """A RuleError of whatever file it will be found in."""

    reason: str
    line: int | None
    column: int | None

    def error(self, path: str) -> RuleError:
        return RuleError(self.reason, path, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Compiled:
    """One file."""

    drafts: tuple[Draft, ...] = ()
    filters: tuple[Filter, ...] = ()
    faults: tuple[Fault, ...] = ()


def pack(compiled: Compiled | Condition) -> bytes | None:
    """As bytes that `unpack` reads; None for what cannot be written, such as half a surrogate pair."""
    writer = Writer()
    try:
        data = writer.plain(compiled)
        return orjson.dumps([writer.checks, data])
    except (TypeError, RecursionError):
        return None


class Unpacker:
    """Reads what `pack` wrote; equal checks become one object."""

    def __init__(self) -> None:
        self._known: dict[str, Check] = {}
        self._check = reader(Check)
        self._compiled = reader(Compiled)
        self._condition = reader(Condition)

    def compiled(self, packed: bytes) -> Compiled:
        """Raises ValueError for anything else than what `pack` writes."""
        return cast("Compiled", self._read(packed, self._compiled))

    def condition(self, packed: bytes) -> Condition:
        """Raises ValueError, as `compiled` does."""
        return cast("Condition", self._read(packed, self._condition))

    def _read(self, packed: bytes, read: Reader) -> object:
        try:
            texts, data = orjson.loads(packed)
            known = self._known
            checks = [known.get(text) or self._new(text) for text in texts]
            return read(data, checks)
        except (TypeError, LookupError, AttributeError, ValueError, RecursionError) as error:
            raise ValueError(f"not what was packed: {error}") from None

    def _new(self, text: str) -> Check:
        check: Check = self._check(orjson.loads(text), ())
        self._known[text] = check
        return check
