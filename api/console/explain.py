"""The page that says why a rule fired on one event; the alert's page takes it in where somebody asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.auth import Viewer
from api.explain import explanation
from api.schemas import AlertId, EventId
from api.state import Here

router = APIRouter(prefix="/alerts")


@router.get("/{alert_id}/explain")
def explain_page(
    alert_id: AlertId,
    request: Request,
    state: Here,
    account: Viewer,
    event: Annotated[EventId | None, Query()] = None,
) -> Response:
    """Of the alert's first event where none is named."""
    told = explanation(state, account.scope, alert_id, event)
    return state.pages.html(
        request,
        "explain.html",
        account=account,
        told=told,
        alert=told.alert,
        fired=state.rules.get(told.alert.rule_hash),
    )
