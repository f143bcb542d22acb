"""Searching events, and the page of one event."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Analyst, Viewer
from api.errors import Refused
from api.people import LONGEST, expression_for, is_personal
from api.schemas import Cursor, EventId
from api.state import Here, State
from soc.errors import QueryError
from soc.model.account import Account, Role
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
    return _page(
        request,
        state,
        account,
        400 if fault else 200,
        q=q,
        since=since,
        until=until,
        fault=fault,
        events=found,
        older=older,
        first_page=cursor is None,
    )


def _page(
    request: Request,
    state: State,
    account: Account,
    status: int = 200,
    *,
    q: str = "",
    since: str = "",
    until: str = "",
    fault: QueryError | None = None,
    person_fault: Refused | None = None,
    events: tuple[Event, ...] | None = None,
    older: str | None = None,
    first_page: bool = True,
) -> Response:
    """`events` is None where nothing was searched for."""
    return state.pages.html(
        request,
        "events.html",
        status,
        account=account,
        q=q,
        since=since,
        until=until,
        fault=fault,
        person_fault=person_fault,
        personal=is_personal(q),
        may_look_up=account.role.includes(Role.ANALYST),
        events=events,
        older=older,
        first_page=first_page,
    )


@router.post("/person")
def person_search(
    request: Request,
    state: Here,
    account: Analyst,
    number: Annotated[str, Form(max_length=LONGEST)] = "",
    org: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Turns the number into a search for its tokens, and goes there: the number is in no address."""
    try:
        q = expression_for(state, account, number, org.strip() or None)
    except Refused as refused:
        return _page(request, state, account, 422, person_fault=refused)
    return RedirectResponse("/events?" + urlencode({"q": q}), 303)


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
