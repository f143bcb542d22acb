"""The audit: who asked for what, and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.auth import Auditor
from api.schemas import Cursor, Limit, Name, PageOut
from api.state import Here
from soc.store.base import AuditEntry

router = APIRouter(prefix="/audit", tags=["audit"])


class AuditOut(BaseModel):
    at: int = Field(description="ms since 1970 UTC")
    by: str = Field(description="the account; empty: nobody who is known")
    action: str = Field(description="such as `sign-in`, `alert.change`, `events.person`")
    target: str
    detail: str

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditOut:
        return cls(at=entry.at, by=entry.by, action=entry.action, target=entry.target, detail=entry.detail)


@router.get("")
def list_audit(
    state: Here,
    _: Auditor,
    by: Annotated[Name, Query(description="an account")] = "",
    action: Annotated[Name, Query()] = "",
    cursor: Annotated[Cursor, Query()] = None,
    limit: Limit = 50,
) -> PageOut[AuditOut]:
    """Newest first. An entry belongs to no organisation, so only administrators of all of them see any."""
    page = state.stores.audit.list(by=by, action=action, cursor=cursor, limit=limit)
    return PageOut(items=[AuditOut.of(entry) for entry in page.items], next=page.next)
