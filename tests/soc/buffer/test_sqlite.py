"""What is particular to the event log on SQLite: its limits, its retention, damage."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import orjson
import pytest

from soc.buffer.retention import expire
from soc.buffer.sqlite import SCHEMA, EventLog, day_file, days
from soc.errors import Busy, StoreUnavailable
from soc.model.event import Stored

DAY = 86_400_000
NOON = 1_772_452_800_000


def test_a_full_log_is_busy_and_stores_nothing(tmp_path, make_event):
    log = EventLog(tmp_path, max_bytes=1)
    log.append([make_event(NOON)])
    log = EventLog(tmp_path, max_bytes=1)
    with pytest.raises(Busy, match="limit"):
        log.append([make_event(NOON, "2")])
    with pytest.raises(Busy, match="free"):
        EventLog(tmp_path, min_free_bytes=1 << 60).append([make_event(NOON, "2")])
    assert len(EventLog(tmp_path).read({}, 9).events) == 1


def test_retention_deletes_whole_days_by_age_and_by_size(tmp_path, make_event):
    log = EventLog(tmp_path)
    for i in range(4):
        log.append([make_event(NOON + i * DAY, str(i), message="x" * 100_000)])
    read = log.read({}, 100).cursor
    unread = {partition: seq for partition, seq in read.items() if not partition.startswith("2026-03-02")}
    old = day_file(tmp_path, "2026-03-03")
    os.utime(old, (1, 1))
    now = day_file(tmp_path, "2026-03-02").stat().st_mtime
    assert expire(log, keep_s=3600, target_bytes=1 << 40, read_to=read, now=lambda: now) == [("2026-03-03", "age")]
    assert expire(log, keep_s=3600, target_bytes=1, read_to=unread, now=lambda: now) == [
        ("2026-03-04", "size"),
        ("2026-03-05", "size"),
    ]
    assert days(tmp_path) == ["2026-03-02"]
    assert not list(tmp_path.glob("2026-03-04*"))
    assert log.append([make_event(NOON + 2 * DAY, "again")]) == 1, "a deleted day may come back"


def test_retention_deletes_days_that_were_read_while_the_disk_is_nearly_full(tmp_path, make_event):
    log = EventLog(tmp_path)
    for i in range(3):
        log.append([make_event(NOON + i * DAY, str(i))])
    read = log.read({}, 100).cursor

    def gone(free, wanted):
        left = iter(free)
        return expire(
            log,
            keep_s=1e9,
            target_bytes=1 << 40,
            read_to=read,
            wanted_free_bytes=wanted,
            free=lambda folder: next(left) if folder == tmp_path else 0,
        )

    assert gone([100, 100, 100], 100) == []
    assert gone([10, 100, 100], 100) == [("2026-03-02", "disk")], "no more than is needed"
    log.append([make_event(NOON + 2 * DAY, "unread")])
    assert gone([10, 10], 100) == [("2026-03-03", "disk")]
    assert days(tmp_path) == ["2026-03-04"]


def test_a_damaged_day_is_named(tmp_path, make_event):
    log = EventLog(tmp_path)
    log.append([make_event(NOON)])
    log.close()
    day_file(tmp_path, "2026-03-02").write_bytes(b"not a database at all" * 500)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"2026-03-02.db{suffix}").unlink(missing_ok=True)
    with pytest.raises(StoreUnavailable, match=r"2026-03-02\.db is damaged"):
        EventLog(tmp_path).append([make_event(NOON, "2")])


def test_many_days_are_written_with_few_open_files(tmp_path, make_event):
    log = EventLog(tmp_path)
    events = [make_event(NOON + i * DAY, str(i)) for i in range(100)]
    assert log.append(events) == 100
    assert [event.id for event in log.read({}, 1000).events] == [event.id for event in events]
    assert len(log._open) <= 32


def test_a_deleted_day_that_comes_back_is_read_from_its_beginning(tmp_path, make_event):
    writer, reader = EventLog(tmp_path), EventLog(tmp_path)
    writer.append([make_event(NOON, str(i)) for i in range(5)])
    batch = reader.read({}, 10)
    assert writer.delete_if_read("2026-03-02", batch.cursor)
    late = make_event(NOON, "late")
    writer.append([late])
    assert writer.has_unread("2026-03-02", batch.cursor)
    assert [event.id for event in reader.read(batch.cursor, 10).events] == [late.id]
    after = EventLog(tmp_path).read(batch.cursor, 10)
    assert [event.id for event in after.events] == [late.id]
    assert len(after.cursor) == 1, "the old generation is forgotten"
    assert not writer.has_unread("2026-03-02", after.cursor)


def test_a_day_file_of_the_first_schema_is_brought_up_to_date_and_keeps_its_age(tmp_path, make_event):
    events = [make_event(NOON + i, str(i), source__ip="10.0.0.1") for i in range(3)]
    path = tmp_path / "2026-03-02.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SCHEMA[0] + "PRAGMA user_version=1;")
        rows = [(e.id, e.org, e.dataset, "10.0.0.1", orjson.dumps(e.fields).decode()) for e in events]
        db.executemany("INSERT INTO event (id, org, dataset, source_ip, doc) VALUES (?, ?, ?, ?, ?)", rows)
        db.commit()
    os.utime(path, (1_000_000, 1_000_000))
    log = EventLog(tmp_path)
    assert list(log.read({}, 9).events) == [Stored.of(event) for event in events]
    assert path.stat().st_mtime == 1_000_000
    assert log.append(events) == 0
    log.close()
