"""What people say of series: so far off is harmless. Said of an anomaly, or by a verdict on its alert; listed, and taken back.

A verdict is heard wherever it is given: on one alert or on many at once, through an incident, from the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.errors import Refused
from soc.errors import ConfigError, Conflict, NotFound
from soc.model.account import Account
from soc.model.alert import Alert, Decision, Status, Verdict
from soc.model.anomaly import RULE_PREFIX, Anomaly
from soc.model.harmless import Harmless, beyond, body_of, harmless_of
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.store.anomalies import SqliteAnomalies
from soc.store.base import AuditEntry, Stores

MOST_OF_AN_ALERT = 500  # series that one verdict speaks of
_A_PAGE = 500  # anomalies
_MOST_PAGES = 20
_TAKEN_BACK = " is not benign"


class Ground(Protocol):
    """Where it is said, and what it is said of. `clock`: ms since 1970."""

    @property
    def stores(self) -> Stores: ...

    @property
    def anomalies(self) -> SqliteAnomalies: ...

    @property
    def clock(self) -> Callable[[], int]: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """The `Ground` of who is not the API."""

    stores: Stores
    anomalies: SqliteAnomalies
    clock: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Said:
    """What is harmless of a series, and who said so."""

    harmless: Harmless
    version: int
    by: str
    at: int
    reason: str


def said(ground: Ground, series_id: str) -> Said | None:
    """None where nothing is said, or it was withdrawn."""
    try:
        return _said(ground.stores.policies.get(PolicyKind.HARMLESS, series_id))
    except NotFound:
        return None


def all_said(ground: Ground, scope: Scope) -> list[Said]:
    """The latest first."""
    found = [_said(policy) for policy in ground.stores.policies.list(PolicyKind.HARMLESS)]
    mine = [one for one in found if one is not None and scope.allows(one.harmless.org)]
    return sorted(mine, key=lambda one: (-one.at, one.harmless.series))


def lay_down(ground: Ground, account: Account, anomaly: Anomaly, reason: str) -> Said:
    """So far off is harmless of this series from now on. Raises `Refused` when that is laid down already."""
    versions = ground.stores.policies.history(PolicyKind.HARMLESS, anomaly.series)
    strength = beyond(anomaly.strength)
    before = _said(versions[-1]) if versions else None
    low = anomaly.actual < anomaly.expected
    if before is not None and before.harmless.low == low and before.harmless.strength >= strength:
        raise Refused("as much of this series is harmless already")
    new = Harmless(anomaly.series, anomaly.definition, anomaly.org, strength, anomaly.alert, low)
    _put(ground, account, new, len(versions) + 1, "series.harmless", reason)
    return Said(new, len(versions) + 1, account.name, ground.clock(), reason)


def withdraw(ground: Ground, account: Account, series_id: str, reason: str) -> None:
    """As if nobody had said it. Raises `NotFound`, also outside the account's scope."""
    versions = ground.stores.policies.history(PolicyKind.HARMLESS, series_id)
    now = _said(versions[-1]) if versions else None
    if now is None or not account.scope.allows(now.harmless.org):
        raise NotFound(f"nothing of series {series_id} is said to be harmless")
    _put(ground, account, now.harmless, now.version + 1, "series.withdraw", reason, gone=True)


def hear(ground: Ground, account: Account, alert: Alert, decision: Decision) -> int:
    """What a decision that has been made means to the series of an alert (`alert`: as it was before); returns of how many something else
    holds now.

    One that is benign says that as far off as they were is harmless. When it is no longer, what held before holds again; what somebody has
    said of a series since, or says at the same moment, stays.
    """
    if not alert.rule_id.startswith(RULE_PREFIX):
        return 0
    if decision.verdict is Verdict.BENIGN:
        return _believe(ground, account, alert.id)
    reopened = decision.status is not None and decision.status is not Status.CLOSED
    if alert.triage.verdict is Verdict.BENIGN and (reopened or decision.verdict is not None):
        return _doubt(ground, account, alert.id)
    return 0


