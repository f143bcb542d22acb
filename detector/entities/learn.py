"""How a bucket becomes history once it is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from detector.entities.age import HALF_LIFE_DAYS, TAIL_HALF_LIFE_DAYS
from detector.entities.budget import DAY_MS
from detector.entities.cell import Cell
from detector.entities.profile import SLOTS, Activity, Habits, Population, Profile
from detector.entities.share import plain
from detector.entities.surprise import Near, Raw, Values
from soc.model.calendar import HOUR_MS

if TYPE_CHECKING:
    from detector.entities.profiles import Profiles


class Judged(NamedTuple):
    """One entity's bucket. `numbers`: see `Habits.sums`. `places`: where it was; `moved`: at several."""

    profile: Profile
    activity: Activity
    numbers: list[int]
    new: Values
    places: list[str]
    moved: bool


class Learner:
    """Learns one bucket.

    `weight`: of what is seen now, `recent` of its surprise; `slot`: of 48 hours; `hour`, `day`: since 1970, local.
    """

    def __init__(self, profiles: Profiles, start: int) -> None:
        self._profiles = profiles
        self._start = start
        local = start + profiles.offset_ms
        self.day, self.hour, self._utc_hour = local // DAY_MS, local // HOUR_MS, start // HOUR_MS
        weekend = (self.day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
        self.slot = self.hour % 24 + 24 * weekend
        self.weight: float = 2.0 ** ((self.day - profiles.base) / HALF_LIFE_DAYS)
        self.recent: float = 2.0 ** ((self.day - profiles.base) / TAIL_HALF_LIFE_DAYS)
        self._usual: dict[int, list[float]] = {}  # of groups: the same all through the bucket
        peers = profiles.peers
        self._unseen = [
            first / (new + self.weight) for first, new in zip(peers.unseen, peers.habits.fresh, strict=True)
        ]
        self._plain = plain(peers)
        self._seen: list[Judged] = []
        self._surprised: list[tuple[int, float]] = []
        self._sums: list[tuple[int, float]] = []

    def near(self, group: Population, busy: float) -> Near:
        """What one entity of this group of peers is held against."""
        everybody, weight = self._profiles.peers, self.weight
        usual = self._usual.get(id(group))
        if usual is None:
            fresh, had = group.habits.fresh, group.habits.had
            usual = [(new + 0.5 * weight) / (all_ + weight) for new, all_ in zip(fresh, had, strict=True)]
            self._usual[id(group)] = usual
        return Near(everybody, group, usual, self._unseen, weight, busy, self._plain)

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

    def note(self, judged: Judged, raws: list[Raw], sums: Sequence[float]) -> None:
        """`sums`: of each family of features, its surprise."""
        self._seen.append(judged)
        self._surprised += [(raw.feature, raw.surprise) for raw in raws]
        self._sums += enumerate(sums)

    def end(self) -> None:
        """All of the bucket is judged."""
        profiles = self._profiles
        profiles.tails.add(self._surprised, len(self._seen), self.recent)
        profiles.families.add(self._sums, len(self._seen), self.recent)
        for judged in self._seen:
            self._learn(judged)
        for at, values in enumerate(profiles.peers.values):
            if len(values) > profiles.bounds.shared:
                profiles.peers.values[at] = _usual(values, profiles.bounds.shared // 2)

    def _learn(self, judged: Judged) -> None:
        weight, profile, activity = self.weight, judged.profile, judged.activity
        own, theirs = profile.habits, self._profiles.peers.habits
        for at, count in enumerate(judged.numbers):
            if count:
                root, many = weight * sqrt(count), weight * count
                sums = own.sums[at]
                sums[0] += root
                sums[1] += many
                sums = theirs.sums[at]
                sums[0] += root
                sums[1] += many
        first = not own.buckets  # then all is new, which says nothing
        fresh, totals, all_totals = judged.new.fresh, own.totals, theirs.totals
        for at, counts in enumerate(activity.counts):
            if counts:
                some, total = fresh[at], weight * sum(counts.values())
                totals[at] += total
                all_totals[at] += total
                own.had[at] += weight
                if not first:
                    theirs.had[at] += weight
                    if some:
                        own.fresh[at] += weight
                        theirs.fresh[at] += weight
                        self._profiles.peers.unseen[at] += weight * judged.new.unseen[at]
        busy = weight * sqrt(activity.events)
        for habits in (own, theirs):
            habits.buckets += weight
            habits.busy[self.slot] += weight
            habits.busy[SLOTS + self.slot] += busy
            if profile.hour != self.hour:
                habits.hours[self.slot] += weight
            if judged.places:
                _move(habits, judged.moved, weight)
        profile.hour, profile.last, profile.places = self.hour, self._start, judged.places
        profile.week.add(self._utc_hour, activity.events)
        self._learn_values(profile, activity)

    def _learn_values(self, profile: Profile, activity: Activity) -> None:
        weight, bounds = self.weight, self._profiles.bounds
        bound = bounds.values if self._profiles.cells < bounds.cells else max(bounds.values // 8, 1)
        for counts, known, shared in zip(activity.counts, profile.values, self._profiles.peers.values, strict=True):
            if not counts:
                continue
            before = len(known)
            for value, count in counts.items():
                root, many = (weight, weight) if count == 1 else (weight * sqrt(count), weight * count)
                those = shared.get(value)
                if those is None:
                    those = shared[value] = [0.0, 0.0, 0.0, 0.0]
                cell = known.get(value)
                if cell is None:
                    those[3] += 1
                    known[value] = [weight, root, many]
                else:
                    cell[0] += weight
                    cell[1] += root
                    cell[2] += many
                those[0] += weight
                those[1] += root
                those[2] += many
            if len(known) > bound:
                _forget(known, shared, max(bound * 3 // 4, 1))
            self._profiles.cells += len(known) - before


def forgotten(values: Mapping[str, object], shared: Mapping[str, list[float]]) -> None:
    """An entity knows these values no more. Of what its peers have been made to forget there is nothing to take away."""
    for value in values:
        those = shared.get(value)
        if those is not None and those[3] > 0:
            those[3] -= 1


def _move(habits: Habits, moved: bool, weight: float) -> None:
    habits.placed += weight
    if moved:
        habits.moved += weight


def _forget(known: dict[str, Cell], shared: Mapping[str, list[float]], room: int) -> None:
    """Keep the most usual and newest, which weigh most. Of equals any do, but not by the order in which they came."""
    ranked = sorted(known.items(), key=lambda pair: (-pair[1][0], pair[0]))
    known.clear()
    known.update(ranked[:room])
    forgotten(dict(ranked[room:]), shared)


def _usual(values: dict[str, list[float]], room: int) -> dict[str, list[float]]:
    return dict(sorted(values.items(), key=lambda pair: (-pair[1][3], -pair[1][0], pair[0]))[:room])
