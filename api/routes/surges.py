"""Surges: events of which more traffic is expected, declared in advance."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api import surges
from api.auth import Admin, Viewer
from api.schemas import ItemsOut
from api.state import Here, State
from api.surge_doubts import doubts_of
from api.surge_schemas import EndIn, SurgeIn, SurgeOut

router = APIRouter(prefix="/surges", tags=["surges"])
SurgeId = Annotated[str, Path(max_length=200)]


@router.get("")
def list_surges(state: Here, account: Viewer) -> ItemsOut[SurgeOut]:
    """Those that change what you see, the latest first; also those of the last year that are over."""
    now = state.clock()
    found = surges.visible(state.stores.policies, account.scope, now)
    doubts = doubts_of(state, found, now)
    return ItemsOut(items=[SurgeOut.of(one, now, doubts.get(one.surge.id, ())) for one in found])


@router.post("", status_code=201)
def declare_surge(wanted: SurgeIn, state: Here, account: Admin) -> SurgeOut:
    """From its begin to its end the volumes expected of what it names are others. Rules, and all that is not volume, go on as ever."""
    now = state.clock()
    declared = surges.declare(state.stores, account, wanted.surge(), reason=wanted.reason, now=now)
    return _out(state, declared, now)


@router.get("/{surge_id}")
def get_surge(surge_id: SurgeId, state: Here, account: Viewer) -> SurgeOut:
    return _out(state, surges.get(state.stores.policies, surge_id, account.scope), state.clock())


@router.post("/{surge_id}/end", status_code=204)
def end_surge(surge_id: SurgeId, body: EndIn, state: Here, account: Admin) -> None:
    """It ends now; one that has not begun is withdrawn."""
    surges.end(state.stores, account, surge_id, reason=body.reason, now=state.clock())


def _out(state: State, declared: surges.Declared, now: int) -> SurgeOut:
    return SurgeOut.of(declared, now, doubts_of(state, [declared], now).get(declared.surge.id, ()))
