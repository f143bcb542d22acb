"""Labelled series of web services, made from a seed: what scorers are developed on (small seeds) and reported on (others).

Every series draws its step, length, shape of the day and week, level, noise, trend and faults of measuring (gaps, NaN, harmless
outliers), and then incidents. Their sizes are drawn in widths of the noise around them, small ones included, so that nobody catches all;
and some leave no trace where values cannot fall below nothing, are rounded or lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

START = 1_735_700_400  # 2025-01-01 10:00 in Hà Nội
DAY_S = 86_400
INCIDENTS = ("spike", "dip", "burst", "shift", "outage", "variance", "flat", "leak")
_PLAIN = 4.0  # widths
_OFTEN = (0.3, 0.22, 0.2, 0.12, 0.08, 0.04, 0.02, 0.02)


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    times: NDArray[np.int64]
    values: Floats
    events: list[tuple[int, int]]
    """First and last second of each incident."""
    kinds: list[str]
    plain: list[bool]
    """Whether an incident moved a recorded value of its first ten minutes by four widths of the noise or more."""
    usual: Floats
    """What each value would have been without noise and incidents;"""
    widths: Floats
    """and how wide the noise around it is: what no scorer knows."""


def _bump(hours: Floats, center: float, width: float) -> Floats:
    away = (hours - center + 12) % 24 - 12
    return np.exp(-0.5 * (away / width) ** 2)


def _shape(chance: np.random.Generator, times: NDArray[np.int64]) -> Floats:
    """Of the day and the week, about 0.1 to 2."""
    hours = (times + 7 * 3600) % DAY_S / 3600.0
    weekday = (times + 7 * 3600) // DAY_S % 7
    weekend = (weekday == 2) | (weekday == 3)  # 1970-01-01 was a Thursday
    which = chance.integers(6)
    if which == 0:
        shape = 0.3 + _bump(hours, 9.5, 1.8) + 0.9 * _bump(hours, 15, 1.8)
    elif which == 1:
        shape = 0.5 + 0.4 * np.sin((hours - chance.uniform(6, 12)) * np.pi / 12)
    elif which == 2:
        shape = 0.25 + 0.6 * _bump(hours, 13, 4) + 0.8 * _bump(hours, 21, 1.7)
    elif which == 3:
        shape = 1.0 + 0 * hours
    elif which == 4:
        shape = 0.5 + 0.3 * _bump(hours, 14, 5) + 0.8 * (np.abs(hours - chance.integers(0, 24)) < 0.3)
    else:
        minute = times % 3600 / 60
        shape = 0.6 + 0.3 * _bump(hours, 12, 5) + chance.uniform(0.1, 0.6) * (minute < chance.integers(3, 15))
    return np.where(weekend, chance.choice([1.0, 1.0, 0.75, 0.4]), 1.0) * shape


def _wander(chance: np.random.Generator, n: int, keep: float) -> Floats:
    """An autoregressive walk of variance 1."""
    steps = chance.standard_normal(n) * np.sqrt(1 - keep * keep)
    out, at = np.empty(n), chance.standard_normal()
    for i, step in enumerate(steps.tolist()):
        at = keep * at + step
        out[i] = at
    return out


def _noise(chance: np.random.Generator, n: int, step: int) -> Floats:
    """Of variance about 1."""
    which = chance.integers(4)
    if which == 0:
        fine = chance.standard_normal(n)
    elif which == 1:
        fine = chance.standard_t(4, n) / np.sqrt(2)
    elif which == 2:
        fine = (chance.gamma(3.0, 1.0, n) - 3.0) / np.sqrt(3)
    else:
        fine = _wander(chance, n, chance.uniform(0.3, 0.8))
    slow = _wander(chance, n, float(np.exp(-step / (3600 * chance.uniform(1, 8)))))
    share = chance.uniform(0, 0.7)
    return np.sqrt(1 - share**2) * fine + share * slow


def make(seed: int) -> Series:
    chance = np.random.default_rng(seed)
    step = int(chance.choice([60, 300]))
    days = int(chance.integers(14, 36)) if step == 60 else int(chance.integers(21, 70))
    n = days * DAY_S // step
    times = START + int(chance.integers(0, 300)) * DAY_S + np.arange(n, dtype=np.int64) * step
    shape = _shape(chance, times)
    trend = 1 + chance.choice([0, 0, 0.3, -0.3]) * np.arange(n) / n
    clean = shape * trend
    relative = chance.uniform(0.03, 0.25)
    power = chance.choice([0.0, 0.5, 1.0])  # how noise grows with the level
    width = relative * np.mean(clean) * (clean / np.mean(clean)) ** power
    values = clean + width * _noise(chance, n, step)
    if chance.random() < 0.4:  # harmless single outliers
        at = chance.random(n) < chance.uniform(0.5, 6) / 7 / (DAY_S / step)
        values = values + at * width * chance.choice([-1, 1]) * chance.uniform(3, 8, n)
    calm = values
    values, events, kinds = _harm(chance, times, values, clean, width, step)
    least = 0.0 if chance.random() < 0.7 else -np.inf
    scale, whole = 10 ** chance.uniform(-1, 6), chance.random() < 0.4
    values, calm = (_recorded(one, least, scale, whole) for one in (values, calm))
    moved = np.abs(values - calm) >= _PLAIN * width * scale
    values, kept = _lose(chance, values, step)
    moved &= kept & np.isfinite(values)
    plain = [bool(moved[(times >= start) & (times <= min(end, start + 600))].any()) for start, end in events]
    truth = (part[kept] * scale for part in (clean, width))
    return Series(f"seed {seed}", times[kept], values[kept], events, kinds, plain, *truth)


def _recorded(values: Floats, least: float, scale: float, whole: bool) -> Floats:
    values = np.maximum(values, least) * scale
    return np.round(values) if whole else values


def _harm(chance, times, values, clean, width, step):  # type: ignore[no-untyped-def]
    n, values = len(values), values.copy()
    weeks = n * step / (7 * DAY_S)
    count = int(chance.poisson(weeks * chance.choice([0.5, 1, 2, 4, 8])))
    events: list[tuple[int, int]] = []
    kinds: list[str] = []
    taken = np.zeros(n, bool)
    for _ in range(count):
        kind = str(chance.choice(INCIDENTS, p=_OFTEN))
        low, high = {
            "spike": (1, 3),
            "dip": (1, 20),
            "burst": (5, 60),
            "shift": (180, 1440),
            "outage": (5, 90),
            "variance": (60, 360),
            "flat": (60, 360),
            "leak": (360, 1440),
        }[kind]
        span = max(1, int(np.exp(chance.uniform(np.log(low), np.log(high + 1)))) * 60 // step)
        at = int(chance.integers(3 * DAY_S // step, max(n - span - 1, 3 * DAY_S // step + 1)))
        if at + span >= n or taken[max(at - 3600 // step, 0) : at + span + 3600 // step].any():
            continue
        part = slice(at, at + span)
        taken[part] = True
        size = np.exp(chance.uniform(np.log(4), np.log(40))) * width[part]
        sign = chance.choice([-1, 1])
        if kind == "spike":
            values[part] += size
        elif kind == "dip":
            values[part] -= size
        elif kind in ("burst", "shift"):
            values[part] += sign * size * (0.7 if kind == "shift" else 1)
        elif kind == "outage":
            values[part] = values[part] * chance.uniform(0, 0.3)
        elif kind == "variance":
            values[part] += width[part] * chance.uniform(2, 5) * chance.standard_normal(span)
        elif kind == "flat":
            values[part] = values[at]
        else:
            values[part] += sign * size * np.linspace(0, 1, span)
        events.append((int(times[at]), int(times[at + span - 1])))
        kinds.append(kind)
    order = sorted(range(len(events)), key=lambda i: events[i])
    return values, [events[i] for i in order], [kinds[i] for i in order]


def _lose(chance: np.random.Generator, values: Floats, step: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Values, some of them NaN, and which were recorded at all."""
    keep = np.ones(len(values), bool)
    which = chance.integers(4)
    if which == 1:
        values = np.where(chance.random(len(values)) < 0.01, np.nan, values)
    elif which == 2:
        for _ in range(int(chance.integers(1, 5))):
            at = int(chance.integers(0, len(values)))
            keep[at : at + int(chance.integers(1, 20 * 3600 // step))] = False
    elif which == 3:
        keep = chance.random(len(values)) > 0.005
    keep[0] = True
    return values, keep
