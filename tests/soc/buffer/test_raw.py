"""The event log read as text, the indexer's cursor, and retention that waits for all who read."""

from __future__ import annotations

import os

import orjson
import pytest

from soc.buffer.progress import Progress
from soc.buffer.raw import RawEventLog
from soc.buffer.retention import expire, read_by_all
from soc.buffer.sqlite import EventLog

DAY = 86_400_000
START = 1_767_225_600_000  # 2026-01-01


@pytest.fixture
def log(tmp_path):
    log = EventLog(tmp_path / "events")
    yield log
    log.close()


@pytest.fixture
def raw(tmp_path):
    raw = RawEventLog(tmp_path / "events")
    yield raw
    raw.close()


def test_it_reads_what_the_log_reads_in_the_same_order(log, raw, make_event):
    log.append([make_event(START + i % 3 * DAY + i, str(i), user__name="Đỗ Ánh") for i in range(50)])
    log.append([make_event(0, "undated")])
    cursor, rows = {}, []
    while (read := raw.read_rows(cursor, 7, 1 << 20)).rows:
        assert len(read.rows) <= 7
        cursor = read.cursor
        rows += read.rows
    batch = log.read({}, 1000)
    assert [row.id for row in rows] == [event.id for event in batch.events]
    assert [orjson.loads(row.doc) for row in rows] == [event.fields for event in batch.events]
    assert cursor == batch.cursor
    assert not read.full


def test_rows_beyond_the_room_wait_for_the_next_read(log, raw, make_event):
    log.append([make_event(START + i, str(i), event__original="x" * 1000) for i in range(10)])
    read = raw.read_rows({}, 100, 3500)
    assert 2 <= len(read.rows) <= 4
    assert read.full
    rest = raw.read_rows(read.cursor, 100, 1 << 20)
    assert len(read.rows) + len(rest.rows) == 10
    assert not rest.full
    assert len(raw.read_rows({}, 100, 1).rows) == 1, "always one, however long"


def test_what_arrives_later_is_found_also_in_a_day_that_was_read(log, raw, make_event):
    log.append([make_event(START, "1"), make_event(START + DAY, "2")])
    cursor = raw.read_rows({}, 100, 1 << 20).cursor
    assert raw.read_rows(cursor, 100, 1 << 20).rows == ()
    late = make_event(START + 1, "3")
    log.append([late])
    assert [row.id for row in raw.read_rows(cursor, 100, 1 << 20).rows] == [late.id]


def test_progress_is_kept(tmp_path):
    first = Progress(tmp_path / "indexer.db")
    assert first.cursor() == {}
    first.save({"2026-01-01.a": 5, "2026-01-02.b": 7})
    first.save({"2026-01-02.b": 9})
    first.close()
    assert Progress(tmp_path / "indexer.db").cursor() == {"2026-01-02.b": 9}


def test_a_day_goes_only_when_every_reader_has_read_it(log, raw, make_event):
    log.append([make_event(START + day * DAY + i, f"{day}/{i}") for day in (0, 1) for i in range(5)])
    for path in log.directory.glob("*.db"):
        os.utime(path, (1, 1))
    detector = log.read({}, 100).cursor
    indexer = raw.read_rows({}, 8, 1 << 20).cursor

    def gone(*cursors: dict[str, int]) -> list[str]:
        return [day for day, _ in expire(log, keep_s=60, target_bytes=1 << 40, read_to=read_by_all(cursors))]

    assert gone(detector, {}) == [], "an indexer that has read nothing yet keeps everything"
    assert gone({}, indexer) == []
    assert gone(detector, indexer) == ["2026-01-01"]
    assert gone(indexer, detector) == []
    assert gone(detector, raw.read_rows(indexer, 100, 1 << 20).cursor) == ["2026-01-02"]
