"""Incidents: the list, the page of one, and what is done with its alerts."""

from __future__ import annotations

import secrets
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Analyst, Viewer
from api.errors import Refused
from api.incidents import Desk
from api.schemas import AlertId, Cursor, IncidentId
from api.state import Here, State
from api.triage import able
from soc.errors import Conflict, NotFound
from soc.model.account import Account, Role
from soc.model.alert import Verdict
from soc.model.incident import Incident, IncidentDecision, IncidentStatus
from soc.store.base import AlertFilter

router = APIRouter(prefix="/incidents")
MOST_AT_ONCE = 100
_OTHERS = 50
_Title = Annotated[str, Form(max_length=200)]
_Alerts = Annotated[list[AlertId], Form(max_length=MOST_AT_ONCE)]


class Action(StrEnum):
    TAKE = "take"
    ASSIGN = "assign"
    COMMENT = "comment"
    RENAME = "rename"
    CLOSE = "close"
    REOPEN = "reopen"
    MERGE = "merge"  # another one into this
    SPLIT = "split"
    REMOVE = "remove"


@router.get("")
def incidents_page(
    request: Request,
    state: Here,
    account: Viewer,
    status: IncidentStatus = IncidentStatus.OPEN,
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    page = state.stores.incidents.list(account.scope, status=status, cursor=cursor)
    older = f"/incidents?status={status}&cursor={page.next}" if page.next else None
    return state.pages.html(request, "incidents.html", account=account, incidents=page.items, shown=status, older=older)


@router.post("")
def open_incident(
    state: Here,
    account: Analyst,
    alert: Annotated[list[AlertId], Form(min_length=1, max_length=MOST_AT_ONCE)],
    title: _Title = "",
    incident: Annotated[str, Form(pattern="^([0-9a-f]{24})?$")] = "",
) -> Response:
    """A new incident from these alerts; or they join the one that is named."""
    desk = Desk(state.stores, account, state.clock(), state.watched)
    if incident:
        return _to(desk.add(incident, alert))
    first = state.stores.alerts.get(alert[0], account.scope)
    return _to(desk.open(secrets.token_hex(12), title.strip() or f"{first.title}: {first.entity}"[:200], alert))


@router.get("/{incident_id}")
def incident_page(
    incident_id: IncidentId, request: Request, state: Here, account: Viewer, cursor: Annotated[Cursor, Query()] = None
) -> Response:
    return _page(incident_id, request, state, account, cursor)


@router.post("/{incident_id}")
def change_incident(
    incident_id: IncidentId,
    request: Request,
    state: Here,
    account: Analyst,
    action: Annotated[Action, Form()],
    version: Annotated[int | None, Form(ge=0, le=2**53)] = None,
    verdict: Annotated[Verdict | None, Form()] = None,
    comment: Annotated[str, Form(max_length=4000)] = "",
    title: _Title = "",
    assignee: Annotated[str, Form(max_length=200)] = "",
    other: Annotated[str, Form(pattern="^([0-9a-f]{24})?$")] = "",
    alert: _Alerts = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """One button of the page. Where it cannot be done the page says why, with the comment kept."""
    desk = Desk(state.stores, account, state.clock(), state.watched)
    try:
        match action:
            case Action.MERGE:
                return _to(desk.merge(other, incident_id))
            case Action.SPLIT:
                return _to(desk.split(incident_id, alert, secrets.token_hex(12), title.strip() or "…"))
            case Action.REMOVE:
                return _to(desk.remove(incident_id, alert))
            case _:
                decision = _decision(action, account, version, verdict, comment.strip() or None, title.strip() or None)
                if action is Action.ASSIGN:
                    decision = replace(decision, version=version, assignee=assignee.strip())
                return _to(desk.decide(incident_id, decision))
    except (Refused, Conflict, NotFound) as error:
        return _page(incident_id, request, state, account, None, error=error, comment=comment)


def _decision(
    action: Action, account: Account, version: int | None, verdict: Verdict | None, said: str | None, title: str | None
) -> IncidentDecision:
    match action:
        case Action.TAKE:
            return IncidentDecision(version, assignee=account.name, comment=said)
        case Action.RENAME:
            return IncidentDecision(version, title=title, comment=said)
        case Action.CLOSE:
            return IncidentDecision(version, status=IncidentStatus.CLOSED, verdict=verdict, comment=said)
        case Action.REOPEN:
            return IncidentDecision(version, status=IncidentStatus.OPEN, comment=said)
        case _:
            return IncidentDecision(comment=said)


def _to(incident: Incident) -> Response:
    return RedirectResponse(f"/incidents/{incident.id}", 303)


def _page(
    incident_id: str,
    request: Request,
    state: State,
    account: Account,
    cursor: str | None,
    *,
    error: Refused | Conflict | NotFound | None = None,
    comment: str = "",
) -> Response:
    stores = state.stores
    incident = stores.incidents.get(incident_id, account.scope)
    alerts = stores.alerts.list(AlertFilter(incident=incident_id), account.scope, cursor=cursor, limit=MOST_AT_ONCE)
    others = stores.incidents.list(account.scope, status=IncidentStatus.OPEN, limit=_OTHERS).items
    return state.pages.html(
        request,
        "incident.html",
        200 if error is None else 422 if isinstance(error, Refused) else 409,
        account=account,
        incident=incident,
        alerts=[(alert, state.rules.get(alert.rule_hash)) for alert in alerts.items],
        more=f"/incidents/{incident_id}?cursor={alerts.next}" if alerts.next else None,
        others=[other for other in others if other.id != incident_id],
        history=Desk(stores, account, state.clock(), state.watched).history(incident_id),
        verdicts=list(Verdict),
        error=error,
        comment=comment,
        people=able(stores, incident.orgs) if account.role.includes(Role.ANALYST) else [],
        may_triage=account.role.includes(Role.ANALYST),
    )
