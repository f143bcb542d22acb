"""Alerts: what analysts triage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from api.auth import COOKIE, Analyst, Viewer, account_of
from api.bulk import decide_all
from api.explain import explanation
from api.explain_schemas import ExplanationOut
from api.queue import find_alerts
from api.schemas import (
    AlertDetail,
    AlertId,
    AlertOut,
    AlertsIn,
    AllTimesOut,
    BulkIn,
    BulkOut,
    ChangeOut,
    CommentIn,
    Cursor,
    DecisionIn,
    EventId,
    FindingOut,
    ItemsOut,
    Limit,
    PageOut,
    RuleOut,
    TimesOut,
    by_id,
)
from api.state import Here, State
from api.times import times
from api.triage import decide
from soc.errors import StoreUnavailable
from soc.model.account import Account
from soc.model.alert import Alert, Decision
from soc.model.calendar import DAY_MS

router = APIRouter(prefix="/alerts", tags=["alerts"])
_RECHECK_S = 5.0  # how long a stream may outlive the session, the account or the scope it was opened with


@router.get("")
def list_alerts(state: Here, account: Viewer, wanted: Annotated[AlertsIn, Query()]) -> PageOut[AlertOut]:
    """Most recently raised first. With `text`, a page may be short and still have a `next`."""
    page = find_alerts(
        state,
        wanted.where(state.clock()),
        account.scope,
        text=wanted.text,
        cursor=wanted.cursor,
        limit=wanted.limit,
    )
    return PageOut(items=[_out(state, alert) for alert in page.items], next=page.next)


@router.post("/bulk")
def change_alerts(body: BulkIn, state: Here, account: Analyst) -> BulkOut:
    """One decision for all alerts that a filter finds, 1,000 at most. What changed meanwhile, or does not allow it, is left and
    named. Verdicts mean to series and entities what they mean one by one."""
    where = body.where.where(state.clock())
    done = decide_all(state, account, where, body.where.text, body.change.decision(), body.expected)
    found = done.found
    return BulkOut(
        changed=done.changed,
        moved=done.moved,
        refused=done.refused,
        more=found.more,
        whole=found.whole,
        looked_at=found.looked_at,
    )


@router.get("/times")
def alert_times(state: Here, account: Viewer, days: Annotated[int, Query(ge=1, le=366)] = 30) -> AllTimesOut:
    """How long the alerts raised in the last days waited until somebody took them up, and until they were closed."""
    found, whole = times(state.stores.alerts, account.scope, state.clock() - days * DAY_MS)
    return AllTimesOut(items=[TimesOut.model_validate(asdict(one)) for one in found], whole=whole)


@router.get("/stream", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def stream_alerts(request: Request, state: Here, account: Viewer) -> StreamingResponse:
    """Server-sent events: `alert` with a new or changed alert as JSON, `reload` when some were missed."""
    state.feed.check_room()

    async def lines() -> AsyncIterator[bytes]:
        # Where the store does not answer, the stream ends and the browser asks again.
        with suppress(StoreUnavailable), state.feed.watch(account.scope) as queue:
            yield b"retry: 3000\nevent: ready\ndata: {}\n\n"
            checked = time.monotonic()
            while True:
                try:
                    alert = await asyncio.wait_for(queue.get(), _RECHECK_S)
                except TimeoutError:
                    message = b": still here\n\n"
                else:
                    message = await asyncio.to_thread(_message, state, alert)
                if (now := time.monotonic()) - checked >= _RECHECK_S:
                    if not await asyncio.to_thread(_still, request, state, account):
                        return
                    checked = now
                yield message

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/{alert_id}")
def get_alert(alert_id: AlertId, state: Here, account: Viewer) -> AlertDetail:
    """With the rule as it was when it fired."""
    alert = state.stores.alerts.get(alert_id, account.scope)
    rule = state.rules.get(alert.rule_hash)
    out = AlertOut.of(alert, rule).model_dump()
    return AlertDetail(**out, rule=RuleOut.of(rule) if rule else None)


@router.patch("/{alert_id}")
def change_alert(alert_id: AlertId, change: DecisionIn, state: Here, account: Analyst) -> AlertOut:
    """Status, verdict, assignee and comment in one step. 409 when somebody changed it since `version`.

    Where the alert is of an anomaly, `benign` says that so far off is harmless of its series: see `/harmless`; where it is about an entity,
    that as much of the same is: see `/entities/harmless`. Reopening takes it back."""
    decision = change.decision(change.version)
    return _out(state, decide(state, account, alert_id, decision).alert)


@router.post("/{alert_id}/comments", status_code=201)
def comment_on_alert(alert_id: AlertId, body: CommentIn, state: Here, account: Analyst) -> AlertOut:
    decision = Decision(comment=body.comment)  # no version: comments never collide
    return _out(state, decide(state, account, alert_id, decision).alert)


@router.get("/{alert_id}/history")
def alert_history(alert_id: AlertId, state: Here, account: Viewer) -> ItemsOut[ChangeOut]:
    """Who changed what, oldest first."""
    state.stores.alerts.get(alert_id, account.scope)
    return ItemsOut(items=[ChangeOut.of(change) for change in state.stores.triage.history(alert_id)])


@router.get("/{alert_id}/findings")
def alert_findings(
    alert_id: AlertId,
    state: Here,
    account: Viewer,
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[FindingOut]:
    """Every folded event, oldest first, with what made the rule fire on it."""
    page = state.stores.alerts.findings(alert_id, account.scope, cursor=cursor, limit=limit)
    events = by_id(state.stores.events.many([f.event_id for f in page.items], account.scope))
    return PageOut(items=[FindingOut.of(f, events.get(f.event_id)) for f in page.items], next=page.next)


@router.get("/{alert_id}/explain")
def explain_alert(
    alert_id: AlertId,
    state: Here,
    account: Viewer,
    event: Annotated[EventId | None, Query(description="one of the alert; without it, its first")] = None,
) -> ExplanationOut:
    """Why the rule fired on an event: each part of its condition with what it saw, what a correlation counted, and what is laid down.

    404 for an event that is not one of this alert.
    """
    return ExplanationOut.of(explanation(state, account.scope, alert_id, event))


def _out(state: State, alert: Alert) -> AlertOut:
    return AlertOut.of(alert, state.rules.get(alert.rule_hash))


def _message(state: State, alert: Alert | None) -> bytes:
    if alert is None:
        return b"event: reload\ndata: {}\n\n"
    return f"event: alert\ndata: {_out(state, alert).model_dump_json()}\n\n".encode()


def _still(request: Request, state: State, account: Account) -> bool:
    """Whether the one who opened the stream may still see the same: sessions end and scopes change."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key_or_none = key.strip() if scheme.lower() == "bearer" else None
    return account_of(state, key_or_none, request.cookies.get(COOKIE)) == account
