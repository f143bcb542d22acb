"""A simple design of a scorer, as a yardstick: well-known parts, put together plainly.

Each value has four distances: from the median of its hour of the week, from Holt's damped forecast, from the value before, and from all
values before if it is the lowest or highest. How rare each is among those before, as a logarithm, is added up, all of the same weight.
The threshold is the sum that but so many of the half hours so far exceeded, and an alarm is followed by an hour of silence.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.caught import SLOT_S, WEEK_S
from bench.kpis import DAY_S, Floats, Series

_HISTORY_S = 56 * DAY_S
_LEVEL, _TREND, _DAMPED = 0.3, 0.03, 0.8
_SILENT_S = 3600
_LEARNT = 48  # half hours before the first alarm
_BINS, _A_DOUBLING, _OFFSET = 800, 4, 100
_FALL = 3.0  # powers of ten a decade, beyond all that was seen

Times = NDArray[np.int64]


def alarms(series: Series, budget: float) -> list[bool]:
    return _beyond_budget(series.times.tolist(), scores(series.times, series.values).tolist(), budget)


def scores(times: Times, values: Floats) -> Floats:
    season = _from_season(times, values)
    forecast, step, extreme = _from_recent(times, values)
    first_day = (times - times[0]) // DAY_S == 0  # nothing is known of the season yet
    rare = _rarity(times, season, ~np.isnan(values), first_day)
    for distance in (forecast, step, extreme):
        rare = rare + _rarity(times, distance, ~np.isnan(values), np.zeros(len(times), bool))
    return rare


def _pieces(times: Times, seconds: int) -> Iterator[slice]:
    edges = np.flatnonzero(np.diff((times - times[0]) // seconds) > 0) + 1
    for start, end in zip([0, *edges], [*edges, len(times)], strict=True):
        yield slice(int(start), int(end))


def _spread(values: Floats) -> tuple[float, float]:
    """Median, and the deviation that normal values with that distance from it would have."""
    median = float(np.median(values))
    return median, 1.4826 * float(np.median(np.abs(values - median)))


def _from_season(times: Times, values: Floats) -> Floats:
    """In deviations; fitted anew each day, by the hour of the day until there are two weeks."""
    hours, known = (times + 7 * 3600) // 3600, ~np.isnan(values)
    out = np.zeros(len(values))
    for day in _pieces(times, DAY_S):
        start = times[day.start]
        past = slice(int(np.searchsorted(times, start - _HISTORY_S)), day.start)
        seen = values[past][known[past]]
        if len(seen) < 30:
            continue
        cycle = 168 if start - times[0] >= 2 * WEEK_S else 24
        medians, deviations = _by_hour(hours[past][known[past]] % cycle, seen, cycle)
        _, overall = _spread(seen)
        least = 1e-3 * np.median(np.abs(seen)) + 0.1 * overall + 1e-9 * (np.abs(seen).max() + 1e-9)
        hour = hours[day] % cycle
        out[day] = np.nan_to_num(np.abs(values[day] - medians[hour]) / (deviations[hour] + least))
    return out


def _by_hour(hours: Times, values: Floats, cycle: int) -> tuple[Floats, Floats]:
    """Medians and deviations; of hours with less than three values those of all."""
    median, deviation = _spread(values)
    medians, deviations = np.full(cycle, median), np.full(cycle, deviation)
    order = np.argsort(hours, kind="stable")
    ends = np.searchsorted(hours[order], np.arange(cycle + 1))
    for hour in range(cycle):
        of_hour = values[order[ends[hour] : ends[hour + 1]]]
        if len(of_hour) >= 3:
            medians[hour], deviations[hour] = _spread(of_hour)
    return medians, deviations


def _from_recent(times: Times, values: Floats) -> tuple[Floats, Floats, Floats]:
    """From Holt's damped forecast, from the value before, and from the nearest of all before if it is the lowest or highest."""
    forecast, step, extreme = np.zeros((3, len(values)))
    usual_gap = int(np.median(np.diff(times[:200])))
    level, trend, last, low, high, seen_at = math.nan, 0.0, 0.0, 0.0, 0.0, 0
    for i, (at, value) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        if math.isnan(value):
            continue
        if math.isnan(level):
            level = last = low = high = value
        else:
            if at - seen_at > 3 * usual_gap:
                trend = 0.0
            error = value - level - trend
            forecast[i], step[i] = abs(error), abs(value - last)
            extreme[i] = max(value - high, low - value, 0.0)
            level, trend = level + trend + _LEVEL * error, _DAMPED * (trend + _TREND * error)
            last, low, high = value, min(low, value), max(high, value)
        seen_at = at
    return forecast, step, extreme


def _rarity(times: Times, distances: Floats, known: NDArray[np.bool_], skipped: NDArray[np.bool_]) -> Floats:
    """How few were as large before, in powers of ten; learned each hour from those that are not skipped."""
    counts, total, out = np.zeros(_BINS), 0, np.zeros(len(distances))
    places = np.clip((np.log2(np.maximum(distances, 1e-30)) + _OFFSET) * _A_DOUBLING, 0, _BINS - 1)
    for hour in _pieces(times, 3600):
        there = known[hour] & (distances[hour] > 0)
        if total >= 50:
            out[hour] = np.where(there, _rare(counts, total, places[hour]), 0.0)
        if not skipped[hour.start]:
            np.add.at(counts, places[hour][there].astype(int), 1)
            total += int(known[hour].sum())
    return out


def _rare(counts: Floats, total: int, places: Floats) -> Floats:
    """Between bins in a line, beyond the last as a power law."""
    share = np.log10((np.append(np.cumsum(counts[::-1])[::-1], 0.0) + 0.5) / (total + 1))
    beyond = 1 + (int(np.flatnonzero(counts).max()) if counts.any() else 0)
    bins = places.astype(int)
    within = share[bins] + (places - bins) * (share[bins + 1] - share[bins])
    after = share[beyond] - _FALL * (places - beyond) / _A_DOUBLING * math.log10(2)
    rare: Floats = -np.where(places > beyond, after, within)
    return rare


def _beyond_budget(times: list[int], sums: list[float], budget: float) -> list[bool]:
    tops: list[float] = []  # of half hours so far; what is silenced does not count
    slot, top, threshold, silent_until, out = -1, 0.0, math.inf, 0, []
    for at, value in zip(times, sums, strict=True):
        if at // SLOT_S != slot:
            if slot >= 0:
                insort(tops, top)
            slot, top = at // SLOT_S, 0.0
            if len(tops) >= _LEARNT:
                threshold = tops[-1 - int(budget * SLOT_S / WEEK_S * len(tops))]
        heard = at >= silent_until
        out.append(heard and value > threshold)
        if heard:
            top = max(top, value)
        if out[-1]:
            silent_until = at + _SILENT_S
    return out
