"""Profiles: the entities of one kind, from event to item. The only clock is that of the events.

    observe(ts, entity, fields)     into the open bucket of that time
    close(bucket_end)               each closed bucket: surprise (surprise.py) -> calibrated (tail.py) -> what is news of it (news.py)
                                    -> what there is budget for (budget.py); then it becomes history (learn.py)
    dump() / load()                 (saved.py)

Nothing is learned from a bucket before all of it is judged, so the order of events inside a bucket does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detector.entities import age, share, travel
from detector.entities.bounds import Bounds
from detector.entities.budget import DAY_MS, Budget
from detector.entities.family import FAMILIES, summed
from detector.entities.item import Item, Why, features
from detector.entities.learn import Judged, Learner, forgotten
from detector.entities.news import News
from detector.entities.peers import regroup
from detector.entities.profile import MAX_DISTINCT, Activity, Population, Profile
from detector.entities.saved import dump, load
from detector.entities.surprise import Raw, busyness, counted, hourly, new, today, valued
from detector.entities.tail import Tails
from detector.entities.text import Values, kept, texts
from detector.entities.week import HOURS
from soc.errors import ConfigError
from soc.model.calendar import HOUR_MS

_LEARN_MS = 4 * HOUR_MS  # or 16 buckets, if these are shorter
_LEAST_LEVEL = 0.7  # nats: half of the population is as surprising
_LEARN_BUCKETS = 150  # of entities, before the population is one to be held against


class Profiles:
    """Entities of one kind: `field` says which, `what` the fields of which their values are looked at, at most 32.

    `bucket_ms`: how long a bucket is; `offset_ms`: how far local time is ahead of UTC. `budget` may be shared with other kinds.
    """

    def __init__(
        self,
        field: str,
        what: Sequence[str],
        budget: Budget,
        *,
        bucket_ms: int = 900_000,
        offset_ms: int = 0,
        bounds: Bounds | None = None,
    ) -> None:
        if not 0 < len(what) <= 32:
            raise ConfigError(f"between 1 and 32 fields can be looked at, not {len(what)}")
        if not 60_000 <= bucket_ms <= DAY_MS:
            raise ConfigError(f"a bucket is between one minute and one day long, not {bucket_ms / 1000:g} s")
        self.field, self.what, self.budget = field, tuple(what), budget
        self.bucket_ms, self.offset_ms, self.bounds = bucket_ms, offset_ms, bounds or Bounds()
        self.travel = travel.of(field, self.what)
        self.features = features(self.what, self.travel)
        self.squeezed = 0  # buckets in which there were more values, kept or in open buckets, than there is room for
        self.late = 0  # events that came after their bucket was closed
        self.other = 0  # events of entities for which there was no room
        self.forgotten = 0  # entities that made room for others
        self.held = 0  # values in open buckets
        self.open: dict[int, dict[str, Activity]] = {}  # start of bucket, ms -> entity -> what it did
        self.closed = -1  # all that happened before this (ms) is history
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Nothing is known yet."""
        self.entities: dict[str, Profile] = {}
        self.cells = 0  # values of all entities and fields
        self.peers = Population(len(self.what))
        self.groups: list[Population] = []
        self.day = -1  # local, of the last bucket
        self.base = -1  # the day of which one bucket weighs 1 (`age.py`)
        self.began = -1  # the first event, ms
        self.counted = -1  # since when it is known how much was done in each hour, ms
        self.learned = -1  # when showing began, ms; -1 while learning
        self.tails, self.families = Tails(len(self.features)), Tails(len(FAMILIES))
        self.news = News(self.field, self.bucket_ms, self.families)

    def observe(self, ts: int, entity: str, fields: Mapping[str, object]) -> None:
        """Take note of one event at `ts` (ms). Fields that are not looked at may be there, and those that are may be missing."""
        self.note(ts, entity, texts([fields.get(name) for name in self.what]))

    def note(self, ts: int, entity: str, values: Values) -> None:
        """The same with values that were read before."""
        if ts < self.closed:
            self.late += 1
            return
        start = ts - ts % self.bucket_ms
        bucket = self.open.get(start)
        if bucket is None:
            bucket = self.open[start] = {}
        activity = bucket.get(entity)
        if activity is None:
            entity = kept(entity)
            activity = bucket.get(entity)
            if activity is None:
                if len(bucket) >= self.bounds.entities:
                    self.other += 1
                    return
                activity = bucket[entity] = Activity(len(self.what), ts)
        activity.events += 1
        if ts < activity.since:
            activity.since = ts
        fields = activity.counts
        for at, text in values:
            counts = fields[at]
            if text in counts:
                counts[text] += 1
            elif len(counts) < MAX_DISTINCT and self.held < self.bounds.held:
                counts[text] = 1
                self.held += 1
            else:
                activity.more(at, text)

    def close(self, bucket_end: int) -> list[Item]:
        """No more events before this time (ms) are expected: the items of all buckets that end by then, in order of time."""
        items: list[Item] = []
        for start in sorted(start for start in self.open if start + self.bucket_ms <= bucket_end):
            items += self._close(start, self.open.pop(start))
        self.closed = max(self.closed, bucket_end - bucket_end % self.bucket_ms)
        return items

    def go_back_to(self, ts: int) -> None:
        """The clock had been ahead: what is open of then is dropped, what was learned stays."""
        self.open.clear()
        ahead = self.closed
        self.held, self.closed = 0, ts - ts % self.bucket_ms
        self.counted = max(self.counted, min(ahead - HOURS * HOUR_MS, self.closed))  # what was before has made room
        self.began = min(self.began, self.closed)
        for profile in self.entities.values():
            profile.last = min(profile.last, self.closed)
            profile.week.go_back_to(self.closed // HOUR_MS)
        age.go_back(self, (ts + self.offset_ms) // DAY_MS)
        self.news.go_back_to(ts)
        self.budget.go_back_to(ts)

    def dump(self) -> bytes:
        """All of it, to go on from after a restart; see `saved.py`."""
        return dump(self)

    def load(self, saved: bytes) -> None:
        """Go on from what `dump` gave. Raises ConfigError when it is damaged, of another version or of other fields."""
        load(self, saved)

    @property
    def never_had(self) -> list[str]:
        """Fields that no entity had in any closed bucket, where there was one."""
        habits = self.peers.habits
        if not habits.buckets:
            return []
        # `had` leaves out the first bucket of each entity, which is all that there is of a short log or of a reversed one
        return [name for name, events in zip(self.what, habits.totals, strict=True) if not events]

    @property
    def learning(self) -> bool:
        """Whether nothing can be shown yet, because too little is known of all of them."""
        return self.learned < 0

    def _close(self, start: int, bucket: dict[str, Activity]) -> list[Item]:
        learner = self._begin(start)
        self._make_room(start, bucket)
        self.peers.entities = len(self.entities)
        judged: list[Item] = []
        for entity, activity in sorted(bucket.items()):
            profile = self.entities.get(entity)
            if profile is None:
                if len(self.entities) >= self.bounds.entities:
                    self.other += activity.events
                    continue
                profile = self.entities[entity] = Profile(len(self.what))
            learner.begin(profile)
            raws, one = self._surprises(profile, activity, learner, start)
            whys = self._reasons(raws)
            sums = summed(whys)
            item = self.news.item(entity, activity, whys, sums, start)
            judged += [item] if item is not None else []
            learner.note(one, raws, sums)
        learner.end()
        self.squeezed += self.cells >= self.bounds.cells or self.held >= self.bounds.held
        self.held -= sum(len(counts) for activity in bucket.values() for counts in activity.counts)
        shown = self.budget.choose(judged, start + self.bucket_ms - 1, learning=self.learning)
        for item in shown:
            self.news.show(item)
        hour, since = start // HOUR_MS, self.counted // HOUR_MS
        day = self.day * DAY_MS - self.offset_ms
        return [item.after(self.entities[item.entity].week.until(hour, since), day) for item in shown]

    def _begin(self, start: int) -> Learner:
        """Make ready for the bucket that begins then."""
        day = (start + self.offset_ms) // DAY_MS
        if day != self.day and not age.grow(self, day):
            self._begin_anew()
            age.grow(self, day)
        if self.began < 0:
            self.began = self.counted = start
        known = start - self.began >= min(_LEARN_MS, 16 * self.bucket_ms) and self.tails.total >= _LEARN_BUCKETS
        if self.learned < 0 and known:
            self.learned = start
        learner = Learner(self, start)
        if day != self.day:
            self.groups = regroup(self.entities, len(self.what), learner.weight)
            self.day = day
        self.tails.ready(learner.recent)
        self.families.ready(learner.recent)
        return learner

    def _surprises(
        self, profile: Profile, activity: Activity, learner: Learner, start: int
    ) -> tuple[list[Raw], Judged]:
        fields, weight = len(self.what), learner.weight
        peers = self.groups[profile.group] if profile.group >= 0 else self.peers
        first_value, first_day = 1 + 3 * fields, 1 + 6 * fields
        last = first_day + 1 + fields
        near = learner.near(peers, busyness(profile.habits, learner.slot, weight))
        found = new(profile, self.peers, activity)
        fresh = found.fresh if profile.habits.buckets else [0] * fields
        numbers = [activity.events, *map(activity.distinct, range(fields)), *fresh, *found.sequential]
        raws = valued(profile, near, activity, first_value)
        raws += share.shared(profile, near, activity, first_value + 2 * fields)
        raws += counted(profile, peers, numbers, weight, near.busy)
        profile.today.note(activity)
        raws += today(profile, peers, activity, weight, first_day)
        if profile.hour != learner.hour:
            hour = hourly(profile.habits, peers.habits, learner.slot, weight, last)
            raws += [hour] if hour is not None else []
        here = travel.places(activity, self.travel) if self.travel >= 0 else []
        everywhere = travel.around(profile, here, start)
        moved = travel.travelled(profile, self.peers.habits, here, everywhere, weight, last + 1)
        raws += [moved] if moved is not None else []
        return raws, Judged(profile, activity, numbers, found, here, len(everywhere) > 1)

    def _reasons(self, raws: list[Raw]) -> list[Why]:
        """What surprises at all, calibrated; the most surprising first."""
        whys = []
        for raw in raws:
            level = self.tails.level(raw.feature, raw.surprise)
            if level > _LEAST_LEVEL:
                kind, name = self.features[raw.feature]
                whys.append(Why(kind, name, raw.value, raw.expected, raw.actual, raw.peers, level, raw.of))
        whys.sort(key=lambda why: (-why.surprise, why.feature))
        return whys

    def _make_room(self, start: int, bucket: Mapping[str, Activity]) -> None:
        """Forget who has been silent for longest when those that come would be too many."""
        new = sum(entity not in self.entities for entity in bucket)
        over = len(self.entities) + new - self.bounds.entities
        if over <= 0:
            return
        idle = sorted((profile.last, entity) for entity, profile in self.entities.items() if entity not in bucket)
        stale = [entity for last, entity in idle if last < start - HOUR_MS]
        going = stale[: max(over, self.bounds.entities // 10)]
        self.forgotten += len(going)
        for entity in going:
            for values, shared in zip(self.entities.pop(entity).values, self.peers.values, strict=True):
                forgotten(values, shared)
                self.cells -= len(values)
            self.news.episodes.pop(entity, None)
