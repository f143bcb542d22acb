"""How much a reader is given at once, the indexer's cursor, and retention that waits for all who read."""

from __future__ import annotations

import os

import pytest

from soc.buffer.progress import Progress
from soc.buffer.retention import expire, read_by_all
from soc.buffer.sqlite import EventLog

DAY = 86_400_000
START = 1_767_225_600_000  # 2026-01-01


@pytest.fixture
def log(tmp_path):
    log = EventLog(tmp_path / "events")
    yield log
    log.close()


def test_rows_beyond_the_room_wait_for_the_next_read(log, make_event):
    log.append([make_event(START + i, str(i), event__original="x" * 1000) for i in range(10)])
    read = log.read({}, 100, 3500)
    assert 2 <= len(read.events) <= 4
    assert read.full
    rest = log.read(read.cursor, 100)
    assert len(read.events) + len(rest.events) == 10
    assert not rest.full
    assert len(EventLog(log.directory).read({}, 100, 1).events) == 1, "always one, however long"


def test_progress_is_kept(tmp_path):
    first = Progress(tmp_path / "indexer.db")
    assert first.cursor() == {}
    first.save({"2026-01-01.a": 5, "2026-01-02.b": 7})
    first.save({"2026-01-02.b": 9})
    first.close()
    assert Progress(tmp_path / "indexer.db").cursor() == {"2026-01-02.b": 9}


def test_a_day_goes_only_when_every_reader_has_read_it(log, make_event):
    log.append([make_event(START + day * DAY + i, f"{day}/{i}") for day in (0, 1) for i in range(5)])
    for path in log.directory.glob("*.db"):
        os.utime(path, (1, 1))
    detector = log.read({}, 100).cursor
    indexer = EventLog(log.directory).read({}, 8).cursor

    def gone(*cursors: dict[str, int]) -> list[str]:
        return [day for day, _ in expire(log, keep_s=60, target_bytes=1 << 40, read_to=read_by_all(cursors))]

    assert gone(detector, {}) == [], "an indexer that has read nothing yet keeps everything"
    assert gone({}, indexer) == []
    assert gone(detector, indexer) == ["2026-01-01"]
    assert gone(indexer, detector) == []
    assert gone(detector, EventLog(log.directory).read(indexer, 100).cursor) == ["2026-01-02"]
