"""Searching the event log where it lies: the day files that the collector writes, newest day first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path

from soc.buffer.database import Database
from soc.buffer.sqlite import SCHEMA, SLOT_DIGITS, day_file, days, event_of
from soc.errors import NotFound
from soc.model.calendar import DAY_MS
from soc.model.event import UNDATED, Event, day_of, possible_ids
from soc.model.org import Scope
from soc.query.ast import Query
from soc.query.evaluate import predicate
from soc.store import sql
from soc.store.base import Page
from soc.store.cursor import below

Row = tuple[str, str, str, str]

_ROW = "SELECT id, org, dataset, doc FROM event"
_TIME_LIMIT_S = 5.0
_SLICE_DIGITS = SLOT_DIGITS - 1  # of an id: slices of 16 slots, 17.5 minutes
_SLICE_MS = 16 ** (12 - _SLICE_DIGITS)
_NEIGHBOUR_SPANS_MS = (10_000, 60_000, 600_000, 3_600_000)


class SqliteEvents:
    """`EventStore` on the SQLite event log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, Database] = {}
        self._lock = threading.Lock()

    def get(self, event_id: str, scope: Scope) -> Event:
        if found := self.many([event_id], scope):
            return found[0]
        raise NotFound(f"there is no event {event_id}, or its day has been deleted")

    def many(self, event_ids: Iterable[str], scope: Scope) -> list[Event]:
        found: list[Event] = []
        wanted = possible_ids(event_ids)
        for day, ids in groupby(wanted, key=_day_or_none):
            file = self._file(day) if day else None
            if file is None:
                continue
            batch = list(ids)
            with file.read() as db:
                for start in range(0, len(batch), 500):
                    some = batch[start : start + 500]
                    rows = db.execute(f"{_ROW} WHERE id IN ({','.join('?' * len(some))}) ORDER BY id", some)
                    found += [event_of(row) for row in rows if scope.allows(row[1])]
        return found

    def search(
        self,
        query: Query,
        scope: Scope,
        *,
        since: int | None = None,
        until: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Event]:
        low = "" if since is None else f"{max(since, 0):012x}"
        high = below(until, cursor)
        matches = predicate(query)
        deadline = time.monotonic() + _TIME_LIMIT_S
        found: list[Event] = []
        for start, rows in self._slices(query, scope, low, high):
            for row in rows:
                event = event_of(row)
                if matches(event.fields):
                    found.append(event)
                    if len(found) > limit:
                        return Page(tuple(found[:limit]), found[limit - 1].id)
            if time.monotonic() > deadline:
                return Page(tuple(found), start or None)
        return Page(tuple(found))

    def _slices(self, query: Query, scope: Scope, low: str, high: str) -> Iterator[tuple[str, Iterator[Row]]]:
        """Rows that may match, a slice of event time at a time, newest first, each slice with the id that it starts at."""
        orgs = None if scope.orgs is None else sorted(scope.orgs)
        for day in self._days_between(low, high):
            if not (file := self._file(day)):
                continue
            with file.read() as db:
                narrow, values = sql.where(query, db, dated=day != UNDATED)
                for start, end in _cut(day, low, high):
                    inside, bounds = _inside(start, end, orgs, by_address=sql.by_address(query))
                    yield start, db.execute(f"{_ROW} WHERE {inside} AND {narrow} ORDER BY id DESC", (*bounds, *values))

    def neighbours(self, event_id: str, scope: Scope, *, each_side: int = 10) -> tuple[list[Event], list[Event]]:
        event = self.get(event_id, scope)
        if event.ts == 0:  # undated: no order to be a neighbour in
            return [], []
        deadline = time.monotonic() + _TIME_LIMIT_S
        before: list[Event] = []
        after: list[Event] = []
        for span in _NEIGHBOUR_SPANS_MS:  # a busy log has them near; a quiet one is worth a longer look
            before = self._beside(event, f"{max(event.ts - span, 1):012x}", event.id, "DESC", each_side)
            after = self._beside(event, event.id + "0", f"{event.ts + span:012x}", "ASC", each_side)
            if min(len(before), len(after)) >= each_side or time.monotonic() > deadline:
                break
        return before[::-1], after

    def _beside(self, event: Event, low: str, high: str, order: str, limit: int) -> list[Event]:
        """Up to `limit` events of the same source with ids in [low, high), nearest first."""
        same = "org = ? AND source = ?"
        values = (low, high, event.org, event.fields.get("govsoc.source.id") or "")
        found: list[Event] = []
        days_ = list(self._days_between(low, high))
        for day in days_ if order == "DESC" else days_[::-1]:
            if file := self._file(day):
                with file.read() as db:
                    sought = f"{_ROW} WHERE id >= ? AND id < ? AND {same} ORDER BY id {order} LIMIT ?"
                    found += map(event_of, db.execute(sought, (*values, limit - len(found))))
            if len(found) >= limit:
                break
        return found

    def _days_between(self, low: str, high: str) -> Iterator[str]:
        """Days that may hold ids in [low, high), newest first, `undated` last."""
        dated = [day for day in days(self._directory) if day != UNDATED]
        for day in reversed(dated):
            start, end = _span(day)
            if f"{start:012x}" < high and f"{end:012x}" > low:
                yield day
        if low <= "0" * 12:
            yield UNDATED

    def _file(self, day: str) -> Database | None:
        """The database of a day, or None when there is none: reading never makes a file."""
        path = day_file(self._directory, day)
        with self._lock:
            if not path.exists():
                if gone := self._files.pop(day, None):
                    gone.close()
                return None
            if day not in self._files:
                self._files[day] = Database(path, SCHEMA)
            return self._files[day]


def _inside(start: str, end: str, orgs: list[str] | None, *, by_address: bool) -> tuple[str, list[str]]:
    """The condition, with its values, of the rows of a slice that belong to the organisations."""
    conditions, values = ["id >= ?", "id < ?"], [start, end]
    if orgs is not None:
        index = "+" if by_address else ""  # with the sign, the index of organisations is not used
        conditions.append(f"{index}org IN ({','.join('?' * len(orgs))})")
        values += orgs
    if by_address:  # its index begins with the slot
        prefix = start[:_SLICE_DIGITS].ljust(_SLICE_DIGITS, "0")
        conditions.append(f"slot IN ({','.join('?' * 16)})")
        values += [f"{prefix}{digit:x}" for digit in range(16)]
    return " AND ".join(conditions), values


def _span(day: str) -> tuple[int, int]:
    """First ms of a day, and of the next."""
    start = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000)
    return start, start + DAY_MS


def _cut(day: str, low: str, high: str) -> Iterator[tuple[str, str]]:
    """The bounds of the day's slices that touch [low, high), newest first."""
    if day == UNDATED:
        yield low, min(high, "000000000001")
        return
    first, last = _span(day)
    for at in range((last - 1) // _SLICE_MS * _SLICE_MS, first - _SLICE_MS, -_SLICE_MS):
        start, end = max(f"{max(at, first):012x}", low), min(f"{min(at + _SLICE_MS, last):012x}", high)
        if start < end:
            yield start, end


def _day_or_none(event_id: str) -> str | None:
    try:
        return day_of(event_id)
    except (ValueError, OverflowError):  # beyond the year 9999: no such event
        return None
