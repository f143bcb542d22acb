"""How one bucket of one entity surprises, feature by feature, before it is calibrated (`tail.py`).

Counts are held against the entity's own and its peers' (`cell.py`). A value that the entity rarely or never had surprises by how rarely the
entity has new values at all, and by how few of its peers have that one: what is new for me and common among my peers is little.
"""

from __future__ import annotations

from math import log, sqrt
from typing import NamedTuple

from detector.entities.cell import Cell, above, mean
from detector.entities.profile import SLOTS, Activity, Habits, Population, Profile
from detector.entities.text import beside

_COMMON = 0.2  # of the entity's buckets: what is in more of them is not looked at
_PRIOR = 4.0  # peers weigh as much as so many own buckets
_ADOPTED = 3.0  # a value that three have is no longer the mark of one intruder
_FEW = 3.0  # entities of a group that weigh as much as everybody
_UNSEEN = 0.5  # entities that have what none has had
_TOO_FEW = 8.0  # entities: of so few little is common, and four of five may share what the fifth has no business with
_LEAST_COUNT = 4  # events with one value, before their number is looked at
_LEAST_WALK = 5  # fresh values of a bucket, before it is looked at whether their numbers follow each other
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
    of: int = 0  # events of which `actual` is a share


def counted(profile: Profile, peers: Population, numbers: list[int], weight: float, busy: float) -> list[Raw]:
    """Numbers of events, of distinct, fresh and sequential values in the bucket that are too high; see `Habits.sums`."""
    found: list[Raw] = []
    own, theirs = profile.habits, peers.habits
    for at, count in enumerate(numbers):
        if count >= _LEAST_COUNT:
            those = theirs.cell(at)
            surprise, expected = above(count / busy, own.cell(at), those, weight)
            if surprise:
                found.append(Raw(at, surprise, "", expected * busy, count, mean(those)))
    return found


def busyness(own: Habits, slot: int, weight: float) -> float:
    """How many times its usual number of events the entity has at this hour, 1 at least. `slot`: of 48."""
    usual = own.sums[0][0] / own.buckets if own.buckets else 0.0
    if not usual:
        return 1.0
    here = (own.busy[SLOTS + slot] + 2 * weight * usual) / (own.busy[slot] + 2 * weight)
    return min(max((here / usual) ** 2, 1.0), _MOST_BUSY)


def today(profile: Profile, peers: Population, activity: Activity, weight: float, base: int) -> list[Raw]:
    """The same for the day so far, against whole days, of what the bucket adds to. `base`: the first feature of days."""
    own, theirs, day = profile.habits.days, peers.habits.days, profile.today
    if own[0][0] < _DAYS_KNOWN * weight and not theirs[0][0]:
        return []
    found = []
    numbers = [day.events, *(many if some else 0 for many, some in zip(day.distinct, activity.counts, strict=True))]
    for at, count in enumerate(numbers):
        if count >= _LEAST_COUNT:
            surprise, expected = above(count, own[at], theirs[at], weight)
            if surprise:
                found.append(Raw(base + at, surprise, "", expected, count, mean(theirs[at])))
    return found


class Near(NamedTuple):
    """What an entity is held against in one bucket. `group`: its peers, who are `everybody` while it has none of its own.

    `usual`: of each field, how often one of them has a value that is new to it; `unseen`: how often such a value is new to everybody.
    """

    everybody: Population
    group: Population
    usual: list[float]
    unseen: list[float]
    weight: float
    busy: float  # times its usual number of events at this hour
    plain: list[int]  # fields that nearly always have one value; see `share.py`


class Values(NamedTuple):
    """Of each field: how many values are fresh to the entity, whether one is to everybody, and how many fresh ones follow another."""

    fresh: list[int]
    unseen: list[bool]
    sequential: list[int]


