"""What was counted in buckets that are closed, kept beside their rows for as long as late events may correct them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from soc.model.anomaly import Board as Place

Entry = tuple[
    int, Any
]  # the first bucket (ms) of those that are read together, and its own cell as written down; None: no event
Kept = Callable[[Place, int], bytes | None]


class Cells:
    """Of all boards. `kept`: what was committed of a bucket (start, ms); None: nothing, as it was unknown or is too long ago."""

    def __init__(self, kept: Kept = lambda _place, _start: None) -> None:
        self._kept = kept
        self._pending: dict[tuple[Place, int], bytes] = {}
        self._back: dict[Place, int] = {}

    def get(self, place: Place, start: int) -> dict[int, Entry] | None:
        """Slot -> entry; None where nothing is known of the bucket."""
        data = self._pending.get((place, start))
        if data is None and start < self._back.get(place, start + 1):
            data = self._kept(place, start)
        if data is None:
            return None
        return {slot: (start - before, cell) for slot, before, cell in msgspec.msgpack.decode(data)}

    def put(self, place: Place, start: int, entries: Mapping[int, Entry]) -> None:
        """An empty one, too: the bucket is known, and had no event."""
        written = [(slot, start - since, cell) for slot, (since, cell) in entries.items()]
        self._pending[place, start] = msgspec.msgpack.encode(written)

    def go_back(self, place: Place, to: int) -> None:
        """What was counted at or after this time was of a clock that was ahead."""
        self._back[place] = min(to, self._back.get(place, to))
        for key in [key for key in self._pending if key[0] == place and key[1] >= to]:
            del self._pending[key]

    def taken(self) -> Mapping[tuple[Place, int], bytes]:
        """What is to be committed; it is with `kept` from then on."""
        taken, self._pending, self._back = self._pending, {}, {}
        return taken


class Shelf:
    """Buckets of one board that are counted again."""

    def __init__(self, cells: Cells, place: Place) -> None:
        self._cells, self._place = cells, place
        self._buckets: dict[int, dict[int, Entry] | None] = {}
        self._changed: set[int] = set()

    def bucket(self, start: int) -> dict[int, Entry] | None:
        """As `Cells.get`; one and the same until it is written."""
        if start not in self._buckets:
            self._buckets[start] = self._cells.get(self._place, start)
        return self._buckets[start]

    def put(self, start: int, slot: int, entry: Entry) -> None:
        """Into a bucket that is known."""
        bucket = self.bucket(start)
        assert bucket is not None
        bucket[slot] = entry
        self._changed.add(start)

    def write(self) -> None:
        for start in self._changed:
            self._cells.put(self._place, start, self._buckets[start] or {})
