"""Searching the event log where it lies: the day files that the collector writes, newest day first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path

from soc.buffer.database import Database
from soc.buffer.sqlite import SCHEMA, day_file, days, event_of
from soc.errors import NotFound, QueryError
from soc.model.event import UNDATED, Event, day_of
from soc.model.org import Scope
from soc.query.ast import Query
from soc.query.evaluate import predicate
from soc.store import sql
from soc.store.base import Page

_ROW = "SELECT id, org, dataset, doc FROM event"
_TIME_LIMIT_S = 5.0
_DAY_MS = 86_400_000
_NEIGHBOUR_SPAN_MS = 3_600_000
_HEX = frozenset("0123456789abcdef")


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
        wanted = sorted(i for i in set(event_ids) if len(i) == 32 and set(i) <= _HEX)
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
        high = _high(until, cursor)
        matches = predicate(query)
        deadline = time.monotonic() + _TIME_LIMIT_S
        found: list[Event] = []
        for row in self._rows(query, scope, low, high):
            event = event_of(row)
            if matches(event.fields):
                found.append(event)
                if len(found) > limit:
                    return Page(tuple(found[:limit]), found[limit - 1].id)
            if time.monotonic() > deadline:
                return Page(tuple(found), event.id)
        return Page(tuple(found))

    def _rows(self, query: Query, scope: Scope, low: str, high: str) -> Iterator[tuple[str, str, str, str]]:
        """Rows that may match, newest first: a day's file is opened when its turn comes."""
        orgs = None if scope.orgs is None else sorted(scope.orgs)
        inside = "1" if orgs is None else f"org IN ({','.join('?' * len(orgs))})"
        for day in self._days_between(low, high):
            if file := self._file(day):
                with file.read() as db:
                    narrow, values = sql.where(query, db)
                    statement = f"{_ROW} WHERE id >= ? AND id < ? AND {inside} AND {narrow} ORDER BY id DESC"
                    yield from db.execute(statement, (low, high, *(orgs or ()), *values))

    def neighbours(self, event_id: str, scope: Scope, *, each_side: int = 10) -> tuple[list[Event], list[Event]]:
        event = self.get(event_id, scope)
        if event.ts == 0:  # undated: no order to be a neighbour in
            return [], []
        source = event.fields.get("govsoc.source.id")
        file = self._file(day_of(event_id))
        if file is None:
            return [], []
        span = (f"{max(event.ts - _NEIGHBOUR_SPAN_MS, 0):012x}", f"{event.ts + _NEIGHBOUR_SPAN_MS:012x}")
        same = "org = ? AND json_extract(doc, '$.\"govsoc.source.id\"') IS ?"
        with file.read() as db:
            earlier = db.execute(
                f"{_ROW} WHERE id < ? AND id >= ? AND {same} ORDER BY id DESC LIMIT ?",
                (event_id, span[0], event.org, source, each_side),
            ).fetchall()
            later = db.execute(
                f"{_ROW} WHERE id > ? AND id < ? AND {same} ORDER BY id LIMIT ?",
                (event_id, span[1], event.org, source, each_side),
            ).fetchall()
        return [event_of(row) for row in reversed(earlier)], [event_of(row) for row in later]

    def _days_between(self, low: str, high: str) -> Iterator[str]:
        """Days that may hold ids in [low, high), newest first, `undated` last."""
        dated = [day for day in days(self._directory) if day != UNDATED]
        for day in reversed(dated):
            start = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000)
            if f"{start:012x}" < high and f"{start + _DAY_MS:012x}" > low:
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


def _day_or_none(event_id: str) -> str | None:
    try:
        return day_of(event_id)
    except (ValueError, OverflowError):  # beyond the year 9999: no such event
        return None


def _high(until: int | None, cursor: str | None) -> str:
    if cursor is not None and not (0 < len(cursor) <= 32 and set(cursor) <= _HEX):
        raise QueryError("the cursor is not one that this service gave: start again without it")
    bounds = [bound for bound in (cursor, None if until is None else f"{max(until, 0):012x}") if bound is not None]
    return min(bounds, default="g")  # "g" sorts after every hex digit
