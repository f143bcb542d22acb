"""The sources page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.auth import Viewer
from api.freshness import freshness
from api.state import Here
from soc.model.account import Role

router = APIRouter(prefix="/sources")


@router.get("")
def sources_page(request: Request, state: Here, account: Viewer) -> Response:
    now, health = state.clock(), state.stores.health.health()
    sources = state.stores.sources.list(account.scope)
    rows = [(s, health.get(s.id), freshness(s, health.get(s.id), now)) for s in sources]
    return state.pages.html(
        request, "sources.html", account=account, rows=rows, may_preview=account.role.includes(Role.ANALYST)
    )
