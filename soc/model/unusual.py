"""Unusual: an entity that behaves unlike itself and its peers. The detector makes it, a store keeps it, people read it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from soc.model.calendar import HOUR_MS

RULE_PREFIX = "people-"  # of the ids of rules whose alerts are of entities
FIELD = "govsoc.people."  # in what their findings matched


def of_entity(rule_id: str) -> bool:
    """Whether alerts of this rule are of entities."""
    return rule_id.startswith(RULE_PREFIX)


def entity_id(people: str, org: str, entity: str) -> str:
    """20 hex digits."""
    what = "\0".join((people, org, entity)).encode(errors="surrogatepass")
    return hashlib.blake2b(what, digest_size=10).hexdigest()


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that surprised. `feature`: its name, such as `distinct govsoc.lgsp.subject`; `kind` the first word of that. `expected` and
    `actual` are counts; of a value that is rare, the share (0..1) of the entity's buckets that have it, and of its peers in `peers`; all
    three are shares of events where a share is too great.
    `surprise`: nats. `text`: a sentence, by language."""

    feature: str
    kind: str
    field: str
    value: str
    expected: float
    actual: float
    peers: float
    surprise: float
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Covered:
    """Why an item raised no alert: who said when (ms) that such is harmless, and of which alert."""

    by: str
    at: int
    reason: str
    alert: str


@dataclass(frozen=True, slots=True)
class Unusual:
    """One item for an analyst. Times are ms: `at` the last that its bucket covers, `since` the first event of its episode.

    `id`: 32 hex digits, the time and `entity_id`, so they sort by time. `people`: the kind of entity, `rule_hash` its rule as it was
    then. `score`: 0..1, of which 0.5 was just enough to be shown. `events`: of the entity in the bucket. `alert`: what it is folded into;
    empty where it was `harmless`: all that is notable of it had been said to be. `query`: a search for the events behind it. `reasons`:
    the strongest first. `week`: its events in each hour of UTC of the seven days that end with that of `at`; fewer where less was known.
    """

    id: str
    people: str
    org: str
    field: str
    entity: str
    at: int
    since: int
    score: float
    events: int
    alert: str
    rule_hash: str
    query: str
    reasons: tuple[Reason, ...]
    week: tuple[int, ...] = ()
    harmless: tuple[Covered, ...] = ()

    @property
    def week_since(self) -> int:
        """When the first hour of `week` begins, ms."""
        return self.at - self.at % HOUR_MS - (len(self.week) - 1) * HOUR_MS


@dataclass(frozen=True, slots=True)
class Crowd:
    """How one kind of entity stands in one organisation. `org` is empty for those organisations that had no room.

    `entities`: how many are known. `learning`: nothing is shown yet. `other`: events of entities that had no room, `late`: events that
    came after their bucket, or of a time that was not to be believed.
    """

    people: str
    org: str
    titles: Mapping[str, str]
    entities: int
    learning: bool
    other: int
    late: int
