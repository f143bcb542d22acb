"""What was counted in buckets that are closed, kept beside their rows for as long as late events may correct them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from soc.model.anomaly import Board as Place

# The first bucket (ms) of those that are read together, and what was counted in this one, as it is written down; None: no event.
Entry = tuple[int, Any]
Entries = dict[int, Entry]  # by slot


class Counted:
    """Of all boards. `committed`: what was committed of a bucket (start, ms); None: nothing, as it was unknown or is too long ago."""

    def __init__(self, committed: Callable[[Place, int], bytes | None] = lambda _place, _start: None) -> None:
        self._committed = committed
        self._pending: dict[tuple[Place, int], bytes] = {}
        self._back: dict[Place, int] = {}

    def get(self, place: Place, start: int) -> Entries | None:
        """None where nothing is known of the bucket."""
        data = self._pending.get((place, start))
        if data is None and start < self._back.get(place, start + 1):
            data = self._committed(place, start)
        if data is None:
            return None
        return {slot: (start - before, counted) for slot, before, counted in msgspec.msgpack.decode(data)}

    def put(self, place: Place, start: int, entries: Mapping[int, Entry]) -> None:
        """Empty ones, too: the bucket is known, and had no event."""
        written = [(slot, start - since, counted) for slot, (since, counted) in entries.items()]
        self._pending[place, start] = msgspec.msgpack.encode(written)

    def go_back(self, place: Place, to: int) -> None:
        """What was counted at or after this time was of a clock that was ahead."""
        self._back[place] = min(to, self._back.get(place, to))
        for key in [key for key in self._pending if key[0] == place and key[1] >= to]:
            del self._pending[key]

    def taken(self, asked_from: Mapping[Place, int]) -> Mapping[tuple[Place, int], bytes]:
        """What is to be committed; `asked_from`: nobody asks for buckets before that (ms) any more."""
        taken = {key: data for key, data in self._pending.items() if key[1] >= asked_from.get(key[0], 0)}
        self._pending, self._back = {}, {}
        return taken


class Shelf:
    """Buckets of one board that are counted again."""

    def __init__(self, counted: Counted, place: Place) -> None:
        self._counted, self._place = counted, place
        self._buckets: dict[int, Entries | None] = {}
        self._changed: set[int] = set()

    def bucket(self, start: int) -> Entries | None:
        """As `Counted.get`; one and the same until it is written."""
        if start not in self._buckets:
            self._buckets[start] = self._counted.get(self._place, start)
        return self._buckets[start]

    def entry(self, start: int, slot: int) -> Entry:
        """Of a bucket that is unknown, or without an event, an empty one."""
        return (self.bucket(start) or {}).get(slot, (start, None))

    def put(self, start: int, slot: int, entry: Entry) -> None:
        """Into a bucket that is known."""
        bucket = self.bucket(start)
        assert bucket is not None
        bucket[slot] = entry
        self._changed.add(start)

    def write(self) -> None:
        for start in self._changed:
            self._counted.put(self._place, start, self._buckets[start] or {})
