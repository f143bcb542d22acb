"""Scanner: which of many patterns occur in a text, in one pass and in time linear in the text.

Hyperscan does it. Rules are defined by RE2, which reads some expressions more narrowly (`$` before a last line feed, letters of other
scripts), so where the two may differ it is asked again; and what Hyperscan cannot take is left to RE2 alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import re2

from rules.database import Compiler
from rules.regex import for_hyperscan

Broken = Callable[[int, Exception], None]  # told the number of a check that raised, and what
LARGE = 5_000  # RE2 instructions of one expression: what is larger takes Hyperscan seconds to compile
AUTOMATON_BYTES = 8 << 20  # upper bound of one RE2 automaton's cache of states ...
PATTERN_BYTES = 8 << 10  # ... and this much more for each of its patterns

# A text that no rule looks for, to ask a fresh automaton whether it works at all.
_PROBE = "\U0010fffe"


class Pattern(NamedTuple):
    """`regex`: of RE2. `foreign`: written by somebody else, not put together by us from escaped texts."""

    check: int
    regex: str
    foreign: bool = False


class Scanner:
    """`broken` is told of a pattern that nothing can look for."""

    def __init__(self, patterns: Sequence[Pattern], compiler: Compiler, broken: Broken) -> None:
        foreign = {p.check: re2.compile(p.regex) for p in patterns if p.foreign}
        checks = {
            regex: p.check
            for p in patterns
            if (regex := _wanted(p.regex, foreign[p.check].programsize) if p.foreign else p.regex) is not None
        }
        self._databases = [
            (database, [checks[regex] for regex in database.regexes].__getitem__)
            for database in compiler.databases(list(checks))
        ]
        taken = {checks[regex] for database, _ in self._databases for regex in database.regexes}
        self._automata = automata([p for p in patterns if p.check not in taken], broken)
        self._foreign = foreign

    def scan(self, text: bytes) -> list[int]:
        """The checks whose pattern occurs in `text`, which is UTF-8 (see `utf8`)."""
        found: list[int] = []
        for database, check in self._databases:
            if numbers := database.find(text):
                found += map(check, numbers)
        if self._foreign and found:
            verify = self._foreign
            if b"\n" in text or not text.isascii():
                found = [n for n in found if n not in verify or verify[n].search(text) is not None]
        for automaton in self._automata:
            found += automaton.scan(text)
        return found


def _wanted(regex: str, size: int) -> str | None:
    return for_hyperscan(regex) if size <= LARGE else None


class Automaton:
    """Which of many regular expressions occur in a text, by RE2."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._checks = [p.check for p in patterns]
        options = re2.Options()
        options.max_mem = AUTOMATON_BYTES + PATTERN_BYTES * len(patterns)
        options.never_capture = True
        options.log_errors = False
        automaton = re2.Set.SearchSet(options)
        for pattern in patterns:
            automaton.Add(pattern.regex)
        probe = automaton.Add(rf"\A{_PROBE}\z")
        automaton.Compile()
        self._match = automaton.Match
        # An automaton too large for its memory finds nothing and raises nothing: never let that pass for "no match".
        if probe not in (self._match(_PROBE.encode()) or ()):
            raise MemoryError("too many patterns for one automaton")

    def scan(self, text: bytes) -> Sequence[int]:
        found = self._match(text)
        return [self._checks[i] for i in found] if found else ()


def automata(patterns: Sequence[Pattern], broken: Broken) -> list[Automaton]:
    """As few as will hold all the patterns; `broken` is told of a pattern that fits into none."""
    if not patterns:
        return []
    try:
        return [Automaton(patterns)]
    except (MemoryError, re2.error) as error:
        if len(patterns) == 1:
            broken(patterns[0].check, error)
            return []
        half = len(patterns) // 2
        return [*automata(patterns[:half], broken), *automata(patterns[half:], broken)]
