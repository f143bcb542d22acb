"""The ledger of rules as people see it: why a rule did not fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, Field

from api.state import State
from soc.errors import NotFound
from soc.model.calendar import DAY_MS, HOUR_MS
from soc.model.canary import Canary, Life
from soc.model.event import iso
from soc.model.ledger import DEEDS, Deeds, Line, Total
from soc.model.org import Scope
from soc.store.base import KEPT_DAYS

TOTAL_DAYS = 30
DAY_HOURS = 24


class Per(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"


class DeedsOut(BaseModel):
    matched: int = Field(description="findings of the rule")
    folded: int = Field(description="of these, folded into alerts")
    hidden: int = Field(description="of these, hidden by exceptions")
    off: int = Field(description="of these, of organisations that the rule does not run for")
    unfit: int = Field(description="findings that the correlation could not group or read: a field is missing")
    capped: int = Field(description="findings that the correlation forgot or left out because a bound bit")
    late: int = Field(description="findings that came to the correlation after the allowed lateness")
    failed: int = Field(description="times that the rule was stopped because it failed")


class LineOut(DeedsOut):
    at: str = Field(description="beginning of the minute or hour in which the detector did it")
    seen: int | None = Field(description="events that were put before the rule; null in minutes")

    @classmethod
    def of(cls, line: Line) -> LineOut:
        return cls(at=iso(line.at), seen=line.seen, **numbers(line.deeds))


class LedgerOut(BaseModel):
    items: list[LineOut]
    unread: int = Field(
        description="events since then that no rule saw: dead letters without a time, which a mended parser replays"
    )


class CanaryOut(BaseModel):
    """Whether an event made to fire the rule found it, through the way of all events but the event log."""

    life: Life
    at: str = Field(description="when that event was sent")
    reason: str = Field(
        description="why there is no such event or none is sent, or the exception that hides it for all organisations"
    )

    @classmethod
    def of(cls, canary: Canary) -> CanaryOut:
        return cls(life=canary.life, at=iso(canary.at), reason=canary.reason)


class StatsOut(BaseModel):
    """Of the last 30 days, in the organisations that you may see."""

    seen: int
    matched: int
    hidden: int
    last_match: str | None = Field(description="beginning of the hour")
    last_run: str | None = Field(description="beginning of the last hour in which an event was put before it")

    @classmethod
    def of(cls, total: Total) -> StatsOut:
        last = [None if at is None else iso(at) for at in (total.last_match, total.last_run)]
        return cls(
            seen=total.seen, matched=total.deeds.matched, hidden=total.deeds.hidden, last_match=last[0], last_run=last[1]
        )  # fmt: skip


def numbers(deeds: Deeds) -> dict[str, int]:
    return {name: getattr(deeds, name) for name in DEEDS}


@dataclass(frozen=True, slots=True)
class Recent:
    """A rule in the last 24 hours, by hour, and in all."""

    hours: Sequence[Line]
    deeds: Deeds
    seen: int
    unread: int


def totals(state: State, scope: Scope) -> Mapping[str, Total]:
    """Of the last `TOTAL_DAYS`."""
    return state.stores.ledger.totals(scope, since=state.clock() - TOTAL_DAYS * DAY_MS)


def recent(state: State, scope: Scope, rule_id: str) -> Recent:
    now, deeds = state.clock(), Deeds()
    since = now - now % HOUR_MS - (DAY_HOURS - 1) * HOUR_MS
    hours = state.stores.ledger.hours(rule_id, scope, since=since, until=now + 1)
    for line in hours:
        deeds += line.deeds
    return Recent(hours, deeds, sum(line.seen or 0 for line in hours), state.stores.ledger.unread(scope, since=since))


def ledger(
    state: State, scope: Scope, rule_id: str, since: int | None, until: int | None, per: Per, org: str | None
) -> LedgerOut:
    """`since`, `until`: ms; the last 24 hours by default. Raises `NotFound`: no such rule runs, and none is in the ledger."""
    now, store = state.clock(), state.stores.ledger
    if org is not None:
        scope = Scope(frozenset({org}) if scope.allows(org) else frozenset())
    until = now + 1 if until is None else until
    since = max(until - DAY_MS if since is None else since, now - KEPT_DAYS * DAY_MS)
    lines = (store.minutes if per is Per.MINUTE else store.hours)(rule_id, scope, since=since, until=until)
    if not lines and all(rule.id != rule_id for rule in state.rules.running()[0]):
        raise NotFound("no such rule is running")
    return LedgerOut(items=[LineOut.of(line) for line in lines], unread=store.unread(scope, since=since))
