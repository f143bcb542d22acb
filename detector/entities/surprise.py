"""How one bucket of one entity surprises, feature by feature, before it is calibrated (`tail.py`).

Counts are held against the entity's own and its peers' (`cell.py`). A value that the entity rarely or never had surprises by how rarely the
entity has new values at all, and by how few of its peers have that one: what is new for me and common among my peers is little.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

from detector.entities.cell import Cell, above
from detector.entities.profile import Activity, Habits, Population, Profile

_COMMON = 0.2  # of the entity's buckets: what is in more of them is not looked at
_PRIOR = 4.0  # peers weigh as much as so many own buckets
_UNSEEN = 0.5  # entities that have what none has had
_LEAST_COUNT = 4  # events with one value, before their number is looked at
_LEAST_HOURS = 24.0  # that the entity must have been active before its hours are a habit
_DAYS_KNOWN = 1.5  # own days before a day is held against them


class Raw(NamedTuple):
    """One feature's surprise, in nats of its own. `feature`: its place in `Features`."""

    feature: int
    surprise: float
    value: str
    expected: float
    actual: float
    peers: float


def counted(profile: Profile, peers: Population, activity: Activity, fresh: list[int], weight: float) -> list[Raw]:
    """Numbers of events, of distinct, fresh and sequential values in the bucket that are too high. `fresh`: how many, for each field."""
    found: list[Raw] = []
    fields = len(fresh)
    own, theirs = profile.habits.cells, peers.habits.cells
    first = not profile.habits.buckets
    counts = [activity.events]
    counts += [activity.distinct(at) for at in range(fields)]
    counts += [0] * fields if first else fresh
    counts += [activity.sequential(at) for at in range(fields)]
    for at, count in enumerate(counts):
        if count >= _LEAST_COUNT:
            surprise, expected = above(count, own[at], theirs[at], weight)
            if surprise:
                found.append(Raw(at, surprise, "", expected, count, _mean(theirs[at])))
    return found


def today(profile: Profile, peers: Population, weight: float, base: int) -> list[Raw]:
    """The same for the day so far, against whole days. `base`: the first feature of days."""
    own, theirs, day = profile.habits.days, peers.habits.days, profile.today
    if own[0][0] < _DAYS_KNOWN * weight and not theirs[0][0]:
        return []
    found = []
    for at in range(len(own)):
        count = day.events if not at else day.distinct(at - 1)
        surprise, expected = above(count, own[at], theirs[at], weight)
        if surprise:
            found.append(Raw(base + at, surprise, "", expected, count, _mean(theirs[at])))
    return found


def valued(
    profile: Profile, peers: Population, activity: Activity, entities: int, weight: float, base: int
) -> tuple[list[Raw], list[int]]:
    """The rarest value of each field, and the one that has too many events; and how many values are fresh, for each field.

    `base`: the first of the features of rare values; those of counted ones follow.
    """
    found: list[Raw] = []
    fresh: list[int] = []
    own, theirs = profile.habits, peers.habits
    buckets = own.buckets
    fields = len(activity.counts)
    for at, counts in enumerate(activity.counts):
        known, shared = profile.values[at], peers.values[at]
        usual = theirs.fresh[at] + 0.5 * weight
        novelty = (own.fresh[at] + _PRIOR * weight * usual / (theirs.buckets + weight)) / (buckets + _PRIOR * weight)
        lift = -log(novelty) if buckets else 0.0
        rarest: tuple[float, str, float, float] | None = None
        most: Raw | None = None
        unknown = 0
        for value, count in counts.items():
            cell = known.get(value)
            if cell is None:
                unknown += 1
            elif cell[0] >= _COMMON * buckets and count < _LEAST_COUNT:
                continue
            those = shared.get(value)
            have = (those[3] if those is not None else 0.0) - (cell is not None)
            surprise = lift - log((max(have, 0.0) + _UNSEEN) / (entities + 1))
            if cell is not None:
                surprise = min(surprise, -log(cell[0] / (buckets + _PRIOR * weight)))
            if surprise > 1.0 and (rarest is None or surprise > rarest[0]):
                share = cell[0] / buckets if cell is not None and buckets else 0.0
                rarest = surprise, value, share, max(have, 0.0) / max(entities - 1, 1)
            if count >= _LEAST_COUNT and (cell is not None or those is not None):
                much, expected = above(count, cell or _NONE, those or _NONE, weight)
                if much and (most is None or much > most.surprise):
                    most = Raw(base + fields + at, much, value, expected, count, _mean(those or _NONE))
        if rarest is not None:
            found.append(Raw(base + at, rarest[0], rarest[1], rarest[2], counts[rarest[1]], rarest[3]))
        if most is not None:
            found.append(most)
        fresh.append(unknown)
    return found, fresh


def hourly(own: Habits, peers: Habits, slot: int, weight: float, feature: int) -> Raw | None:
    """An hour of the day at which the entity, and its peers, are rarely active. `slot`: of 48."""
    total = sum(own.hours)
    if total < _LEAST_HOURS * weight:
        return None
    others = sum(peers.hours) or 1.0
    most = max(_around(own.hours, at) for at in range(slot // 24 * 24, slot // 24 * 24 + 24)) or total / 10
    share = (_around(own.hours, slot) + weight * _around(peers.hours, slot) / others) / (most + weight)
    if share >= 1:
        return None
    return Raw(feature, -log(share), f"{slot % 24:02d}:00", share, 1.0, peers.hours[slot] / others)


def _around(hours: list[float], slot: int) -> float:
    """Neighbouring hours count half: people come a little early."""
    day = slot // 24 * 24
    hour = slot % 24
    return hours[slot] + 0.5 * (hours[day + (hour - 1) % 24] + hours[day + (hour + 1) % 24])


def _mean(cell: Cell) -> float:
    return (cell[1] / cell[0]) ** 2 if cell[0] else 0.0


_NONE: Cell = [0.0, 0.0, 0.0]
