"""Shares: of a field's events in a bucket, the part that has one value. Three failures in a hundred are usual, forty are not.

A share says what a count cannot, for the number of events does not matter to it: as many failures as in the busiest hour, while it is none,
or no more of them than always, and all else is gone. Only fields that nearly always have one value (outcomes, answer codes) are looked at:
the shares of others are never the same twice.
"""

from __future__ import annotations

from math import log

from detector.entities.profile import Activity, Population, Profile
from detector.entities.surprise import Near, Raw

_LEAST_EVENTS = 20  # of the field, here or usually: six mistyped passwords of seven are no share, and no news
_LEAST_HERE = 6  # of whoever usually has more
_LEAST_COUNT = 4  # of them with the value
_LEAST_RATIO = 2.0  # times the expected share, before a share is worth a word
_MOST_VALUES = 100  # of a field, among everybody, and ...
_PLAIN = 0.7  # ... the part of its events that has the most usual one
_PRIOR = 10.0  # events: peers weigh as much as so many own ones
_MOST_KNOWN = 50.0  # events: however long its history is, an entity's share is not the same in each bucket


def above(part: int, whole: int, expected: float, known: float) -> float:
    """How surprising so great a part of the whole is (nats, 0 for nothing), when the share was `expected` among so many events `known`.

    It is how fast the tail of a beta-binomial falls: likeliest to lead to such a bucket is a share between both, and that is as unlikely as
    what is known and what is in the bucket are by it.
    """
    if part <= expected * whole:
        return 0.0
    both = whole + known
    share, rest = (part + known * expected) / both, (whole - part + known * (1 - expected)) / both
    bucket = _apart(part, whole * share) + _apart(whole - part, whole * rest)
    return bucket + _apart(known * expected, known * share) + _apart(known * (1 - expected), known * rest)


def _apart(count: float, usual: float) -> float:
    return count * log(count / usual) if count else 0.0


def plain(everybody: Population) -> list[int]:
    """The fields that nearly always have one value (success, 200), among all entities."""
    found = []
    for at, (values, total) in enumerate(zip(everybody.values, everybody.habits.totals, strict=True)):
        if 1 < len(values) <= _MOST_VALUES and max(those[2] for those in values.values()) >= _PLAIN * total:
            found.append(at)
    return found


def shared(profile: Profile, near: Near, activity: Activity, base: int) -> list[Raw]:
    """Of each plain field the value that has too great a share of the events. `base`: the first of these features."""
    found: list[Raw] = []
    if activity.events < _LEAST_HERE:
        return found
    for at in near.plain:
        counts = activity.counts[at]
        whole = sum(counts.values())
        if _enough(whole, profile, at) and (activity.beyond is None or at not in activity.beyond):
            greatest = _greatest(profile, near, at, counts, whole, base + at)
            if greatest is not None:
                found.append(greatest)
    return found


def _enough(whole: int, profile: Profile, at: int) -> bool:
    """Whether so many events of the field make a share, or are what is left of those that would."""
    own = profile.habits
    return whole >= _LEAST_EVENTS or (whole >= _LEAST_HERE and own.totals[at] >= _LEAST_EVENTS * own.had[at] > 0)


def _greatest(profile: Profile, near: Near, at: int, counts: dict[str, int], whole: int, feature: int) -> Raw | None:
    """The value whose share surprises most."""
    greatest: Raw | None = None
    total = profile.habits.totals[at] / near.weight
    known = total + _PRIOR
    for value, part in counts.items():
        if part < _LEAST_COUNT:
            continue
        cell = profile.values[at].get(value)
        own = cell[2] / near.weight if cell is not None else 0.0
        peers = _of(near.group, at, value) or _of(near.everybody, at, value)
        expected = (own + _PRIOR * peers) / known
        if not expected or part < _LEAST_RATIO * expected * whole:
            continue
        surprise = above(part, whole, expected, min(known, _MOST_KNOWN))
        if greatest is None or (surprise, value) > (greatest.surprise, greatest.value):
            usual = own / total if total else expected
            greatest = Raw(feature, surprise, value, usual, part / whole, peers, whole)
    return greatest


def _of(population: Population, at: int, value: str) -> float:
    """The share that the value has among these entities."""
    those, total = population.values[at].get(value), population.habits.totals[at]
    return min(those[2] / total, 1.0) if those is not None and total else 0.0
