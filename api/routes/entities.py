"""Entities that behave unlike themselves and unlike their peers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.anomaly_schemas import ReasonIn
from api.auth import Analyst, Viewer
from api.entities import day_of, details, ranked
from api.entity_schemas import CrowdOut, EntityHarmlessOut, ItemId, SayingId, UnusualDetail, UnusualOut
from api.harmless import all_said, lay_down, of_item, withdraw
from api.schemas import Cursor, ItemsOut, Limit, Name, PageOut
from api.state import Here
from soc.model.harmless import HarmlessEntity

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


@router.get("/harmless")
def list_harmless(state: Here, account: Viewer) -> ItemsOut[EntityHarmlessOut]:
    """What people said is harmless of entities: of which, how surprising, by whom and when."""
    return ItemsOut(items=[EntityHarmlessOut.of(one) for one in all_said(state, account.scope, HarmlessEntity)])


@router.post("/harmless/{saying_id}/withdraw", status_code=204)
def withdraw_harmless(saying_id: SayingId, body: ReasonIn, state: Here, account: Analyst) -> Response:
    """What was said to be harmless raises alerts again."""
    withdraw(state, account, saying_id, body.reason)
    return Response(status_code=204)


@router.get("/{item_id}")
def get_entity(item_id: ItemId, state: Here, account: Viewer) -> UnusualDetail:
    """One item (the `event_id` of a finding of its alert), with its week by the hour and similar ones before it."""
    return UnusualDetail.of_detail(details(state, account, [state.unusual.one(account.scope, item_id)])[0])


@router.post("/{item_id}/harmless", status_code=201)
def say_harmless(item_id: ItemId, body: ReasonIn, state: Here, account: Analyst) -> EntityHarmlessOut:
    """From now on nothing is raised when its entity is as surprising by the same, up to 1.1 times. Closing the alert as benign says the
    same of all that is in it."""
    one = state.unusual.one(account.scope, item_id)
    return EntityHarmlessOut.of(lay_down(state, account, of_item(one), body.reason))
