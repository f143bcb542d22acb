"""What people said is harmless: so far off of a series, such behaviour of an entity. Policies, so it is listed and can be withdrawn."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, cast

from soc.errors import ConfigError
from soc.model.policy import Policy
from soc.model.unusual import Covered, Reason, Unusual

_MARGIN = 1.1
MOST = 1e6
MOST_EVENTS = 1e12
NOTABLE = 4.6  # nats: what one bucket in a hundred has
_FEW = 3  # weaker reasons, the strongest of what nobody spoke of: together they may be notable, too
_OF_A_VALUE = frozenset({"rare", "hour", "travel"})  # which is all that there is to say of such a reason
TAKEN_BACK = re.compile(r"alert [0-9a-f]+ is not benign")  # why something is not harmless any more, see `taken_back`
_SCALE = 2  # of `strength`: before it, shares were in half widths of their bands, too
MOST_LIMITS = 40  # of one saying, the strongest, ...
_CHARACTERS = 8_000  # ... and so many of their values at most: a policy has room for that
_SHOWN = 5  # of them in an audit entry


@dataclass(frozen=True, slots=True)
class HarmlessSeries:
    """`strength`: how far off the series may be (as `Anomaly.strength`) without a call; `low`: below what is expected, else above.
    `alert`: what the verdict was about."""

    series: str
    definition: str
    org: str
    strength: float
    alert: str
    low: bool = False
    what = "series"

    @property
    def id(self) -> str:
        """Of its policy: there is one a series."""
        return self.series

    @property
    def signed(self) -> float:
        """Negative: below."""
        return -self.strength if self.low else self.strength

    def includes(self, other: Harmless) -> bool:
        return isinstance(other, HarmlessSeries) and self.low == other.low and self.strength >= other.strength

    def body(self) -> Mapping[str, object]:
        return {
            "definition": self.definition, "org": self.org, "strength": self.strength, "alert": self.alert, "low": self.low,
            "scale": _SCALE,
        }  # fmt: skip

    def __str__(self) -> str:
        side = "below" if self.low else "above"
        return f"{self.definition}, up to {self.strength} {side} what is expected (half widths of its band; of a share tenths of the way)"


class Limit(NamedTuple):
    """How much of one thing there may be: at most so `many`, of shares so great a one; or where only its `value` counts (0), so surprising
    (nats) it may be. `value`: which value it is about; empty where it is about none."""

    kind: str
    field: str
    value: str
    surprise: float
    most: float

    def covers(self, reason: Reason) -> bool:
        if self[:3] != (reason.kind, reason.field, reason.value):
            return False
        return reason.actual <= self.most if self.most else reason.surprise <= self.surprise

    def includes(self, other: Limit) -> bool:
        return self[:3] == other[:3] and (other.most <= self.most if self.most else other.surprise <= self.surprise)

    def __str__(self) -> str:
        """As reasons are named, and with the value: `rare source.ip 203.0.113.7`, `share event.outcome=failure`, `hour 03:00`."""
        if self.kind in ("count", "share"):
            return f"{'share ' * (self.kind == 'share')}{self.field}={self.value}"
        return " ".join(filter(None, (self.kind, self.field, self.value)))


@dataclass(frozen=True, slots=True)
class HarmlessEntity:
    """What one alert about an entity, or one item, was surprising by. `id`: of its policy, the entity's and the alert's, or the item's:
    each verdict is a policy of its own, so that one is taken back and the others stand."""

    id: str
    people: str
    org: str
    field: str
    entity: str
    alert: str
    limits: tuple[Limit, ...]
    what = "entity"

    @property
    def by_verdict(self) -> bool:
        """Whether its alert is closed by it; else somebody said it of an item."""
        return bool(self.alert) and self.id.endswith(self.alert)

    @property
    def of(self) -> tuple[str, str, str]:
        """Whom it is about: kind, organisation, entity."""
        return self.people, self.org, self.entity

    def covers(self, reason: Reason) -> bool:
        return any(one.covers(reason) for one in self.limits)

    def includes(self, other: Harmless) -> bool:
        if not isinstance(other, HarmlessEntity) or self.of != other.of:
            return False
        return all(any(mine.includes(one) for mine in self.limits) for one in other.limits)

    def body(self) -> Mapping[str, object]:
        return {
            "people": self.people, "org": self.org, "field": self.field, "entity": self.entity, "alert": self.alert,
            "limits": [list(one) for one in self.limits],
        }  # fmt: skip

    def __str__(self) -> str:
        named = ", ".join(f"{one} up to {one.most:g}" if one.most else str(one) for one in self.limits[:_SHOWN])
        more = f" and {len(self.limits) - _SHOWN} more" if len(self.limits) > _SHOWN else ""
        return f"{self.people} {self.entity}, {named}{more}"


Harmless = HarmlessSeries | HarmlessEntity
Subject = TypeVar("Subject", bound=Harmless)
_Subject = TypeVar("_Subject", bound=Harmless, covariant=True)


@dataclass(frozen=True, slots=True)
class Said(Generic[_Subject]):
    """What is harmless, and who said so."""

    harmless: _Subject
    version: int
    by: str
    at: int
    reason: str


def narrowed(said: Said[Harmless] | None, kind: type[Subject]) -> Said[Subject] | None:
    """None where it is of another kind, or nothing is said."""
    return cast("Said[Subject]", said) if said is not None and isinstance(said.harmless, kind) else None


def beyond(strength: float) -> float:
    """What is to be called from now on, where this was harmless."""
    return min(round(strength * _MARGIN, 2), MOST)


def behaviour(id_: str, alert: str, items: Sequence[Unusual]) -> HarmlessEntity:
    """That all which surprised in these items of one entity, at least one, is harmless."""
    found: dict[tuple[str, str, str], tuple[float, float]] = {}
    for reason in (reason for one in items for reason in one.reasons):
        key = (reason.kind, reason.field, reason.value)
        surprise, actual = found.get(key, (0.0, 0.0))
        found[key] = (max(surprise, reason.surprise), max(actual, reason.actual))
    limits: list[Limit] = []
    room = _CHARACTERS
    for key, (surprise, actual) in sorted(found.items(), key=lambda pair: (-pair[1][0], pair[0]))[:MOST_LIMITS]:
        room -= sum(map(len, key))
        if room < 0:
            break
        limits.append(Limit(*key, beyond(surprise), _most(key[0], actual)))
    one = items[0]
    return HarmlessEntity(id_, one.people, one.org, one.field, one.entity, alert, tuple(limits))


def _most(kind: str, actual: float) -> float:
    """A tenth more than there was; of a few as many more as chance makes of them."""
    if kind in _OF_A_VALUE:
        return 0.0
    if kind == "share":
        return min(round(actual * _MARGIN, 4), 1.0)
    return min(math.floor(max(actual * _MARGIN, actual + 2 * math.sqrt(actual))), MOST_EVENTS)


def covering(one: Unusual, said: Iterable[Said[HarmlessEntity]]) -> tuple[Covered, ...]:
    """Who said that what is notable of it is harmless; empty where something is not, or the strongest of the rest are notable together.
    `said`: of its entity, the first counts."""
    least = min(NOTABLE, max((reason.surprise for reason in one.reasons), default=NOTABLE))
    used: dict[Covered, None] = {}
    rest: list[float] = []
    said = list(said)
    for reason in one.reasons:
        by = next((it for it in said if it.harmless.covers(reason)), None)
        if by is None:
            rest.append(reason.surprise)
        elif reason.surprise >= least:
            used[Covered(by.by, by.at, by.reason, by.harmless.alert)] = None
    rest.sort(reverse=True)
    return () if rest and (rest[0] >= least or sum(rest[:_FEW]) >= 2 * NOTABLE) else tuple(used)


def taken_back(alert: str) -> str:
    """The reason of a verdict that is none any more."""
    return f"alert {alert} is not benign"


def verdict_id(entity: str, alert: str) -> str:
    """Of the policy by which a verdict on an alert speaks of an entity. `entity`: see `entity_id`."""
    return f"{entity}{alert}"


def is_of_series(policy: Policy) -> bool:
    return "people" not in (policy.body or {})


def said_of(policy: Policy) -> Said[Harmless] | None:
    """None where it was withdrawn. Raises `ConfigError` for a body that says something else."""
    if policy.body is None:
        return None
    return Said(harmless_of(policy), policy.version, policy.by, policy.at, policy.reason)


def harmless_of(policy: Policy) -> Harmless:
    """Raises `ConfigError` for a body that says something else."""
    return _series_of(policy) if is_of_series(policy) else _entity_of(policy)


def _series_of(policy: Policy) -> HarmlessSeries:
    body = policy.body or {}
    strength = body.get("strength")
    if body.get("scale") != _SCALE:
        raise ConfigError(
            f"what is harmless of series {policy.id} was said in other units, by an older version: say it again"
        )
    if not isinstance(strength, int | float) or not 0 <= strength <= MOST:
        raise ConfigError(f"what is harmless of series {policy.id}: strength is a number from 0 to {MOST:.0f}")
    definition, org, alert = (str(body.get(name, "")) for name in ("definition", "org", "alert"))
    return HarmlessSeries(policy.id, definition, org, strength, alert, low=body.get("low") is True)


def _entity_of(policy: Policy) -> HarmlessEntity:
    body = policy.body or {}
    limits = body.get("limits")
    if not isinstance(limits, list) or not all(map(_is_limit, limits)):
        raise ConfigError(
            f"what is harmless of entity {policy.id}: limits are lists of kind, field, value, a number from 0 to {MOST:.0f}, and one from 0"
        )
    people, org, field, entity, alert = (
        str(body.get(name, "")) for name in ("people", "org", "field", "entity", "alert")
    )
    return HarmlessEntity(policy.id, people, org, field, entity, alert, tuple(Limit(*one) for one in limits))


def _is_limit(one: object) -> bool:
    if not isinstance(one, list) or len(one) != 5:
        return False
    *texts, surprise, most = one
    numbers = all(isinstance(number, int | float) for number in (surprise, most))
    return (
        numbers and all(isinstance(text, str) for text in texts) and 0 <= surprise <= MOST and 0 <= most <= MOST_EVENTS
    )
