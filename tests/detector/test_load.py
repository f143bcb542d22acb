"""What load explains of a duration: a line is found again, in which each bucket counts alike; a constant load has no slope, and old
weeks fade."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from detector.load import Load
from soc.model.calendar import DAY_MS

HOUR_MS = 3_600_000


def test_a_line_is_found_again():
    load = Load()
    assert load.expected(10) is None
    for hour in range(500):
        events = 20 + hour % 24 * 10
        load.learn(HOUR_MS, 300 * math.exp(0.001 * events), events)
    for events in (20, 100, 250, 400):
        assert load.expected(events) == pytest.approx(300 * math.exp(0.001 * events), rel=1e-3)


def test_each_bucket_counts_alike_however_many_values_it_has():
    load, rng = Load(), Random(1)
    hours = [(events, 5.7 + 0.0002 * events + rng.gauss(0, 0.05)) for events in range(5, 1000, 5)]
    for events, logarithm in hours:
        load.learn(1, math.exp(logarithm), events)
    slope, level = np.polyfit(*zip(*hours, strict=True), 1)
    for events in (5, 500, 1200):
        assert load.expected(events) == pytest.approx(math.exp(level + slope * events), rel=1e-4)


def test_a_constant_load_has_no_slope():
    load = Load()
    for hour in range(100):
        load.learn(HOUR_MS, 300 + hour % 2, 50)
    assert load.expected(5_000) == pytest.approx(300.5, rel=1e-3)


def test_half_of_what_was_known_is_gone_after_two_weeks():
    load = Load()
    for level in (100.0, 400.0):
        for _ in range(14):
            load.learn(DAY_MS, level, 50)
    assert load.expected(50) == pytest.approx(100 * 4 ** (1 / 1.5), rel=1e-3)


@pytest.mark.parametrize("value", [0.0, 1e-300, 1e300])
@pytest.mark.parametrize("events", [1.0, 1e9])
def test_no_value_breaks_it(value, events):
    load = Load()
    load.learn(HOUR_MS, 5.0, 3.0)
    load.learn(HOUR_MS, value, events)
    for some in (1.0, 10.0, 1e12):
        expected = load.expected(some)
        assert expected is not None
        assert math.isfinite(expected)
