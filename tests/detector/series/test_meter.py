"""Means and repeats of a bucket, against what they are by definition."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.series.meter import Mean, Repeats

KEYS = st.sampled_from(["a", "b", "c", "", None]) | st.integers(0, 3)


@given(st.lists(st.floats(1e-6, 1e9) | st.sampled_from([0.0, -1.0, 1e-320, 1e308])), st.integers(0, 20))
def test_a_mean_is_geometric_and_goes_on_from_what_was_written(values, cut):
    meter = Mean("ms", scale=0.5)
    cell = meter.new()
    for n, value in enumerate(values):
        if n == cut:
            cell = meter.load(meter.dump(cell))
        meter.add(cell, {"ms": value})
    counted = [value * 0.5 for value in values if 1e-9 <= value * 0.5 < 1e300]
    value, weight = meter.value(cell)
    assert weight == len(counted)
    expected = math.exp(sum(map(math.log, counted)) / len(counted)) if counted else None
    assert value == (pytest.approx(expected) if counted else None)


@pytest.mark.parametrize("odd", [None, "x", True, [1.0], math.inf, math.nan])
def test_what_is_no_number_is_in_no_mean(odd):
    meter = Mean("ms")
    cell = meter.new()
    meter.add(cell, {"ms": odd})
    meter.add(cell, {})
    assert meter.value(cell) in ((None, 0.0), (1.0, 1.0))  # True is 1, as Python has it


@given(st.lists(KEYS), st.integers(0, 20))
def test_repeats_are_those_after_the_first_of_each_value(values, cut):
    meter = Repeats("id")
    cell = meter.new()
    for n, value in enumerate(values):
        if n == cut:
            cell = meter.load(meter.dump(cell))
        meter.add(cell, {"id": value})
    counted = Counter(str(value) for value in values if value not in (None, ""))
    events = sum(counted.values())
    assert meter.value(cell) == ((events - len(counted)) / events if events else None, float(events))


def test_values_are_bounded_and_what_is_beyond_says_nothing():
    meter = Repeats("id")
    cell = meter.new()
    for _ in range(2):
        for n in range(3_000):
            meter.add(cell, {"id": f"{n}"})
    assert meter.value(cell) == (0.5, 4_000.0)
    assert len(meter.dump(cell)[2]) == 16_000
