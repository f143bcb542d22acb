"""What a verdict on an alert of the observer's says of the series, or of the entity, that it is about; and how it is taken back.

A verdict is heard wherever it is given: on one alert or on many at once, through an incident, from the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

from api.errors import Refused
from api.harmless import (
    Ground,
    by_verdict,
    history,
    of_anomaly,
    put,
    put_down,
    readable,
    spoken_at,
)
from soc.errors import Conflict, NotFound
from soc.model.account import Account
from soc.model.alert import Alert, Decision, Status, Verdict
from soc.model.anomaly import Anomaly, of_series
from soc.model.harmless import TAKEN_BACK, Harmless, HarmlessSeries, behaviour, taken_back, verdict_id
from soc.model.org import EVERYTHING
from soc.model.policy import Policy, PolicyKind
from soc.model.unusual import entity_id, of_entity
from soc.store.base import AuditEntry

MOST_OF_AN_ALERT = 500  # series that one verdict speaks of, and items of an entity
_A_PAGE = 500  # anomalies
_MOST_PAGES = 20
_TRIES = 2  # where two speak of one at once


class Heard(NamedTuple):
    """Of how many series and entities something else is harmless now, of so many that were looked at."""

    moved: int = 0
    of: int = 0


def speaks(rule_id: str) -> bool:
    """Whether verdicts on alerts of this rule say what is harmless."""
    return of_series(rule_id) or of_entity(rule_id)


def doubt(ground: Ground, account: Account, alerts: Collection[Alert], decision: Decision) -> int:
    """What holds by benign verdicts on these alerts is taken back where the decision ends them; returns of how many series and entities.

    To be called before it is made: a kill in between means a call too many, not one too few. What held before holds again, and what other
    verdicts say that stand; what somebody has said of one since, or says at the same moment, stays.
    """
    reopened = decision.status is not None and decision.status is not Status.CLOSED
    if decision.verdict is Verdict.BENIGN or not (reopened or decision.verdict is not None):
        return 0
    doubted = {alert.id for alert in alerts if alert.triage.verdict is Verdict.BENIGN and speaks(alert.rule_id)}
    return _doubt(ground, account, doubted) if doubted else 0


def believe(
    ground: Ground,
    account: Account,
    alert: Alert,
    decision: Decision,
    most: int | None = None,
    since: int | None = None,
) -> Heard:
    """A decision that is benign, once it is made, says that what an alert is about is harmless: as far off as its series were, as
    surprising as its entity was.

    `most`: series that hear it at most, of which an entity counts one; less than 0 is none. `since`: those stay of which somebody has
    spoken from then on (ms).
    """
    if decision.verdict is not Verdict.BENIGN or not speaks(alert.rule_id):
        return Heard()
    most = MOST_OF_AN_ALERT if most is None else max(0, min(most, MOST_OF_AN_ALERT))
    if of_entity(alert.rule_id):
        return _heard(ground, account, _of_entity(ground, account, alert)[:most], alert.id, since)
    farthest, whole = _farthest(ground, account, alert.id)
    if len(farthest) > most or not whole:
        of = f"{len(farthest)}" if whole else f"more than {len(farthest)}"
        detail = f"only {most} of its {of} series, those that were farthest off, are harmless now"
        ground.stores.audit.record(AuditEntry(ground.clock(), account.name, "series.harmless", alert.id, detail))
    return _heard(ground, account, [of_anomaly(one) for one in farthest[:most]], alert.id, since)


def _heard(ground: Ground, account: Account, said: Sequence[Harmless], alert_id: str, since: int | None) -> Heard:
    return Heard(sum(_believed(ground, account, one, by_verdict(alert_id), since) for one in said), len(said))


def _believed(ground: Ground, account: Account, one: Harmless, reason: str, since: int | None) -> bool:
    try:
        return _tried(lambda: bool(put_down(ground, account, one, reason, since)))
    except Refused:
        return False


def _tried(act: Callable[[], bool]) -> bool:
    """What the act returns; False where somebody else speaks of the same at every try."""
    for _ in range(_TRIES):
        try:
            return act()
        except Conflict:
            continue
    return False


def _of_entity(ground: Ground, account: Account, alert: Alert) -> list[Harmless]:
    """All that was surprising in the items of an alert."""
    found = ground.unusual.of_alert(account.scope, alert.id, limit=MOST_OF_AN_ALERT)
    if not found:
        return []
    one = found[0]
    return [behaviour(verdict_id(entity_id(one.people, one.org, one.entity), alert.id), alert.id, found)]


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
        now = readable(policy)
        if now is None or now.harmless.alert not in doubted or not account.scope.allows(now.harmless.org):
            continue
        moved += _tried(partial(_take_back, ground, account, policy.id, doubted))
    return moved


def _take_back(ground: Ground, account: Account, id_: str, doubted: Collection[str]) -> bool:
    versions = history(ground, id_)
    now = readable(versions[-1])
    if now is None or now.harmless.alert not in doubted:
        return False  # meanwhile
    before = _still(ground, versions, doubted)
    if before == now.harmless:
        return False  # somebody said it themselves
    if isinstance(now.harmless, HarmlessSeries):  # verdicts on an entity have a policy each, and need not be looked for
        before = _covered(ground, account, id_, before, doubted, spoken_at(versions))
    what, gone = before or now.harmless, before is None
    put(ground, account, what, len(versions) + 1, "withdraw", taken_back(now.harmless.alert), gone=gone)
    return True


def _still(ground: Ground, versions: Sequence[Policy], doubted: Collection[str]) -> Harmless | None:
    """What was said last and is not taken back: by somebody, or by a verdict that stands."""
    for policy in reversed(versions):
        one = readable(policy)
        if TAKEN_BACK.fullmatch(policy.reason):
            continue  # it says again what was said before
        if one is None:
            return None
        alert = one.harmless.alert
        if policy.reason != by_verdict(alert) or (alert not in doubted and _benign(ground, alert)):
            return one.harmless
    return None


def _covered(
    ground: Ground, account: Account, series: str, before: Harmless | None, doubted: Collection[str], spoken: int
) -> Harmless | None:
    """`before`, or what is farther off by a verdict that stands and was given after anybody last spoke: while more was harmless, it had
    nothing to say."""
    found = ground.anomalies.list(account.scope, series=series, limit=_A_PAGE)
    alerts = ground.stores.alerts.several(sorted({one.alert for one in found} - set(doubted)), EVERYTHING)
    given = {
        id_
        for id_, alert in alerts.items()
        if alert.triage.verdict is Verdict.BENIGN and (alert.triage.closed_at or 0) > spoken and _benign(ground, id_)
    }
    for one in sorted((one for one in found if one.alert in given), key=lambda one: -one.strength):
        new = of_anomaly(one)
        if before is None or _farther(new, before):
            return new
    return before


def _farther(new: HarmlessSeries, before: Harmless) -> bool:
    """On the same side."""
    return isinstance(before, HarmlessSeries) and new.low == before.low and new.strength > before.strength


def _benign(ground: Ground, alert_id: str) -> bool:
    try:
        return ground.stores.alerts.get(alert_id, EVERYTHING).triage.verdict is Verdict.BENIGN
    except NotFound:
        return True  # of an alert that is not kept any more the verdict stands
