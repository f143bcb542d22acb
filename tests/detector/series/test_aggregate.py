"""Buckets close by the order of events alone: however they are read in portions, and wherever the state was written down and read again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from restarts import finally_read, read_in_portions
from streams import MINUTE, START, stored

from detector.series.aggregate import Aggregator
from detector.series.definition import Definition

SOURCES, KEYS = ("s1", "s2", "s3"), ("a", "b", "c", "")


def definition(name: str, measure: str, **more: object) -> Definition:
    base = {"name": name, "system": "xx", "titles": {"vi": "x", "en": "x"}, "dataset": "d", "measure": measure}
    return Definition.model_validate(base | more)


DEFINITIONS = {
    one.name: one
    for one in (
        definition("counted", "count", group_by=["key"]),
        definition("shares", "ratio", hit="ok:false", bucket="5m"),
        definition("steps", "conversion", where="key:a", hit="key:b"),
        definition("middle", "quantile", field="ms", quantile=0.5),
        definition("mean", "mean", field="ms"),
        definition("twice", "repeats", field="key"),
        definition("different", "distinct", field="key", group_by=["key", "ok"], max_series=3),
    )
}
events = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 20 * MINUTE), st.integers(-3 * 24 * 60 * MINUTE, 3 * 24 * 60 * MINUTE)),
        st.sampled_from(SOURCES), st.sampled_from(KEYS), st.booleans(), st.floats(0.1, 1e6),
    ),
    max_size=120,
)  # fmt: skip


def made(drawn: list) -> list:
    return [
        stored(START + at, n, "d", source=source, key=key or None, ok=ok, ms=ms)
        for n, (at, source, key, ok, ms) in enumerate(drawn)
    ]


def plain(closed: list) -> list:
    return [(one.board.definition.name, one.start, one.readings, sorted(one.late.items())) for one in closed]


@settings(max_examples=60, deadline=None)
@given(events, st.data())
def test_portions_and_restarts_change_nothing(drawn, data):
    stream = made(drawn)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=4))
    assert plain(read_in_portions(DEFINITIONS, stream, cuts)[0]) == plain(read_in_portions(DEFINITIONS, stream)[0])


@settings(max_examples=60, deadline=None)
@given(events)
def test_no_event_is_counted_twice_and_what_is_left_out_is_said(drawn):
    counted = DEFINITIONS["counted"]
    closed, aggregator, _ = read_in_portions({"counted": counted}, made(drawn))
    (board,) = list(aggregator.boards()) or [None]
    if board is None:
        assert not drawn
        return
    known = sum(reading[0] or 0 for reading in finally_read(closed).values())
    late = board.late.events
    still_open = sum(cell[1] for cells in board.cells.values() for cell in cells.values())
    assert known + late + still_open + board.lost <= len(drawn)


def test_a_definition_that_means_something_else_begins_anew():
    stream = made([(n * 1000, "s1", "a", True, 1.0) for n in range(300)])
    before = Aggregator({"counted": DEFINITIONS["counted"]})
    list(before.feed(stream[:200]))
    after = Aggregator({"counted": DEFINITIONS["counted"].model_copy(update={"where": "ok:true"})})
    after.load(before.dump())
    (board,) = after.boards()
    assert not board.slots
    closed = list(after.feed(stream[200:]))
    assert all(one.start >= stream[199].ts - MINUTE for one in closed)


def test_a_quiet_service_has_its_latency_taken_over_some_buckets():
    quiet = {"middle": DEFINITIONS["middle"]}
    stream = made([(n * 15_000, "s1", "a", True, float(n)) for n in range(120)])  # four a minute
    readings = [one.readings[0][1] for one in Aggregator(quiet).feed(stream) if one.readings]
    known = [value for value, _ in readings if value is not None]
    assert len(known) >= len(readings) // 3
    assert all(weight >= 10 for value, weight in readings if value is not None)
    assert known == sorted(known)
    rare = made([(n * 45_000, "s1", "a", True, float(n)) for n in range(60)])
    assert not [one for one in Aggregator(quiet).feed(rare) if one.readings and one.readings[0][1][0] is not None]


def test_a_bucket_speaks_only_of_series_that_are_there_when_it_is_closed():
    """One event closes many buckets of a rare series, and in one of them another series vanishes."""
    drawn = [(n * 600_000, "s1", "a", True, 1.0) for n in range(15 * 144)]
    drawn.insert(1, (1000, "s1", "b", True, 1.0))
    vanished = False
    for one in Aggregator({"counted": DEFINITIONS["counted"]}).feed(made(drawn)):
        for slot, _ in one.readings or []:
            assert one.board.keys[slot] is not None
        vanished = vanished or None in one.board.keys
    assert vanished


def test_a_line_from_years_ago_makes_no_bucket_of_each_minute_since():
    drawn = [(-4 * 365 * 1440 * MINUTE, "s1", "a", True, 1.0)]
    drawn += [(n * 1000, "s2", "a", True, 1.0) for n in range(300)]
    closed = list(Aggregator({"counted": DEFINITIONS["counted"]}).feed(made(drawn)))
    assert len(closed) < 20
    assert all(one.readings is None or one.start >= START for one in closed)


def test_one_sender_whose_clock_is_ahead_blinds_no_other():
    drawn = []
    for minute in range(120):
        drawn += [(minute * MINUTE + n * 1000, "good", "a", True, 1.0) for n in range(50)]
        drawn += [(minute * MINUTE + 7 * 60 * MINUTE + n * 1000, "ahead", "a", True, 1.0) for n in range(6)]
    aggregator = Aggregator({"counted": DEFINITIONS["counted"]})
    closed = [one for one in aggregator.feed(made(drawn)) if one.readings]
    (board,) = aggregator.boards()
    assert board.lost == 120 * 6, "what is left out is told"
    assert len(closed) > 100
    assert all(reading == (50.0, 50.0) for one in closed[2:] for _, reading in one.readings)


def test_a_line_too_late_for_anything_makes_no_series():
    aggregator = Aggregator({"counted": DEFINITIONS["counted"]})
    stream = [stored(START + n * 1000, n, "d", key="a") for n in range(300)]
    list(aggregator.feed([*stream, stored(START - 48 * 60 * MINUTE, 300, "d", key="b")]))
    (board,) = aggregator.boards()
    assert set(board.slots) == {("a",)}
    assert board.lost == 1


def test_more_sources_than_can_be_followed_make_nothing_unknown():
    aggregator = Aggregator({"counted": DEFINITIONS["counted"]})
    stream = [stored(START + n * 25, n, "d", source=f"s{n % 1200}", key="a") for n in range(30 * 2400)]
    closed = list(aggregator.feed(stream))
    assert [one.start for one in closed[5:] if one.readings is None] == []
