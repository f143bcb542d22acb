"""Conversions that are joined by an id get what came late: requests of buckets that are closed, and answers to them.

Of a closed bucket it is kept which ids wait for an answer still, and which answers were to nothing that had been asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from detector.series.cells import Shelf
from detector.series.correct import MOST_CORRECTED
from detector.series.join import MOST_OPEN, Asked
from detector.series.meter import Meter, Reading

_ANSWERS = -1  # in the place of a slot: id -> times (ms) of answers to nothing


class Rejoin:
    """Of one board. `readings`: start and slot -> what it is now. What is unknown stays so, whatever comes for it."""

    def __init__(self, shelf: Shelf, meter: Meter, width: int, within_ms: int) -> None:
        self.readings: dict[tuple[int, int], Reading] = {}
        self._shelf, self._meter, self._width, self._within = shelf, meter, width, within_ms

    def take(self, asked: Iterable[Asked], answers: Iterable[tuple[bytes, int]]) -> int:
        """Requests of closed buckets, and answers that none of the open ones waits for. Returns how many requests were left out, because
        they are of more series than can be judged again at once."""
        slots: dict[int, list[Asked]] = {}
        for one in asked:
            slots.setdefault(one.slot, []).append(one)
        some = iter(slots.values())
        for requests in islice(some, MOST_CORRECTED):
            for one in requests:
                self._ask(one)
        for id_, ts in answers:
            self._answer(id_, ts)
        self._shelf.write()
        return sum(map(len, some))

    def _ask(self, one: Asked) -> None:
        start = one.ts - one.ts % self._width
        bucket = self._shelf.bucket(start)
        if bucket is None:
            return
        cell = bucket.get(one.slot, (start, [0, 0, {}]))[1]
        if any(self._fit(one.ts, ts) for at in self._near(one.ts) for ts in self._answers(at).get(one.id, ())):
            cell[0] += 1
        else:
            cell[2][one.id] = one.ts
        cell[1] += 1
        self._put(start, one.slot, cell)

    def _answer(self, id_: bytes, ts: int) -> None:
        for start in self._near(ts):
            for slot, (_, cell) in (self._shelf.bucket(start) or {}).items():
                if slot != _ANSWERS and id_ in cell[2] and self._fit(cell[2][id_], ts):
                    del cell[2][id_]
                    cell[0] += 1
                    self._put(start, slot, cell)
                    return
        start = ts - ts % self._width
        answers = self._answers(start)
        if self._shelf.bucket(start) is not None and len(answers) < MOST_OPEN:
            answers.setdefault(id_, []).append(ts)
            self._shelf.put(start, _ANSWERS, (start, answers))

    def _fit(self, asked: int, answered: int) -> bool:
        return abs(answered - asked) <= self._within

    def _put(self, start: int, slot: int, cell: list[Any]) -> None:
        self._shelf.put(start, slot, (start, cell))
        self.readings[start, slot] = self._meter.value(cell[:2])

    def _answers(self, start: int) -> dict[bytes, list[int]]:
        bucket = self._shelf.bucket(start) or {}
        found: dict[bytes, list[int]] = bucket.get(_ANSWERS, (start, {}))[1]
        return found

    def _near(self, ts: int) -> range:
        """The buckets in which there may be what belongs to an event of this time."""
        first = ts - self._within
        return range(first - first % self._width, ts + self._within + 1, self._width)
