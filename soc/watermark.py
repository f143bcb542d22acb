"""Watermark: how far event time has come."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from soc.model.event import Stored


class Watermark:
    """How far event time has come: the least advanced of the sources that are active.

    A source that was silent for `idle_s` while the detector had nothing to do is left out until it speaks again, so that
    neither a dead source nor an old log being replayed makes the others' events late. While none is active, event time is that of
    the clock, and it is never ahead of it.
    """

    def __init__(self, lateness_ms: int, idle_s: float) -> None:
        self._lateness_ms = lateness_ms
        self._idle_s = idle_s
        self._newest: dict[str, int] = {}
        self._idle: dict[str, float] = {}

    def load(self, saved: bytes | None) -> None:
        self._newest = orjson.loads(saved) if saved else {}
        self._idle = {}

    def dump(self) -> bytes:
        return orjson.dumps(self._newest)

    def observe(self, events: Sequence[Stored]) -> int:
        """Take note of a batch; return how many of its events are later than allowed."""
        late = 0
        newest = self._newest
        for event in events:
            if not event.ts:
                continue
            source = event.source
            known = newest.get(source, 0)
            if event.ts > known:
                newest[source] = event.ts
            elif event.ts < known - self._lateness_ms:
                late += 1
            self._idle.pop(source, None)
        return late

    def rest(self, seconds: float) -> None:
        """The detector was idle for this long."""
        for source in list(self._newest):
            self._idle[source] = self._idle.get(source, 0.0) + seconds
            if self._idle[source] >= self._idle_s:
                del self._newest[source], self._idle[source]

    def time(self, now: int) -> int:
        """No event before this (ms) is expected. `now`: ms, the clock."""
        return min([now, *self._newest.values()]) - self._lateness_ms

    @property
    def newest(self) -> int:
        """How far the most advanced of the active sources is (ms); 0 where there is none."""
        return max(self._newest.values(), default=0)

    def before(self, events: Sequence[Stored], now: int) -> int:
        """As `time`, when these events came: sources that speak for the first time, or again, are as far as their first event."""
        first: dict[str, int] = {}
        for event in events:
            if event.ts and event.source not in self._newest:
                first.setdefault(event.source, event.ts)
        return min([now, *self._newest.values(), *first.values()]) - self._lateness_ms
