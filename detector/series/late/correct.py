"""Buckets that are closed get what came late: they are counted again, and what that changes is read again.

A quantile may be of the values of some buckets together (`carry.py`), so that one late value can change how the next ones are grouped:
they are read again until it is as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from detector.series.carry import Few, carried, young
from detector.series.late.counted import Shelf
from detector.series.meter import Meter, Reading, events_of

MOST_CORRECTED = 500  # series of a board when a bucket is closed


class Correction:
    """Of one board, up to its open bucket (`end`, ms). `readings`: start and slot -> what it is now. `few`: what the open bucket goes on
    with, of series in which that is something else. What is unknown stays so, whatever comes for it."""

    def __init__(self, shelf: Shelf, meter: Meter, width: int, end: int) -> None:
        self.readings: dict[tuple[int, int], Reading] = {}
        self.few: dict[int, Few | None] = {}
        self._lost = 0
        self._shelf, self._meter, self._width, self._end = shelf, meter, width, end

    def take(self, late: Mapping[tuple[int, int], Any]) -> int:
        """Count the cells that came late, by bucket and slot; they are used up. Returns how many events were left out: of unknown buckets,
        or of more series than can be judged again at once."""
        by_slot: dict[int, dict[int, Any]] = {}
        for (start, slot), cell in late.items():
            by_slot.setdefault(slot, {})[start] = cell
        some = iter(by_slot.items())
        for slot, cells in islice(some, MOST_CORRECTED):
            while cells:
                self._again(slot, min(cells), cells)
        self._shelf.write()
        return self._lost + sum(events_of(self._meter, cells.values()) for _, cells in some)

    def _again(self, slot: int, start: int, late: dict[int, Any]) -> None:
        few = self._few_before(slot, start)
        while start < self._end:
            more, few = late.pop(start, None), young(few, start, self._width)
            if self._shelf.bucket(start) is None:
                self._lost += events_of(self._meter, () if more is None else (more,))
                return  # what follows an unknown bucket begins anew
            since, own = self._shelf.entry(start, slot)
            if more is None and few is None and since == start:
                return  # from here on all is as it was
            counted = self._both(own, more)
            if (entry := (few[0] if few is not None else start, counted)) != (since, own):
                self._shelf.put(start, slot, entry)
            if counted is None:
                self.readings[start, slot] = self._meter.zero
            else:
                self.readings[start, slot], few = carried(self._meter, few, start, self._meter.load(counted))
            start += self._width
        self.few[slot] = few

    def _both(self, own: Any, more: Any) -> Any:
        """As it is written down."""
        if more is None:
            return own
        return self._meter.dump(more if own is None else self._meter.join(self._meter.load(own), more))

    def _few_before(self, slot: int, start: int) -> Few | None:
        """What was too few in the buckets before this one to be read alone."""
        few: Few | None = None
        for at in range(self._shelf.entry(start, slot)[0], start, self._width):
            _, own = self._shelf.entry(at, slot)
            if own is not None:
                _, few = carried(self._meter, few, at, self._meter.load(own))
        return few
