"""Profiles: the entities of one kind, from event to item. The only clock is that of the events.

    observe(ts, entity, fields)     into the open bucket of that time
    close(bucket_end)               each closed bucket: surprise (surprise.py) -> calibrated (tail.py) -> what is news of it (episode.py)
                                    -> what there is budget for (budget.py); then it becomes history
    dump() / load()                 (saved.py)

Nothing is learned from a bucket before all of it is judged, so the order of events inside a bucket does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.entities.budget import DAY_MS, LEAST, Budget
from detector.entities.episode import QUIET_MS, Episode
from detector.entities.family import FAMILIES, summed, together
from detector.entities.item import Item, Kind, Why
from detector.entities.learn import Learner
from detector.entities.peers import regroup
from detector.entities.profile import MAX_DISTINCT, Activity, Population, Profile
from detector.entities.saved import dump, load
from detector.entities.surprise import Raw, busyness, counted, hourly, today, valued
from detector.entities.tail import Tail
from detector.entities.text import kept, several
from soc.errors import ConfigError

HOUR_MS = 3_600_000
_LEARN_MS = 4 * HOUR_MS  # or 16 buckets, if these are shorter
_SUSPECT = 0.5  # of how far an episode was above what is shown is added to what is new in it: two steps of one attack
_TOLD = 0.5
_TELLINGS = 1000  # values that are remembered as told, the newest
_NOTED = 12  # reasons of an item
_LEAST_LEVEL = 0.7  # nats: half of the population is as surprising
_LEARN_BUCKETS = 150  # of entities, before the population is one to be held against


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept. Entities beyond `entities` are counted in `Profiles.other`; of a field's values the least usual are forgotten."""

    entities: int = 20_000
    values: int = 64  # of a field, of one entity
    shared: int = 50_000  # of a field, of all
    cells: int = 1_000_000  # values of all entities and fields together; when there are more, an eighth of `values` is kept of each entity
    held: int = 500_000  # values in open buckets together; the number of more is estimated


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
        self.features = features(self.what)
        self.entities: dict[str, Profile] = {}
        self.peers = Population(len(what))
        self.groups: list[Population] = []
        self.day = -1  # local, of the last bucket
        self.tails = [Tail() for _ in self.features]
        self.families = [Tail() for _ in FAMILIES]
        self.episodes: dict[str, Episode] = {}
        self.told: dict[str, int] = {}  # field and value -> how many items have named it as rare
        self.cells = 0  # values of all entities and fields
        self.held = 0  # values in open buckets
        self.squeezed = 0  # buckets in which there were more of one of the two than there is room for
        self.open: dict[int, dict[str, Activity]] = {}  # start of bucket, ms -> entity -> what it did
        self.closed = -1  # all that happened before this (ms) is history
        self.began = -1  # the first event, ms
        self.learned = -1  # when showing began, ms; -1 while learning
        self.late = 0  # events that came after their bucket was closed
        self.other = 0  # events of entities for which there was no room

    def observe(self, ts: int, entity: str, fields: Mapping[str, object]) -> None:
        """Take note of one event at `ts` (ms). Fields that are not looked at may be there, and those that are may be missing."""
        start = ts - ts % self.bucket_ms
        if ts < self.closed:
            self.late += 1
            return
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
        for at, name in enumerate(self.what):
            value = fields.get(name)
            if value.__class__ is str and len(value) <= 160:
                counts = activity.counts[at]
                if value in counts:
                    counts[value] += 1
                    continue
                if value and not value[0].isdecimal() and len(counts) < MAX_DISTINCT and self.held < self.bounds.held:
                    counts[value] = 1
                    self.held += 1
                    continue
            if value is None or value == "":
                continue
            self._note(activity, at, value)

    def _note(self, activity: Activity, at: int, value: object) -> None:
        """The less usual ways: numbers, lists, long texts, more values than are counted one by one."""
        counts = activity.counts[at]
        texts = several(value) if isinstance(value, list) else [kept(value)] if not isinstance(value, dict) else ()
        for text in texts:
            if text.isdecimal() and len(text) <= 18:
                activity.follow(at, int(text))
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

    def _close(self, start: int, bucket: dict[str, Activity]) -> list[Item]:
        if self.began < 0:
            self.began = start
        if (
            self.learned < 0
            and start - self.began >= min(_LEARN_MS, 16 * self.bucket_ms)
            and self.tails[0].total >= _LEARN_BUCKETS
        ):
            self.learned = start
        learner = Learner(self, start)
        if learner.day != self.day:
            self.groups = regroup(self.entities, len(self.what), learner.weight)
            self.day = learner.day
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
            raws, fresh = self._surprises(profile, activity, learner)
            whys = self._reasons(raws, learner.recent)
            sums = summed(whys)
            item = self._item(entity, activity, whys, sums, start, learner.recent)
            judged += [item] if item is not None else []
            learner.note(profile, activity, raws, fresh, sums)
        learner.end()
        self.squeezed += self.cells >= self.bounds.cells or self.held >= self.bounds.held
        self.held -= sum(len(counts) for activity in bucket.values() for counts in activity.counts)
        shown = self.budget.choose(judged, start + self.bucket_ms - 1, learning=self.learning)
        for item in shown:
            self._show(item)
        return shown

    def dump(self) -> bytes:
        """All of it, to go on from after a restart; see `saved.py`."""
        return dump(self)

    def load(self, saved: bytes) -> None:
        """Go on from what `dump` gave. Raises ConfigError when it is damaged, of another version or of other fields."""
        load(self, saved)

    @property
    def learning(self) -> bool:
        """Whether nothing can be shown yet, because too little is known of all of them."""
        return self.learned < 0

    def _surprises(self, profile: Profile, activity: Activity, learner: Learner) -> tuple[list[Raw], list[int]]:
        fields, weight = len(self.what), learner.weight
        peers = self.groups[profile.group] if profile.group >= 0 else self.peers
        first_value, first_day = 1 + 3 * fields, 1 + 5 * fields
        busy = busyness(profile.habits, learner.slot, weight)
        raws, fresh = valued(profile, self.peers, peers, activity, weight, busy, first_value)
        raws += counted(profile, peers, activity, fresh, weight, busy)
        profile.today.note(activity)
        raws += today(profile, peers, weight, first_day)
        if profile.hour != learner.hour:
            hour = hourly(profile.habits, peers.habits, learner.slot, weight, first_day + 1 + fields)
            raws += [hour] if hour is not None else []
        return raws, fresh

    def _reasons(self, raws: list[Raw], weight: float) -> list[Why]:
        """What surprises at all, calibrated; the most surprising first."""
        whys = []
        for raw in raws:
            level = self.tails[raw.feature].level(raw.surprise, weight)
            if level > _LEAST_LEVEL:
                kind, name = self.features[raw.feature]
                whys.append(Why(kind, name, raw.value, raw.expected, raw.actual, raw.peers, level))
        whys.sort(key=lambda why: (-why.surprise, why.feature))
        return whys

    def _item(
        self, entity: str, activity: Activity, whys: list[Why], sums: Sequence[float], start: int, weight: float
    ) -> Item | None:
        """What would be shown, if there is budget for it."""
        episode = self.episodes.get(entity)
        if episode is not None:
            if start - episode.until > QUIET_MS:
                del self.episodes[entity]
                episode = None
            else:
                if _total(self.families, sums, weight) >= LEAST:  # it goes on, shown or not
                    episode.until = start + self.bucket_ms - 1
                whys, sums = episode.news(whys)
        whys, sums = self._untold(whys, sums) if episode is None else (whys, sums)
        if not whys:
            return None
        since = episode.since if episode is not None else activity.since
        reasons = tuple(whys[:_NOTED])
        total = _total(self.families, sums, weight)
        if episode is not None:
            total += min(_SUSPECT * episode.excess, total / 2)
        return Item(start + self.bucket_ms - 1, since, self.field, entity, 0.0, total, activity.events, reasons)

    def _untold(self, whys: list[Why], sums: Sequence[float]) -> tuple[list[Why], Sequence[float]]:
        """A rare value that items of others have named, such as new software, is half the news each time."""
        parts = [_TOLD ** self.told.get(_named(why), 0) if why.kind is Kind.RARE else 1.0 for why in whys]
        if min(parts, default=1.0) == 1.0:
            return whys, sums
        left = sorted(zip(parts, whys, strict=True), key=lambda pair: (-pair[0] * pair[1].surprise, pair[1].feature))
        return [why for _, why in left], summed([why for _, why in left], [part for part, _ in left])

    def _show(self, item: Item) -> None:
        for why in item.why:
            if why.kind is Kind.RARE:
                self.told[_named(why)] = self.told.pop(_named(why), 0) + 1
        while len(self.told) > _TELLINGS:
            del self.told[next(iter(self.told))]
        episode = self.episodes.setdefault(item.entity, Episode(item.since))
        episode.until = item.time
        episode.excess = max(episode.excess, item.strength * (2 - 1 / item.score))
        episode.show(item.why)

    def _make_room(self, start: int, bucket: Mapping[str, Activity]) -> None:
        """Forget who has been silent for longest when those that come would be too many."""
        new = sum(entity not in self.entities for entity in bucket)
        over = len(self.entities) + new - self.bounds.entities
        if over <= 0:
            return
        idle = sorted((profile.last, entity) for entity, profile in self.entities.items() if entity not in bucket)
        stale = [entity for last, entity in idle if last < start - HOUR_MS]
        for entity in stale[: max(over, self.bounds.entities // 10)]:
            self.cells -= sum(map(len, self.entities.pop(entity).values))
            self.episodes.pop(entity, None)


def _named(why: Why) -> str:
    return f"{why.field}\0{why.value}"


def _total(families: Sequence[Tail], sums: Sequence[float], weight: float) -> float:
    return together([tail.level(some, weight) for tail, some in zip(families, sums, strict=True) if some])


def features(what: Sequence[str]) -> list[tuple[Kind, str]]:
    """Every feature, in the order in which `surprise.py` numbers them."""
    named = [(Kind.EVENTS, "")]
    for kind in (Kind.DISTINCT, Kind.FRESH, Kind.NEXT, Kind.RARE, Kind.COUNT):
        named += [(kind, name) for name in what]
    named += [(Kind.EVENTS_DAY, ""), *((Kind.DISTINCT_DAY, name) for name in what), (Kind.HOUR, "")]
    return named
