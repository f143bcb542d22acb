"""Service health: objectives of each organisation's systems, what is left of their error budgets, and whose fault it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Viewer
from api.level_schemas import ServiceLevelOut
from api.schemas import Limit, Name, PageOut
from api.state import Here

router = APIRouter(prefix="/services", tags=["services"])


@router.get("")
def list_service_levels(
    state: Here,
    account: Viewer,
    org: Annotated[Name, Query(description="agency code; empty: all")] = "",
    system: Annotated[Name, Query(description="such as `portal`; empty: all")] = "",
    cursor: Annotated[str | None, Query(max_length=800, description="`next` of the page before")] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[ServiceLevelOut]:
    """By organisation, system and name. Nothing is there of which nothing was seen: that is unknown, not good."""
    page = state.levels.page(account.scope, org=org, system=system, cursor=cursor, limit=limit)
    return PageOut(items=[ServiceLevelOut.of(level) for level in page.items], next=page.next)
