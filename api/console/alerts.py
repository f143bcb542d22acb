"""The alert queue and the page of one alert."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Analyst, Viewer
from api.console.anomalies import of_alert
from api.console.chosen import Filtered
from api.console.moment import moment, next_morning
from api.console.render import local
from api.entities import of_alert as behaviour_of
from api.errors import Refused
from api.queue import find_alerts
from api.schemas import AlertId, Cursor, by_id
from api.state import Here, State
from api.triage import able, decide
from soc.errors import Conflict, NotFound
from soc.model.account import Account, Role
from soc.model.alert import Alert, Decision, Status, Verdict
from soc.model.calendar import DAY_MS
from soc.model.event import Value
from soc.model.finding import ASKED, COUNTED, LEVELS, Finding
from soc.model.incident import Incident, IncidentStatus
from soc.model.rerun import FOUND_LATE
from soc.model.rule import RuleDoc
from soc.store.base import AlertFilter

router = APIRouter(prefix="/alerts")
_EVENTS_A_PAGE = 20
_MOST_VALUES = 4
_MOST_RELATED = 20
_RELATED_MS = 3 * DAY_MS


class Action(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"
    REOPEN = "reopen"
    TAKE = "take"
    ASSIGN = "assign"
    SNOOZE = "snooze"
    WAKE = "wake"
    COMMENT = "comment"


@router.get("")
def queue(
    request: Request,
    state: Here,
    account: Viewer,
    chosen: Filtered,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    where = chosen.where(state.clock())
    page = find_alerts(state, where, account.scope, text=chosen.text, cursor=cursor)
    return state.pages.html(
        request,
        "alerts.html",
        account=account,
        alerts=[(alert, state.rules.get(alert.rule_hash)) for alert in page.items],
        counts=state.stores.alerts.counts(account.scope),
        chosen=chosen,
        levels=LEVELS[::-1],
        now=state.clock(),
        first_page=cursor is None,
        older=chosen.address(cursor=page.next) if page.next else None,
        may_triage=account.role.includes(Role.ANALYST),
    )


@router.get("/{alert_id}")
def alert_page(
    alert_id: AlertId, request: Request, state: Here, account: Viewer, cursor: Annotated[Cursor, Query()] = None
) -> Response:
    return _alert_page(alert_id, request, state, account, cursor)


@router.post("/{alert_id}/triage")
def triage(
    alert_id: AlertId,
    request: Request,
    state: Here,
    account: Analyst,
    action: Annotated[Action, Form()],
    version: Annotated[int | None, Form(ge=0, le=2**53)] = None,
    verdict: Annotated[Verdict | None, Form()] = None,
    comment: Annotated[str, Form(max_length=4000)] = "",
    assignee: Annotated[str, Form(max_length=200)] = "",
    until: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=4000)] = "",
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """One button of the page. Where it cannot be done the page says why, with the comment kept."""
    try:
        decision = _decision(action, account, version, verdict, comment)
        if action is Action.ASSIGN:
            decision = replace(decision, assignee=assignee.strip())
        elif action is Action.SNOOZE:
            decision = replace(decision, snoozed_until=moment(until, state.zone), reason=reason.strip() or None)
        decide(state, account, alert_id, decision)
    except (Refused, Conflict) as error:
        return _alert_page(alert_id, request, state, account, None, error=error, said=(comment, until, reason))
    return RedirectResponse(local(back or f"/alerts/{alert_id}"), 303)


def _decision(action: Action, account: Account, version: int | None, verdict: Verdict | None, comment: str) -> Decision:
    said = comment.strip() or None
    match action:
        case Action.ACKNOWLEDGE:
            return Decision(version, Status.ACKNOWLEDGED, assignee=account.name, comment=said)
        case Action.CLOSE:
            return Decision(version, Status.CLOSED, verdict, comment=said)
        case Action.REOPEN:
            return Decision(version, Status.NEW, comment=said)
        case Action.TAKE:
            return Decision(version, assignee=account.name, comment=said)
        case Action.WAKE:
            return Decision(version, snoozed_until=0, comment=said)
        case Action.ASSIGN | Action.SNOOZE:
            return Decision(version, comment=said)
        case Action.COMMENT:
            return Decision(comment=said)


def _alert_page(
    alert_id: str,
    request: Request,
    state: State,
    account: Account,
    cursor: str | None,
    *,
    error: Refused | Conflict | None = None,
    said: tuple[str, str, str] = ("", "", ""),
) -> Response:
    """`said`: comment, end and reason of a snooze, kept where they could not be written."""
    stores = state.stores
    comment, until, reason = said
    alert = stores.alerts.get(alert_id, account.scope)
    findings = stores.alerts.findings(alert_id, account.scope, cursor=cursor, limit=_EVENTS_A_PAGE)
    events = by_id(stores.events.many([f.event_id for f in findings.items], account.scope))
    kept = [(finding, events[finding.event_id]) for finding in findings.items if finding.event_id in events]
    return state.pages.html(
        request,
        "alert.html",
        200 if error is None else 409 if isinstance(error, Conflict) else 422,
        account=account,
        alert=alert,
        rule=state.rules.get(alert.rule_hash),
        unusual=(unusual := of_alert(state, account, alert.rule_id, alert.id)),
        behaving=(behaving := behaviour_of(state, account, alert.rule_id, alert.id)),
        matched=[] if unusual.total or behaving else _together(findings.items),
        counted=_counted(findings.items),
        late=max((str(at) for f in findings.items if (at := f.matched.get(FOUND_LATE))), default=None),
        asked=sorted({str(asked) for f in findings.items if (asked := f.matched.get(ASKED))}),
        telling=kept[:1] + kept[1:][-1:],  # the first and the last
        findings=[(finding, events.get(finding.event_id)) for finding in findings.items],
        first_page=cursor is None,
        more=f"/alerts/{alert_id}?{urlencode({'cursor': findings.next})}" if findings.next else None,
        history=stores.triage.history(alert_id),
        related=_related(state, account, alert),
        incident=_incident(state, account, alert),
        incidents=stores.incidents.list(account.scope, status=IncidentStatus.OPEN).items,
        now=state.clock(),
        verdicts=list(Verdict),
        error=error,
        conflict=isinstance(error, Conflict),
        comment=comment,
        until=until or next_morning(state.clock(), state.zone),
        reason=reason,
        people=able(stores, [alert.org]) if account.role.includes(Role.ANALYST) else [],
        may_triage=account.role.includes(Role.ANALYST),
        may_tune=account.role.includes(Role.ADMIN),
    )


def _related(state: State, account: Account, alert: Alert) -> list[tuple[Alert, RuleDoc | None]]:
    """The latest other alerts about the same in the same organisation, within some days."""
    where = AlertFilter(
        org=alert.org, entity=alert.entity, since=alert.first_seen - _RELATED_MS, until=alert.last_seen + _RELATED_MS
    )
    found = state.stores.alerts.list(where, account.scope, limit=_MOST_RELATED + 1).items
    others = [one for one in found if one.id != alert.id and one.entity_field == alert.entity_field]
    return [(one, state.rules.get(one.rule_hash)) for one in others[:_MOST_RELATED]]


def _incident(state: State, account: Account, alert: Alert) -> Incident | None:
    """None also where it is not for the caller to see."""
    try:
        return state.stores.incidents.get(alert.triage.incident, account.scope) if alert.triage.incident else None
    except NotFound:
        return None


def _together(findings: tuple[Finding, ...]) -> list[tuple[str, list[Value], int]]:
    """What fired on these findings: field, its distinct values (the first few), and how many values there are."""
    values: dict[str, dict[str, Value]] = {}
    for finding in findings:
        for name, value in finding.matched.items():
            if not name.startswith(COUNTED):
                values.setdefault(name, {}).setdefault(str(value), value)
    return [(name, list(seen.values())[:_MOST_VALUES], len(seen)) for name, seen in sorted(values.items())]


def _counted(findings: tuple[Finding, ...]) -> dict[str, int | float]:
    """By type of correlation, the most that it counted, or that values came to, in one window of these findings."""
    most: dict[str, int | float] = {}
    for finding in findings:
        for name, value in finding.matched.items():
            if name.startswith(COUNTED) and isinstance(value, int | float):
                kind = name.removeprefix(COUNTED)
                most[kind] = max(value, most.get(kind, 0))
    return most
