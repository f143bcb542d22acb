"""Sieve: tells from an event's JSON text that no rule can fire on it, so that it need not even be parsed.

Most events of a quiet day pass no rule. One scan of the text for the rules' witnesses (`rules.witness`, `rules.patterns`) settles
that for a fifth of the price of parsing and judging them. Whoever the sieve lets through is judged as if there were no sieve.
"""

from __future__ import annotations

from collections.abc import Iterable

import re2

from rules.condition import Condition
from rules.patterns import patterns_of
from rules.witness import witness

# Numbers that JSON and Python, which judges, write differently (1e16 and 1e+16, 0.00001 and 1e-05): always let through.
_EXPONENT = r"[:,\[]-?(?:[0-9.]+[eE]|0\.0000)"
MEMORY = 64 << 20  # bytes of the automaton, at most: with 8 MiB it would forget its states again and again


class Sieve:
    """For the conditions of all rules that may apply to an event. `routed`: field names that would change which rules apply."""

    def __init__(self, conditions: Iterable[Condition], routed: Iterable[str] = ()) -> None:
        patterns: set[str] = {_EXPONENT, *(f'"{re2.escape(name)}":' for name in routed)}
        self.open = False  # lets everything through; `rules.check.unsifted` says why
        for condition in conditions:
            found = witness(condition, patterns_of)
            if found is None:
                self.open = True
                return
            patterns |= found.signs
        # One expression, not a set of them: any will do, so the search ends with the first, and there is no state for every
        # combination of those that were found.
        options = re2.Options()
        options.max_mem = MEMORY
        options.never_capture = True
        options.log_errors = False
        try:
            self._search = re2.compile("|".join(f"(?:{pattern})" for pattern in sorted(patterns)), options).search
        except re2.error:
            self.open = True

    def admits(self, doc: bytes) -> bool:
        """Whether some rule may fire on the event of this JSON text (orjson's, UTF-8)."""
        if self.open or not doc.isascii():
            return True
        if b"\\" in doc:
            if b"\\" in (plain := doc.replace(b'\\"', b'"')):  # nearly always quotes are all there is
                if b"\\" in plain.replace(b"\\\\", b""):
                    return True  # control characters
                plain = plain.replace(b"\\\\", b"\\")
            doc = plain
        return self._search(doc) is not None
