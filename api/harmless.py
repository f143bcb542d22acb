"""What people say of series: so far off is harmless. Said of an anomaly, or by a verdict on its alert; listed, and taken back.

A verdict is heard wherever it is given: on one alert or on many at once, through an incident, from the command line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from api.errors import Refused
from soc.errors import ConfigError, Conflict, NotFound
from soc.model.account import Account
from soc.model.alert import Alert, Decision, Status, Verdict
from soc.model.anomaly import Anomaly, of_series
from soc.model.harmless import Harmless, beyond, body_of, harmless_of
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.store.anomalies import SqliteAnomalies
from soc.store.base import AuditEntry, Stores

MOST_OF_AN_ALERT = 500  # series that one verdict speaks of
_A_PAGE = 500  # anomalies
_MOST_PAGES = 20
_TRIES = 2  # where two speak of a series at once
_TAKEN_BACK = re.compile(r"alert [0-9a-f]+ is not benign")
_BY_VERDICT = re.compile(r"verdict on alert [0-9a-f]+: benign")


class Ground(Protocol):
    """Where it is said, and what it is said of. `clock`: ms since 1970."""

    @property
    def stores(self) -> Stores: ...

    @property
    def anomalies(self) -> SqliteAnomalies: ...

    @property
    def clock(self) -> Callable[[], int]: ...


class Heard(NamedTuple):
    """Of how many series something else is harmless now, of so many that were looked at."""

    moved: int = 0
    of: int = 0


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
    _check_own_words(reason)
    return _lay_down(ground, account, anomaly, reason)


def _lay_down(ground: Ground, account: Account, anomaly: Anomaly, reason: str, since: int | None = None) -> Said:
    """`since`: not where somebody has spoken of the series from then on (ms)."""
    versions = ground.stores.policies.history(PolicyKind.HARMLESS, anomaly.series)
    if since is not None and _spoken_at(versions) >= since:
        raise Refused("somebody has spoken of this series since")
    before, new = _said(versions[-1]) if versions else None, _harmless(anomaly)
    if before is not None and before.harmless.low == new.low and before.harmless.strength >= new.strength:
        raise Refused("as much of this series is harmless already")
    _put(ground, account, new, len(versions) + 1, "series.harmless", reason)
    return Said(new, len(versions) + 1, account.name, ground.clock(), reason)


def withdraw(ground: Ground, account: Account, series_id: str, reason: str) -> None:
    """As if nobody had said it. Raises `NotFound`, also outside the account's scope."""
    _check_own_words(reason)
    versions = ground.stores.policies.history(PolicyKind.HARMLESS, series_id)
    now = _said(versions[-1]) if versions else None
    if now is None or not account.scope.allows(now.harmless.org):
        raise NotFound(f"nothing of series {series_id} is said to be harmless")
    _put(ground, account, now.harmless, now.version + 1, "series.withdraw", reason, gone=True)


def doubt(ground: Ground, account: Account, alerts: Collection[Alert], decision: Decision) -> int:
    """What holds by benign verdicts on these alerts is taken back where the decision ends them; returns of how many series.

    To be called before it is made: a kill in between means a call too many, not one too few. What held before holds again, and what other
    verdicts say that stand; what somebody has said of a series since, or says at the same moment, stays.
    """
    reopened = decision.status is not None and decision.status is not Status.CLOSED
    if decision.verdict is Verdict.BENIGN or not (reopened or decision.verdict is not None):
        return 0
    doubted = {alert.id for alert in alerts if alert.triage.verdict is Verdict.BENIGN and of_series(alert.rule_id)}
    return _doubt(ground, account, doubted) if doubted else 0


def believe(
    ground: Ground,
    account: Account,
    alert: Alert,
    decision: Decision,
    most: int | None = None,
    since: int | None = None,
) -> Heard:
    """A decision that is benign, once it is made, says of the series of an alert that as far off as they were is harmless.

    `most`: series. `since`: those stay of which somebody has spoken from then on (ms).
    """
    if decision.verdict is not Verdict.BENIGN or not of_series(alert.rule_id):
        return Heard()
    return _believe(ground, account, alert.id, MOST_OF_AN_ALERT if most is None else most, since)


