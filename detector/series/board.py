"""The series of one definition in one organisation: their open buckets, and what came too late for those that are closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from datasketches import hll_sketch

from detector.series.carry import MOST_TOGETHER, Few, carried, young
from detector.series.definition import Definition, Measure
from detector.series.join import Asked, Joined, joined_of
from detector.series.key import OTHER, Key, key_of
from detector.series.late import Corrected, Counted, Late
from detector.series.meter import Meter, Reading, meter_of
from soc.model.anomaly import Board as Place
from soc.model.calendar import DAY_MS
from soc.model.event import Fields
from soc.query.evaluate import predicate
from soc.query.parse import parse

VANISHED_MS = 14 * DAY_MS
NOTHING = Corrected({}, 0)


class Room:
    """How many series there may still be, all boards together."""

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0


class Closed(NamedTuple):
    """A bucket (start, ms) that is over. `readings`: slot and reading of each series; None: unknown, because the source was silent in
    it. `late`: bucket start and slot -> the reading of a bucket before, with what came for it after it was closed. `back`: no bucket; the
    clock had been ahead, and what was known from `start` on is void."""

    board: Board
    start: int
    readings: list[tuple[int, Reading]] | None
    late: dict[tuple[int, int], Reading]
    back: bool = False


class Board:
    """Times are ms. A series is a slot here; a slot that vanished is given to another one. `lateness_ms`: how late events may be to
    correct buckets that are closed; `counted`: what was counted in those; None: nothing corrects them."""

    def __init__(
        self, definition: Definition, org: str, room: Room, lateness_ms: int, counted: Counted | None = None
    ) -> None:
        self.definition, self.org = definition, org
        self.place = Place(definition.name, org)
        self.width = definition.bucket_ms
        self.meter: Meter = meter_of(definition)
        self.where = _where(definition)
        self.joined = joined_of(definition)
        self.keys: list[Key | None] = []
        self.slots: dict[Key, int] = {}
        self.heard: list[int] = []  # per slot: the newest bucket with an event
        self.born: list[int] = []  # per slot: its first bucket
        self.cells: dict[int, dict[int, Any]] = {}
        self.late = Late(counted, self.place, self.meter, self.width) if counted is not None else None
        self.few: dict[int, Few] = {}  # per slot
        self.closed_to = 0  # buckets that start before this are closed
        self.floor = 0  # where the clock went back to: what was before cannot be corrected any more
        self.merged_to = 0  # mergers before this have been followed; 0: it is not known
        self.lost = 0  # events that no bucket took
        self.idless = False  # whether something was asked without the id that it is joined by
        self.beyond: hll_sketch | None = None  # keys that had no room
        self._room, self._lateness = room, lateness_ms
        self._key = key_of(definition.group_by)

    def add(self, ts: int, fields: Fields) -> None:
        if self.where is not None and not self.where(fields):
            return
        start = ts - ts % self.width
        if self.joined is not None:
            self._add_joined(self.joined, start, ts, fields)
            return
        if start < self.closed_to:
            self._add_late(start, fields)
            return
        slot = self._slot(self._key(fields), start)
        cells = self.cells.get(start)
        if cells is None:
            cells = self.cells[start] = {}
        cell = cells.get(slot)
        if cell is None:
            cell = cells[slot] = self.meter.new()
            if start > self.heard[slot]:
                self.heard[slot] = start
        self.meter.add(cell, fields)

    def leave_out(self, fields: Fields) -> None:
        """An event whose time is not believed."""
        self.lost += self.where is None or self.where(fields)

    def close(self, known: bool) -> Closed:
        """The next bucket. `known`: its source spoke all through it."""
        start = self.closed_to
        self.closed_to = start + self.width
        close = self._close if self.joined is None else self._close_joined
        cells, late = close(start, known)
        self.lost += late.lost
        if known:
            return Closed(self, start, self._readings(start, cells), late.readings)
        self.few.clear()
        self.lost += self._asked(cells)
        return Closed(self, start, None, late.readings)

    def skip_to(self, start: int) -> None:
        """Nothing is known of the buckets before this."""
        self.closed_to = max(self.closed_to, start - start % self.width)
        for old in [one for one in self.cells if one < self.closed_to]:
            del self.cells[old]
        self.lost += self.late.drop() if self.late is not None else 0
        if self.joined is not None:
            self.lost += self._asked(self.joined.close(self.closed_to).cells)

    def go_back_to(self, ts: int) -> Closed:
        """The clock of the events was wrong, and is right now."""
        self.closed_to = self.floor = ts - ts % self.width
        self._drop_open()
        if self.late is not None:
            self.late.go_back(self.closed_to)
        self.heard = [min(one, self.closed_to) for one in self.heard]
        self.born = [min(one, self.closed_to) for one in self.born]
        return Closed(self, self.closed_to, None, {}, back=True)

    def vanish(self) -> None:
        """All series, of which nothing was heard for so long, and what is in open buckets with them."""
        for key, slot in list(self.slots.items()):
            self._vanish(slot, key)
        self._drop_open()

    @property
    def waits_to(self) -> int:
        """The time (ms) at which all that belongs to the next bucket has come."""
        return self.closed_to + self.width + self.definition.within_ms

    @property
    def correctable_from(self) -> int:
        """The first bucket (ms) that late events may still change."""
        return self._correctable(self.closed_to)

    @property
    def asked_from(self) -> int:
        """What was counted before this (ms) is not asked for any more: a bucket may be read together with some before it."""
        return self.correctable_from - max(MOST_TOGETHER * self.width, self.definition.within_ms + self.width)

    @property
    def empty(self) -> bool:
        """Whether nothing is known of open buckets."""
        return not self.cells and (self.joined is None or self.joined.empty)

    @property
    def keys_beyond(self) -> int:
        """About how many different keys had no room."""
        return round(self.beyond.get_estimate()) if self.beyond is not None else 0

    def put(self, slot: int, key: Key, born: int, heard: int) -> None:
        """Put a series back to where it was."""
        while len(self.keys) <= slot:
            self.keys.append(None)
            self.heard.append(0)
            self.born.append(0)
        self.keys[slot], self.heard[slot], self.born[slot] = key, heard, born
        self.slots[key] = slot
        self._room.taken += 1

    def dump(self) -> dict[str, Any]:
        cells = [
            (start, [(slot, self.meter.dump(cell)) for slot, cell in some.items()])
            for start, some in self.cells.items()
        ]
        beyond = bytes(self.beyond.serialize_updatable()) if self.beyond is not None else None
        slots = [(slot, key, self.born[slot], self.heard[slot]) for key, slot in self.slots.items()]
        few = [(slot, since, self.meter.dump(cell)) for slot, (since, cell) in self.few.items()]
        return {
            "few": few,
            "to": self.closed_to,
            "floor": self.floor,
            "merged": self.merged_to,
            "lost": self.lost,
            "cells": cells,
            "behind": self.late.dump() if self.late is not None else None,
            "joined": self.joined.dump() if self.joined is not None else [],
            "beyond": beyond,
            "slots": slots,
        }

    def load(self, saved: dict[str, Any]) -> None:
        for slot, key, born, heard in saved["slots"]:
            self.put(slot, tuple(key), born, heard)
        self.closed_to, self.lost, self.floor = saved["to"], saved["lost"], saved.get("floor", 0)
        self.merged_to = saved.get("merged", 0)
        self.cells = {start: {slot: self.meter.load(cell) for slot, cell in some} for start, some in saved["cells"]}
        self.few = {slot: (since, self.meter.load(cell)) for slot, since, cell in saved["few"]}
        if self.late is not None and saved.get("behind"):
            self.late.load(saved["behind"])
        self.lost += sum(events for *_, events in saved.get("late", ()))  # as an older version wrote them
        if self.joined is not None:
            self.joined.load(saved.get("joined", []))
        self.beyond = hll_sketch.deserialize(saved["beyond"]) if saved["beyond"] else None

    def _drop_open(self) -> None:
        self.cells.clear()
        self.few.clear()
        if self.late is not None:
            self.lost += self.late.drop()
        self.lost += self.joined.clear() if self.joined is not None else 0

    def _asked(self, cells: dict[int, Any]) -> int:
        """How many events there are in buckets that are thrown away, if they are of a joined board."""
        return sum(cell[1] for cell in cells.values()) if self.joined is not None else 0

    def _readings(self, start: int, cells: dict[int, Any]) -> list[tuple[int, Reading]]:
        meter, found = self.meter, []
        for slot, key in enumerate(self.keys):
            if key is None or start < self.born[slot]:
                continue
            cell = cells.get(slot)
            if cell is not None:
                found.append((slot, self._carried(slot, start, cell) if meter.carries else meter.value(cell)))
            elif start - self.heard[slot] > VANISHED_MS:
                self._vanish(slot, key)
            else:
                found.append((slot, meter.zero))
        return found

    def _carried(self, slot: int, start: int, cell: Any) -> Reading:
        reading, few = carried(self.meter, young(self.few.pop(slot, None), start, self.width), start, cell)
        if few is not None:
            self.few[slot] = few
        return reading

    def _correctable(self, closed_to: int) -> int:
        return max(closed_to - self._lateness, self.floor)

    def _close(self, start: int, known: bool) -> tuple[dict[int, Any], Corrected]:
        cells = self.cells.pop(start, {})
        if self.late is None:
            return cells, NOTHING
        corrected = self.late.correct(start, self.few)
        if known:
            self.late.keep(start, cells, self.few)
        return cells, corrected

    def _close_joined(self, start: int, known: bool) -> tuple[dict[int, Any], Corrected]:
        assert self.joined is not None
        since, over = self._correctable(start), self.joined.close(self.closed_to)
        if self.late is None:
            return over.cells, NOTHING
        if known:
            self.late.keep_joined(start, over)
        return over.cells, self.late.correct_joined(since, self.joined.within_ms, over.answers)

    def _add_joined(self, joined: Joined, start: int, ts: int, fields: Fields) -> None:
        id_ = joined.id_of(fields)
        if id_ is None:
            self.idless = self.idless or joined.asks(fields)
            return
        if not joined.asks(fields):
            counted = joined.answer(id_, ts)
        elif start < self.closed_to:
            slot = self._late_slot(start, fields)
            counted = self.late is not None and slot is not None and self.late.ask(Asked(id_, ts, slot))
        else:
            slot = self._slot(self._key(fields), start)
            self.heard[slot] = max(self.heard[slot], start)
            counted = joined.ask(id_, ts, slot)
        self.lost += not counted

    def _add_late(self, start: int, fields: Fields) -> None:
        slot = self._late_slot(start, fields)
        if self.late is None or slot is None:
            self.lost += 1
        else:
            self.late.add(start, slot, fields)

    def _late_slot(self, start: int, fields: Fields) -> int | None:
        """Of a bucket that is closed; None: too late for it. A series that is new begins with the open bucket."""
        if start < self.correctable_from:
            return None
        slot = self._slot(self._key(fields), self.closed_to)
        self.heard[slot] = max(self.heard[slot], start)
        return slot if start >= self.born[slot] else None

    def _slot(self, key: Key, start: int) -> int:
        slot = self.slots.get(key)
        if slot is not None:
            if self.closed_to <= start < self.born[slot]:  # a later bucket's event came first, and none is closed yet
                self.born[slot] = start
            return slot
        if key and (len(self.slots) >= self.definition.max_series or self._room.taken >= self._room.most):
            if self.beyond is None:
                self.beyond = hll_sketch(10)
            self.beyond.update("\0".join(key))
            key = OTHER
            if (slot := self.slots.get(key)) is not None:
                return slot
        slot = next((free for free, taken in enumerate(self.keys) if taken is None), len(self.keys))
        self.put(slot, key, start, start)
        return slot

    def _vanish(self, slot: int, key: Key) -> None:
        self.keys[slot] = None
        self.few.pop(slot, None)
        del self.slots[key]
        self._room.taken -= 1


def _where(definition: Definition) -> Callable[[Fields], bool] | None:
    """Which events a board looks at; None: all of its dataset."""
    if not definition.where.strip():
        return None
    where = predicate(parse(definition.where))
    if definition.measure is not Measure.CONVERSION:
        return where
    hit = predicate(parse(definition.hit or ""))
    return lambda fields: where(fields) or hit(fields)


def series_of(board: Board) -> Iterator[tuple[int, Key]]:
    return ((slot, key) for slot, key in enumerate(board.keys) if key is not None)
