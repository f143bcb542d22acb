"""Labelled series of another make than `bench.kpis`: a scorer may suit the series that it is developed on.

They are modelled on public sets of the KPIs of large web services: counts, durations, errors, percentages, queues and machines, every
minute or five for six to ten weeks; days differ from each other, releases change the level and have no label, and who labels is not
exact. That three in ten incidents are followed by up to three others, each within four hours, is an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.kpis import DAY_S, Floats, Series
from bench.kpis_public_calm import FAMILIES, Calm, Clock, clock_of, level_of, noise_of, wander

_KINDS = {"spike": (1, 4), "drop": (1, 15), "burst": (8, 60), "shift": (30, 720), "cut": (3, 90), "ramp": (15, 90)}
"""And how many points of a minute they last."""
_OFTEN = np.array([3, 2.5, 2, 1.2, 1.2, 0.6]) * 0.7
_SIZE, _SPREAD = 30.0, 0.8  # median, in widths of the noise, and deviation of its logarithm
_PLAIN = 4.0  # widths, as in `bench.kpis`
_SEEN = 3.0  # widths: what moves no value by so much gets no label


@dataclass(slots=True)
class _Harm:
    """Of all incidents: what values are multiplied by, what is added to them, and the labels."""

    factors: Floats
    added: Floats
    events: list[tuple[int, int]]
    kinds: list[str]


def make(seed: int) -> Series:
    chance = np.random.default_rng(700_000 + seed)
    clock = clock_of(chance)
    family = str(chance.choice(list(FAMILIES), p=[often for _, often, _ in FAMILIES.values()]))
    drawn, _, strength = FAMILIES[family]
    level, noise = level_of(chance, clock, strength), noise_of(chance, clock)
    calm = drawn(chance, clock, level, noise, np.exp(chance.uniform(np.log(0.015), np.log(0.2))))
    outliers = _outliers(chance, clock, calm.widths, family)
    harm = _harm(chance, clock, calm, family)
    harm.added += outliers
    usual, values = _harmed(chance, calm, harm, family)
    scale = 10 ** chance.uniform(-2, 5) if family in ("traffic", "latency", "constant") else 1.0
    usual, values = (_recorded(one, calm) for one in (usual, values))
    kept = _kept(chance, clock)
    moved = np.abs(values - usual) / calm.widths
    events, kinds, plain = _labels(clock.times, harm, moved, kept)
    truth = (part[kept] * scale for part in (calm.usual, calm.widths))
    return Series(f"{family}, seed {seed}", clock.times[kept], values[kept] * scale, events, kinds, plain, *truth)


def _outliers(chance: np.random.Generator, clock: Clock, widths: Floats, family: str) -> Floats:
    """Single ones that do no harm."""
    n = len(widths)
    at = chance.random(n) < chance.choice([0, 0.3, 1, 3]) / 7 / clock.points(DAY_S)
    sizes: Floats = at * widths * chance.choice([-1, 1], n) * chance.uniform(3, 9, n)
    return -sizes if family == "percent" and chance.random() < 0.7 else sizes


def _starts(chance: np.random.Generator, clock: Clock) -> list[int]:
    """Of incidents, as points; some soon after another, as a fault comes back."""
    n = len(clock.times)
    weekly = np.exp(chance.uniform(np.log(0.3), np.log(3))) if chance.random() < 0.93 else chance.uniform(4, 12)
    count = max(1, int(chance.poisson(weekly * clock.weeks)))
    starts: list[int] = []
    while len(starts) < count:
        at = int(chance.uniform(0.03, 0.995) * n)
        starts.append(at)
        if chance.random() < 0.3:
            for _ in range(int(chance.integers(1, 4))):
                at += int(clock.points(chance.uniform(20 * 60, 4 * 3600))) + 1
                starts.append(at)
    return sorted(starts[:count])


def _harm(chance: np.random.Generator, clock: Clock, calm: Calm, family: str) -> _Harm:
    n = len(clock.times)
    harm, last = _Harm(np.ones(n), np.zeros(n), [], []), -1
    starts = _starts(chance, clock)
    # A series has larger incidents than others, more of them up or down, and its kinds.
    own = np.exp(0.5 * chance.normal())
    side, often = int(chance.choice([-1, 0, 0, 1, 1])), chance.dirichlet(_OFTEN)
    for at in starts:
        kind = str(chance.choice(list(_KINDS), p=often))
        least, most = _KINDS[kind]
        rough = np.exp(chance.uniform(np.log(least), np.log(most + 1)))
        span = max(1, int(rough * (1 if clock.step == 60 or most < 20 else 0.35)))
        if at <= last + 600 // clock.step or at + span >= n:
            continue
        last = at + span
        size = own * np.exp(np.log(_SIZE) + _SPREAD * chance.normal())
        sign = side or int(chance.choice([-1, 1]))
        if family in ("errors", "queue", "constant", "latency"):  # what falls there is no incident
            sign, kind = 1, {"drop": "spike", "cut": "burst"}.get(kind, kind)
        elif family == "percent":
            sign = -1 if chance.random() < 0.9 else 1
        down = kind == "drop" or family == "percent"
        _hit(chance, harm, calm, slice(at, last), kind, size, sign, -1 if down else 1)
        late = int(chance.choice([0, 0, 0, 1, 2, -1])) if span > 3 else 0  # who labels is not exact
        harm.events.append((int(clock.times[at + late]), int(clock.times[last - 1])))
        harm.kinds.append(kind)
    return harm


def _hit(
    chance: np.random.Generator, harm: _Harm, calm: Calm, part: slice, kind: str, size: float, sign: int, jump: int
) -> None:
    """`sign`: where a lasting one goes; `jump`: where a short one does."""
    widths, span = calm.widths[part], part.stop - part.start
    if kind in ("spike", "drop"):
        harm.added[part] = jump * size * widths * chance.uniform(0.7, 1.2, span)
    elif kind == "burst":
        harm.added[part] = size * widths * chance.standard_normal(span)
    elif kind == "shift":
        harm.added[part] = sign * size * 0.8 * widths
    elif kind == "ramp":
        harm.added[part] = sign * size * 1.3 * widths * np.linspace(0, 1, span)
    elif chance.random() < 0.5:
        harm.factors[part] = chance.uniform(0, 0.4)
    else:
        usual = np.maximum(np.abs(calm.usual[part]), 1e-9)
        harm.factors[part] = max(0, 1 - size * np.median(widths / usual))


def _harmed(chance: np.random.Generator, calm: Calm, harm: _Harm, family: str) -> tuple[Floats, Floats]:
    """Values without outliers and incidents, and with them."""
    if family != "errors":
        return calm.values, calm.values * harm.factors + harm.added
    n = len(calm.usual)
    rate = calm.usual * np.exp(chance.choice([0, 0.3, 0.6]) * wander(chance, n, 20))
    counted = chance.poisson(np.maximum(rate, 0)).astype(float)
    harmed = chance.poisson(np.maximum(rate * harm.factors + harm.added, 0))
    return counted, np.where((harm.factors != 1) | (harm.added != 0), harmed, counted)


def _recorded(values: Floats, calm: Calm) -> Floats:
    values = np.clip(values, calm.least, calm.most)
    return np.round(values / calm.unit) * calm.unit if calm.unit else values


def _kept(chance: np.random.Generator, clock: Clock) -> NDArray[np.bool_]:
    """Gaps of up to two days, and single values that are lost."""
    n = len(clock.times)
    kept = np.ones(n, bool)
    for _ in range(int(chance.poisson(chance.choice([0, 1, 5])))):
        at = int(chance.integers(10, n))
        kept[at : at + int(np.exp(chance.uniform(0, np.log(2 * clock.points(DAY_S)))))] = False
    kept &= chance.random(n) > chance.choice([0, 0, 0.002, 0.02])
    return kept


def _labels(
    times: NDArray[np.int64], harm: _Harm, moved: Floats, kept: NDArray[np.bool_]
) -> tuple[list[tuple[int, int]], list[str], list[bool]]:
    """Of incidents that left a trace, and of whose first ten minutes a value is there."""
    events, kinds, plain = [], [], []
    for (start, end), kind in zip(harm.events, harm.kinds, strict=True):
        early = kept & (times >= start) & (times <= min(end, start + 600))
        if early.any() and (moved[(times >= start) & (times <= end)] >= _SEEN).any():
            events.append((start, end))
            kinds.append(kind)
            plain.append(bool((moved[early] >= _PLAIN).any()))
    return events, kinds, plain
