"""The scorer of series: speed, size, and what it catches on labelled series that it was not developed on.

The yardsticks: mean and deviation of each hour of the week, with the same alarm budget: the threshold is the largest distance but
so many of the half hours so far; and what could be caught at best by who looks at one value at a time and knows all of the series.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
import tracemalloc
from bisect import insort
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from bench import caught, kpis
from detector.score import Kind, Scorer

HELD_OUT = range(1001, 1061)
BUDGET = 4.0
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
_POINTS = 300_000

Alarms = Callable[[kpis.Series], list[bool]]


def ours(series: kpis.Series) -> list[bool]:
    times, values = series.times.tolist(), series.values.tolist()
    gaps = sorted(late - early for early, late in pairwise(times[:50]))
    scorer = Scorer(gaps[len(gaps) // 2], Kind.GAUGE, VIETNAM, BUDGET)
    return [scorer.step(at * 1000, value).anomaly for at, value in zip(times, values, strict=True)]


def all_knowing(series: kpis.Series) -> list[bool]:
    """By the distance from the true value, in true widths, with the threshold at which just the budget is false."""
    times = series.times.tolist()
    far = np.nan_to_num(np.abs(series.values - series.usual) / series.widths)
    low, high = 0.5, 200.0
    for _ in range(30):
        middle = math.sqrt(low * high)
        found = caught.verdict(times, (far >= middle).tolist(), series.events)
        low, high = (middle, high) if found.false_a_week > BUDGET else (low, middle)
    return (far >= high).tolist()


def by_hour_of_week(series: kpis.Series) -> list[bool]:
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
        beyond = int(BUDGET / 336 * len(tops))
        alarms.append(len(tops) >= 24 and distance > tops[-1 - beyond])
        top = max(top, distance)
    return alarms


def verdicts(alarms: Alarms, seeds: range) -> tuple[list[caught.Verdict], str]:
    """Of all incidents; and how many of those that are plain to see were caught."""
    found, plain, plain_caught = [], 0, 0
    for seed in seeds:
        series = kpis.make(seed)
        times = series.times.tolist()
        alarmed = alarms(series)
        found.append(caught.verdict(times, alarmed, series.events))
        seen = [event for event, is_plain in zip(series.events, series.plain, strict=True) if is_plain]
        plain += len(seen)
        plain_caught += caught.verdict(times, alarmed, seen).caught
    return found, f"; of {plain} that moved a value by 4 widths or more {plain_caught / plain:.3f}"


def _reported(alarms: Alarms) -> str:
    found, plain = verdicts(alarms, HELD_OUT)
    return f"{caught.summary(found, BUDGET)}{plain}"


def _file_rate() -> tuple[float, float]:
    """Points a second of CPU of the whole command, and of the wall clock."""
    series = kpis.make(HELD_OUT[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.csv"
        values = (series.values.tolist() * (1 + _POINTS // len(series.values)))[:_POINTS]
        stamps = (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(kpis.START + 60 * n)) for n in range(_POINTS))
        path.write_text(
            "timestamp,value\n" + "".join(f"{at},{value}\n" for at, value in zip(stamps, values, strict=True))
        )
        began, times = time.perf_counter(), _children_s()
        subprocess.run([sys.executable, "-m", "soc", "score", str(path)], stdout=subprocess.DEVNULL, check=True)
        return _POINTS / (_children_s() - times), _POINTS / (time.perf_counter() - began)


def _children_s() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _size(count: int = 200) -> tuple[int, float]:
    """Bytes of a state that is put away, and of a scorer in memory."""
    Scorer(60, Kind.COUNT, VIETNAM, BUDGET).step(1_760_000_000_000, 1.0)  # the calendar is shared
    tracemalloc.start()
    scorers = [Scorer(60, Kind.COUNT, VIETNAM, BUDGET) for _ in range(count)]
    for scorer in scorers:
        for n in range(300):
            scorer.step(1_760_000_000_000 + n * 60_000, float(n * 7919 % 101))
    held = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    return len(scorers[0].dump()), held


def main() -> list[tuple[str, str]]:
    cpu, wall = _file_rate()
    state, held = _size()
    return [
        ("soc score, 300,000 points of a file, points/s of CPU (wall)", f"{cpu:,.0f} ({wall:,.0f})"),
        ("state of a series, put away / in memory", f"{state:,} / {held:,.0f} bytes"),
        (f"held-out seeds {HELD_OUT[0]} to {HELD_OUT[-1]}", _reported(ours)),
        ("mean and deviation of the hour of the week", _reported(by_hour_of_week)),
        ("who knows each true value and width, and the best threshold", _reported(all_knowing)),
    ]
