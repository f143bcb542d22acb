"""The sources page: how each is doing, and which are silent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.auth import Viewer
from api.standing import standings
from api.state import Here
from soc.model.account import Role
from soc.model.silence import CLEARED_SHOWN_MS

router = APIRouter(prefix="/sources")

_Only = Annotated[str, Query(max_length=200)]


@router.get("")
def sources_page(request: Request, state: Here, account: Viewer, org: _Only = "", system: _Only = "") -> Response:
    """`org` and `system`: only those sources, as a cell of the coverage matrix leads to them."""
    now = state.clock()
    known = standings(state.stores, account.scope, now)
    shown = [one for one in known if org in ("", one.source.org) and system in ("", one.system)]
    outages = state.stores.outages.list(account.scope, since=now - CLEARED_SHOWN_MS)
    return state.pages.html(
        request,
        "sources.html",
        account=account,
        rows=shown,
        left_out=len(known) - len(shown),
        names={one.source.id: one.source.name for one in known},
        silent=[outage for outage in outages if outage.cleared_at is None],
        cleared=[outage for outage in outages if outage.cleared_at is not None],
        rules={rule.id: rule for rule in state.rules.running()[0]} if outages else {},
        may_preview=account.role.includes(Role.ANALYST),
    )
