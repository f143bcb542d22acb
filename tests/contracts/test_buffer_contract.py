"""What every buffer must do. A new buffer adds a line to `BUFFERS` and passes unchanged.

Buffers are not stores: in front of Elasticsearch there is the same SQLite event log as without it.
"""

from __future__ import annotations

import random

import pytest

from soc.buffer.base import Buffer
from soc.buffer.sqlite import EventLog

DAY = 86_400_000
NOON = 1_772_452_800_000  # 2026-03-02T12:00:00Z

BUFFERS = {"sqlite": lambda tmp_path: EventLog(tmp_path / "events")}


@pytest.fixture(params=BUFFERS)
def buffers(request, tmp_path):
    """Opens the same buffer again each time it is called, as after a restart or in another process."""
    opened = []

    def open_() -> Buffer:
        opened.append(BUFFERS[request.param](tmp_path))
        return opened[-1]

    yield open_
    for buffer in opened:
        buffer.close()


def read_all(buffer: Buffer, cursor=None, limit=7):
    ids = []
    cursor = cursor or {}
    while (batch := buffer.read(cursor, limit)).events:
        assert len(batch.events) <= limit
        ids += [event.id for event in batch.events]
        cursor = batch.cursor
    return ids, cursor


def test_what_was_appended_is_read_once_by_another_reader(buffers, make_event):
    events = [
        make_event(NOON + i * 1000, str(i), url__path=f"/{i}", http__response__status_code=200) for i in range(20)
    ]
    assert buffers().append(events) == 20
    reader = buffers()
    ids, cursor = read_all(reader)
    assert ids == [event.id for event in events]
    assert reader.read(cursor, 10).events == ()
    assert reader.read({}, 1).events[0].event == events[0]


def test_the_same_event_again_is_not_stored_again(buffers, make_event):
    events = [make_event(NOON + i, str(i)) for i in range(10)]
    writer = buffers()
    writer.append(events[:6])
    assert writer.append(events) == 4
    assert buffers().append(list(reversed(events))) == 0
    assert sorted(read_all(buffers())[0]) == sorted(event.id for event in events)


def test_a_late_event_of_an_old_day_is_read_after_the_cursor_has_passed_it(buffers, make_event):
    writer, reader = buffers(), buffers()
    writer.append([make_event(NOON, "today")])
    _, cursor = read_all(reader)
    late = make_event(NOON - 3 * DAY, "late")
    writer.append([late])
    assert read_all(reader, cursor)[0] == [late.id]


def test_an_older_partition_is_read_before_a_newer_one(buffers, make_event):
    writer = buffers()
    new, old = make_event(NOON + DAY, "new"), make_event(NOON, "old")
    writer.append([new])
    writer.append([old])
    assert read_all(buffers())[0] == [old.id, new.id]


def test_undated_events_are_kept_too(buffers, make_event):
    dead = make_event(0, "dead", event__kind="pipeline_error")
    writer = buffers()
    assert writer.append([dead, dead]) == 1
    assert writer.append([dead]) == 0
    assert read_all(buffers())[0] == [dead.id]


def test_a_cursor_saved_at_any_point_goes_on_where_it_was(buffers, make_event):
    rng = random.Random(7)
    writer, reader = buffers(), buffers()
    seen, cursor, written = [], {}, []
    for step in range(30):
        events = [make_event(NOON + rng.randrange(-2, 3) * DAY + rng.randrange(1000), f"{step}.{i}") for i in range(5)]
        writer.append(events)
        written += events
        batch = reader.read(cursor, rng.randrange(1, 9))
        seen += [event.id for event in batch.events]
        cursor = dict(batch.cursor)
        if rng.random() < 0.3:
            reader = buffers()
    seen += read_all(reader, cursor)[0]
    assert sorted(seen) == sorted(event.id for event in written)


def test_text_comes_back_as_it_went_in(buffers, make_event):
    event = make_event(
        NOON, "1", message='Đăng ký "kết hôn" \x00 \\xff 😀', tags=["a", "b"], process__pid=7, error__code=None
    )
    buffers().append([event])
    assert buffers().read({}, 1).events[0].event.fields == event.fields