def _believe(ground: Ground, account: Account, alert_id: str, most: int, since: int | None) -> Heard:
    farthest, whole = _farthest(ground, account, alert_id)
    most = min(most, MOST_OF_AN_ALERT)
    moved = sum(_believed(ground, account, one, since) for one in farthest[:most])
    if len(farthest) > most or not whole:
        of = f"{len(farthest)}" if whole else f"more than {len(farthest)}"
        detail = f"only {most} of its {of} series, those that were farthest off, are harmless now"
        ground.stores.audit.record(AuditEntry(ground.clock(), account.name, "series.harmless", alert_id, detail))
    return Heard(moved, len(farthest[:most]))


def _believed(ground: Ground, account: Account, one: Anomaly, since: int | None) -> bool:
    try:
        return _tried(lambda: bool(_lay_down(ground, account, one, _by_verdict(one.alert), since)))
    except Refused:
        return False


def _tried(act: Callable[[], bool]) -> bool:
    """What the act returns; False where somebody else speaks of the series at every try."""
    for _ in range(_TRIES):
        try:
            return act()
        except Conflict:
            continue
    return False


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


def _doubt(ground: Ground, account: Account, doubted: Collection[str]) -> int:
    moved = 0
    for policy in ground.stores.policies.list(PolicyKind.HARMLESS):
        now = _said(policy)
        if now is None or now.harmless.alert not in doubted or not account.scope.allows(now.harmless.org):
            continue
        moved += _tried(partial(_take_back, ground, account, policy.id, doubted))
    return moved


def _take_back(ground: Ground, account: Account, series: str, doubted: Collection[str]) -> bool:
    versions = ground.stores.policies.history(PolicyKind.HARMLESS, series)
    now = _said(versions[-1])
    if now is None or now.harmless.alert not in doubted:
        return False  # meanwhile
    before = _still(ground, versions, doubted)
    if before == now.harmless:
        return False  # somebody said it themselves
    before = _covered(ground, account, series, before, doubted, _spoken_at(versions))
    reason = f"alert {now.harmless.alert} is not benign"
    what, gone = before or now.harmless, before is None
    _put(ground, account, what, len(versions) + 1, "series.withdraw", reason, gone=gone)
    return True


def _still(ground: Ground, versions: Sequence[Policy], doubted: Collection[str]) -> Harmless | None:
    """What was said last and is not taken back: by somebody, or by a verdict that stands."""
    for policy in reversed(versions):
        one = _said(policy)
        if _TAKEN_BACK.fullmatch(policy.reason):
            continue  # it says again what was said before
        if one is None:
            return None
        alert = one.harmless.alert
        if policy.reason != _by_verdict(alert) or (alert not in doubted and _benign(ground, alert)):
            return one.harmless
    return None


def _covered(
    ground: Ground, account: Account, series: str, before: Harmless | None, doubted: Collection[str], spoken_at: int
) -> Harmless | None:
    """`before`, or what is farther off by a verdict that stands and was given after anybody last spoke: while more was harmless, it had
    nothing to say."""
    found = ground.anomalies.list(account.scope, series=series, limit=_A_PAGE)
    alerts = ground.stores.alerts.several(sorted({one.alert for one in found} - set(doubted)), EVERYTHING)
    given = {
        id_
        for id_, alert in alerts.items()
        if alert.triage.verdict is Verdict.BENIGN and (alert.triage.closed_at or 0) > spoken_at and _benign(ground, id_)
    }
    for one in sorted((one for one in found if one.alert in given), key=lambda one: -one.strength):
        new = _harmless(one)
        if before is None or (new.low == before.low and new.strength > before.strength):
            return new
    return before


def _spoken_at(versions: Sequence[Policy]) -> int:
    """When a person last said something of the series themselves (ms); -1: never."""
    return max((one.at for one in versions if not _ours(one.reason)), default=-1)


def _ours(reason: str) -> bool:
    """Verdicts write so."""
    return bool(_TAKEN_BACK.fullmatch(reason) or _BY_VERDICT.fullmatch(reason))


def _check_own_words(reason: str) -> None:
    if _ours(reason):
        raise Refused("verdicts write such a reason: say it in other words")


def _benign(ground: Ground, alert_id: str) -> bool:
    try:
        return ground.stores.alerts.get(alert_id, EVERYTHING).triage.verdict is Verdict.BENIGN
    except NotFound:
        return True  # of an alert that is not kept any more the verdict stands


def _harmless(anomaly: Anomaly) -> Harmless:
    low = anomaly.actual < anomaly.expected
    return Harmless(anomaly.series, anomaly.definition, anomaly.org, beyond(anomaly.strength), anomaly.alert, low)


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
