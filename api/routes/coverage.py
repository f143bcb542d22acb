"""Organisations, and of which of them which system's logs arrive."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import Viewer
from api.coverage import Row, coverage
from api.schemas import Cursor, Limit, Name, PageOut
from api.source_schemas import CoverageOut, OrganisationOut, RowOut
from api.standing import standings
from api.state import Here, State
from soc.model.calendar import day_of
from soc.model.org import OrgKind, Scope
from soc.model.system import SYSTEMS
from soc.store.cursor import decode, encode

router = APIRouter(tags=["coverage"])


@router.get("/organisations")
def list_organisations(
    state: Here,
    account: Viewer,
    kind: OrgKind | None = None,
    parent: Annotated[Name | None, Query(description="only what belongs to this code")] = None,
    cursor: Annotated[Cursor, Query()] = None,
    limit: Annotated[Limit, Query()] = 50,
) -> PageOut[OrganisationOut]:
    """The directory, by code: those that hold and those that have ended."""
    after = decode(cursor)[1] if cursor is not None else ""
    found = [
        org
        for org in state.organisations.directory()
        if account.scope.allows(org.code)
        and org.code > after
        and kind in (None, org.kind)
        and parent in (None, org.parent)
    ]
    more = encode(0, found[limit - 1].code) if len(found) > limit else None
    return PageOut(items=[OrganisationOut.of(org) for org in found[:limit]], next=more)


@router.get("/coverage")
def get_coverage(state: Here, account: Viewer) -> CoverageOut:
    """Organisation by system. Ministries and provinces are all there, communes where they have a source."""
    return CoverageOut(systems=list(SYSTEMS), items=[RowOut.of(row) for row in rows_of(state, account.scope)])


def rows_of(state: State, scope: Scope) -> list[Row]:
    now = state.clock()
    return coverage(
        state.organisations.directory(),
        standings(state.stores, scope, now),
        state.stores.outages.list(scope, since=now),
        scope,
        day_of(now),
    )
