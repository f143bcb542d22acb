"""Organisations that become one: the series of the one go on with what the parts were known for together."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from streams import MINUTE, START, stored

from detector.observe import Observer
from detector.series.definition import Definition
from soc.model.anomaly import Board, Reading
from soc.model.event import Stored
from soc.model.org import EVERYTHING
from soc.store.anomalies import SqliteAnomalies

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = START + 120 * MINUTE  # of the merge
CALLS = Definition.model_validate(
    {"name": "calls", "system": "xx", "titles": {"vi": "x", "en": "x"}, "dataset": "d", "measure": "count"}
)


def calls(org: str, a_minute: int, since: int, minutes: int) -> list[Stored]:
    step = MINUTE // a_minute
    return [stored(since + n * step, n, "d", org=org) for n in range(minutes * a_minute)]


def observed(place, events: list[Stored], merges) -> tuple[SqliteAnomalies, Observer]:
    kept = SqliteAnomalies(place)
    observer = Observer({"calls": CALLS}, ZONE, kept, merges=merges)
    observer.load()
    observer.feed(sorted(events, key=lambda one: one.ts))
    kept.commit(observer.progress({}))
    return kept, observer


def first_since_the_merge(kept: SqliteAnomalies, org: str) -> Reading:
    (one,) = [known.series for known in kept.series(EVERYTHING) if known.series.board == Board("calls", org)]
    return kept.readings(one, DAY, DAY + 3 * MINUTE)[0]


@pytest.mark.parametrize("successor", ["c", "a"])
def test_the_successor_expects_the_sum_of_its_parts(tmp_path, successor):
    parts = [*calls("a", 20, START, 120), *calls("b", 30, START, 120)]
    ended = [(DAY, org) for org in ("a", "b") if org != successor]
    kept, live = observed(
        tmp_path, parts + calls(successor, 30, DAY, 30), lambda org: ended if org == successor else ()
    )
    reading = first_since_the_merge(kept, successor)
    assert reading.expected == pytest.approx(50, rel=0.1)
    assert reading.learning, "for 14 days, as everything may become otherwise"
    again = Observer({"calls": CALLS}, ZONE, kept)
    again.load()
    assert {one: track.dump() for one, track in again.tracks()} == {one: track.dump() for one, track in live.tracks()}
    kept.close()


@pytest.mark.parametrize(("successor", "knows"), [("c", 30), ("a", 20)])
def test_without_a_merge_it_expects_its_own(tmp_path, successor, knows):
    kept, _ = observed(tmp_path, calls("a", 20, START, 120) + calls(successor, 30, DAY, 30), lambda _: ())
    assert first_since_the_merge(kept, successor).expected == pytest.approx(knows, rel=0.1)
    kept.close()
