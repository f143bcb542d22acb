"""Sources: what is enrolled, and how each is doing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.auth import Viewer
from api.freshness import freshness
from api.schemas import ItemsOut, SourceOut
from api.state import Here

router = APIRouter(prefix="/sources", tags=["sources"])


@router.get("")
def list_sources(state: Here, account: Viewer) -> ItemsOut[SourceOut]:
    now, health = state.clock(), state.stores.health.health()
    sources = state.stores.sources.list(account.scope)
    return ItemsOut(items=[SourceOut.of(s, h := health.get(s.id), freshness(s, h, now)) for s in sources])


@router.get("/{source_id}")
def get_source(source_id: Annotated[str, Path(max_length=200)], state: Here, account: Viewer) -> SourceOut:
    source = state.stores.sources.get(source_id, account.scope)
    health = state.stores.health.health().get(source_id)
    return SourceOut.of(source, health, freshness(source, health, state.clock()))
