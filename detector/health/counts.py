"""How often each thing was asked for and failed: one row for each organisation, objective, and pair of who answered and who asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import orjson

from detector.health.burn import PERIOD_DAYS, WINDOWS
from detector.health.definition import Slo
from detector.health.rings import Ints, Ring
from soc.model.event import Event
from soc.model.service_level import OTHER

MINUTE_MS = 60_000
HOUR = 60
PERIOD_HOURS = PERIOD_DAYS * 24
AHEAD = 6 * HOUR  # minutes that an event may lie beyond what is decided; a clock that is wrong by more moves nothing
LATE = HOUR  # minutes that it may come late and still be counted to its minute
IN_MINUTES = 6 * HOUR  # windows up to here are exact to the minute
_BY_MINUTE = [window for window in WINDOWS if window <= IN_MINUTES]
_BY_HOUR = [window for window in WINDOWS if window > IN_MINUTES]
_NAME = 128  # letters of a name that are kept
_FOLDED = 16  # rows at a time that are counted together, to make room for others


class Key(NamedTuple):
    """What a row counts."""

    org: str
    slo: str
    upstream: str
    local: str


class Counts:
    """At most `rows` rows of names in all and `own` an organisation and objective; what is beyond is counted in one row more under `OTHER`,
    which each organisation may have of each objective.

    Names are what clients send, so nobody's may take the room of others: once there is none left, an organisation that has less than
    its fair share gets it from the one that has most, whose quietest rows are counted together from then on.
    """

    def __init__(self, slos: Sequence[Slo], rows: int, own: int) -> None:
        self._most, self._own = rows, own
        self._of_dataset: dict[str, list[Slo]] = {}
        for slo in slos:
            for dataset in slo.datasets:
                self._of_dataset.setdefault(dataset, []).append(slo)
        self.keys: list[Key | None] = []  # by row; None: free
        self.good_since: dict[str, int] = {}  # objective -> the first minute that had a good event, of any organisation
        self.ahead = 0  # events left out because they lie too far in the future
        self._rows: dict[Key, int] = {}
        self._free: list[int] = []
        self._held: Counter[tuple[str, str]] = Counter()  # rows by organisation and objective
        self._of_org: Counter[str] = Counter()  # rows of names by organisation,
        self._named_rows = 0  # and of all
        self._minutes = Ring(IN_MINUTES + LATE + AHEAD + 1)
        self._hours = Ring(PERIOD_HOURS + (LATE + AHEAD) // HOUR + 1)
        self._named = False  # whether rows have come or gone since `changes`

    @property
    def datasets(self) -> frozenset[str]:
        return frozenset(self._of_dataset)

    def observe(self, events: Sequence[Event], until: int | None) -> None:
        """Count them. `until`: the minute (since 1970) that event time has come to; None: that is not known."""
        found: Counter[tuple[Key, int, bool]] = Counter()
        for event in events:
            if not event.ts or (slos := self._of_dataset.get(event.dataset)) is None:
                continue
            minute = event.ts // MINUTE_MS
            if until is not None and minute > until + AHEAD:
                self.ahead += 1
                continue
            fields = event.fields
            for slo in slos:
                if slo.counts(fields):
                    key = Key(event.org, slo.name, _first(fields, slo.upstream), _first(fields, slo.local))
                    found[key, minute, slo.good(fields)] += 1
        if not found:
            return
        for key, minute, good in found:
            if good:
                self.good_since[key.slo] = min(minute, self.good_since.get(key.slo, minute))
        for key in dict.fromkeys(key for key, _, _ in found):
            self._place(key)  # all of them first: one may take the room of another
        cells = np.array(
            [(self._row(key), minute, n, 0 if good else n) for (key, minute, good), n in found.items()],
            dtype=np.int64,
        )
        rows, minutes, total, bad = cells.T
        self._minutes.add(rows, minutes, total, bad)
        self._hours.add(rows, minutes // HOUR, total, bad)

    def windows(self, until: int) -> tuple[Ints, Ints]:
        """Total and bad of each row in each of `WINDOWS` that ends with minute `until`, included. Those of a day and more begin with a
        whole hour, and so are up to an hour short."""
        rows = len(self.keys)
        by_minute = self._minutes.sums(_BY_MINUTE, until, rows)
        (this_hour,) = self._minutes.sums([until % HOUR + 1], until, rows)
        before = self._hours.sums([window // HOUR - 1 for window in _BY_HOUR], until // HOUR - 1, rows)
        both = np.stack(by_minute + [this_hour + hours for hours in before])
        return both[:, 0], both[:, 1]

    def period(self, until: int) -> tuple[Ints, Ints, Ints]:
        """Total and bad of each row in the period that ends with minute `until`, and the first hour that has any (-1: none)."""
        rows = len(self.keys)
        hours = self._hours.last(PERIOD_HOURS - 1, until // HOUR - 1, rows)
        (now,) = self._minutes.sums([until % HOUR + 1], until, rows)
        both = hours.sum(axis=0, dtype=np.int64) + now
        seen = hours[:, 0] > 0
        ago = np.where(seen.any(axis=0), len(hours) - np.argmax(seen[::-1], axis=0), 0)
        first = np.where(both[0] > 0, until // HOUR - ago, -1)
        return both[0], both[1], first

    def forget(self, until: int) -> None:
        """Free the rows of which nothing is left. Where an objective has no room any more, its quieter half is counted together, so
        that what is busy and new gets a row of its own."""
        used = self._hours.used(until // HOUR - PERIOD_HOURS, len(self.keys))
        for row in np.flatnonzero(~used).tolist():
            self._drop(row)
        for whose in [whose for whose, held in self._held.items() if held >= self._own]:
            own = [row for key, row in self._rows.items() if (key.org, key.slo) == whose]
            self._fold(own, self._own // 2)

    def drop(self, slos: Container[str]) -> None:
        """Forget all that was counted for these objectives."""
        for row, key in enumerate(self.keys):
            if key and key.slo in slos:
                self._drop(row)
        self.good_since = {name: minute for name, minute in self.good_since.items() if name not in slos}

    def were_good(self, until: int) -> set[str]:
        """The objectives that have a good event in the period that ends with minute `until`."""
        total, bad, _ = self.period(until)
        return {key.slo for key, good in zip(self.keys, (total > bad).tolist(), strict=True) if key and good}

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """Names and values as `load` takes them, of what changed since this was last asked; None: it is gone."""
        if self._named:
            self._named = False
            yield "rows", orjson.dumps([[key and tuple(key) for key in self.keys]])
        for name, ring in (("minute", self._minutes), ("hour", self._hours)):
            for step, dumped in ring.changes().items():
                yield f"{name}/{step}", dumped

    def load(self, parts: Mapping[str, bytes]) -> None:
        """Raises ValueError when it is not what `changes` gave."""
        keys, *_ = orjson.loads(parts.get("rows", b"[[]]"))
        self.keys = [Key(*key) if key else None for key in keys]
        self._rows = {key: row for row, key in enumerate(self.keys) if key}
        self._free = [row for row, key in enumerate(self.keys) if key is None]
        self._held = Counter((key.org, key.slo) for key in self._rows)
        self._of_org = Counter(key.org for key in self._rows if key.upstream != OTHER)
        self._named_rows = self._of_org.total()
        for name, dumped in parts.items():
            kind, _, step = name.partition("/")
            if kind in ("minute", "hour"):
                (self._minutes if kind == "minute" else self._hours).load(int(step), dumped)

    def _drop(self, row: int) -> None:
        if key := self.keys[row]:
            del self._rows[key]
            self._hold(key, -1)
            self._minutes.clear(row)
            self._hours.clear(row)
            self.keys[row], self._named = None, True
            self._free.append(row)

    def _row(self, key: Key) -> int:
        """Of its own, or the one of all that has none."""
        row = self._rows.get(key)
        return self._rows[_other(key)] if row is None else row

    def _place(self, key: Key) -> None:
        """See to it that this has a row: of its own where there is room."""
        if key in self._rows:
            return
        if key.upstream != OTHER and not self._has_room(key):
            key = _other(key)
            if key in self._rows:
                return
        self._named = True
        if self._free:
            row = self._free.pop()
            self.keys[row] = key
        else:
            row = len(self.keys)
            self.keys.append(key)
        self._rows[key] = row
        self._hold(key, 1)

    def _hold(self, key: Key, rows: int) -> None:
        self._held[key.org, key.slo] += rows
        if key.upstream != OTHER:
            self._of_org[key.org] += rows
            self._named_rows += rows

    def _has_room(self, key: Key) -> bool:
        if self._held[key.org, key.slo] >= self._own:
            return False
        if self._named_rows < self._most:
            return True
        orgs = sum(1 for held in self._of_org.values() if held) + (not self._of_org[key.org])
        fair = max(self._most // orgs, 1)
        if self._of_org[key.org] >= fair:
            return False
        biggest, held = max(self._of_org.items(), key=lambda one: (one[1], one[0]))
        if held > fair:
            own = [row for other, row in self._rows.items() if other.org == biggest]
            self._fold(own, min(_FOLDED, held - fair))
        return self._named_rows < self._most

    def _fold(self, rows: Sequence[int], count: int) -> None:
        """Count the quietest of these rows with the rest of their objective from now on, what they have so far included."""
        named = [(row, key) for row in rows if (key := self.keys[row]) and key.upstream != OTHER]
        events = self._hours.totals(len(self.keys))
        named.sort(key=lambda one: (events[one[0]], one[1]))
        for row, key in named[:count]:
            self._place(_other(key))
            for ring in (self._minutes, self._hours):
                ring.move(row, self._rows[_other(key)])
            self._drop(row)


def _other(key: Key) -> Key:
    return Key(key.org, key.slo, OTHER, OTHER)


def _first(fields: Mapping[str, object], names: Sequence[str]) -> str:
    """The first of these fields that has a text; empty: none has."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value and value != OTHER:
            return value[:_NAME]
    return ""
