"""What comes late ends in the same readings as what comes in time, whatever is measured."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from restarts import finally_read, read_in_portions
from streams import MINUTE, START, stored
from test_aggregate import definition

from detector.series.aggregate import Aggregator
from detector.series.late import Counted, correct

MEASURES = {
    "count": {},
    "ratio": {"hit": "ok:false"},
    "conversion": {"where": "ok:true", "hit": "ok:false"},
    "quantile": {"field": "ms", "quantile": 0.5},
    "mean": {"field": "ms"},
    "repeats": {"field": "id"},
    "distinct": {"field": "id"},
}
MINUTES = 30
drawn_events = st.lists(
    st.tuples(
        st.integers(0, MINUTES * MINUTE - 1), st.sampled_from("ab"), st.booleans(), st.floats(0.1, 1e6), st.integers(0, 9),
        st.integers(0, 40) | st.just(0),
    ),
    min_size=20, max_size=250,
)  # fmt: skip
SILENT = range(12, 17)  # minutes in which no source speaks, where one is


def read(measure: str, drawn: list, seed: int | None, *, silent: bool) -> tuple[dict, int]:
    """Readings by bucket and key in the end, and how many events were lost. A source that speaks twice a minute, or twenty times where
    there is a silence, moves the time on. `seed`: of restarts; None: all comes in time, and in one go."""
    wanted = definition("tried", measure, group_by=["key"], **MEASURES[measure])
    events = [(START + key, key, stored(START + key, key, "d", key="ab"[key % 2], ok=True)) for key in range(2)]
    for n, (at, key, ok, ms, id_, late) in enumerate(drawn, 2):
        at += 2 * MINUTE  # the first bucket is not whole
        event = stored(START + at, n, "d", key=key, ok=ok, ms=ms, id=f"{id_}")
        events.append((START + at + (late * MINUTE if seed is not None else 0), n, event))
    gap = 3000 if silent else 30_000
    for n, at in enumerate([*range(START, START + (MINUTES + 70) * MINUTE, gap), START + SILENT.start * MINUTE - 1]):
        events.append((at, 1000 + n, stored(at, 1000 + n, "d", source="s1", key="clock")))
    stream = [
        event
        for _, _, event in sorted(events, key=lambda one: one[:2])
        if not silent or (event.ts - START) // MINUTE not in SILENT
    ]
    rng = Random(seed)
    cuts = [rng.randrange(len(stream)) for _ in range(4)] if seed is not None else []
    closed, aggregator, _ = read_in_portions({"tried": wanted}, stream, cuts)
    (board,) = aggregator.boards()
    return {
        (start, board.keys[slot]): reading for (_, start, slot), reading in finally_read(closed).items()
    }, board.lost


@pytest.mark.parametrize("measure", MEASURES)
@settings(max_examples=25, deadline=None)
@given(drawn_events, st.integers(0, 1000))
def test_late_or_in_time_is_the_same_in_the_end(measure, drawn, seed):
    in_time, lost = read(measure, drawn, None, silent=False)
    assert lost == 0
    assert read(measure, drawn, seed, silent=False) == (in_time, 0)


@pytest.mark.parametrize("measure", ["count", "quantile"])
@settings(max_examples=15, deadline=None)
@given(drawn_events, st.integers(0, 1000))
def test_late_or_in_time_is_the_same_in_the_end_around_what_is_unknown(measure, drawn, seed):
    in_time, _ = read(measure, drawn, None, silent=True)
    assert not [start for start, _ in in_time if (start - START) // MINUTE in SILENT]
    assert read(measure, drawn, seed, silent=True)[0] == in_time


def late_stream(minutes: int, behind_ms: int, key: str = "late") -> list:
    """One source in time, and one that is always behind, whose key no other has."""
    events = [
        (START + n * 1000, stored(START + n * 1000, n, "d", source="in time", key="a")) for n in range(minutes * 60)
    ]
    for n in range(minutes * 10):
        ts = START + n * 6000
        events.append((ts + behind_ms, stored(ts, 90_000 + n, "d", source="behind", key=key)))
    return [event for _, event in sorted(events, key=lambda one: one[0])]


def test_a_series_of_which_all_comes_late_is_there_and_only_its_beginning_is_lost():
    counts = {"counted": definition("counted", "count", group_by=["key"])}
    closed, aggregator, _ = read_in_portions(counts, late_stream(60, 110_000), [500, 1000, 2000])
    (board,) = aggregator.boards()
    found = finally_read(closed)
    whole = [found["counted", START + minute * MINUTE, board.slots["late",]][0] for minute in range(10, 50)]
    assert whole == [10.0] * 40
    assert board.lost <= 30


def test_a_series_of_which_all_comes_late_does_not_vanish(monkeypatch):
    monkeypatch.setattr("detector.series.board.VANISHED_MS", 20 * MINUTE)
    counts = {"counted": definition("counted", "count", group_by=["key"])}
    _, aggregator, _ = read_in_portions(counts, late_stream(60, 110_000))
    (board,) = aggregator.boards()
    assert ("late",) in board.slots


def test_late_events_of_an_unknown_bucket_are_said_to_be_lost():
    counts = {"counted": definition("counted", "count")}
    stream = [stored(START + n * 1000, n, "d", key="a") for n in range(1800) if n // 60 not in SILENT]
    late = [stored(START + 14 * MINUTE + n, 5_000 + n, "d", key="a") for n in range(7)]
    closed, aggregator, _ = read_in_portions(counts, [*stream[:-200], *late, *stream[-200:]])
    (board,) = aggregator.boards()
    assert board.lost == 7
    assert not [one for one in closed if one.late]


def test_no_more_series_are_judged_again_at_once_than_there_is_time_for(monkeypatch):
    monkeypatch.setattr(correct, "MOST_CORRECTED", 5)
    counts = {"counted": definition("counted", "count", group_by=["key"])}
    stream = [stored(START + n * 500, n, "d", key=f"k{n % 20}") for n in range(2400)]
    late = [stored(START + 5 * MINUTE + n, 5_000 + n, "d", key=f"k{n % 20}") for n in range(60)]
    closed, aggregator, _ = read_in_portions(counts, [*stream[:-200], *late, *stream[-200:]])
    (board,) = aggregator.boards()
    assert {slot for one in closed for _, slot in one.late} == {board.slots[f"k{n}",] for n in range(5)}
    assert board.lost == 45


def test_what_waits_to_be_added_when_a_definition_rests_is_lost_and_costs_nothing_later():
    counts = {"counted": definition("counted", "count", group_by=["key"])}
    asked: list[int] = []
    stream = [stored(START + n * 1000, n, "d", key="a") for n in range(1200)]
    before = Aggregator(counts, counted=Counted())
    list(before.feed([*stream, stored(START + 5 * MINUTE, 9_999, "d", key="a")]))
    saved = before.dump()
    for _, boards in saved.values():
        boards["counted"].append(True)  # it rested
    after = Aggregator(counts, counted=Counted(lambda _, start: asked.append(start)))
    after.load(saved)
    list(after.feed(stored(START + 30 * 1440 * MINUTE + n * 1000, 20_000 + n, "d", key="a") for n in range(1200)))
    (board,) = after.boards()
    assert board.lost == 1 + 4, "and until a month without anything is believed"
    assert not asked


def test_what_an_older_version_wrote_of_late_events_is_said_to_be_lost():
    wanted = {"tried": definition("tried", "ratio", hit="ok:false")}
    before = Aggregator(wanted, counted=Counted())
    list(before.feed(stored(START + n * 1000, n, "d", source="s1", ok=True) for n in range(500)))
    saved = before.dump()
    ((_, boards),) = saved.values()
    del boards["tried"][1]["behind"]
    boards["tried"][1]["late"] = [(START + 2 * MINUTE, 0, 1, 4)]
    after = Aggregator(wanted, counted=Counted())
    after.load(saved)
    (board,) = after.boards()
    assert board.lost == 4
