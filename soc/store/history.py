"""Stored events once more, from the oldest day on, as the detector reads them."""

from __future__ import annotations

from itertools import count

from soc.buffer.base import READ_BYTES, Batch, Cursor
from soc.buffer.sqlite import EventLog, days
from soc.model.event import utc_day
from soc.model.org import Scope


class SqliteHistory:
    """`History` on the event log: the events of a scope and a time, day after day, each in the order of arrival.

    `since`, `until`: ms since 1970, the first inclusive, the second not. A day that is being written is read to where it is.
    `patience`: of so many batches in a row without an event of these, a read gives back an empty one that is `full`; None: it goes on.
    """

    def __init__(self, log: EventLog, scope: Scope, since: int, until: int, patience: int | None = None) -> None:
        self._patience = patience
        self._log, self._scope, self._since, self._until = log, scope, since, until
        first, last = utc_day(since), utc_day(until - 1)
        self._days = frozenset(day for day in days(log.directory) if first <= day <= last)

    def began(self) -> int | None:
        firsts = (self._log.first(day) for day in sorted(self._days))
        return next((max(first, self._since) for first in firsts if first is not None), None)

    def total(self) -> int:
        return sum(self._log.rows(day) for day in self._days)

    def done(self, cursor: Cursor) -> int:
        return sum(cursor.values())

    def read(self, cursor: Cursor, limit: int, max_bytes: int = READ_BYTES) -> Batch:
        for tried in count(1):
            batch = self._log.read(cursor, limit, max_bytes, self._days)
            kept = [e for e in batch.events if self._since <= e.ts < self._until and self._scope.allows(e.org)]
            cursor = batch.cursor
            if kept or not batch.full or tried == self._patience:
                break
        return Batch(tuple(kept), cursor, batch.full)

    def close(self) -> None:
        self._log.close()
