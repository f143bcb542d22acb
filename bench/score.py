"""The scorer of series: speed, size, and what it catches on labelled series that it was not developed on.

Those are the held-out ones of `bench.kpis`, and some of another make, `bench.kpis_public`. Beside it, with the same alarm budget, what is
simpler and what could be caught at best: `bench.simple` and `bench.yardsticks`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from bench import caught, kpis, kpis_public, simple, yardsticks
from detector.score import Kind, Scorer

HELD_OUT = range(1001, 1061)
PUBLIC = range(181, 241)
BUDGET = 4.0
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
_POINTS = 300_000
_BY_HOUR = "mean and deviation of the hour of the week"
_SIMPLE = "four distances, how rare each was, added up"

Make = Callable[[int], kpis.Series]
Alarms = Callable[[kpis.Series, float], list[bool]]


def ours(series: kpis.Series, budget: float) -> list[bool]:
    times, values = series.times.tolist(), series.values.tolist()
    gaps = sorted(late - early for early, late in pairwise(times[:50]))
    scorer = Scorer(gaps[len(gaps) // 2], Kind.GAUGE, VIETNAM, budget)
    return [scorer.step(at * 1000, value).anomaly for at, value in zip(times, values, strict=True)]


def verdicts(alarms: Alarms, make: Make, seeds: range) -> tuple[list[caught.Verdict], str]:
    """Of all incidents; and how many of those that are plain to see were caught."""
    found, plain, plain_caught = [], 0, 0
    for seed in seeds:
        series = make(seed)
        times = series.times.tolist()
        alarmed = alarms(series, BUDGET)
        found.append(caught.verdict(times, alarmed, series.events))
        seen = [event for event, is_plain in zip(series.events, series.plain, strict=True) if is_plain]
        plain += len(seen)
        plain_caught += caught.verdict(times, alarmed, seen).caught
    return found, f"; of {plain} that moved a value by 4 widths or more {plain_caught / plain:.3f}"


def _reported(alarms: Alarms, make: Make = kpis.make, seeds: range = HELD_OUT) -> str:
    found, plain = verdicts(alarms, make, seeds)
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
        (_BY_HOUR, _reported(yardsticks.by_hour_of_week)),
        (_SIMPLE, _reported(simple.alarms)),
        ("who knows each true value and width, and the best threshold", _reported(yardsticks.all_knowing)),
        (f"another make, seeds {PUBLIC[0]} to {PUBLIC[-1]}", _reported(ours, kpis_public.make, PUBLIC)),
        (_BY_HOUR, _reported(yardsticks.by_hour_of_week, kpis_public.make, PUBLIC)),
        (_SIMPLE, _reported(simple.alarms, kpis_public.make, PUBLIC)),
    ]
