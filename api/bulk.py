"""One decision for all alerts that a filter finds."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace

from api.errors import Refused
from api.queue import matching
from api.state import State
from api.triage import decide
from api.verdicts import doubt, speaks
from soc.errors import Conflict, NotFound
from soc.model.account import Account
from soc.model.alert import Alert, Decision, Verdict
from soc.model.unusual import of_entity
from soc.store.base import AlertFilter, AuditEntry
from soc.store.paging import every

MOST = 1000
MOST_SERIES = 2000  # and entities that hear the verdicts of one decision
MOST_LOOKED_AT = 20_000
LONGEST_S = 10.0
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Found:
    """`alerts`: the latest `MOST`. `more`: there are others. `whole`: all that the text might be in were looked at; else only the
    latest `looked_at`, since that took `LONGEST_S` or they are `MOST_LOOKED_AT`."""

    alerts: list[Alert]
    more: bool
    whole: bool
    looked_at: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """`refused`: alert id -> why it was left as it is. `found`: what it was decided for. `moved`: of how many series and entities
    something else is harmless now."""

    changed: int
    moved: int
    refused: dict[str, str]
    found: Found


def find(state: State, account: Account, where: AlertFilter, text: str) -> Found:
    """The alerts that the filter and the words find."""
    matches, ends = matching(state, text), time.monotonic() + LONGEST_S
    found: list[Alert] = []
    looked_at = 0
    for alert in every(lambda at: state.stores.alerts.list(where, account.scope, cursor=at, limit=_PAGE)):
        if looked_at >= MOST_LOOKED_AT or time.monotonic() > ends:
            return Found(found, more=False, whole=False, looked_at=looked_at)
        looked_at += 1
        if matches(alert):
            if len(found) == MOST:
                return Found(found, more=True, whole=True, looked_at=looked_at)
            found.append(alert)
    return Found(found, more=False, whole=True, looked_at=looked_at)


def decide_all(
    state: State, account: Account, where: AlertFilter, text: str, decision: Decision, expected: int
) -> Bulk:
    """Apply the decision to each, as it is now; one that somebody changes meanwhile, or that does not allow it, is left and named.

    `expected`: how many the person was shown. Raises `Refused` when there are more by now: a decision is about what was seen.
    """
    found = find(state, account, where, text)
    number = len(found.alerts)
    if number > expected:
        raise Refused(f"there are {number} by now, not {expected}: look at them again, then decide")
    said = f"{where} {text} {decision}"[:4000]
    state.stores.audit.record(AuditEntry(state.clock(), account.name, "alert.bulk", f"{number} alerts", said))
    refused: dict[str, str] = {}
    unheard: Counter[str] = Counter()
    moved, left = doubt(state, account, found.alerts, decision), MOST_SERIES
    for alert in found.alerts:
        one = replace(decision, version=alert.triage.version)
        try:
            done = decide(state, account, alert.id, one, most=left, doubted=True)
        except (Refused, Conflict, NotFound) as error:
            refused[alert.id] = str(error)
        else:
            if left == 0 and decision.verdict is Verdict.BENIGN and speaks(alert.rule_id):
                unheard["entity.harmless" if of_entity(alert.rule_id) else "series.harmless"] += 1
            moved, left = moved + done.moved, left - done.of
    for action, alerts in sorted(unheard.items()):
        said = f"{MOST_SERIES} series and entities have heard of it: those of {alerts} more alerts have not"
        state.stores.audit.record(AuditEntry(state.clock(), account.name, action, "bulk", said))
    return Bulk(number - len(refused), moved, refused, found)
