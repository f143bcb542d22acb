"""Every hit of a correlation over events that are all at hand: one pass over them in the order of time, no state to keep."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rules.correlate import counted, grouping
from rules.rule import Correlation, Rule
from soc.model.event import Fields


@dataclass(slots=True)
class Sweep:
    """Collects events of the base rules of one correlation, then gives the window of each hit. `line` names an event."""

    rule: Rule
    correlation: Correlation
    groups: dict[tuple[str, ...], list[tuple[int, int, str]]]

    def add(self, base_id: str, org: str, ts: int, line: int, fields: Fields) -> None:
        by = grouping(fields, self.correlation.names_for(base_id))
        value = counted(fields, self.correlation)
        if by is not None and value is not None:
            self.groups.setdefault((org, *by), []).append((ts, line, value))

    def hits(self) -> Iterator[tuple[int, list[int]]]:
        """(line of the event, lines of its whole trailing window) for each event whose window satisfies the condition."""
        for entries in self.groups.values():
            yield from _windows(sorted(set(entries)), self.correlation)


def _windows(entries: Iterable[tuple[int, int, str]], correlation: Correlation) -> Iterator[tuple[int, list[int]]]:
    window: deque[tuple[int, int, str]] = deque()
    values: Counter[str] = Counter()
    same_time: list[int] = []
    ordered = list(entries)
    for i, (ts, line, value) in enumerate(ordered):
        window.append((ts, line, value))
        values[value] += 1
        same_time.append(line)
        if i + 1 < len(ordered) and ordered[i + 1][0] == ts:
            continue  # events of the same instant share one window
        while window[0][0] <= ts - correlation.timespan_ms:
            gone = window.popleft()[2]
            values[gone] -= 1
            if not values[gone]:
                del values[gone]
        if (len(values) if correlation.counted else len(window)) >= correlation.at_least:
            for one in same_time:
                yield one, [entry[1] for entry in window]
        same_time.clear()
