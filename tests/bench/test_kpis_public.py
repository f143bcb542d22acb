"""The series of another make: the same for a seed, in order, and with incidents that are there."""

from __future__ import annotations

import numpy as np
import pytest

from bench import kpis_public
from bench.caught import verdict


@pytest.fixture(scope="module", params=range(1, 13))
def series(request):
    return kpis_public.make(request.param)


def test_a_seed_makes_the_same_series_again(series):
    again = kpis_public.make(int(series.name.split()[-1]))
    assert again.events == series.events
    assert again.kinds == series.kinds
    assert again.values.tobytes() == series.values.tobytes()


def test_times_are_in_order_and_each_has_a_value(series):
    assert (np.diff(series.times) >= 60).all()
    assert len(series.times) == len(series.values) == len(series.usual) == len(series.widths)
    assert np.isfinite(series.values).all()
    assert (series.widths > 0).all()
    assert 5.9 * 7 * 86_400 < series.times[-1] - series.times[0] < 10 * 7 * 86_400


def test_events_lie_within_the_series_and_apart(series):
    assert len(series.events) == len(series.kinds) == len(series.plain)
    for start, end in series.events:
        assert series.times[0] <= start <= end <= series.times[-1]
    assert all(end < start for (_, end), (start, _) in zip(series.events, series.events[1:], strict=False))


def test_who_alarms_all_the_time_catches_all_events(series):
    """So each has a value within its first ten minutes."""
    times = series.times.tolist()
    assert verdict(times, [True] * len(times), series.events).caught == len(series.events)


def test_percentages_stay_within_their_bounds_and_counts_whole():
    kinds = {}
    for seed in range(1, 60):
        one = kpis_public.make(seed)
        kinds.setdefault(one.name.split(",")[0], one.values)
    assert set(kinds) == {"traffic", "latency", "errors", "constant", "percent", "queue", "machine"}
    assert 0 <= kinds["percent"].min() <= kinds["percent"].max() <= 100
    assert (kinds["errors"] == np.round(kinds["errors"])).all()
    assert all(kinds[family].min() >= 0 for family in ("traffic", "latency", "errors", "queue", "machine"))
