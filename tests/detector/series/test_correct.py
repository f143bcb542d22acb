"""What comes late ends in the same readings as what comes in time, whatever is measured."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import MINUTE, START, stored
from test_aggregate import definition, finally_read

from detector.series.aggregate import Aggregator
from detector.series.cells import Cells

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


def read(measure: str, drawn: list, *, delayed: bool) -> tuple[dict, int]:
    """Readings by bucket and key in the end, and how many events were lost. A source that speaks twice a minute moves the time on."""
    wanted = definition("tried", measure, group_by=["key"], **MEASURES[measure])
    events = [(START + key, key, stored(START + key, key, "d", key="ab"[key % 2])) for key in range(2)]
    for n, (at, key, ok, ms, id_, late) in enumerate(drawn, 2):
        at += 2 * MINUTE  # the first bucket is not whole
        event = stored(START + at, n, "d", key=key, ok=ok, ms=ms, id=f"{id_}")
        events.append((START + at + (late * MINUTE if delayed else 0), n, event))
    for n in range(2 * (MINUTES + 70)):
        at = START + n * MINUTE // 2
        events.append((at, 1000 + n, stored(at, 1000 + n, "d", source="s1", key="clock")))
    aggregator = Aggregator({"tried": wanted}, cells=Cells())
    closed = list(aggregator.feed(event for _, _, event in sorted(events, key=lambda one: one[:2])))
    (board,) = aggregator.boards()
    return {(start, board.keys[slot]): reading for (start, slot), reading in finally_read(closed).items()}, board.lost


@pytest.mark.parametrize("measure", MEASURES)
@settings(max_examples=40, deadline=None)
@given(drawn_events)
def test_late_or_in_time_is_the_same_in_the_end(measure, drawn):
    in_time, lost = read(measure, drawn, delayed=False)
    assert lost == 0
    assert read(measure, drawn, delayed=True) == (in_time, 0)
