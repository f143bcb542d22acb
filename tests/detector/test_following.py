"""Tracks are made again of what is kept: not of all of it at once, and of two days where it is of another version."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from streams import MINUTE, START, stored
from structlog.testing import capture_logs

from detector.observe import Observer
from detector.rows import Rows
from detector.series.definition import Definition
from soc.model.anomaly import Board, pack
from soc.model.event import Stored
from soc.store.anomalies import SqliteAnomalies

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
HOUR, DAY = 60 * MINUTE, 1440 * MINUTE
CALLS = Definition.model_validate(
    {
        "name": "calls",
        "system": "xx",
        "titles": {"vi": "x", "en": "x"},
        "dataset": "d",
        "measure": "count",
        "bucket": "30m",
    }
)
PLACE = Board("calls", "a")


def events(since: int, until: int) -> list[Stored]:
    return [stored(ts, n, "d", org="a") for n, ts in enumerate(range(since, until, 5 * MINUTE))]


@pytest.fixture
def kept(tmp_path):
    kept = SqliteAnomalies(tmp_path)
    yield kept
    kept.close()


def begins(observer: Observer) -> int:
    """When the only track has seen its first value."""
    ((_, track),) = observer.tracks()
    point = track.scorer.step(START + 100 * DAY, None)
    assert point.ready is not None
    return point.ready - DAY


def test_rows_are_read_as_they_are_asked_for_and_what_is_new_goes_before():
    class Endless:
        def rows(self, board, since):
            for ts in range(since + 1, since + 4):
                yield ts, pack(float(ts), 1.0, 0.0, 0.0, 0.0, 0.0, False)
            raise AssertionError("all were read")

    rows = Rows(Endless())
    rows.put(PLACE, 2, pack(20.0, 1.0, 0.0, 0.0, 0.0, 0.0, False))
    found = rows.of_board(PLACE, 0)
    assert [next(found)[0].value for _ in range(2)] == [1.0, 20.0]
    rows.go_back(PLACE, 3)
    assert [one.value for one, _ in rows.of_board(PLACE, 0)] == [1.0, 20.0]
    rows.put(PLACE, 3, pack(30.0, 1.0, 0.0, 0.0, 0.0, 0.0, False))
    assert [one.value for one, _ in rows.of_board(PLACE, 0)] == [1.0, 20.0, 30.0]


def test_all_rows_are_read_in_whatever_parts(kept, monkeypatch):
    observer = Observer({"calls": CALLS}, ZONE, kept)
    observer.load()
    observer.feed(events(START, START + 5 * HOUR))
    kept.commit(observer.progress({}))
    whole = list(kept.rows(PLACE, 0))
    assert len(whole) > 6
    for size in (1, 3, len(whole)):
        monkeypatch.setattr("soc.store.anomalies._ROWS_AT_ONCE", size)
        assert list(kept.rows(PLACE, 0)) == whole


def test_what_is_of_another_version_is_learned_again_of_two_days_and_said(kept):
    end = START + 5 * DAY
    observer = Observer({"calls": CALLS}, ZONE, kept)
    observer.load()
    observer.feed(events(START, end))
    kept.commit(observer.progress({}))
    again = Observer({"calls": CALLS}, ZONE, kept)
    with capture_logs() as said:
        again.load()
    assert begins(again) == begins(observer) <= START + HOUR
    assert said == []
    with kept._db.write() as db:
        db.execute("UPDATE snapshot SET state = x'5431'")
    other = Observer({"calls": CALLS}, ZONE, kept)
    with capture_logs() as said:
        other.load()
    assert end - 2 * DAY - HOUR <= begins(other) <= end - 2 * DAY + HOUR
    assert [(one["event"], one["definition"], one["org"], one["series"]) for one in said] == [
        ("series learn anew", "calls", "a", 1)
    ]
    first = begins(other)
    late = stored(end + 50 * MINUTE, 9999, "d", org="a")
    other.feed([*events(end, end + 2 * HOUR), late, *events(end + 2 * HOUR, end + 4 * HOUR)])
    assert other.corrected == 1
    assert begins(other) == first, "what comes late finds the same"
