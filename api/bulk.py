"""One decision for all alerts that a filter finds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from api.errors import Refused
from api.queue import find_alerts
from api.state import State
from api.triage import decide
from soc.errors import Conflict, NotFound
from soc.model.account import Account
from soc.model.alert import Alert, Decision
from soc.store.base import AlertFilter, AuditEntry

MOST = 1000
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Bulk:
    """`refused`: alert id -> why it was left as it is. `more`: there are others, beyond `MOST`."""

    changed: int
    refused: dict[str, str]
    more: bool


def found(state: State, account: Account, where: AlertFilter, text: str) -> tuple[list[Alert], bool]:
    """The alerts that the filter finds, the latest `MOST` of them, and whether there are more."""
    alerts: list[Alert] = []
    cursor = None
    while len(alerts) <= MOST:
        page = find_alerts(state, where, account.scope, text=text, cursor=cursor, limit=_PAGE)
        alerts += page.items
        if (cursor := page.next) is None:
            break
    return alerts[:MOST], len(alerts) > MOST or cursor is not None


def decide_all(
    state: State, account: Account, where: AlertFilter, text: str, decision: Decision, expected: int
) -> Bulk:
    """Apply the decision to each, as it is now; one that somebody changes meanwhile, or that does not allow it, is left and named.

    `expected`: how many the person was shown. Raises `Refused` when there are more by now: a decision is about what was seen.
    """
    alerts, more = found(state, account, where, text)
    if len(alerts) > expected:
        raise Refused(f"there are {len(alerts)} by now, not {expected}: look at them again, then decide")
    state.stores.audit.record(
        AuditEntry(
            state.clock(), account.name, "alert.bulk", f"{len(alerts)} alerts", f"{where} {text} {decision}"[:4000]
        )
    )
    refused: dict[str, str] = {}
    for alert in alerts:
        one = replace(decision, version=alert.triage.version)
        try:
            decide(state.stores, account, alert.id, one, state.clock())
        except (Refused, Conflict, NotFound) as error:
            refused[alert.id] = str(error)
    return Bulk(len(alerts) - len(refused), refused, more)
