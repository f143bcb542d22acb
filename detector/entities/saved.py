"""Profiles as bytes and back: JSON, compressed, with a version, what it was made for, and a checksum. A restart gives the same items.

Sketches are kept in their library's own format, as base64. Nothing is unpickled.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson
from datasketches import hll_sketch

from detector.entities.episode import Episode
from detector.entities.profile import Activity, Habits, Population, Profile, Today
from detector.entities.week import Week
from soc.errors import ConfigError

if TYPE_CHECKING:
    from detector.entities.profiles import Profiles

VERSION = 3
_MAGIC = b"govsoc-entities"
_DIGEST = 16


def dump(profiles: Profiles) -> bytes:
    """All that has been learned, and what is in open buckets; the budget with it, shared or not."""
    body = zlib.compress(orjson.dumps(_state(profiles)), 1)
    return _MAGIC + bytes([VERSION]) + blake2b(body, digest_size=_DIGEST).digest() + body


def load(profiles: Profiles, saved: bytes) -> None:
    """Go on from what was saved. Raises ConfigError, and changes nothing, when it is damaged, of another version or of other fields."""
    head = len(_MAGIC)
    if not saved.startswith(_MAGIC) or len(saved) < head + 1 + _DIGEST:
        raise ConfigError("the saved profiles are no profiles: delete them to learn anew")
    if saved[head] != VERSION:
        raise ConfigError(
            f"the saved profiles are of version {saved[head]}, this is version {VERSION}: delete them to learn anew"
        )
    digest, body = saved[head + 1 : head + 1 + _DIGEST], saved[head + 1 + _DIGEST :]
    if blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise ConfigError("the saved profiles are damaged: delete them to learn anew, or restore them from a backup")
    state = orjson.loads(zlib.decompress(body))
    if state["made_for"] != _made_for(profiles):
        raise ConfigError(
            "the saved profiles are of other fields or buckets: delete them to learn anew, or put the settings back"
        )
    _restore(profiles, state)


def _made_for(profiles: Profiles) -> list[object]:
    return [profiles.field, list(profiles.what), profiles.bucket_ms, profiles.offset_ms]


def _state(profiles: Profiles) -> dict[str, Any]:
    return {
        "made_for": _made_for(profiles),
        "times": [profiles.closed, profiles.began, profiles.counted, profiles.learned, profiles.late, profiles.other],
        "budget": profiles.budget.dump(),
        "peers": [_population(one) for one in (profiles.peers, *profiles.groups)],
        "days": [profiles.day, profiles.base],
        "told": profiles.news.told,
        "squeezed": profiles.squeezed,
        "tails": [profiles.tails.dump(), profiles.families.dump()],
        "entities": {entity: _profile(profile) for entity, profile in profiles.entities.items()},
        "episodes": {
            entity: [one.since, one.until, one.excess, one.shown] for entity, one in profiles.news.episodes.items()
        },
        "open": [
            [start, {entity: _activity(activity) for entity, activity in bucket.items()}]
            for start, bucket in profiles.open.items()
        ],
    }


def _restore(profiles: Profiles, state: dict[str, Any]) -> None:
    profiles.closed, profiles.began, profiles.counted, profiles.learned, profiles.late, profiles.other = state["times"]
    profiles.budget.load(state["budget"])
    profiles.peers, *profiles.groups = [_population_of(one) for one in state["peers"]]
    profiles.day, profiles.base = state["days"]
    for tails, kept in zip((profiles.tails, profiles.families), state["tails"], strict=True):
        tails.load(kept)
    profiles.news.told = state["told"]
    profiles.squeezed = state["squeezed"]
    profiles.entities = {entity: _profile_of(profile) for entity, profile in state["entities"].items()}
    profiles.news.episodes = {entity: _episode_of(one) for entity, one in state["episodes"].items()}
    profiles.open = {
        start: {entity: _activity_of(activity) for entity, activity in bucket.items()}
        for start, bucket in state["open"]
    }
    profiles.cells = sum(len(values) for profile in profiles.entities.values() for values in profile.values)
    every = (activity for bucket in profiles.open.values() for activity in bucket.values())
    profiles.held = sum(len(counts) for activity in every for counts in activity.counts)


def _habits(habits: Habits) -> list[object]:
    counts = [habits.buckets, habits.placed, habits.moved]
    return [counts, habits.sums, habits.days, habits.had, habits.fresh, habits.totals, habits.hours, habits.busy]


def _habits_of(saved: list[Any]) -> Habits:
    habits = Habits(0)
    counts, habits.sums, habits.days, habits.had, habits.fresh, habits.totals, habits.hours, habits.busy = saved
    habits.buckets, habits.placed, habits.moved = counts
    return habits


def _population(population: Population) -> list[object]:
    return [population.entities, _habits(population.habits), population.unseen, population.values]


def _population_of(saved: list[Any]) -> Population:
    population = Population(0)
    population.entities, habits, population.unseen, population.values = saved
    population.habits = _habits_of(habits)
    return population


def _profile(profile: Profile) -> list[object]:
    today = profile.today
    seen = [_sketch(sketch) for sketch in today.seen]
    return [
        _habits(profile.habits),
        profile.values,
        [today.day, today.events, seen, today.distinct],
        profile.last,
        profile.hour,
        profile.group,
        profile.places,
        profile.week.dump(),
    ]


def _profile_of(saved: list[Any]) -> Profile:
    profile = Profile(0)
    habits, profile.values, (day, events, seen, distinct), profile.last, profile.hour, profile.group, *rest = saved
    profile.places, week = rest
    profile.week = Week.of(week)
    profile.habits = _habits_of(habits)
    profile.today = Today(day, events, [_sketch_of(text) for text in seen], distinct)
    return profile


def _episode_of(saved: list[Any]) -> Episode:
    episode = Episode(saved[0])
    episode.until, episode.excess, episode.shown = saved[1:]
    return episode


def _activity(activity: Activity) -> list[object]:
    beyond = [[at, _sketch(sketch)] for at, sketch in (activity.beyond or {}).items()]
    return [activity.events, activity.since, activity.counts, beyond]


def _activity_of(saved: list[Any]) -> Activity:
    activity = Activity(0, saved[1])
    activity.events, activity.counts = saved[0], saved[2]
    activity.beyond = {at: _sketch_of(text) for at, text in saved[3]} or None
    return activity


def _sketch(sketch: hll_sketch) -> str:
    return b64encode(sketch.serialize_updatable()).decode()


def _sketch_of(text: str) -> hll_sketch:
    return hll_sketch.deserialize(b64decode(text))
