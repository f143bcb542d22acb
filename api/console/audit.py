"""The audit page: who asked for what, and when."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from api.auth import Auditor
from api.schemas import Cursor, Name
from api.state import Here

router = APIRouter(prefix="/audit")


@router.get("")
def audit_page(
    request: Request,
    state: Here,
    account: Auditor,
    by: Annotated[Name, Query()] = "",
    action: Annotated[Name, Query()] = "",
    cursor: Annotated[Cursor, Query()] = None,
) -> Response:
    by, action = by.strip(), action.strip()
    chosen = {"by": by, "action": action}
    page = state.stores.audit.list(by=by, action=action, cursor=cursor)
    older = "/audit?" + urlencode({**chosen, "cursor": page.next}) if page.next else None
    return state.pages.html(request, "audit.html", account=account, entries=page.items, chosen=chosen, older=older)
