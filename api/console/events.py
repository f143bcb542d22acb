"""Searching events, and the page of one event."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from api.auth import Viewer
from api.schemas import Cursor, EventId
from api.state import Here, State
from soc.errors import QueryError
from soc.model.event import Event
from soc.query.parse import MAX_CHARACTERS, parse

router = APIRouter(prefix="/events")


@router.get("")
def search_page(
    request: Request,
    state: Here,
    account: Viewer,
    q: Annotated[str, Query(max_length=MAX_CHARACTERS)] = "",
    since: Annotated[str, Query(max_length=40)] = "",
    until: Annotated[str, Query(max_length=40)] = "",
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    fault, older = None, None
    found: tuple[Event, ...] = ()
    try:
        page = state.stores.events.search(
            parse(q, state.zone),
            account.scope,
            since=_ms(state, since),
            until=_ms(state, until),
            cursor=cursor,
        )
    except QueryError as error:
        fault = error
    else:
        found = page.items
        chosen = {"q": q, "since": since, "until": until, "cursor": page.next}
        older = "/events?" + urlencode({k: v for k, v in chosen.items() if v}) if page.next else None
    return state.pages.html(
        request,
        "events.html",
        400 if fault else 200,
        account=account,
        q=q,
        since=since,
        until=until,
        fault=fault,
        events=found,
        older=older,
        first_page=cursor is None,
    )


@router.get("/{event_id}")
def event_page(event_id: EventId, request: Request, state: Here, account: Viewer) -> Response:
    event = state.stores.events.get(event_id, account.scope)
    before, after = state.stores.events.neighbours(event_id, account.scope)
    return state.pages.html(request, "event.html", account=account, event=event, around=[*before, event, *after])


def _ms(state: State, moment: str) -> int | None:
    """What `<input type=datetime-local>` sends, read in the people's zone."""
    if not moment:
        return None
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise QueryError(f"{moment} is not a time: write it as 2026-03-02T09:00") from None
    return int((at if at.tzinfo else at.replace(tzinfo=state.zone)).timestamp() * 1000)
