"""Buckets close by the order of events alone: however they are read in portions, and wherever the state was written down and read again."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
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
    whole = plain(Aggregator(DEFINITIONS).feed(stream))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    aggregator, found = Aggregator(DEFINITIONS), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += plain(aggregator.feed(stream[start:end]))
        saved = {key: msgspec.msgpack.decode(msgspec.msgpack.encode(one)) for key, one in aggregator.dump().items()}
        aggregator = Aggregator(DEFINITIONS)
        aggregator.load(saved)
    assert found == whole


@settings(max_examples=60, deadline=None)
@given(events)
def test_no_event_is_counted_twice_and_what_is_left_out_is_said(drawn):
    counted = DEFINITIONS["counted"]
    aggregator = Aggregator({"counted": counted})
    closed = aggregator.feed(made(drawn))
    (board,) = list(aggregator.boards()) or [None]
    if board is None:
        assert not drawn
        return
    known = sum(reading[0] or 0 for one in closed for _, reading in one.readings or [])
    late = sum(cell[1] for one in closed for cell in one.late.values()) + sum(cell[1] for cell in board.late.values())
    still_open = sum(cell[1] for cells in board.cells.values() for cell in cells.values())
    assert known + late + still_open + board.lost <= len(drawn)


def test_a_definition_that_means_something_else_begins_anew():
    stream = made([(n * 1000, "s1", "a", True, 1.0) for n in range(300)])
    before = Aggregator({"counted": DEFINITIONS["counted"]})
    before.feed(stream[:200])
    after = Aggregator({"counted": DEFINITIONS["counted"].model_copy(update={"where": "ok:true"})})
    after.load(before.dump())
    (board,) = after.boards()
    assert not board.slots
    closed = after.feed(stream[200:])
    assert all(one.start >= stream[199].ts - MINUTE for one in closed)
