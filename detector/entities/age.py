"""How habits grow old: the weight of now doubles with each half-life (`cell.py`). The day that it is counted from moves along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detector.entities.profile import Habits

if TYPE_CHECKING:
    from detector.entities.profiles import Profiles

HALF_LIFE_DAYS = 14.0  # of habits
TAIL_HALF_LIFE_DAYS = 4.0  # of what is usual to surprise: while habits are learned that changes fast
OLD_DAYS = 392  # 28 half-lives: what is so old weighs nothing
_STEP = 28  # days: half-lives of both kinds, so that scaling is exact


def grow(profiles: Profiles, day: int) -> bool:
    """Before the first bucket of this local day. False: all that was learned is so old that learning begins anew."""
    if profiles.base < 0:
        profiles.base = day
    if profiles.day >= 0 and day - profiles.day > OLD_DAYS:
        return False
    days = day - profiles.base
    if days > OLD_DAYS:
        days -= days % _STEP
        _scale(profiles, 2.0 ** (-days / HALF_LIFE_DAYS))
        profiles.tails.scale(2.0 ** (-days / TAIL_HALF_LIFE_DAYS))
        profiles.families.scale(2.0 ** (-days / TAIL_HALF_LIFE_DAYS))
        profiles.base += days
    return True


def go_back(profiles: Profiles, day: int) -> None:
    """The clock goes back to this day: what was learned is as old as it was."""
    if profiles.day > day:
        profiles.base -= profiles.day - day
        profiles.day = day


def _scale(profiles: Profiles, factor: float) -> None:
    for numbers in _numbers(profiles):
        for at, number in enumerate(numbers):
            numbers[at] = number * factor
    for habits in (profiles.peers.habits, *(profile.habits for profile in profiles.entities.values())):
        habits.buckets *= factor
        habits.placed *= factor
        habits.moved *= factor
    for values in profiles.peers.values:
        for those in values.values():
            those[:3] = [number * factor for number in those[:3]]


def _numbers(profiles: Profiles) -> Iterator[list[float]]:
    """All that has weight, but for what `_scale` does itself; groups of peers are made anew each day."""
    yield profiles.peers.unseen
    for habits in (profiles.peers.habits, *(profile.habits for profile in profiles.entities.values())):
        yield from _lists(habits)
    for profile in profiles.entities.values():
        for values in profile.values:
            yield from values.values()


def _lists(habits: Habits) -> Iterator[list[float]]:
    yield from habits.sums
    yield from habits.days
    yield from (habits.had, habits.fresh, habits.totals, habits.hours, habits.busy)
