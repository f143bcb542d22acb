"""Organisations that become one: the series of the one go on with what the parts were known for together."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from streams import MINUTE, START, stored

from detector.heir import heir
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


@pytest.mark.parametrize("restarted", [False, True])
def test_a_merge_is_followed_though_the_successor_is_silent_at_midnight(tmp_path, restarted):
    """As in a maintenance window: no bucket of it is closed at the time of the merge."""
    ended = [(DAY, "b")]
    kept = SqliteAnomalies(tmp_path)
    observer = Observer({"calls": CALLS}, ZONE, kept, merges=lambda org: ended if org == "a" else ())
    observer.load()
    before = [*calls("a", 20, START, 105), *calls("b", 30, START, 120)]
    observer.feed(sorted(before, key=lambda one: one.ts))
    kept.commit(observer.progress({}))
    if restarted:
        observer = Observer({"calls": CALLS}, ZONE, kept, merges=lambda org: ended if org == "a" else ())
        observer.load()
    observer.feed(calls("a", 50, DAY + 15 * MINUTE, 30))
    assert [track.inherited for series, track in observer.tracks() if series.board.org == "a"] == [True]
    kept.close()


@pytest.mark.parametrize("ends", [True, False])
def test_whom_it_took_over_from_gives_up_its_room(tmp_path, ends):
    """There is room for ten series, which another organisation had; of it nothing is heard any more."""
    by_key = CALLS.model_copy(update={"group_by": ("govsoc.k",), "bucket_ms": 60 * MINUTE})

    def of(org: str, hour: int) -> list[Stored]:
        at = START + hour * 60 * MINUTE
        return [stored(at + 6 * n * MINUTE, hour * 10 + n, "d", org=org, govsoc__k=f"k{n}") for n in range(10)]

    merges = {"a": [(START + 24 * 60 * MINUTE, "b")]} if ends else {}
    kept = SqliteAnomalies(tmp_path)
    observer = Observer({"calls": by_key}, ZONE, kept, merges=lambda org: merges.get(org, ()), most=10)
    observer.load()
    for hour in range(24):
        observer.feed(of("b", hour))
    for hour in range(24, 24 * 17):
        if (START // MINUTE // 60 + hour) % 24 < 2:  # it rests, and no bucket is closed then
            continue
        observer.feed(of("a", hour))
        if hour % 24 == 20:
            kept.commit(observer.progress({}))
    counts = {board.org: one.series for board, one in kept.counts(EVERYTHING).items()}
    assert counts == ({"a": 10, "b": 0} if ends else {"a": 1, "b": 10}), "with one of all that has no room"
    kept.close()


def test_a_merger_is_followed_once_though_the_clock_goes_back(tmp_path, monkeypatch):
    followed = []

    def counted(*what):
        followed.append(heir(*what))
        return followed[-1]

    monkeypatch.setattr("detector.following.heir", counted)
    ahead = [stored(START + 60 * MINUTE + 500, 50_000 + n, "d", org="a") for n in range(40)]
    parts = [*calls("a", 20, START, 240), *calls("b", 30, START, 120), *ahead]
    in_order = sorted(parts, key=lambda one: one.ts)
    jump = [one._replace(ts=DAY + 60 * MINUTE + n) if one in ahead else one for n, one in enumerate(in_order)]
    kept = SqliteAnomalies(tmp_path)
    observer = Observer({"calls": CALLS}, ZONE, kept, merges=lambda org: [(DAY, "b")] if org == "a" else ())
    observer.load()
    observer.feed(jump)
    assert len([one for one in followed if one is not None]) == 1
    kept.close()
