"""The coverage page: of which organisation which system's logs arrive."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.auth import Viewer
from api.routes.coverage import rows_of
from api.state import Here
from soc.model.system import SYSTEMS

router = APIRouter(prefix="/coverage")


@router.get("")
def coverage_page(request: Request, state: Here, account: Viewer) -> Response:
    """Whoever has no source, nor has a commune that has one, is a name in a list: rows without a cell would hide the others."""
    rows = rows_of(state, account.scope)
    above = {row.organisation.parent for row in rows if row.organisation}
    shown = [row for row in rows if row.cells or row.org in above]
    empty = [row for row in rows if not row.cells and row.org not in above]
    known = len(state.organisations.directory()) > 0
    return state.pages.html(
        request, "coverage.html", account=account, rows=shown, empty=empty, known=known, systems=SYSTEMS
    )
