"""Scanner: which of many patterns occur in a text, in one pass and in time linear in the text.

Hyperscan does it. Rules are defined by RE2, and the two agree on ASCII texts without line feeds, as nearly all are. On others
Hyperscan only says what RE2 is to be asked for, and expressions that we have not put together ourselves are asked of RE2 alone; so is
what Hyperscan cannot take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import re2

from rules.match.database import Compiler, Expression
from rules.predicate import fold, pattern, utf8
from rules.regex import before_last_break, for_hyperscan

Broken = Callable[[int, Exception], None]  # told the number of a check that raised, and what
LARGE = 5_000  # RE2 instructions of one expression: what is larger takes Hyperscan seconds to compile
AUTOMATON_BYTES = 8 << 20  # upper bound of one RE2 automaton's cache of states ...
PATTERN_BYTES = 8 << 10  # ... and this much more for each of its patterns

# A text that no rule looks for, to ask a fresh automaton whether it works at all.
_PROBE = "\U0010fffe"


class Pattern(NamedTuple):
    """`regex`: of RE2. `folded`: written in lower case, for the lower-case text. `foreign`: written by somebody else, not put together
    by us from escaped texts."""

    check: int
    regex: str
    folded: bool = False
    foreign: bool = False


class Scanner:
    """`broken` is told of a pattern that nothing can look for."""

    def __init__(self, patterns: Sequence[Pattern], compiler: Compiler, broken: Broken) -> None:
        by_expression = {known: p for p in patterns if (known := _expression(p)) is not None}
        self._databases = [
            (database, [by_expression[one].check for one in database.expressions].__getitem__)
            for database in compiler.databases(list(by_expression))
        ]
        taken = {by_expression[one].check for database, _ in self._databases for one in database.expressions}
        self._own = {p.check: p for p in patterns if p.check in taken and not p.foreign}
        self._foreign = [p for p in patterns if p.foreign and p.check in taken]
        self._broken = broken
        self._refused = automata([p for p in patterns if p.check not in taken], broken)

    @cached_property
    def _foreign_automata(self) -> list[Automaton]:
        return automata(self._foreign, self._broken)

    def scan(self, text: str) -> list[int]:
        """The checks whose pattern occurs in `text`."""
        ascii_ = text.isascii()
        if ascii_ and not (self._foreign and "\n" in text):
            found = self._find(text.encode())
        else:
            found = self._find_own(text)
            found += _scan(self._foreign_automata, text)
        return found + _scan(self._refused, text) if self._refused else found

    def _find(self, data: bytes) -> list[int]:
        found: list[int] = []
        for database, check in self._databases:
            if numbers := database.find(data):
                found += map(check, numbers)
        return found

    def _find_own(self, text: str) -> list[int]:
        """Two scans, as a caseless search takes more letters for the same than lower case does; what is found is asked again."""
        own, low, data = self._own, utf8(fold(text)), utf8(text)
        found = [n for n in self._find(low) if n in own and own[n].folded and _holds(own[n], low)]
        return found + [n for n in self._find(data) if n in own and not own[n].folded and _holds(own[n], data)]


def _holds(known: Pattern, data: bytes) -> bool:
    return pattern(known.regex).search(data) is not None


def _scan(some: Sequence[Automaton], text: str) -> list[int]:
    return [check for automaton in some for check in automaton.scan(text)]


def _expression(known: Pattern) -> Expression | None:
    if not known.foreign:
        # To a caseless search ſ is an s, which to us it is not. (The Kelvin sign, a k, is one in lower case, too.)
        return Expression(known.regex, caseless=known.folded and "ſ" not in known.regex)
    if re2.compile(known.regex).programsize > LARGE or (regex := for_hyperscan(known.regex)) is None:
        return None
    return Expression(regex, ascii_only=True)


class Automaton:
    """Which of many regular expressions occur in a text, by RE2: all for the lower-case text, or all for the text as it is."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._checks = [p.check for p in patterns]
        self._folded = patterns[0].folded
        options = re2.Options()
        options.max_mem = AUTOMATON_BYTES + PATTERN_BYTES * len(patterns)
        options.never_capture = True
        options.log_errors = False
        automaton = re2.Set.SearchSet(options)
        for known in patterns:
            automaton.Add(before_last_break(known.regex) if known.foreign else known.regex)
        probe = automaton.Add(rf"\A{_PROBE}\z")
        automaton.Compile()
        self._match = automaton.Match
        # An automaton too large for its memory finds nothing and raises nothing: never let that pass for "no match".
        if probe not in (self._match(_PROBE.encode()) or ()):
            raise MemoryError("too many patterns for one automaton")

    def scan(self, text: str) -> Sequence[int]:
        found = self._match(utf8(fold(text) if self._folded else text))
        return [self._checks[i] for i in found] if found else ()


def automata(patterns: Sequence[Pattern], broken: Broken) -> list[Automaton]:
    """As few as will hold all the patterns; `broken` is told of a pattern that fits into none."""
    if not patterns:
        return []
    if folded := [p for p in patterns if p.folded and not all(q.folded for q in patterns)]:
        return [*automata(folded, broken), *automata([p for p in patterns if not p.folded], broken)]
    try:
        return [Automaton(patterns)]
    except (MemoryError, re2.error) as error:
        if len(patterns) == 1:
            broken(patterns[0].check, error)
            return []
        half = len(patterns) // 2
        return [*automata(patterns[:half], broken), *automata(patterns[half:], broken)]
