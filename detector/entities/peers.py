"""Peer groups: entities that do alike at like hours, found anew each day from what they have done, never from a name.

A night watch is held against night watches, a backup account against other jobs. Whoever is not known for long enough, or is like few
others, is held against everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np

from detector.entities.profile import Population, Profile

EVERYBODY = -1
_LEAST_BUCKETS = 12  # of an entity, before it is like anybody
_LEAST_MEMBERS = 5
_EACH = 15  # entities that a group should have
_MOST = 8  # groups
_FITTED = 4000  # entities that groups are made from; the rest joins them
_DIMENSIONS = 32  # of each field
_DAYS_LIKE_HOURS = 2.0


def regroup(entities: Mapping[str, Profile], fields: int, weight: float) -> list[Population]:
    """Put each entity into a group (`Profile.group`) and return what each group does together. `weight`: of one bucket now."""
    known = sorted(entity for entity, profile in entities.items() if profile.habits.buckets >= _LEAST_BUCKETS * weight)
    for profile in entities.values():
        profile.group = EVERYBODY
    groups = min(len(known) // _EACH, _MOST)
    if groups < 2:
        return []
    members = [entities[entity] for entity in known]
    vectors = np.array([_vector(profile, fields, weight) for profile in members], np.float32)
    step = max(len(members) // _FITTED, 1)
    from sklearn.cluster import (
        KMeans,
    )  # only now: it takes longer to import than all else that the observer starts with

    model = KMeans(groups, n_init=2, max_iter=50, random_state=0).fit(vectors[::step])
    labels = [int(label) for label in model.predict(vectors)]
    sizes = [labels.count(group) for group in range(groups)]
    populations = [Population(fields) for _ in range(groups)]
    for profile, label in zip(members, labels, strict=True):
        if sizes[label] >= _LEAST_MEMBERS:
            profile.group = label
            _join(populations[label], profile)
    return populations


def _vector(profile: Profile, fields: int, weight: float) -> list[float]:
    """When it is active, what share of its buckets has which value, and how much it does."""
    habits = profile.habits
    total = sum(habits.hours) or 1.0
    weekend = sum(habits.hours[24:]) / total
    hours = [(habits.hours[at] + habits.hours[24 + at]) / total * _DAYS_LIKE_HOURS for at in range(24)]
    vector = [
        *hours,
        weekend,
        0.1 * float(np.log1p(habits.buckets / weight)),
        0.2 * habits.sums[0][0] / habits.buckets,
    ]
    for at in range(fields):
        block = np.zeros(_DIMENSIONS)
        for value, cell in profile.values[at].items():
            block[crc32(value.encode(errors="surrogatepass")) % _DIMENSIONS] += cell[0]
        length = float(np.linalg.norm(block))
        vector += (block / length / fields).tolist() if length else block.tolist()
    return vector


def _join(group: Population, profile: Profile) -> None:
    own, theirs = profile.habits, group.habits
    group.entities += 1
    theirs.buckets += own.buckets
    theirs.placed += own.placed
    theirs.moved += own.moved
    for mine, sums in ((own.sums, theirs.sums), (own.days, theirs.days)):
        for cell, total in zip(mine, sums, strict=True):
            _add(total, cell)
    for some, all_ in (
        (own.had, theirs.had),
        (own.fresh, theirs.fresh),
        (own.totals, theirs.totals),
        (own.hours, theirs.hours),
        (own.busy, theirs.busy),
    ):
        _add(all_, some)
    for values, shared in zip(profile.values, group.values, strict=True):
        for value, cell in values.items():
            total = shared.setdefault(value, [0.0, 0.0, 0.0, 0.0])
            _add(total, cell)
            total[3] += 1


def _add(total: list[float], more: Sequence[float]) -> None:
    for at, number in enumerate(more):
        total[at] += number
