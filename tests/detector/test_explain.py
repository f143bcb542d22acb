"""The search behind a time of a series finds the events that were counted in it."""

from __future__ import annotations

import pytest

from detector.explain import query_of
from detector.series.definition import Definition
from soc.model.anomaly import Board, Series
from soc.model.event import iso
from soc.query.evaluate import predicate
from soc.query.parse import parse

START = 1_772_409_600_000
ASKED = {"step": "ask", "carrier": "a", "id": "1"}
ANSWERED = {"step": "answer", "id": "1"}


def definition(**more: object) -> Definition:
    base = {
        "name": "arrival", "system": "xx", "titles": {"vi": "x", "en": "x"}, "dataset": "d", "measure": "conversion",
        "where": "step:ask", "hit": "step:answer OR step:late", "group_by": ["carrier"],
    }  # fmt: skip
    return Definition.model_validate(base | more)


def found(what: Definition, fields: dict[str, str], late_ms: int = 0) -> bool:
    series = Series(Board(what.name, "o"), ("a",), 0, START)
    query = predicate(parse(query_of(what, series, START, START + 60_000)))
    at = iso(START + 30_000 + late_ms)
    return query({"event.dataset": "d", "organization.id": "o", "@timestamp": at, **fields})


def test_answers_of_a_joined_conversion_are_found_without_the_group_and_late():
    joined = definition(join="id", within="20s")
    assert found(joined, ASKED)
    assert found(joined, ANSWERED)
    assert found(joined, ANSWERED, late_ms=40_000)
    assert not found(joined, ANSWERED, late_ms=60_000)
    assert not found(joined, ASKED | {"carrier": "b"})


def test_of_what_is_not_joined_all_is_of_the_group_and_the_bucket():
    for what in (definition(), definition(measure="ratio")):
        assert found(what, ASKED)
        assert not found(what, ANSWERED)
        assert not found(what, ASKED | {"carrier": "b"})
        assert not found(what, ASKED, late_ms=31_000)


@pytest.mark.parametrize("measure", ["count", "ratio"])
def test_without_a_condition_all_of_the_group_is_found(measure):
    assert found(definition(measure=measure, where=""), {"step": "other", "carrier": "a"})
