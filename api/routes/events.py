"""Events: what the logs said, after masking."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from api.auth import Analyst, Viewer
from api.people import expression_for
from api.schemas import Cursor, EventId, EventOut, ExpressionOut, Limit, NeighboursOut, PageOut, PersonIn, ms
from api.state import Here
from soc.query.parse import MAX_CHARACTERS, parse

router = APIRouter(prefix="/events", tags=["events"])


@router.get("")
def search_events(
    state: Here,
    account: Viewer,
    q: Annotated[str, Query(max_length=MAX_CHARACTERS, description="search expression; empty finds everything")] = "",
    since: Annotated[AwareDatetime | None, Query(description="event time, inclusive")] = None,
    until: Annotated[AwareDatetime | None, Query(description="event time, exclusive")] = None,
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[EventOut]:
    """Newest first. A page may be short and still have a `next` when the search took long."""
    page = state.stores.events.search(
        parse(q, state.zone), account.scope, since=ms(since), until=ms(until), cursor=cursor, limit=limit
    )
    return PageOut(items=[EventOut.of(event) for event in page.items], next=page.next)


@router.post("/person")
def expression_for_person(body: PersonIn, state: Here, account: Analyst) -> ExpressionOut:
    """The search expression that finds a phone number, CCCD or CMND: lines hold tokens in its place. The search is audited.

    The number is sent in the body, so that no log of addresses holds it.
    """
    q, where = expression_for(state, account, body.number.get_secret_value(), body.org)
    return ExpressionOut(q=q, searched=list(where.searched), keyless=list(where.keyless))


@router.get("/{event_id}")
def get_event(event_id: EventId, state: Here, account: Viewer) -> EventOut:
    return EventOut.of(state.stores.events.get(event_id, account.scope))


@router.get("/{event_id}/neighbours")
def event_neighbours(
    event_id: EventId,
    state: Here,
    account: Viewer,
    each_side: Annotated[int, Query(), Field(ge=1, le=50)] = 10,
) -> NeighboursOut:
    """What the same source said just before and just after, oldest first in both lists."""
    before, after = state.stores.events.neighbours(event_id, account.scope, each_side=each_side)
    return NeighboursOut(before=[EventOut.of(e) for e in before], after=[EventOut.of(e) for e in after])
