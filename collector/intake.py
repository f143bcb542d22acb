"""From records to events on disk: parsed where they were read, written by one thread in groups."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import structlog

from collector.base import Record
from soc.buffer.base import Buffer
from soc.errors import Busy, SocError, StoreUnavailable
from soc.model.event import Stored
from soc.model.source import Source, SourceHealth

log = structlog.get_logger(__name__)

# Parses and masks; a record that cannot be parsed comes back as a dead letter, and nothing is raised for it. Each event is made
# ready for the disk at once: thousands of parsed documents would not fit into the processor's cache.
ToEvents = Callable[[Source, Sequence[Record]], list[Stored]]


# How long a failure says something about the next attempt. Without an end, a collector that nobody sends to any more because it
# was not ready would never be ready again.
_SHOWN_S = 10.0
_PIECE = 1500  # records parsed before they are handed to the writer
_REMEMBERED = 100_000  # events of refused submissions


class _Ticket:
    def __init__(self, events: list[Stored]) -> None:
        self.events = events
        self.done = threading.Event()
        self.error: Exception | None = None


class _Halfway:
    """Of refused submissions what was stored, so that it is not stored again: the log knows what it has, but not what was in a day that
    it has deleted since. The newest `_REMEMBERED` events."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        self._lock = threading.Lock()

    def add(self, events: Iterable[Stored]) -> None:
        with self._lock:
            self._ids.update((event.id, None) for event in events)
            for old in list(self._ids)[: max(len(self._ids) - _REMEMBERED, 0)]:
                del self._ids[old]

    def missing(self, events: list[Stored]) -> list[Stored]:
        if not self._ids:
            return events
        with self._lock:
            return [event for event in events if event.id not in self._ids]

    def settle(self, events: Iterable[Stored]) -> None:
        """All of these are stored now."""
        if self._ids:
            with self._lock:
                for event in events:
                    self._ids.pop(event.id, None)


class Intake:
    """Group commit: what several sources hand in while the disk is busy is written together, with one sync."""

    def __init__(
        self,
        buffer: Buffer,
        to_events: ToEvents,
        *,
        group: int = 4000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.appended = 0  # events written, and how many of them were new
        self.new = 0
        self._buffer = buffer
        self._to_events = to_events
        self._group = group
        self._clock = clock
        self._failed: tuple[float, str] | None = None  # when the last append did, and why
        self._waiting: deque[_Ticket] = deque()
        self._halfway = _Halfway()
        self._changed = threading.Condition()
        self._closed = False
        self._writer = threading.Thread(target=self._write, name="intake", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why nothing can be stored now, as far as the last attempt shows; for people."""
        failed = self._failed
        return failed[1] if failed and self._clock() - failed[0] < _SHOWN_S else None

    def start(self) -> None:
        self._writer.start()

    def close(self) -> None:
        """Write what was handed in, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._writer.join()

    def submit(self, source: Source, records: Sequence[Record]) -> list[Stored]:
        """The events, durable when it returns. Raises what `Buffer.append` raises; may be repeated: what of it was stored is not
        stored again.

        While one piece is being written the next is parsed: SQLite works without the interpreter's lock.
        """
        pieces = [records[start : start + _PIECE] for start in range(0, len(records), _PIECE)] or [records]
        tickets = [self._hand_in(_Ticket(self._to_events(source, piece))) for piece in pieces]
        for ticket in tickets:
            ticket.done.wait()
        if error := next((ticket.error for ticket in tickets if ticket.error), None):
            self._halfway.add(event for ticket in tickets if not ticket.error for event in ticket.events)
            raise error
        return [event for ticket in tickets for event in ticket.events]

    def _hand_in(self, ticket: _Ticket) -> _Ticket:
        with self._changed:
            if self._closed:
                raise StoreUnavailable("the collector is stopping")
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def _write(self) -> None:
        while tickets := self._next():
            error = self._append(tickets)
            if error and not isinstance(error, SocError) and len(tickets) > 1:
                for ticket in tickets:  # one of them is bad: the others must not suffer for it
                    ticket.error = self._append([ticket])
            else:
                for ticket in tickets:
                    ticket.error = error
            for ticket in tickets:
                ticket.done.set()

    def _next(self) -> list[_Ticket]:
        """Wait for tickets, and take as many as fit in a group; none once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            tickets: list[_Ticket] = []
            size = 0
            while self._waiting and (not tickets or size + len(self._waiting[0].events) <= self._group):
                tickets.append(self._waiting.popleft())
                size += len(tickets[-1].events)
            return tickets

    def _append(self, tickets: Sequence[_Ticket]) -> Exception | None:
        events = [event for ticket in tickets for event in ticket.events]
        try:
            self.new += self._buffer.append(self._halfway.missing(events))
        except Exception as error:  # noqa: BLE001 (each submitter gets it; the writer must go on)
            if isinstance(error, (Busy, StoreUnavailable)):
                self._failed = self._clock(), str(error)
            if not isinstance(error, Busy):
                log.warning("append_failed", error=type(error).__name__, events=len(events))
            return error
        self._failed = None
        self.appended += len(events)
        self._halfway.settle(events)
        return None


class Meter:
    """What one source has sent since the collector was started."""

    def __init__(self, source_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source_id = source_id
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._recent: deque[tuple[int, int, int]] = deque()  # (second, records, dead letters) of the last minute
        self._records = self._dead = self._refused = 0
        self._last_event: int | None = None
        self._last_received: int | None = None
        self._last_refused: int | None = None
        self._lag_ms: int | None = None
        self._dead_reason: str | None = None

    def count(self, events: Sequence[Stored], records: int, now_ms: int) -> None:
        second = int(self._clock())
        newest = max((event.ts for event in events), default=0)
        dead = sum(event.dead for event in events)
        reason = _reason(next(event for event in reversed(events) if event.dead)) if dead else None
        with self._lock:
            self._records += records
            self._dead += dead
            self._last_received = now_ms
            self._dead_reason = reason or self._dead_reason
            if newest:
                self._last_event = max(newest, self._last_event or 0)
                self._lag_ms = now_ms - newest
            if self._recent and self._recent[-1][0] == second:
                _, before, dead_before = self._recent.pop()
                records, dead = records + before, dead + dead_before
            self._recent.append((second, records, dead))

    def refuse(self, now_ms: int) -> None:
        """A request came with a token of this source that is not valid."""
        with self._lock:
            self._refused += 1
            self._last_refused = now_ms

    def health(self, problem: str | None) -> SourceHealth:
        now = self._clock()
        with self._lock:
            while self._recent and self._recent[0][0] < int(now) - 59:
                self._recent.popleft()
            span_s = min(60.0, max(1.0, now - self._began))
            rate = sum(records for _, records, _ in self._recent) / span_s
            dead_rate = sum(dead for _, _, dead in self._recent) / span_s
            return SourceHealth(
                source_id=self._source_id,
                last_event=self._last_event,
                last_received=self._last_received,
                records=self._records,
                dead=self._dead,
                rate=round(rate, 3),
                problem=problem,
                dead_rate=round(dead_rate, 3),
                dead_reason=self._dead_reason,
                lag_ms=self._lag_ms,
                refused=self._refused,
                last_refused=self._last_refused,
            )


def _reason(dead: Stored) -> str:
    """Why a dead letter could not be parsed; it never repeats the line."""
    return str(dead.event.fields.get("error.message", ""))[:500]
