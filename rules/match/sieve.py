"""Sieve: tells from an event's JSON text that no rule can fire on it, so that it need not even be parsed.

Most events of a quiet day pass no rule. One scan of the text for the rules' witnesses (`witness`, `patterns`) settles that for a
fifth of the price of parsing and judging them. Whoever the sieve lets through is judged as if there were no sieve.
"""

from __future__ import annotations

from collections.abc import Iterable

import re2

from rules.condition import Condition
from rules.lists.known import Lists
from rules.match.database import Compiler, Expression
from rules.match.listed import Listings
from rules.match.patterns import ODD, OnList, Sign, patterns_of
from rules.match.witness import witness
from rules.regex import for_hyperscan

GAUGED = 2_000  # texts after which it is decided anew whether a sieve pays
MEMORY = 64 << 20  # bytes of an RE2 automaton, at most: with 8 MiB it would forget its states again and again


class Sieve:
    """For the conditions of all rules that may apply to an event. `also`: further signs that let a text through."""

    def __init__(
        self,
        conditions: Iterable[Condition],
        compiler: Compiler,
        also: Iterable[Sign] = (),
        lists: Lists | None = None,
    ) -> None:
        signs: set[Sign] = {ODD, *also}
        asked: set[OnList] = set()
        self.open = False  # lets everything through; `rules.desk.check.unsifted` says why
        for condition in conditions:
            found = witness(condition, patterns_of)
            if found is None:
                self.open = True
                return
            for sign in found.signs:
                if isinstance(sign, OnList):
                    asked.add(sign)
                else:
                    signs.add(sign)
        self._listings = Listings(asked, lists) if asked and lists is not None else None
        self._in_text = _Alternatives((sign.pattern for sign in signs if not sign.unescaped), compiler)
        self._in_plain = _Alternatives((sign.pattern for sign in signs if sign.unescaped), compiler, ascii_only=True)
        self.open = self._in_text.open or self._in_plain.open

    def admits(self, doc: bytes, valid: bool = False, source_ip: str | None = None) -> bool:
        """Whether some rule may fire on the event of this JSON text, flat or nested. `valid`: it is known to be UTF-8. `source_ip`: the
        text at that field, where it is known."""
        if self.open or not (valid or doc.isascii() or _utf8(doc)) or self._in_text.occur(doc):
            return True
        if self._listings is not None and self._listings.admit(doc, source_ip):
            return True
        if not self._in_plain:
            return False
        if not doc.isascii():
            return True
        if b"\\" in doc:
            if b"\\" in (plain := doc.replace(b'\\"', b'"')):  # nearly always quotes are all there is
                if b"\\" in plain.replace(b"\\\\", b""):
                    return True  # control characters
                plain = plain.replace(b"\\\\", b"\\")
            doc = plain
        return self._in_plain.occur(doc)


class _Alternatives:
    """Whether any of some expressions occurs. `open`: it cannot be asked."""

    def __init__(self, patterns: Iterable[str], compiler: Compiler, *, ascii_only: bool = False) -> None:
        wanted = sorted(set(patterns))
        self._any = bool(wanted)
        spelt = (for_hyperscan(one) for one in wanted)
        self._databases = compiler.databases(
            [Expression(one, ascii_only=ascii_only) for one in spelt if one is not None]
        )
        taken = {expression.regex for database in self._databases for expression in database.expressions}
        refused = [one for one in wanted if for_hyperscan(one) not in taken]
        self._refused: re2._Regexp | None = None
        self.open = False
        if refused:
            try:
                self._refused = re2.compile("|".join(f"(?:{one})" for one in refused), _options())
            except re2.error:
                self.open = True

    def __bool__(self) -> bool:
        return self._any

    def occur(self, text: bytes) -> bool:
        for database in self._databases:
            if database.occurs(text):
                return True
        return self._refused is not None and self._refused.search(text) is not None


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = MEMORY
    options.never_capture = True
    options.log_errors = False
    return options


def _utf8(doc: bytes) -> bool:
    try:
        doc.decode()
    except UnicodeDecodeError:
        return False
    return True


class Gauge:
    """A sieve that is given up where it does not pay: where it lets most texts through."""

    def __init__(self, sieve: Sieve) -> None:
        self._sieve = sieve
        self._asked = self._admitted = 0
        self._pays = not sieve.open

    def admits(self, doc: bytes) -> bool:
        """Whether some rule may fire on the event of this JSON text."""
        if not self._pays:
            return True
        self._asked += 1
        admitted = self._sieve.admits(doc)
        self._admitted += admitted
        if self._asked == GAUGED:
            self._pays = self._admitted * 2 <= GAUGED
            self._asked = self._admitted = 0
        return admitted
