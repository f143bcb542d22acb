"""The week to come: close where days are alike, and honest where they are not, or few."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from soc.backtest.forecast import forecast

MONDAY = date(2026, 3, 2)


def poisson(rng: random.Random, mean: float) -> int:
    """By the waiting times between them."""
    count, at = 0, rng.expovariate(1.0)
    while at < mean:
        count, at = count + 1, at + rng.expovariate(1.0)
    return count


def history(rng: random.Random, days: int, weekday: float, weekend: float) -> dict[date, int]:
    dates = (MONDAY + timedelta(days=n) for n in range(days))
    return {day: poisson(rng, weekend if day.weekday() >= 5 else weekday) for day in dates}


@pytest.mark.parametrize(("weekday", "weekend"), [(80.0, 80.0), (80.0, 8.0)], ids=["all alike", "quiet weekends"])
def test_a_stationary_workload_is_forecast_within_a_fifth(weekday, weekend):
    """Of rarer alerts, chance alone moves a week by more."""
    rng, worst = random.Random(5), 0.0
    for _ in range(200):
        counts = history(rng, 35, weekday, weekend)
        last = MONDAY + timedelta(days=27)
        came = sum(counts[last + timedelta(days=n)] for n in range(1, 8))
        worst = max(worst, abs(forecast(counts, MONDAY, last).expected - came) / came)
    assert worst <= 0.2


@pytest.mark.parametrize("days", [3, 7, 14, 30])
@pytest.mark.parametrize("mean", [0.3, 3.0, 30.0])
def test_the_interval_holds_about_nine_times_out_of_ten(days, mean):
    rng, inside = random.Random(days), 0
    for _ in range(1000):
        counts = history(rng, days + 7, mean, mean)
        last = MONDAY + timedelta(days=days - 1)
        came = sum(counts[last + timedelta(days=n)] for n in range(1, 8))
        of = forecast(counts, MONDAY, last)
        inside += of.low <= came <= of.high
    assert inside >= 850


def test_one_bad_day_widens_the_interval():
    calm = {MONDAY + timedelta(days=n): 5 for n in range(30)}
    bad = calm | {MONDAY + timedelta(days=9): 300}
    last = MONDAY + timedelta(days=29)
    assert forecast(bad, MONDAY, last).high > 3 * forecast(calm, MONDAY, last).high


def test_nothing_seen_is_not_nothing_to_come():
    of = forecast({}, MONDAY, MONDAY + timedelta(days=6))
    assert (of.expected, of.low, of.high, of.days_seen) == (0.0, 0.0, 3.0, 7)


def test_without_a_whole_day_there_is_no_forecast():
    assert forecast({MONDAY: 3}, MONDAY, MONDAY - timedelta(days=1)) is None
