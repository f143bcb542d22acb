"""What a scorer of series is compared with, besides `bench.simple`, all with the same alarm budget.

Mean and deviation of each hour of the week: the threshold is the largest distance but so many of the half hours so far. And what could be
caught at best by who looks at one value at a time and knows all of the series.
"""

from __future__ import annotations

import math
from bisect import insort

import numpy as np

from bench import caught, kpis


def all_knowing(series: kpis.Series, budget: float) -> list[bool]:
    """By the distance from the true value, in true widths, with the threshold at which just the budget is false."""
    times = series.times.tolist()
    far = np.nan_to_num(np.abs(series.values - series.usual) / series.widths)
    low, high = 0.5, 200.0
    for _ in range(30):
        middle = math.sqrt(low * high)
        found = caught.verdict(times, (far >= middle).tolist(), series.events)
        low, high = (middle, high) if found.false_a_week > budget else (low, middle)
    alarms: list[bool] = (far >= high).tolist()
    return alarms


def by_hour_of_week(series: kpis.Series, budget: float) -> list[bool]:
    times, values = series.times.tolist(), series.values.tolist()
    sums = [[0.0, 0.0, 0.0] for _ in range(168)]
    tops: list[float] = []
    slot, top, alarms = -1, 0.0, []
    for at, value in zip(times, values, strict=True):
        count, total, squares = sums[(at + 7 * 3600) // 3600 % 168]
        distance = 0.0
        if count > 1 and value == value:
            deviation = math.sqrt(max(squares / count - (total / count) ** 2, 0.0)) + 1e-9 * abs(total / count) + 1e-12
            distance = abs(value - total / count) / deviation
        if value == value:
            sums[(at + 7 * 3600) // 3600 % 168] = [count + 1, total + value, squares + value * value]
        if at // caught.SLOT_S != slot:
            if slot >= 0:
                insort(tops, top)
            slot, top = at // caught.SLOT_S, 0.0
        beyond = int(budget / 336 * len(tops))
        alarms.append(len(tops) >= 24 and distance > tops[-1 - beyond])
        top = max(top, distance)
    return alarms
