"""How one bucket of one entity surprises, feature by feature, before it is calibrated (`tail.py`).

Counts are held against the entity's own and its peers' (`cell.py`). A value that the entity rarely or never had surprises by how rarely the
entity has new values at all, and by how few of its peers have that one: what is new for me and common among my peers is little.
"""

from __future__ import annotations

from math import log, sqrt
from typing import NamedTuple

from detector.entities.cell import Cell, above, mean
from detector.entities.profile import SLOTS, Activity, Habits, Population, Profile

_COMMON = 0.2  # of the entity's buckets: what is in more of them is not looked at
_PRIOR = 4.0  # peers weigh as much as so many own buckets
_ADOPTED = 3.0  # a value that three have is no longer the mark of one intruder
_FEW = 3.0  # entities of a group that weigh as much as everybody
_UNSEEN = 0.5  # entities that have what none has had
_LEAST_COUNT = 4  # events with one value, before their number is looked at
_LEAST_HOURS = 24.0  # that the entity must have been active before its hours are a habit
_MOST_BUSY = 25.0
_WEEKEND = 0.25  # is less odd by so much of the workday's habit
_DAYS_KNOWN = 1.5  # own days before a day is held against them


class Raw(NamedTuple):
    """One feature's surprise, in nats of its own. `feature`: its place in `Features`."""

    feature: int
    surprise: float
    value: str
    expected: float
    actual: float
    peers: float


def counted(
    profile: Profile, peers: Population, activity: Activity, fresh: list[int], weight: float, busy: float
) -> list[Raw]:
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
            surprise, expected = above(count / busy, own[at], theirs[at], weight)
            if surprise:
                found.append(Raw(at, surprise, "", expected * busy, count, mean(theirs[at])))
    return found


def busyness(own: Habits, slot: int, weight: float) -> float:
    """How many times its usual number of events the entity has at this hour, 1 at least. `slot`: of 48."""
    usual = own.cells[0][1] / own.buckets if own.buckets else 0.0
    if not usual:
        return 1.0
    here = (own.busy[SLOTS + slot] + 2 * weight * usual) / (own.busy[slot] + 2 * weight)
    return min(max((here / usual) ** 2, 1.0), _MOST_BUSY)


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
            found.append(Raw(base + at, surprise, "", expected, count, mean(theirs[at])))
    return found


def valued(
    profile: Profile, peers: Population, group: Population, activity: Activity, weight: float, busy: float, base: int
) -> tuple[list[Raw], list[int]]:
    """The rarest value of each field, and the one that has too many events; and how many values are fresh, for each field.

    `base`: the first of the features of rare values; those of counted ones follow.
    """
    found: list[Raw] = []
    fresh: list[int] = []
    own, theirs = profile.habits, group.habits
    buckets, everybody = own.buckets, peers.entities + 1
    fields = len(activity.counts)
    for at, counts in enumerate(activity.counts):
        known, shared, near = profile.values[at], peers.values[at], group.values[at]
        had = own.had[at]
        usual = (theirs.fresh[at] + 0.5 * weight) / (theirs.had[at] + weight)
        novelty = (own.fresh[at] + _PRIOR * weight * usual) / (had + _PRIOR * weight)
        lift = -log(novelty) if buckets else 0.0
        rarest: tuple[float, str, float, float] | None = None
        most: Raw | None = None
        unknown = 0
        for value, count in counts.items():
            cell = known.get(value)
            if cell is None:
                unknown += 1
            elif cell[0] >= _COMMON * had and count < _LEAST_COUNT:
                continue
            those = shared.get(value)
            have = (those[3] if those is not None else 0.0) - (cell is not None)
            share = min((max(have, 0.0) * _ADOPTED + _UNSEEN) / everybody, 1.0)
            if group is not peers:
                close = near.get(value)
                share = sqrt(share * min(((close[3] if close else 0.0) + _FEW * share) / (group.entities + _FEW), 1.0))
            own_rarity = lift if cell is None else min(lift, -log(cell[0] / (had + _PRIOR * weight)))
            surprise = own_rarity * (1 - share) - (log(share) if cell is None else 0.0)
            if surprise > 1.0 and (rarest is None or (surprise, value) > rarest[:2]):
                usual_share = cell[0] / had if cell is not None and had else 0.0
                rarest = surprise, value, usual_share, min(max(have, 0.0) / max(peers.entities - 1, 1), 1.0)
            if count >= _LEAST_COUNT and (cell is not None or those is not None):
                much, expected = above(count / busy, cell or _NONE, near.get(value) or those or _NONE, weight)
                if much and (most is None or (much, value) > (most.surprise, most.value)):
                    most = Raw(base + fields + at, much, value, expected * busy, count, mean(those or _NONE))
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
    most, here = max(max(own.hours), total / 12), _around(own.hours, slot)
    if slot >= 24:  # a weekend, at the hours of a workday
        here += _WEEKEND * _around(own.hours, slot - 24)
    if here >= most:
        return None
    usual = peers.hours[slot] / (max(peers.hours) or 1.0)
    share = (here + weight * (usual + 0.01)) / (most + weight)
    return Raw(feature, max(-log(share), 0.0), f"{slot % 24:02d}:00", share, 1.0, usual)


def _around(hours: list[float], slot: int) -> float:
    """Neighbouring hours count half: people come a little early."""
    day = slot // 24 * 24
    hour = slot % 24
    return hours[slot] + 0.5 * (hours[day + (hour - 1) % 24] + hours[day + (hour + 1) % 24])


_NONE: Cell = [0.0, 0.0, 0.0]