def new(profile: Profile, everybody: Population, activity: Activity) -> Values:
    """What of the bucket's values is new."""
    fields = len(activity.counts)
    found = Values([0] * fields, [False] * fields, [0] * fields)
    for at, counts in enumerate(activity.counts):
        known, shared = profile.values[at], everybody.values[at]
        fresh = [text for text in counts if text not in known]
        if fresh:
            found.fresh[at] = len(fresh)
            found.unseen[at] = any(text not in shared for text in fresh)
            if len(fresh) >= _LEAST_WALK:
                found.sequential[at] = sum((near := beside(text)) is not None and near in counts for text in fresh)
    return found


def valued(profile: Profile, near: Near, activity: Activity, base: int) -> list[Raw]:
    """The rarest value of each field, and the one that has too many events.

    `base`: the first of the features of rare values; those of counted ones follow.
    """
    found: list[Raw] = []
    fields = len(activity.counts)
    for at, counts in enumerate(activity.counts):
        if counts:
            rarest = _rarest(profile, near, at, counts, base + at)
            if rarest is not None:
                found.append(rarest)
            if activity.events >= _LEAST_COUNT:
                most = _most(profile, near, at, counts, base + fields + at)
                if most is not None:
                    found.append(most)
    return found


def _rarest(profile: Profile, near: Near, at: int, counts: dict[str, int], feature: int) -> Raw | None:
    """How rarely the entity has new values at all, and how few others have this one: what is new for it and common for them is little."""
    known, own, prior = profile.values[at], profile.habits, _PRIOR * near.weight
    had = own.had[at]
    common, lift = _COMMON * had, -1.0
    best, found = 1.0, None
    for value in counts:
        cell = known.get(value)
        if cell is not None and cell[0] >= common:
            continue
        if lift < 0:
            lift = -log((own.fresh[at] + prior * near.usual[at]) / (had + prior)) if own.buckets else 0.0
        rarity = lift if cell is None else min(lift, -log(cell[0] / (had + prior)))
        if cell is not None and rarity < best:
            continue  # others can only make it less surprising
        have, share = _share(near, at, value, cell is not None)
        surprise = rarity * (1 - share)
        if cell is None:  # where the new is mostly new to everybody (citizens), it is no wonder that nobody knows it
            surprise -= log(max(share, near.unseen[at]))
        if surprise > best or (found is not None and surprise == best and value > found.value):
            own_share = cell[0] / had if cell is not None and had else 0.0
            others = min(have / max(near.everybody.entities - 1, 1), 1.0)
            best, found = surprise, Raw(feature, surprise, value, own_share, counts[value], others)
    return found


def _share(near: Near, at: int, value: str, own: bool) -> tuple[float, float]:
    """How many others know the value, and the share of peers for whom it is nothing new. `own`: the entity knows it, too."""
    those = near.everybody.values[at].get(value)
    have = max((those[3] if those is not None else 0.0) - own, 0.0)
    every = near.everybody.entities + 1
    share = min((have * _ADOPTED + _UNSEEN) / every, 1.0) * every / (every + _TOO_FEW)
    if near.group is not near.everybody:
        close = near.group.values[at].get(value)
        share = sqrt(share * min(((close[3] if close else 0.0) + _FEW * share) / (near.group.entities + _FEW), 1.0))
    return have, share


def _most(profile: Profile, near: Near, at: int, counts: dict[str, int], feature: int) -> Raw | None:
    """The value that has too many events."""
    most: Raw | None = None
    for value, count in counts.items():
        if count < _LEAST_COUNT:
            continue
        cell, those = profile.values[at].get(value), near.everybody.values[at].get(value)
        if cell is not None or those is not None:
            peers = near.group.values[at].get(value) or those or _NONE
            much, expected = above(count / near.busy, cell or _NONE, peers, near.weight)
            if much and (most is None or (much, value) > (most.surprise, most.value)):
                most = Raw(feature, much, value, expected * near.busy, count, mean(those or _NONE))
    return most


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
