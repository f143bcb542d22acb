"""Incidents: alerts worked on together."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Analyst, Viewer
from api.incident_schemas import (
    AlertsIn,
    IncidentChangeOut,
    IncidentDecisionIn,
    IncidentDetail,
    IncidentIn,
    IncidentOut,
    MergeIn,
    SplitIn,
)
from api.incidents import Desk
from api.schemas import AlertId, AlertOut, Cursor, IncidentId, ItemsOut, Limit, PageOut
from api.state import Here, State
from soc.model.account import Account
from soc.model.incident import IncidentDecision, IncidentStatus
from soc.store.base import AlertFilter

router = APIRouter(prefix="/incidents", tags=["incidents"])


@router.get("")
def list_incidents(
    state: Here,
    account: Viewer,
    status: IncidentStatus | None = None,
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[IncidentOut]:
    """Newest first: those of which you may see every organisation."""
    page = state.stores.incidents.list(account.scope, status=status, cursor=cursor, limit=limit)
    return PageOut(items=[IncidentOut.of(incident) for incident in page.items], next=page.next)


@router.post("", status_code=201)
def open_incident(body: IncidentIn, state: Here, account: Analyst) -> IncidentOut:
    """Open an incident from alerts. 409 when one of them is in another incident."""
    return IncidentOut.of(_desk(state, account).open(body.id or _new_id(), body.title, body.alerts))


@router.get("/{incident_id}")
def get_incident(
    incident_id: IncidentId,
    state: Here,
    account: Viewer,
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> IncidentDetail:
    """With a page of its alerts."""
    incident = state.stores.incidents.get(incident_id, account.scope)
    where = AlertFilter(incident=incident_id)
    page = state.stores.alerts.list(where, account.scope, cursor=cursor, limit=limit)
    alerts = [AlertOut.of(alert, state.rules.get(alert.rule_hash)) for alert in page.items]
    return IncidentDetail(**IncidentOut.of(incident).model_dump(), alerts=PageOut(items=alerts, next=page.next))


@router.patch("/{incident_id}")
def change_incident(incident_id: IncidentId, change: IncidentDecisionIn, state: Here, account: Analyst) -> IncidentOut:
    """Title, status, verdict, assignee and comment in one step. 409 when somebody changed it since `version`.

    Closing closes its open alerts with the verdict; reopening makes those that have it new again.
    """
    unassign = "assignee" in change.model_fields_set and not change.assignee
    assignee = "" if unassign else change.assignee
    decision = IncidentDecision(change.version, change.title, change.status, change.verdict, assignee, change.comment)
    return IncidentOut.of(_desk(state, account).decide(incident_id, decision))


@router.get("/{incident_id}/history")
def incident_history(incident_id: IncidentId, state: Here, account: Viewer) -> ItemsOut[IncidentChangeOut]:
    """Who changed what, oldest first, also of the incidents that were merged into it."""
    return ItemsOut(items=[IncidentChangeOut.of(change) for change in _desk(state, account).history(incident_id)])


@router.post("/{incident_id}/alerts")
def add_alerts(incident_id: IncidentId, body: AlertsIn, state: Here, account: Analyst) -> IncidentOut:
    """409 when one of them is in another incident. May be repeated."""
    return IncidentOut.of(_desk(state, account).add(incident_id, body.alerts))


@router.delete("/{incident_id}/alerts/{alert_id}")
def remove_alert(incident_id: IncidentId, alert_id: AlertId, state: Here, account: Analyst) -> IncidentOut:
    """The alert leaves the incident and stays what it is. May be repeated."""
    return IncidentOut.of(_desk(state, account).remove(incident_id, [alert_id]))


@router.post("/{incident_id}/merge")
def merge_incident(incident_id: IncidentId, body: MergeIn, state: Here, account: Analyst) -> IncidentOut:
    """Take over all alerts of another incident, which is closed and stays readable. May be repeated."""
    return IncidentOut.of(_desk(state, account).merge(body.incident, incident_id))


@router.post("/{incident_id}/split", status_code=201)
def split_incident(incident_id: IncidentId, body: SplitIn, state: Here, account: Analyst) -> IncidentOut:
    """Make some of its alerts a new incident, which is the answer."""
    desk = _desk(state, account)
    return IncidentOut.of(desk.split(incident_id, body.alerts, body.id or _new_id(), body.title))


def _desk(state: State, account: Account) -> Desk:
    return Desk(state.stores, account, state.clock(), state.watched)


def _new_id() -> str:
    return secrets.token_hex(12)
