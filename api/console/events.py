"""Searching events, and the page of one event."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Analyst, Viewer
from api.console.moment import moment
from api.errors import Refused
from api.people import LONGEST, Reach, expression_for, is_personal, reach
from api.schemas import Cursor, EventId
from api.state import Here, State
from soc.errors import QueryError
from soc.model.account import Account, Role
from soc.model.event import Event
from soc.query.parse import MAX_CHARACTERS, parse

router = APIRouter(prefix="/events")
_ALL = "*"


@router.get("")
def search_page(
    request: Request,
    state: Here,
    account: Viewer,
    q: Annotated[str, Query(max_length=MAX_CHARACTERS)] = "",
    since: Annotated[str, Query(max_length=40)] = "",
    until: Annotated[str, Query(max_length=40)] = "",
    person: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """`person`: the search is for one, in this organisation or in all (`*`); where that was is said with what was found."""
    fault, older = None, None
    found: tuple[Event, ...] = ()
    try:
        page = state.stores.events.search(
            parse(q, state.zone),
            account.scope,
            since=moment(since, state.zone) if since else None,
            until=moment(until, state.zone) if until else None,
            cursor=cursor,
        )
    except (QueryError, Refused) as error:
        fault = error
    else:
        found = page.items
        older = _address(q=q, since=since, until=until, person=person, cursor=page.next) if page.next else None
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
        newest=_address(q=q, since=since, until=until, person=person) if cursor else None,
        where=reach(state, account, None if person == _ALL else person) if person else None,
    )


def _address(**chosen: str | None) -> str:
    return "/events?" + urlencode({name: value for name, value in chosen.items() if value})


def _page(
    request: Request,
    state: State,
    account: Account,
    status: int = 200,
    *,
    q: str = "",
    since: str = "",
    until: str = "",
    fault: QueryError | Refused | None = None,
    person_fault: Refused | None = None,
    events: tuple[Event, ...] | None = None,
    older: str | None = None,
    newest: str | None = None,
    where: Reach | None = None,
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
        newest=newest,
        where=where,
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
        q, _ = expression_for(state, account, number, org.strip() or None)
    except Refused as refused:
        return _page(request, state, account, 422, person_fault=refused)
    return RedirectResponse(_address(q=q, person=org.strip() or _ALL), 303)


@router.get("/{event_id}")
def event_page(event_id: EventId, request: Request, state: Here, account: Viewer) -> Response:
    event = state.stores.events.get(event_id, account.scope)
    before, after = state.stores.events.neighbours(event_id, account.scope)
    return state.pages.html(request, "event.html", account=account, event=event, around=[*before, event, *after])
