"""How a bucket becomes history once it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

from detector.entities.budget import DAY_MS
from detector.entities.cell import Cell, add_both
from detector.entities.profile import SLOTS, Activity, Profile
from detector.entities.surprise import Raw

if TYPE_CHECKING:
    from detector.entities.profiles import Profiles

_MOST_DOUBLED = 500.0  # more than a log is long: what a clock that is wrong leads to has to stay a number
HALF_LIFE_DAYS = 14.0  # of habits
TAIL_HALF_LIFE_DAYS = 4.0  # of what is usual to surprise: while habits are learned that changes fast
_HOUR_MS = 3_600_000


class Learner:
    """Learns one bucket.

    `weight`: of what is seen now, `recent` of its surprise; `slot`: of 48 hours; `hour`, `day`: since 1970, local.
    """

    def __init__(self, profiles: Profiles, start: int) -> None:
        self._profiles = profiles
        self._start = start
        local = start + profiles.offset_ms
        self.day, self.hour = local // DAY_MS, local // _HOUR_MS
        weekend = (self.day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
        self.slot = self.hour % 24 + 24 * weekend
        first = (profiles.began + profiles.offset_ms) // DAY_MS
        self.weight: float = 2.0 ** min((self.day - first) / HALF_LIFE_DAYS, _MOST_DOUBLED)
        self.recent: float = 2.0 ** min((self.day - first) / TAIL_HALF_LIFE_DAYS, _MOST_DOUBLED)
        self._seen: list[tuple[Profile, Activity, list[int]]] = []
        self._surprised: list[Raw] = []

    def begin(self, profile: Profile) -> None:
        """A new day of this entity: the one before becomes history."""
        today = profile.today
        if today.day == self.day:
            return
        fields = len(self._profiles.what)
        if today.day >= 0:
            profile.habits.count_day(today, self.weight)
            self._profiles.peers.habits.count_day(today, self.weight)
        today.begin(self.day, fields)

    def note(
        self, profile: Profile, activity: Activity, raws: list[Raw], fresh: list[int], sums: Sequence[float]
    ) -> None:
        """`sums`: of each family of features, its surprise."""
        self._seen.append((profile, activity, fresh))
        self._surprised += raws
        for tail, some in zip(self._profiles.families, sums, strict=True):
            tail.add(some, self.recent)

    def end(self) -> None:
        """All of the bucket is judged."""
        weight, tails = self.recent, self._profiles.tails
        for raw in self._surprised:
            tails[raw.feature].add(raw.surprise, weight)
        surprised = [0] * len(tails)
        for raw in self._surprised:
            surprised[raw.feature] += 1
        for tail, some in zip(tails, surprised, strict=True):
            tail.add_none(weight * (len(self._seen) - some))
        for profile, activity, fresh in self._seen:
            self._learn(profile, activity, fresh)
        for at, values in enumerate(self._profiles.peers.values):
            if len(values) > self._profiles.bounds.shared:
                self._profiles.peers.values[at] = _usual(values, self._profiles.bounds.shared // 2)

    def _learn(self, profile: Profile, activity: Activity, fresh: list[int]) -> None:
        weight, own, theirs = self.weight, profile.habits, self._profiles.peers.habits
        fields = len(fresh)
        first = not own.buckets
        counts = [activity.events]
        counts += [activity.distinct(at) for at in range(fields)]
        counts += [0] * fields if first else fresh
        counts += [activity.sequential(at) for at in range(fields)]
        for at, count in enumerate(counts):
            add_both(own.cells[at], theirs.cells[at], count, weight)
        own.buckets += weight
        theirs.buckets += weight
        for at, some in enumerate(fresh):
            if activity.counts[at]:
                own.had[at] += weight
                if not first:  # then all is new, which says nothing
                    theirs.had[at] += weight
            if some and not first:
                own.fresh[at] += weight
                theirs.fresh[at] += weight
        for habits in (own, theirs):
            habits.busy[self.slot] += weight
            habits.busy[SLOTS + self.slot] += weight * sqrt(activity.events)
        if profile.hour != self.hour:
            profile.hour = self.hour
            own.hours[self.slot] += weight
            theirs.hours[self.slot] += weight
        profile.last = self._start
        self._learn_values(profile, activity)

    def _learn_values(self, profile: Profile, activity: Activity) -> None:
        weight, bounds = self.weight, self._profiles.bounds
        bound = bounds.values if self._profiles.cells < bounds.cells else max(bounds.values // 8, 1)
        for counts, known, shared in zip(activity.counts, profile.values, self._profiles.peers.values, strict=True):
            before = len(known)
            for value, count in counts.items():
                those = shared.get(value)
                if those is None:
                    those = shared[value] = [0.0, 0.0, 0.0, 0.0]
                cell = known.get(value)
                if cell is None:
                    those[3] += 1
                    cell = known[value] = [0.0, 0.0, 0.0]
                add_both(cell, those, count, weight)
            if len(known) > bound:
                _forget(known, max(bound * 3 // 4, 1))
            self._profiles.cells += len(known) - before


def _forget(known: dict[str, Cell], room: int) -> None:
    """Keep the most usual and newest, which weigh most. Of equals any do, but not by the order in which they came."""
    kept = sorted(known.items(), key=lambda pair: (-pair[1][0], pair[0]))[:room]
    known.clear()
    known.update(kept)


def _usual(values: dict[str, list[float]], room: int) -> dict[str, list[float]]:
    return dict(sorted(values.items(), key=lambda pair: (-pair[1][3], -pair[1][0], pair[0]))[:room])
