"""What came for the buckets of a board that are closed, until the next one is; and what is kept of each of them, to add it to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from detector.series.carry import Few, young
from detector.series.join import MOST_OPEN, Asked, Over
from detector.series.late.correct import Correction
from detector.series.late.counted import Counted, Entries, Shelf
from detector.series.late.rejoin import Rejoin
from detector.series.meter import Meter, Reading, events_of
from soc.model.anomaly import Board as Place
from soc.model.event import Fields


class Corrected(NamedTuple):
    """`readings`: bucket start and slot -> what it is now. `lost`: events that nothing was added to."""

    readings: dict[tuple[int, int], Reading]
    lost: int


class Late:
    """Times are ms."""

    def __init__(self, counted: Counted, place: Place, meter: Meter, width: int) -> None:
        self._counted, self._place, self._meter, self._width = counted, place, meter, width
        self._cells: dict[tuple[int, int], Any] = {}
        self._asked: list[Asked] = []

    @property
    def events(self) -> int:
        return events_of(self._meter, self._cells.values()) + len(self._asked)

    def add(self, start: int, slot: int, fields: Fields) -> None:
        cell = self._cells.get((start, slot))
        if cell is None:
            cell = self._cells[start, slot] = self._meter.new()
        self._meter.add(cell, fields)

    def ask(self, one: Asked) -> bool:
        """False: there is no room for it."""
        if room := len(self._asked) < MOST_OPEN:
            self._asked.append(one)
        return room

    def keep(self, start: int, cells: dict[int, Any], few: dict[int, Few]) -> None:
        """A bucket that is closed, before its values are taken together with those of the buckets before (`few`)."""
        since = {slot: one[0] for slot, one in few.items() if young(one, start, self._width)}
        entries: Entries = {slot: (first, None) for slot, first in since.items()}
        entries |= {slot: (since.get(slot, start), self._meter.dump(cell)) for slot, cell in cells.items()}
        self._counted.put(self._place, start, entries)

    def keep_joined(self, start: int, over: Over) -> None:
        self._counted.put(self._place, start, {slot: (start, ids) for slot, ids in over.ids.items()})

    def correct(self, end: int, few: dict[int, Few]) -> Corrected:
        """Up to the open bucket; `few` is what that goes on with, and is changed."""
        if not self._cells:
            return Corrected({}, 0)
        correction = Correction(Shelf(self._counted, self._place), self._meter, self._width, end)
        lost = correction.take(self._cells)
        self._cells = {}
        for slot, one in correction.few.items():
            few.pop(slot, None)
            if one is not None:
                few[slot] = one
        return Corrected(correction.readings, lost)

    def correct_joined(self, since: int, within_ms: int, answers: Sequence[tuple[bytes, int]]) -> Corrected:
        """From `since` on. `answers`: that nothing waits for in the buckets that are open."""
        if not self._asked and not answers:
            return Corrected({}, 0)
        rejoin = Rejoin(Shelf(self._counted, self._place), self._meter, self._width, within_ms, since)
        lost = rejoin.take(self._asked, answers)
        self._asked = []
        return Corrected(rejoin.readings(), lost)

    def drop(self) -> int:
        """Returns how many events are lost."""
        lost = self.events
        self._cells, self._asked = {}, []
        return lost

    def go_back(self, to: int) -> None:
        """The clock had been ahead."""
        self._counted.go_back(self._place, to)

    def dump(self) -> list[Any]:
        return [[(*at, self._meter.dump(cell)) for at, cell in self._cells.items()], self._asked]

    def load(self, saved: list[Any]) -> None:
        cells, asked = saved
        self._cells = {(start, slot): self._meter.load(cell) for start, slot, cell in cells}
        self._asked = [Asked(*one) for one in asked]
