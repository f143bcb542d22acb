"""The event log on one machine: one SQLite file a day of event time.

The file, like the id, is a function of the event, so that a replay finds its duplicates whenever it happens. Row numbers within
a file are the order of arrival, and the cursor is one row number a file: a late event gets a row after the cursor of its own
day and is read like any other. Deleting a day is deleting its file; should the day come back, its file has another generation, which
is part of the partition's name, so that an old cursor does not hide its rows. Measurements: `docs/adr/0003-event-log.md`.

The same files are the event store of the embedded default (`soc/store/events.py`): an event is written once and searched where it lies.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import orjson

from soc.buffer.base import READ_BYTES, Batch, Cursor
from soc.buffer.database import connect, explain, migrate
from soc.errors import Busy
from soc.model.calendar import DAY_MS
from soc.model.event import Event, Stored, day_of

SCHEMA = (
    """
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        org TEXT NOT NULL,
        dataset TEXT NOT NULL,
        source_ip TEXT,
        doc TEXT NOT NULL
    );
    CREATE INDEX event_org ON event (org, id);
    CREATE INDEX event_dataset ON event (dataset, id);
    CREATE INDEX event_source_ip ON event (source_ip, id) WHERE source_ip IS NOT NULL;
    CREATE TABLE generation (number INTEGER NOT NULL);
    INSERT INTO generation VALUES (abs(random()));
    """,
    """
    ALTER TABLE event ADD COLUMN source TEXT NOT NULL DEFAULT '';
    ALTER TABLE event ADD COLUMN slot TEXT NOT NULL DEFAULT '';
    UPDATE event SET slot = substr(id, 1, 8), source = CASE json_type(doc, '$."govsoc.source.id"')
        WHEN 'text' THEN json_extract(doc, '$."govsoc.source.id"') ELSE '' END;
    DROP INDEX event_source_ip;
    CREATE INDEX event_source_ip ON event (slot, source_ip, id) WHERE source_ip IS NOT NULL;
    """,
)
_INSERT = "INSERT OR IGNORE INTO event (id, org, dataset, source, slot, source_ip, doc) VALUES "
_VALUES = "(?, ?, ?, ?, ?, ?, ?)"
_ROWS = 500  # a statement: a quarter cheaper than one by one, and other threads of the process run meanwhile
_READ = """SELECT seq, id, org, dataset, source, source_ip, CAST(doc AS BLOB) FROM event
    WHERE seq > ? ORDER BY seq LIMIT ?"""
SLOT_DIGITS = 8  # of an id: 65.5 s of event time, inside which addresses are sorted, so that new ones touch few pages
_PAGE_BYTES = 16 << 10  # with the cache, half the time in the kernel of 4 KiB and 2 MiB
_CACHE_BYTES = 4 << 20  # a file
_SUFFIXES = (".db", ".db-wal", ".db-shm")
_OPEN_FILES = 32
_SPACE_CHECK_S = 1.0
_RECHECK_S = 10.0


Row = tuple[str, str, str, str, str, str | None, str]  # in the order of _INSERT


def day_file(directory: Path, day: str) -> Path:
    return directory / f"{day}.db"


def days(directory: Path) -> list[str]:
    """The days that have a file, oldest first, `undated` last."""
    try:
        return sorted(entry.name[:-3] for entry in os.scandir(directory) if entry.name.endswith(".db"))
    except FileNotFoundError:
        return []


def event_of(row: Sequence[str]) -> Event:
    """A row of (id, org, dataset, doc)."""
    id_, org, dataset, doc = row
    return Event(id_, int(id_[:12], 16), org, dataset, orjson.loads(doc))


@dataclass(frozen=True, slots=True)
class _DayFile:
    db: sqlite3.Connection
    generation: int
    inode: int


class EventLog:
    """`Buffer` on SQLite. One process appends and deletes, from any of its threads; one thread an instance reads.

    `max_bytes` bounds the files together, `min_free_bytes` what is left on the disk: beyond either, `append` raises `Busy`.
    """

    def __init__(self, directory: Path, *, max_bytes: int = 1 << 62, min_free_bytes: int = 64 << 20) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._lock = threading.RLock()
        self._open: OrderedDict[str, _DayFile] = OrderedDict()
        self._space_checked_at = 0.0
        self._empty_at: dict[str, float] = {}  # day -> wall clock of the last read that found nothing new

    def append(self, events: Sequence[Event | Stored]) -> int:
        with self._lock:
            self._check_space()
            new = 0
            for day, group in _by_day(event if isinstance(event, Stored) else Stored.of(event) for event in events):
                new += self._append_day(day, [_row(event) for event in group])
            return new

    def read(
        self, cursor: Cursor, limit: int, max_bytes: int = READ_BYTES, only: Container[str] | None = None
    ) -> Batch:
        """As `Buffer.read`; `only`: of these days, None means all."""
        events: list[Stored] = []
        after = dict(cursor)
        room = max_bytes
        for day in self._changed_days():
            if only is not None and day not in only:
                continue
            started = time.time()
            partition, last, room = self._read_day(day, after, limit, room, events)
            if last is None:
                self._empty_at[day] = started
            else:
                after = {other: seq for other, seq in after.items() if other.partition(".")[0] != day}
                after[partition] = last
            if len(events) >= limit or room <= 0:
                break
        if events:  # an idle reader looks at the directory once, not twice
            kept = set(days(self.directory))
            after = {partition: seq for partition, seq in after.items() if partition.partition(".")[0] in kept}
        return Batch(tuple(events), after, len(events) >= limit or room <= 0)

    def has_unread(self, day: str, cursor: Cursor) -> bool:
        """Whether the day has events that a reader with this cursor has not read."""
        with self._lock:
            return self._read_day(day, cursor, 1, 1, [])[1] is not None

    def rows(self, day: str) -> int:
        """The number of the day's last row: at least as many as it has events, found at once."""
        with self._lock, self._file(day) as file:
            return int(file.db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])

    def first(self, day: str) -> int | None:
        """The time (ms) of the day's earliest event; None when it has none."""
        with self._lock, self._file(day) as file:
            id_ = file.db.execute("SELECT min(id) FROM event").fetchone()[0]
            return int(id_[:12], 16) if id_ else None

    def delete_if_read(self, day: str, cursor: Cursor) -> bool:
        """Delete the day's file unless it has events after the cursor. Readers that have it open notice by their next read."""
        with self._lock:  # nothing can be appended between the look and the deletion
            if self.has_unread(day, cursor):
                return False
            self.forget(day)
            for suffix in _SUFFIXES:
                (self.directory / f"{day}{suffix}").unlink(missing_ok=True)
            return True

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].db.close()

    def _append_day(self, day: str, rows: list[Row]) -> int:
        with self._file(day) as file:
            db = file.db
            before = db.total_changes
            db.execute("BEGIN IMMEDIATE")
            for start in range(0, len(rows), _ROWS):
                some = rows[start : start + _ROWS]
                db.execute(_INSERT + ", ".join([_VALUES] * len(some)), list(chain.from_iterable(some)))
            db.execute("COMMIT")
            return db.total_changes - before

    def _read_day(
        self, day: str, cursor: Cursor, limit: int, room: int, events: list[Stored]
    ) -> tuple[str, int | None, int]:
        """Add rows after the cursor; the day's partition, its last row read (None: there was none), and the room that is left."""
        with self._file(day) as file:
            partition, last = f"{day}.{file.generation:x}", None
            rows = file.db.execute(_READ, (cursor.get(partition, 0), limit - len(events)))
            for last, id_, org, dataset, source, ip, doc in rows:  # noqa: B007
                events.append(Stored(id_, int(id_[:12], 16), org, dataset, source, ip, doc))
                room -= len(doc)
                if room <= 0:
                    rows.close()
                    break
            return partition, last, room

    @contextmanager
    def _file(self, day: str) -> Iterator[_DayFile]:
        """The day's open file; after an error it is closed, which rolls back, and the next use opens it again."""
        try:
            yield self._opened(day)
        except sqlite3.Error as error:
            self.forget(day)
            raise explain(error, day_file(self.directory, day)) from error

    def _opened(self, day: str) -> _DayFile:
        if day in self._open:
            self._open.move_to_end(day)
            return self._open[day]
        if len(self._open) >= _OPEN_FILES:
            self._open.popitem(last=False)[1].db.close()
        path = day_file(self.directory, day)
        written_at = path.stat().st_mtime_ns if path.exists() else None
        db = connect(path, page_bytes=_PAGE_BYTES, cache_bytes=_CACHE_BYTES)
        if migrate(db, SCHEMA) and written_at is not None:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            os.utime(path, ns=(written_at, written_at))  # retention counts from the last write of events
        generation = db.execute("SELECT number FROM generation").fetchone()[0]
        file = self._open[day] = _DayFile(db, generation, path.stat().st_ino)
        return file

    def forget(self, day: str) -> None:
        """Close the file of a day."""
        with self._lock:
            if file := self._open.pop(day, None):
                file.db.close()

    def _changed_days(self) -> Iterator[str]:
        """Days that may have rows we have not read: a file untouched since well before we last found it empty has none.

        The margin of a second covers the grain of file times; every day is looked at again now and then all the same.
        """
        touched: dict[str, float] = {}
        try:
            for entry in os.scandir(self.directory):
                name, _, suffix = entry.name.partition(".")
                if suffix == "db" and name in self._open and self._open[name].inode != entry.inode():
                    self.forget(name)  # deleted, and there again
                if suffix in ("db", "db-wal"):
                    touched[name] = max(touched.get(name, 0.0), entry.stat().st_mtime)
        except FileNotFoundError:
            return
        now = time.time()
        for day in sorted(touched):
            empty_at = self._empty_at.get(day, 0.0)
            if touched[day] > empty_at - 1.0 or not 0 <= now - empty_at < _RECHECK_S:
                yield day

    def _check_space(self) -> None:
        if time.monotonic() - self._space_checked_at < _SPACE_CHECK_S:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.directory).free < self._min_free_bytes:
            raise Busy(
                f"less than {self._min_free_bytes >> 20} MiB are free on the disk of {self.directory}", retry_after_s=30
            )
        if size_bytes(self.directory) > self._max_bytes:
            raise Busy(
                f"the event log in {self.directory} has reached its limit of {self._max_bytes >> 20} MiB",
                retry_after_s=30,
            )
        self._space_checked_at = time.monotonic()


def size_bytes(directory: Path) -> int:
    """Bytes of all files of the log."""
    total = 0
    for entry in os.scandir(directory):
        try:
            total += entry.stat().st_size
        except FileNotFoundError:  # a WAL that was just folded into its file
            continue
    return total


def _by_day(events: Iterable[Stored]) -> Iterator[tuple[str, list[Stored]]]:
    """The events of each day, oldest day first, undated ones before all."""
    groups: dict[int, list[Stored]] = {}
    for event in events:
        number = event.ts // DAY_MS if event.ts else -1
        if number in groups:
            groups[number].append(event)
        else:
            groups[number] = [event]
    for number in sorted(groups):
        yield day_of(groups[number][0].id), groups[number]


def _row(event: Stored) -> Row:
    id_, _, org, dataset, source, source_ip, doc = event
    return id_, org, dataset, source, id_[:SLOT_DIGITS], source_ip, doc.decode()  # sqlite3 is slow to take bytes
