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
    rows = rows_of(state, account.scope)
    return state.pages.html(request, "coverage.html", account=account, rows=rows, systems=SYSTEMS)
