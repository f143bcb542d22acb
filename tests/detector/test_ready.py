"""When a series that is learning may call somebody."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from detector.heir import heir
from detector.ready import ready_of
from detector.series.definition import Definition
from detector.series.meter import meter_of
from detector.track import Track
from soc.model.anomaly import Board, Reading, Series
from soc.model.calendar import DAY_MS

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = 1_772_452_800_000
HOUR_MS = 3_600_000
OLD = Series(Board("calls", "a"), (), 0, NOW - 100 * DAY_MS)
CALLS = Definition.model_validate(
    {
        "name": "calls",
        "system": "xx",
        "titles": {"vi": "x", "en": "x"},
        "dataset": "d",
        "measure": "count",
        "bucket": "1h",
    }
)


class Kept:
    """Of one series: its newest snapshot."""

    def __init__(self, *snapshot: object) -> None:
        self._snapshot = snapshot

    def snapshot(self, series: str, before: int):
        return self._snapshot or None


def learned(since: int, hours: int) -> tuple[Track, int]:
    track = Track(CALLS, meter_of(CALLS), ZONE)
    for n in range(hours):
        track.step(CALLS, since + n * HOUR_MS, 100.0, 100.0, 0.0)
    return track, since + (hours - 1) * HOUR_MS


def ready(series: Series, ts: int, kept: Kept, *, learning: bool = True) -> int | None:
    return ready_of(CALLS, ZONE, series, Reading(ts, 1.0, 1.0, 1.0, 0.0, 2.0, 0.0, learning), kept)


def test_of_a_new_series_from_its_birth():
    young = Series(OLD.board, (), 0, NOW - HOUR_MS)
    assert ready(young, NOW, Kept()) == young.born + 14 * DAY_MS
    assert ready_of(CALLS, ZONE, young, None, Kept()) == young.born + 14 * DAY_MS


def test_of_one_that_learns_anew_from_there():
    track, ts = learned(NOW - 2 * DAY_MS, 48)
    assert ready(OLD, ts, Kept(ts, track.dump())) == NOW + 12 * DAY_MS
    assert ready(OLD, ts, Kept(ts, b"T1")) is None, "of another version: not known yet"
    assert ready(OLD, ts, Kept()) is None, "never a day that is over"


def test_after_a_takeover_from_there():
    track, ts = learned(NOW - 30 * DAY_MS, 30 * 24)
    successor = heir(CALLS, meter_of(CALLS), ZONE, [track, track])
    assert successor is not None
    assert ready(OLD, NOW, Kept(ts, successor.dump())) == ts + 14 * DAY_MS


def test_who_is_watched_has_no_such_day_nor_who_has_not_begun():
    assert ready(OLD, NOW, Kept(), learning=False) is None
    assert ready(OLD, NOW, Kept(NOW, Track(CALLS, meter_of(CALLS), ZONE).dump())) is None
