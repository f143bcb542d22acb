"""The Numenta Anomaly Benchmark, standard profile, and what it is worth: trivial detectors stand in the same table.

Thresholds are frozen on every other file and scored on those between, both ways; no file's minimum or maximum is told. Some sixty runs
against these labels shaped the scorer; no parameter is fitted to them. The 95 % interval is of 500 draws of the files.
`SOC_TEST_DATA` is where the benchmark's `data` and `labels` lie, in `nab`. The scoring follows the published rules (github.com/numenta/NAB:
probation 15 %, scaled sigmoid, first detection of a window) and gives what another implementation of them gives for three of these
detectors.
"""

from __future__ import annotations

import csv
import json
import math
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detector.score import Kind, Scorer

Floats = NDArray[np.float64]
Corpus = dict[str, tuple[list[int], list[float], list[tuple[int, int]]]]
Detector = Callable[[list[int], list[float]], list[float]]
Judged = tuple[NDArray[np.int64], Floats, Floats]  # window of each point or -1, reward or penalty there, score

FALSE_WEIGHT = 0.11
DRAWS = 500
GRID = 8000  # thresholds that are tried


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text.split(".")[0]).replace(tzinfo=UTC).timestamp())


def _sigmoid(place: float) -> float:
    return -1.0 if place > 3 else 2 / (1 + math.exp(5 * place)) - 1


def _worth(times: list[int], windows: list[tuple[int, int]]) -> tuple[NDArray[np.int64], Floats]:
    index = {at: i for i, at in enumerate(times)}
    which, value = np.full(len(times), -1), np.full(len(times), -1.0)
    for k, (first, last) in enumerate(windows):
        start, end = index[first], index[last]
        width = end - start + 1
        for i in range(start, end + 1):
            which[i], value[i] = k, _sigmoid(-(end - i + 1) / width) / _sigmoid(-1.0)
        until = index[windows[k + 1][0]] if k + 1 < len(windows) else len(times)
        for i in range(end + 1, until):
            value[i] = _sigmoid((i - end) / max(width - 1, 1))
    return which, value


def files(folder: Path) -> Corpus:
    """Times in seconds, values, and windows of anomalies, by name."""
    found = {}
    for name, spans in sorted(json.loads((folder / "labels/combined_windows.json").read_text()).items()):
        with (folder / "data" / name).open() as lines:
            rows = list(csv.reader(lines))[1:]
        windows = [(_seconds(first), _seconds(last)) for first, last in spans]
        found[name] = ([_seconds(row[0]) for row in rows], [float(row[1]) for row in rows], windows)
    return found


def judged(times: list[int], windows: list[tuple[int, int]], scores: list[float]) -> Judged:
    start = math.ceil(min(math.floor(0.15 * len(times)), 0.15 * 5000))
    which, value = _worth(times, windows)
    return which[start:], value[start:], np.round(np.array(scores)[start:], 9)


def sheet(corpus: list[Judged], thresholds: Floats) -> tuple[Floats, Floats]:
    """Of each file: what detections at each threshold earn, and its number of windows."""
    earned, windows = np.empty((len(corpus), len(thresholds))), np.empty(len(corpus))
    for row, (which, value, score) in enumerate(corpus):
        order = np.argsort(-score, kind="stable")
        which, value, score = which[order], value[order], score[order]
        gain = np.where(which < 0, value * FALSE_WEIGHT, 0.0)
        present = np.unique(which[which >= 0])
        for k in (
            present
        ):  # the earliest detection of a window counts, so one that comes later at a lower threshold earns nothing
            at = np.flatnonzero(which == k)
            gain[at] = np.diff(np.maximum.accumulate(value[at]), prepend=-1.0)
        total = np.append(0.0, np.cumsum(gain))
        earned[row], windows[row] = total[np.searchsorted(-score, -thresholds, side="right")], len(present)
    return earned, windows


