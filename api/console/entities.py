"""The page of entities that behave unusually."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Analyst, Viewer
from api.console.render import local
from api.entities import day_of, ranked
from api.entity_schemas import SayingId
from api.harmless import all_said, withdraw
from api.schemas import Cursor, Name
from api.state import Here
from api.tuning.exceptions import observed
from soc.model.account import Role
from soc.model.harmless import HarmlessEntity
from soc.model.unusual import RULE_PREFIX

router = APIRouter()
_A_PAGE = 50
_SAID = 1000  # of what is said to be harmless


@router.get("/entities")
def entities_page(
    request: Request,
    state: Here,
    account: Viewer,
    day: Annotated[str, Query(max_length=40)] = "",
    org: Annotated[Name, Query()] = "",
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    """The ranked list of a day."""
    now, org = state.clock(), org.strip()
    on, today = day_of(day, now, state.zone), day_of("", now, state.zone)
    page = ranked(state, account, on, org=org, cursor=cursor, limit=_A_PAGE)
    crowds = state.unusual.crowds(account.scope)
    harmless = [one for one in all_said(state, account.scope, HarmlessEntity) if org in ("", one.harmless.org)]

    def address(**more: object) -> str:
        chosen = {"day": on, "org": org} | more
        return f"/entities?{urlencode({name: value for name, value in chosen.items() if value})}"

    return state.pages.html(
        request,
        "entities.html",
        account=account,
        found=page.items,
        titles={one.people: one.titles for one in crowds},
        crowds=crowds,
        day=on.isoformat(),
        org=org,
        before=address(day=on - timedelta(days=1)),
        after=address(day=on + timedelta(days=1)) if on < today else None,
        more=address(cursor=page.next) if page.next else None,
        first_page=cursor is None,
        harmless=harmless[:_SAID],
        said=len(harmless),
        may_triage=account.role.includes(Role.ANALYST),
        exceptions=observed(state.stores, account.scope, RULE_PREFIX),
        now=now,
    )


@router.post("/entities/harmless/{saying_id}/withdraw")
def withdraw_harmless(
    saying_id: SayingId,
    state: Here,
    account: Analyst,
    reason: Annotated[str, Form(min_length=1, max_length=4000)],
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    withdraw(state, account, saying_id, reason)
    return RedirectResponse(local(back or "/entities#harmless"), 303)
