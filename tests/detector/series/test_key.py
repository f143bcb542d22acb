"""What a series is of, and the search for its events: each event is found by the search of its own key, and of no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import stored

from detector.series.aggregate import Aggregator
from detector.series.definition import Definition
from detector.series.key import condition, key_of
from soc.query.evaluate import predicate
from soc.query.parse import parse

STATUS = "http.response.status_code"
BASE = {"name": "answers", "system": "xx", "titles": {"vi": "x", "en": "x"}, "dataset": "d", "measure": "count"}


@pytest.mark.parametrize(
    ("value", "is_"),
    [(200, "2xx"), (499, "4xx"), ("503", "5xx"), (99, ""), (600, ""), ("abc", ""), (None, ""), (True, ""), ("²00", "")],
)
def test_the_class_of_a_status(value, is_):
    assert key_of((f"{STATUS}:class",))({STATUS: value}) == (is_,)


@given(st.one_of(st.integers(0, 700), st.none()), st.sampled_from(["", "1xx", "2xx", "3xx", "4xx", "5xx"]))
def test_the_search_of_a_class_finds_its_events_alone(status, wanted):
    name = f"{STATUS}:class"
    fields = {} if status is None else {STATUS: status}
    assert predicate(parse(condition(name, wanted)))(fields) == (key_of((name,))(fields) == (wanted,))


@given(st.text(min_size=1, max_size=12), st.text(max_size=3), st.sampled_from([150, 199, 200, 201]))
def test_the_search_of_a_value_that_was_cut_finds_its_events_alone(some, more, length):
    value = (some * 200)[:length] + more
    key = key_of(("url.path",))
    search = predicate(parse(condition("url.path", *key({"url.path": value}))))
    assert search({"url.path": value})
    assert search({"url.path": value + "x"}) == (key({"url.path": value + "x"}) == key({"url.path": value}))
    assert not search({"url.path": value[:140]})
    assert not search({})


def test_series_by_class_of_status():
    definition = Definition.model_validate(BASE | {"group_by": ["service", f"{STATUS}:class"]})
    aggregator = Aggregator({"answers": definition})
    statuses = (200, 201, 404, 500)
    list(
        aggregator.feed(
            stored(1_772_409_600_000 + n, n, "d", service="a", http__response__status_code=statuses[n % 4])
            for n in range(40)
        )
    )
    (board,) = aggregator.boards()
    assert {key: next(iter(board.cells.values()))[slot][1] for key, slot in board.slots.items()} == {
        ("a", "2xx"): 20,
        ("a", "4xx"): 10,
        ("a", "5xx"): 10,
    }


def test_a_class_of_no_field_is_refused():
    with pytest.raises(ValueError, match="is no field of an event"):
        Definition.model_validate(BASE | {"group_by": [":class"]})
