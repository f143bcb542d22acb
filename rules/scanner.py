"""Scanner: many regular expressions in one pass over a text, in time linear in the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import re2

Broken = Callable[[int, Exception], None]  # told the number of a check that raised, and what
AUTOMATON_BYTES = 8 << 20  # upper bound of one automaton's cache of states ...
PATTERN_BYTES = 8 << 10  # ... and this much more for each of its patterns

# A text that no rule looks for, to ask a fresh automaton whether it works at all.
_PROBE = "\U0010fffe"


class Scanner:
    """Which of many regular expressions occur in a text, in one pass."""

    def __init__(self, patterns: Sequence[tuple[int, str]]) -> None:
        self._checks = [check for check, _ in patterns]
        options = re2.Options()
        options.max_mem = AUTOMATON_BYTES + PATTERN_BYTES * len(patterns)
        options.never_capture = True
        options.log_errors = False
        automaton = re2.Set.SearchSet(options)
        for _, source in patterns:
            automaton.Add(source)
        probe = automaton.Add(rf"\A{_PROBE}\z")
        automaton.Compile()
        self._match = automaton.Match
        # An automaton too large for its memory finds nothing and raises nothing: never let that pass for "no match".
        if probe not in (self._match(_PROBE.encode()) or ()):
            raise MemoryError("too many patterns for one automaton")

    def scan(self, text: bytes) -> Sequence[int]:
        """`text` in UTF-8, see `utf8`."""
        found = self._match(text)
        return [self._checks[i] for i in found] if found else ()


def scanners(patterns: Sequence[tuple[int, str]], broken: Broken) -> list[Scanner]:
    """As few scanners as will hold all the patterns; `broken` is told of a pattern that fits into none."""
    if not patterns:
        return []
    try:
        return [Scanner(patterns)]
    except (MemoryError, re2.error) as error:
        if len(patterns) == 1:
            broken(patterns[0][0], error)
            return []
        half = len(patterns) // 2
        return [*scanners(patterns[:half], broken), *scanners(patterns[half:], broken)]
