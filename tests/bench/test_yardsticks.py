"""The yardsticks: a weak one would flatter the scorer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import simple, yardsticks
from bench.caught import verdict
from bench.kpis import Series

STEP, WEEK = 300, 7 * 86_400


def a_series(spikes: list[int], weeks: int = 4) -> Series:
    """A wave of a day with noise of width 1; `spikes`: at which points."""
    chance = np.random.default_rng(7)
    times = 1_750_000_000 // WEEK * WEEK + np.arange(weeks * WEEK // STEP, dtype=np.int64) * STEP
    usual = 50 + 20 * np.sin(times / 86_400 * 2 * np.pi)
    values = usual + chance.standard_normal(len(times))
    values[spikes] += 40
    events = [(int(times[at]), int(times[at])) for at in spikes]
    return Series("", times, values, events, ["spike"] * len(spikes), [True] * len(spikes), usual, np.ones(len(times)))


@pytest.mark.parametrize("alarms", [simple.alarms, yardsticks.by_hour_of_week, yardsticks.all_knowing])
def test_what_is_far_off_alarms_and_the_budget_is_kept(alarms):
    series = a_series([5000, 6000, 7500])
    found = verdict(series.times.tolist(), alarms(series, 4.0), series.events)
    assert found.caught >= 2
    assert found.false_a_week < 6


def test_what_comes_later_changes_nothing_of_the_simple_design():
    series = a_series([5000])
    cut = 6000
    short = replace(series, times=series.times[:cut], values=series.values[:cut])
    assert simple.alarms(series, 4.0)[:cut] == simple.alarms(short, 4.0)


def test_an_alarm_of_the_simple_design_is_followed_by_an_hour_of_silence():
    series = a_series([5000, 5003, 5013])
    alarms = simple.alarms(series, 4.0)
    assert [alarms[at] for at in (5000, 5003, 5013)] == [True, False, True]


def test_the_simple_design_takes_missing_values_for_nothing():
    series = a_series([5000])
    series.values[3000:3200] = np.nan
    alarms = simple.alarms(series, 4.0)
    assert alarms[5000]
    assert not any(alarms[3000:3200])


def test_values_that_never_change_raise_no_alarm_until_one_does():
    series = a_series([])
    series.values[:] = 3.0
    assert not any(simple.alarms(series, 4.0))
    series.values[6000] = 4.0
    assert simple.alarms(series, 4.0).index(True) == 6000
