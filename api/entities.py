"""Who behaves unusually, a day at a time. The API and the console share it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from api.errors import Refused
from soc.model.account import Account
from soc.model.unusual import RULE_PREFIX, Unusual
from soc.store.base import Page

if TYPE_CHECKING:
    from api.state import State

_OF_AN_ALERT = 10


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


def of_alert(state: State, account: Account, rule_id: str, alert_id: str) -> list[Unusual]:
    """What an alert about an entity was made of, newest first; empty for other alerts."""
    if not rule_id.startswith(RULE_PREFIX):
        return []
    return state.unusual.of_alert(account.scope, alert_id, limit=_OF_AN_ALERT)
