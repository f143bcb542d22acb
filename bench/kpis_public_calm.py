"""What series of `bench.kpis_public` are before anything happens: seven families, with their noise, bounds and rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.kpis import DAY_S, Floats


@dataclass(frozen=True, slots=True)
class Clock:
    """When values are measured, eight hours east of Greenwich."""

    times: NDArray[np.int64]
    step: int
    seconds: NDArray[np.int64]
    """Local ones;"""
    share: Floats
    """and which share of its day is over."""
    weeks: float

    def points(self, seconds: float) -> float:
        return seconds / self.step


@dataclass(frozen=True, slots=True)
class Calm:
    """A series before anything happens."""

    usual: Floats
    widths: Floats
    values: Floats
    unit: float
    """To which values are rounded; 0: not at all."""
    least: float = -np.inf
    most: float = np.inf


Family = Callable[[np.random.Generator, Clock, Floats, Floats, float], Calm]


def clock_of(chance: np.random.Generator) -> Clock:
    step = int(chance.choice([60, 300], p=[0.55, 0.45]))
    weeks = chance.uniform(6, 10)
    n = int(weeks * 7 * DAY_S / step)
    start = 1_500_000_000 // 300 * 300 + int(chance.integers(0, 400)) * DAY_S
    times = start + np.arange(n, dtype=np.int64) * step
    seconds = times + 8 * 3600
    return Clock(times, step, seconds, seconds % DAY_S / DAY_S, weeks)


def wander(chance: np.random.Generator, n: int, points: float) -> Floats:
    """Noise of variance 1 that remembers so many points."""
    keep = np.exp(-1 / max(points, 1e-3))
    steps = np.sqrt(1 - keep * keep) * chance.standard_normal(n + int(5 * points) + 1)
    out, at = [], 0.0
    for step in steps.tolist():
        at = step + float(keep) * at
        out.append(at)
    return np.array(out[-n:])


def _of_the_day(chance: np.random.Generator, share: Floats) -> Floats:
    """A smooth shape, above nothing, about 1 in the mean."""
    waves = np.zeros_like(share)
    for k in range(1, int(chance.integers(2, 6))):
        waves += chance.normal(0, 0.8 / k**1.3) * np.cos(2 * np.pi * (k * share - chance.random()))
    shape = np.exp(waves - waves.max() * 0.5)
    return np.asarray(shape / shape.mean())


def level_of(chance: np.random.Generator, clock: Clock, strength: float) -> Floats:
    """The shape of days and weeks, and what becomes of it over the weeks."""
    n, day = len(clock.times), clock.seconds // DAY_S
    shape = _of_the_day(chance, clock.share)
    strength *= chance.uniform(0.5, 1)
    week = np.ones(7)  # from Monday on
    week[5:] *= chance.choice([1, 1, 0.8, 0.6, 1.2])
    week *= np.exp(chance.normal(0, 0.03, 7))
    weekday = week[(day + 3) % 7]
    level: Floats = shape**strength * weekday
    if chance.random() < 0.2:  # another shape of the day from some day on
        when, other = chance.uniform(0.3, 0.8) * n, _of_the_day(chance, clock.share)
        share = np.clip((np.arange(n) - when) / chance.choice([1, 3 * clock.points(DAY_S)]), 0, 1)
        share = share * chance.uniform(0.1, 0.4)
        level = level * (1 - share) + share * other**strength * weekday
    days = (day - day[0]).astype(int)
    heights = np.exp(chance.normal(0, chance.choice([0.005, 0.02, 0.05]), days.max() + 2))
    level = level * (heights[days] * (1 - clock.share) + heights[days + 1] * clock.share)
    level = level * np.exp(chance.choice([0, 0, 0.15, -0.15]) * np.arange(n) / n)
    for _ in range(int(chance.poisson(0.3))):  # releases: no incident, but another level for good
        level[int(chance.uniform(0.1, 0.95) * n) :] *= np.exp(chance.normal(0, 0.12))
    return level


def noise_of(chance: np.random.Generator, clock: Clock) -> Floats:
    n, half = len(clock.times), np.sqrt(0.5)
    heavy = chance.random() < 0.35
    white = chance.standard_t(3, n) / 1.73 if heavy else chance.standard_normal(n)
    noise: Floats = half * white * chance.choice([1, 0.6])
    noise = noise + half * wander(chance, n, chance.choice([2, 5, 15])) * chance.choice([1, 0.6])
    slow: Floats = chance.choice([0, 0.3, 0.6]) * wander(chance, n, chance.uniform(1, 6) * 3600 / clock.step)
    return noise + slow


def _traffic(chance: np.random.Generator, clock: Clock, level: Floats, noise: Floats, relative: float) -> Calm:
    widths = relative * level ** chance.choice([0.5, 1])
    return Calm(level, widths, level + widths * noise, chance.choice([0, 0, 1e-3, 1e-2]), 0)


def _latency(chance: np.random.Generator, clock: Clock, level: Floats, noise: Floats, relative: float) -> Calm:
    width = chance.uniform(0.05, 0.5)
    return Calm(level, width * level, level * np.exp(width * noise), chance.choice([0, 1e-3, 1e-2]), 0)


def _errors(chance: np.random.Generator, clock: Clock, level: Floats, noise: Floats, relative: float) -> Calm:
    """Counts; they are drawn when it is known how many more there are in incidents."""
    usual = np.exp(chance.uniform(np.log(0.1), np.log(8))) * level
    return Calm(usual, np.sqrt(usual + 0.5), usual, 1, 0)


def _constant(chance: np.random.Generator, clock: Clock, level: Floats, noise: Floats, relative: float) -> Calm:
    """Moves seldom, some of them once a day at the same time."""
    n, day = len(clock.times), int(clock.points(DAY_S))
    usual, widths = np.full(n, 1.0), np.full(n, chance.choice([0.002, 0.01]))
    values = usual + widths * noise * (chance.random(n) < chance.choice([0.05, 0.5, 1]))
    unit = chance.choice([0.005, 0.01, 0])
    if chance.random() < 0.4:
        values = values + 0.05 * (clock.seconds % DAY_S // clock.step == int(chance.integers(0, day)))
    return Calm(usual, widths, values, unit)


def _percent(chance: np.random.Generator, clock: Clock, level: Floats, noise: Floats, relative: float) -> Calm:
    lack = np.exp(chance.uniform(np.log(0.05), np.log(3))) * level
    values = 100 - lack * np.exp(0.5 * noise) if chance.random() < 0.6 else 99.9 - lack + lack * 0.7 * noise
    return Calm(100 - lack, np.maximum(lack * 0.6, 0.02), values, chance.choice([0.01, 0.1, 1.0, 0]), 0, 100)


def _queue(chance: np.random.Generator, clock: Clock, level: Floats, noise: Floats, relative: float) -> Calm:
    n = len(clock.times)
    fine = wander(chance, n, chance.choice([3, 10]) / (1 if clock.step == 60 else 0.3))
    jam = fine + 0.7 * wander(chance, n, 2 * 3600 / clock.step)
    values = np.maximum(level * np.exp(1.1 * jam) * 2 - chance.choice([0, 0.5, 2]), 0)
    return Calm(level * 2, level * 4, values, chance.choice([0, 1, 0.1]), 0)


def _machine(chance: np.random.Generator, clock: Clock, level: Floats, noise: Floats, relative: float) -> Calm:
    """Has levels of its own, and half of them a job each hour."""
    n, hour = len(clock.times), int(clock.points(3600))
    levels = np.cumsum(chance.normal(0, 0.15, 200) * (chance.random(200) < 0.3))
    usual = 30 * level**0.6 * np.exp(0.5 * levels[np.arange(n) * 200 // n] * 0.3)
    widths = usual * chance.uniform(0.03, 0.12)
    values, unit = usual + widths * noise, chance.choice([0, 0.1, 1])
    if chance.random() < 0.5:
        job = widths * chance.uniform(1, 4)
        values = values + job * (clock.seconds % 3600 // clock.step == int(chance.integers(0, hour)))
    return Calm(usual, widths, values, unit, 0, 100)


FAMILIES: dict[str, tuple[Family, float, float]] = {  # how many of all, and how much of the day's shape they have
    "traffic": (_traffic, 0.44, 1.0),
    "latency": (_latency, 0.20, 0.5),
    "errors": (_errors, 0.08, 0.7),
    "constant": (_constant, 0.04, 0.0),
    "percent": (_percent, 0.12, 0.4),
    "queue": (_queue, 0.05, 0.6),
    "machine": (_machine, 0.07, 0.5),
}
