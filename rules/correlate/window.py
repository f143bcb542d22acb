"""What a trailing window comes to, for each type of correlation, and whether that is what the rule asks for.

The one definition: the engine that keeps state and the sweep over events at hand both move these windows over the same records.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Protocol

from rules.correlate.entries import ID_BYTES, Entries, time_of
from rules.rule import Correlation

NUMBER_BYTES = 12
UNIT = 10**6  # numbers are whole millionths, so that a sum never depends on its order
_LARGEST = 1 << 53  # integer that is shown as one
_ZERO = 1 << (8 * NUMBER_BYTES - 1)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


def packed_number(text: str) -> bytes | None:
    """A number as its millionths (rounded half to even), sorting as it does; None for what is no number or beyond 10^22."""
    try:
        units = int(Decimal(text).scaleb(6, _EXACT).to_integral_value(context=_EXACT))
        return (units + _ZERO).to_bytes(NUMBER_BYTES)
    except (InvalidOperation, OverflowError, ValueError):
        return None


class Window(Protocol):
    """`value`: what the records in it come to, as numerator and denominator; `since`: the time that all of them are later than."""

    def add(self, record: bytes) -> None: ...

    def remove(self, record: bytes) -> None: ...

    def value(self, since: int) -> tuple[int, int]: ...

    def holds(self, since: int) -> bool: ...


class _Asked:
    """The comparisons that a rule asks for, exact: over and under are whole numbers."""

    def __init__(self, correlation: Correlation) -> None:
        self._asks = [(_COMPARED[op], *Decimal(repr(number)).as_integer_ratio()) for op, number in correlation.asks]

    def value(self, since: int) -> tuple[int, int]:
        raise NotImplementedError

    def holds(self, since: int) -> bool:
        return self.met(*self.value(since))

    def met(self, over: int, under: int) -> bool:
        return all(compare(over * below, above * under) for compare, above, below in self._asks)


class Values(_Asked):
    """`value_count`: different values."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._counts = Counter[bytes]()

    def add(self, record: bytes) -> None:
        self._counts[record[ID_BYTES : ID_BYTES + 8]] += 1

    def remove(self, record: bytes) -> None:
        value = record[ID_BYTES : ID_BYTES + 8]
        if self._counts[value] <= 1:
            del self._counts[value]
        else:
            self._counts[value] -= 1

    def value(self, since: int) -> tuple[int, int]:  # noqa: ARG002
        return len(self._counts), 1


