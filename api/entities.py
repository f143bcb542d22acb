"""Who behaves unusually, a day at a time or one by one. The API and the console share it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from api.errors import Refused
from api.harmless import all_said
from soc.model.account import Account
from soc.model.alert import Alert
from soc.model.harmless import HarmlessEntity, Said
from soc.model.unusual import Unusual, of_entity
from soc.store.base import Page

if TYPE_CHECKING:
    from api.state import State

_OF_AN_ALERT = 10
_ALIKE = 5
_LOOKED_AT = 200  # items of the same kind and organisation
_LEAST_ALIKE = 0.3  # of 1: what has less in common is not alike
_SAME = 0.2  # the same entity is so much more alike


@dataclass(frozen=True, slots=True)
class Alike:
    """Another item: `likeness` 0 to 1, `alert` as it stands; None where it raised none, or it is not kept any more."""

    one: Unusual
    likeness: float
    alert: Alert | None


@dataclass(frozen=True, slots=True)
class Detail:
    """`similar`: those before it of the same kind and organisation, the most alike first. `said`: what of its entity is said to be
    harmless, the latest first."""

    one: Unusual
    similar: Sequence[Alike]
    said: Sequence[Said[HarmlessEntity]]


def day_of(text: str, now: int, zone: tzinfo) -> date:
    """A calendar day where the people are; today (`now`: ms) without one. Raises `Refused` for what is no day."""
    if not text:
        return datetime.fromtimestamp(now / 1000, zone).date()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 1970 < day.year < 9999 or day.isoformat() != text:
        raise Refused(f"{text} is not a day: write it as 2026-03-02")
    return day


def span(day: date, zone: tzinfo) -> tuple[int, int]:
    """From its first moment until the next day's, ms."""
    since, until = (
        int(datetime.combine(one, time(), zone).timestamp() * 1000) for one in (day, day + timedelta(days=1))
    )
    return since, until


def ranked(
    state: State, account: Account, day: date, *, org: str = "", cursor: str | None = None, limit: int = 50
) -> Page[Unusual]:
    """Of a day, the highest score first."""
    since, until = span(day, state.zone)
    return state.unusual.ranked(account.scope, since, until, org=org, cursor=cursor, limit=limit)


def of_alert(state: State, account: Account, rule_id: str, alert_id: str) -> list[Detail]:
    """What an alert about an entity was made of, newest first; empty for other alerts."""
    if not of_entity(rule_id):
        return []
    return details(state, account, state.unusual.of_alert(account.scope, alert_id, limit=_OF_AN_ALERT))


def details(state: State, account: Account, items: Sequence[Unusual]) -> list[Detail]:
    """With what is like each, and what is said of their entities."""
    if not items:
        return []
    before: dict[tuple[str, str], list[Unusual]] = {}
    # what came before the newest came before the others, or is one of them
    for one in sorted(items, key=lambda one: -one.at):
        if (one.org, one.people) not in before:
            before[one.org, one.people] = state.unusual.before(account.scope, one, limit=_LOOKED_AT)
    near = [(one, similar(one, before[one.org, one.people])) for one in items]
    ids = sorted({other.alert for _, others in near for other, _ in others if other.alert})
    alerts, harmless = state.stores.alerts.several(ids, account.scope), all_said(state, account.scope, HarmlessEntity)
    return [
        Detail(
            one,
            [Alike(other, likeness, alerts.get(other.alert)) for other, likeness in others],
            [said for said in harmless if said.harmless.of == (one.people, one.org, one.entity)],
        )
        for one, others in near
    ]


def similar(one: Unusual, others: Collection[Unusual]) -> list[tuple[Unusual, float]]:
    """Of those that came before and are of another episode, by what surprised in them: the angle between the surprises of all features.
    The same entity is preferred."""
    mine, episode = _surprises(one), (one.entity, one.since)
    past = (other for other in others if other.at < one.at and (other.entity, other.since) != episode)
    found = [(other, likeness) for other in past if (likeness := _cosine(mine, _surprises(other))) >= _LEAST_ALIKE]
    found.sort(key=lambda pair: (-pair[1] - _SAME * (pair[0].entity == one.entity), -pair[0].at, pair[0].id))
    return found[:_ALIKE]


def _surprises(one: Unusual) -> dict[str, float]:
    return {reason.feature: reason.surprise for reason in one.reasons}


def _cosine(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    lengths = math.sqrt(sum(size * size for size in left.values()) * sum(size * size for size in right.values()))
    return min(sum(size * right.get(name, 0.0) for name, size in left.items()) / lengths, 1.0) if lengths else 0.0
