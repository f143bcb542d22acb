"""Conversions that are joined by an id get what came late: requests of buckets that are closed, and answers to them.

Of a closed bucket it is kept which ids were asked for and when, until they are answered, and which answers were to nothing that had been
asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detector.series.join import ANSWERED, MOST_ANSWERS, MOST_OPEN, Asked, counted
from detector.series.late.correct import MOST_CORRECTED
from detector.series.late.counted import Shelf
from detector.series.meter import Meter, Reading

_ANSWERS = -1  # in the place of a slot: id -> times (ms) of answers to nothing


class Rejoin:
    """Of one board; `since` (ms): nothing of before is changed any more. What is unknown stays so, whatever comes for it."""

    def __init__(self, shelf: Shelf, meter: Meter, width: int, within_ms: int, since: int) -> None:
        self._shelf, self._meter, self._width, self._within, self._since = shelf, meter, width, within_ms, since
        self._waiting: dict[bytes, list[tuple[int, int]]] = {}  # id -> where, in what was looked through
        self._looked_through: set[int] = set()
        self._slots: set[int] = set()
        self._touched: set[tuple[int, int]] = set()

    def take(self, asked: Iterable[Asked], answers: Iterable[tuple[bytes, int]]) -> int:
        """Requests of closed buckets, and answers that none of the open ones waits for. Returns how many requests, and answers to
        something, were left out: of unknown buckets, or of more ids, or series, than there is room for."""
        left_out = sum(not self._ask(one) for one in asked) + sum(not self._answer(id_, ts) for id_, ts in answers)
        self._shelf.write()
        return left_out

    def readings(self) -> dict[tuple[int, int], Reading]:
        """Start and slot -> what it is now."""
        return {at: self._meter.value(counted(self._ids(*at))) for at in self._touched}

    def _ask(self, one: Asked) -> bool:
        start, near = one.ts - one.ts % self._width, self._near(one.ts)
        ids = self._ids(start, one.slot)
        if self._shelf.bucket(start) is None or len(ids) >= MOST_OPEN or not self._room(one.slot):
            return False
        if any(one.id in self._ids(at, one.slot) for at in near):
            return True  # asked once more
        answers = (ts for at in near for ts in self._ids(at, _ANSWERS).get(one.id, ()))
        ids[one.id] = ANSWERED if any(self._fit(one.ts, ts) for ts in answers) else one.ts
        self._put(start, one.slot, ids)
        return True

    def _answer(self, id_: bytes, ts: int) -> bool:
        near = [start for start in self._near(ts) if start >= self._since and self._shelf.bucket(start) is not None]
        for start in near:
            self._look_through(start)
        for start, slot in self._waiting.get(id_, ()):
            ids = self._ids(start, slot)
            if self._fit(ids[id_], ts):
                if room := self._room(slot):
                    ids[id_] = ANSWERED
                    self._put(start, slot, ids)
                return room
        own = ts - ts % self._width
        for start in [own] if own in near else near:  # of an unknown bucket: where what it answers may be
            answers = self._ids(start, _ANSWERS)
            if len(answers) < MOST_OPEN and len(answers.get(id_, ())) < MOST_ANSWERS:
                answers.setdefault(id_, []).append(ts)
                self._shelf.put(start, _ANSWERS, (start, answers))
        return True

    def _look_through(self, start: int) -> None:
        if start in self._looked_through:
            return
        self._looked_through.add(start)
        for slot, (_, ids) in (self._shelf.bucket(start) or {}).items():
            for id_, at in ids.items() if slot != _ANSWERS else ():
                if at != ANSWERED:
                    self._waiting.setdefault(id_, []).append((start, slot))

    def _room(self, slot: int) -> bool:
        """Whether the series is one of those that are judged again."""
        if len(self._slots) < MOST_CORRECTED:
            self._slots.add(slot)
        return slot in self._slots

    def _fit(self, asked: int, answered: int) -> bool:
        return abs(answered - asked) <= self._within

    def _put(self, start: int, slot: int, ids: dict[bytes, int]) -> None:
        self._shelf.put(start, slot, (start, ids))
        self._touched.add((start, slot))

    def _ids(self, start: int, slot: int) -> dict[bytes, Any]:
        """As they are kept, or none."""
        ids: dict[bytes, Any] | None = self._shelf.entry(start, slot)[1]
        return {} if ids is None else ids

    def _near(self, ts: int) -> range:
        """The buckets in which there may be what belongs to an event of this time."""
        first = ts - self._within
        return range(first - first % self._width, ts + self._within + 1, self._width)