def _believe(ground: Ground, account: Account, alert_id: str) -> int:
    farthest, whole = _farthest(ground, account, alert_id)
    moved = 0
    for one in farthest[:MOST_OF_AN_ALERT]:
        try:
            lay_down(ground, account, one, _by_verdict(alert_id))
            moved += 1
        except (Refused, Conflict):
            continue
    if len(farthest) > MOST_OF_AN_ALERT or not whole:
        of = f"{len(farthest)}" if whole else f"more than {len(farthest)}"
        detail = f"only {MOST_OF_AN_ALERT} of its {of} series, those that were farthest off, are harmless now"
        ground.stores.audit.record(AuditEntry(ground.clock(), account.name, "series.harmless", alert_id, detail))
    return moved


def _farthest(ground: Ground, account: Account, alert_id: str) -> tuple[list[Anomaly], bool]:
    """Of each series of an alert the anomaly that was farthest off, those first that were the most; and whether these are all."""
    found: dict[str, Anomaly] = {}
    before = ""
    for _ in range(_MOST_PAGES):
        page = ground.anomalies.list(account.scope, alert=alert_id, before=before, limit=_A_PAGE)
        for one in page:
            if one.series not in found or one.strength > found[one.series].strength:
                found[one.series] = one
        if len(page) < _A_PAGE:
            break
        before = page[-1].id
    ordered = sorted(found.values(), key=lambda one: (-one.strength, one.series))
    return ordered, len(page) < _A_PAGE


def _doubt(ground: Ground, account: Account, alert_id: str) -> int:
    """What holds by verdicts on this alert is taken back."""
    moved = 0
    for policy in ground.stores.policies.list(PolicyKind.HARMLESS):
        now = _said(policy)
        if now is None or now.harmless.alert != alert_id or not account.scope.allows(now.harmless.org):
            continue
        versions = ground.stores.policies.history(PolicyKind.HARMLESS, policy.id)
        before = _still(ground, versions)
        if before == now.harmless:
            continue  # somebody said it themselves
        try:
            reason = f"alert {alert_id}{_TAKEN_BACK}"
            what, gone = before or now.harmless, before is None
            _put(ground, account, what, len(versions) + 1, "series.withdraw", reason, gone=gone)
            moved += 1
        except Conflict:
            continue
    return moved


def _still(ground: Ground, versions: Sequence[Policy]) -> Harmless | None:
    """What was said last and is not taken back: by somebody, or by a verdict that stands."""
    for policy in reversed(versions):
        one = _said(policy)
        if policy.reason.endswith(_TAKEN_BACK):
            continue  # it says again what was said before
        if one is None:
            return None
        if policy.reason != _by_verdict(one.harmless.alert) or _benign(ground, one.harmless.alert):
            return one.harmless
    return None


def _benign(ground: Ground, alert_id: str) -> bool:
    try:
        return ground.stores.alerts.get(alert_id, EVERYTHING).triage.verdict is Verdict.BENIGN
    except NotFound:
        return True  # of an alert that is not kept any more the verdict stands


def _by_verdict(alert_id: str) -> str:
    return f"verdict on alert {alert_id}: benign"


def _put(
    ground: Ground, account: Account, one: Harmless, version: int, action: str, reason: str, *, gone: bool = False
) -> None:
    now, body = ground.clock(), None if gone else body_of(one)
    side = "below" if one.low else "above"
    detail = f"{one.definition}, up to {one.strength} half widths of its band {side} what is expected: {reason}"
    ground.stores.audit.record(AuditEntry(now, account.name, action, one.series, detail[:2000]))
    ground.stores.policies.put(Policy(PolicyKind.HARMLESS, one.series, version, body, account.name, now, reason))


def _said(policy: Policy) -> Said | None:
    if policy.body is None:
        return None
    try:
        return Said(harmless_of(policy), policy.version, policy.by, policy.at, policy.reason)
    except ConfigError:
        return None