class Total(_Asked):
    """`value_sum` and `value_avg`."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._mean = correlation.type == "value_avg"
        self._total = self._events = 0

    def add(self, record: bytes) -> None:
        self._total += number_of(record)
        self._events += 1

    def remove(self, record: bytes) -> None:
        self._total -= number_of(record)
        self._events -= 1

    def value(self, since: int) -> tuple[int, int]:  # noqa: ARG002
        return self._total, UNIT * (max(self._events, 1) if self._mean else 1)


class Ranked(_Asked):
    """`value_percentile` (nearest rank: the smallest value that at least so many percent do not exceed) and `value_median` (the middle
    value, or the mean of both)."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._percentile = None if correlation.type == "value_median" else correlation.percentile
        self._sorted: list[int] = []

    def add(self, record: bytes) -> None:
        insort(self._sorted, number_of(record))

    def remove(self, record: bytes) -> None:
        del self._sorted[bisect_left(self._sorted, number_of(record))]

    def value(self, since: int) -> tuple[int, int]:  # noqa: ARG002
        values = self._sorted
        if self._percentile is None:
            return values[(len(values) - 1) // 2] + values[len(values) // 2], 2 * UNIT
        return values[max(1, -(-self._percentile * len(values) // 100)) - 1], UNIT


class Present(_Asked):
    """`temporal`: different rules, or which of them."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._counts = [0] * len(correlation.rules)
        self._terms = [[_places(correlation, names) for names in term] for term in correlation.terms]

    def add(self, record: bytes) -> None:
        self._counts[record[ID_BYTES]] += 1

    def remove(self, record: bytes) -> None:
        self._counts[record[ID_BYTES]] -= 1

    def value(self, since: int) -> tuple[int, int]:  # noqa: ARG002
        return len(self._counts) - self._counts.count(0), 1

    def holds(self, since: int) -> bool:
        if not self._terms:
            return super().holds(since)
        there = self._counts
        return any(all(there[i] for i in needs) and not any(there[i] for i in lacks) for needs, lacks in self._terms)


class Ordered(Present):
    """`temporal_ordered`: how many of the rules, in their order, follow each other; those of the same instant in whichever order fits."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._whole = _Chain(range(len(correlation.rules)))
        self._chains = [_Chain(needs) for needs, _ in self._terms]

    def add(self, record: bytes) -> None:
        super().add(record)
        for chain in self._chains or (self._whole,):
            chain.add(record[ID_BYTES], time_of(record))

    def value(self, since: int) -> tuple[int, int]:
        return max(chain.longest(since) for chain in self._chains or (self._whole,)), 1

    def holds(self, since: int) -> bool:
        if not self._terms:
            return _Asked.holds(self, since)
        there = self._counts
        return any(
            chain.longest(since) == len(needs) and not any(there[i] for i in lacks)
            for chain, (needs, lacks) in zip(self._chains, self._terms, strict=True)
        )


class _Chain:
    """Rules that follow each other. `_starts[n][i]`: the latest time at which a chain of n+1 rules that ends with the i-th can begin."""

    def __init__(self, places: Sequence[int]) -> None:
        self._index = {place: i for i, place in enumerate(places)}
        self._starts = [[-1] * len(places) for _ in places]
        self._now = -1
        self._seen: set[int] = set()  # rules of this very instant, whose order nobody knows

    def add(self, place: int, ts: int) -> None:
        i = self._index.get(place)
        if i is None:
            return
        if ts != self._now:
            self._settle()
            self._now, self._seen = ts, set()
        self._seen.add(i)

    def longest(self, since: int) -> int:
        self._settle()
        lengths = range(len(self._starts), 0, -1)
        return next((n for n in lengths if max(self._starts[n - 1]) > since), 0)

    def _settle(self) -> None:
        starts = self._starts
        for i in sorted(self._seen):
            starts[0][i] = self._now
            for n in range(1, i + 1):
                starts[n][i] = max(starts[n][i], max(starts[n - 1][:i]))


def number_of(record: bytes) -> int:
    return int.from_bytes(record[ID_BYTES : ID_BYTES + NUMBER_BYTES]) - _ZERO


def window_of(correlation: Correlation) -> Window | None:
    """An empty window; None where its number of events is all that matters."""
    kinds: dict[str, Callable[[Correlation], Window]] = {
        "value_count": Values,
        "value_sum": Total,
        "value_avg": Total,
        "value_percentile": Ranked,
        "value_median": Ranked,
        "temporal": Present,
        "temporal_ordered": Ordered,
    }
    kind = kinds.get(correlation.type)
    return kind(correlation) if kind else None


def _places(correlation: Correlation, names: Sequence[str]) -> list[int]:
    return [correlation.rules.index(name) for name in names]


class Slide:
    """The trailing window `(t - span, t]`, moved over the instants of `entries`: it holds those with low <= index < high."""

    __slots__ = ("_asked", "_entries", "_need", "_span", "_window", "high", "low", "now")

    def __init__(self, correlation: Correlation, entries: Entries, at: int) -> None:
        """The next instant is that of the record at index `at`."""
        self._entries = entries
        self._span = correlation.timespan_ms
        self._window = window_of(correlation)
        self._need = correlation.at_least
        self._asked = None if correlation.at_once else _Asked(correlation)
        self.now = entries.time(at)
        self.low = entries.after(self.now - self._span)
        self.high = entries.after(self.now - 1)
        if self._window is not None:
            for record in entries.between(self.low, self.high):
                self._window.add(record)

    def step(self, until: int) -> bool:
        """Move on to the next instant; False when there is none before `until`."""
        data, width, window = self._entries.data, self._entries.width, self._window
        at = self.high * width
        if at >= len(data):
            return False
        instant = data[at : at + 6]
        now = int.from_bytes(instant)
        if now >= until:
            return False
        while data[at : at + 6] == instant:
            if window is not None:
                window.add(bytes(data[at : at + width]))
            at += width
        self.high = at // width
        since = max(now - self._span, 0).to_bytes(6)
        at = self.low * width
        while data[at : at + 6] <= since:
            if window is not None:
                window.remove(bytes(data[at : at + width]))
            at += width
        self.low = at // width
        self.now = now
        return True

    @property
    def holds(self) -> bool:
        events = self.high - self.low
        if events < self._need:
            return False
        if self._window is not None:
            return self._window.holds(self.now - self._span)
        return self._asked is None or self._asked.met(events, 1)

    @property
    def size(self) -> int | float:
        """What the window comes to, to be shown."""
        if self._window is None:
            return self.high - self.low
        over, under = self._window.value(self.now - self._span)
        size = over // under if over % under == 0 else over / under
        return size if abs(size) <= _LARGEST else float(size)  # JSON holds no larger integers

    @property
    def weight(self) -> int:
        """About as many bytes of memory, but for the entries."""
        return 400 + (0 if self._window is None else 120 * (self.high - self.low))

    def forget(self, count: int) -> bool:
        """The oldest `count` entries are gone; whether none of them was in the window."""
        self.low -= count
        self.high -= count
        return self.low >= 0
