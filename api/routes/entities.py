"""Entities that behave unlike themselves and unlike their peers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Viewer
from api.entities import day_of, ranked
from api.entity_schemas import CrowdOut, UnusualOut
from api.schemas import Cursor, ItemsOut, Limit, Name, PageOut
from api.state import Here

router = APIRouter(prefix="/entities", tags=["entities"])


@router.get("")
def list_entities(
    state: Here,
    account: Viewer,
    day: Annotated[str, Query(max_length=40, description="such as `2026-03-02`, in Viet Nam; empty: today")] = "",
    org: Annotated[Name, Query(description="agency code; empty: all")] = "",
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[UnusualOut]:
    """Who was unusual on a day, the highest score first, each with its reasons."""
    page = ranked(state, account, day_of(day, state.clock(), state.zone), org=org, cursor=cursor, limit=limit)
    return PageOut(items=[UnusualOut.of(one) for one in page.items], next=page.next)


@router.get("/counts")
def count_entities(state: Here, account: Viewer) -> ItemsOut[CrowdOut]:
    """How many entities are known of each kind and organisation, which are still learned, and what had no room."""
    return ItemsOut(items=[CrowdOut.of(one) for one in state.unusual.crowds(account.scope)])
