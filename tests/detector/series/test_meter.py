"""Means and repeats of a bucket, against what they are by definition; and two cells as one."""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.series.meter import Distinct, Mean, Quantile, Repeats

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


def filled(meter, values):
    cell = meter.new()
    for value in values:
        meter.add(cell, {"ms": value})
    return cell


@pytest.mark.parametrize("meter", [Mean("ms"), Quantile("ms", 0.9), Repeats("ms"), Distinct("ms")])
@given(st.lists(st.floats(0.1, 1e6) | st.integers(1, 5), max_size=60), st.integers(0, 60), st.randoms())
def test_two_cells_as_one_say_what_one_would(meter, values, cut, rng):
    whole = meter.value(filled(meter, values))
    rng.shuffle(values)
    assert meter.value(meter.join(filled(meter, values[:cut]), filled(meter, values[cut:]))) == whole


@pytest.mark.parametrize("cut", [100, 700, 1900])
@pytest.mark.parametrize("meter", [Quantile("ms", 0.9), Distinct("ms")])
def test_two_large_cells_as_one_say_about_what_one_would(meter, cut):
    rng = random.Random(3)
    values = [rng.lognormvariate(6, 0.5) for _ in range(2_000)]
    value, weight = meter.value(meter.join(filled(meter, values[:cut]), filled(meter, values[cut:])))
    assert (value, weight) == pytest.approx(meter.value(filled(meter, values)), rel=0.06)
    if isinstance(meter, Quantile):
        assert bisect(sorted(values), value) == pytest.approx(1_800, abs=20), "within one in a hundred of them"