def normalised(earned: Floats, windows: Floats) -> Floats:
    """Score at each threshold: 0 never alarms, 100 is perfect."""
    return 100 * earned.sum(axis=0) / (2 * windows.sum())


def transferred(earned: Floats, windows: Floats) -> tuple[float, float]:
    """Score of either half of the files at the threshold that is best on the other."""
    odd, even = normalised(earned[::2], windows[::2]), normalised(earned[1::2], windows[1::2])
    return float(even[odd.argmax()]), float(odd[even.argmax()])


def interval(earned: Floats, windows: Floats) -> tuple[float, float]:
    """Of the mean of the halves, 95 %."""
    chance, count = np.random.default_rng(1), len(windows)
    draws = (chance.integers(0, count, count) for _ in range(DRAWS))
    means = sorted(sum(transferred(earned[drawn], windows[drawn])) / 2 for drawn in draws)
    return means[int(0.025 * DRAWS)], means[int(0.975 * DRAWS)]


def measured(detector: Detector, corpus: Corpus) -> tuple[Floats, Floats]:
    parts = [judged(times, windows, detector(times, values)) for times, values, windows in corpus.values()]
    steps = np.unique(np.concatenate([score for _, _, score in parts]))
    if len(steps) > GRID:  # the highest all, as it is there that thresholds are
        steps = np.unique(np.concatenate([steps[-GRID // 2 :], np.quantile(steps, np.linspace(0, 1, GRID // 2))]))
    return sheet(parts, np.append(steps[::-1], -np.inf))


def ours(times: list[int], values: list[float]) -> list[float]:
    gaps = sorted(late - early for early, late in pairwise(times))
    scorer = Scorer(max(gaps[len(gaps) // 2], 1), Kind.GAUGE, ZoneInfo("UTC"), 4.0)
    return [scorer.step(at * 1000, value).score for at, value in zip(times, values, strict=True)]


def extremes(_: list[int], values: list[float]) -> list[float]:
    low, high, scores = math.inf, -math.inf, []
    for value in values:
        scores.append(float(not low <= value <= high))
        low, high = min(low, value), max(high, value)
    return scores


def _against_usual(distances: list[float]) -> list[float]:
    """Each distance in mean distances so far."""
    total, scores = 0.0, []
    for n, distance in enumerate(distances):
        scores.append(distance / (distance + 10 * total / n) if n and total else 0.0)
        total += distance
    return scores


def difference(_: list[int], values: list[float]) -> list[float]:
    return _against_usual([0.0, *(abs(late - early) for early, late in pairwise(values))])


def holt(_: list[int], values: list[float]) -> list[float]:
    level, trend, distances = values[0], 0.0, []
    for value in values:
        error = value - level - trend
        distances.append(abs(error))
        level, trend = level + trend + 0.3 * error, 0.8 * (trend + 0.03 * error)
    return _against_usual(distances)


def chance(times: list[int], _: list[float]) -> list[float]:
    drawn = random.Random(times[0] + len(times))
    return [drawn.random() for _ in times]


DETECTORS: dict[str, Detector] = {
    "soc score": ours,
    "new minimum or maximum": extremes,
    "difference": difference,
    "Holt residual": holt,
    "random": chance,
}


def main() -> list[tuple[str, str]]:
    folder = Path(os.environ.get("SOC_TEST_DATA", "")) / "nab"
    if not (folder / "labels").is_dir():
        return [
            ("not measured", "set SOC_TEST_DATA to a folder that has `nab`: data and labels of github.com/numenta/NAB")
        ]
    corpus, rows = files(folder), []
    for name, detector in DETECTORS.items():
        earned, worth = measured(detector, corpus)
        first, second = transferred(earned, worth)
        low, high = interval(earned, worth)
        best = normalised(earned, worth).max()
        rows.append(
            (name, f"halves {first:.1f} {second:.1f}, 95 % {low:.0f} to {high:.0f}; at the best threshold {best:.1f}")
        )
    return rows
