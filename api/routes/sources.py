"""Sources: what is enrolled, how each is doing, and which were silent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from api.auth import Admin, Viewer
from api.schemas import ItemsOut, ms
from api.source_schemas import ExpectationIn, OutageOut, SourceOut
from api.standing import expect, expected_history, standing_of, standings
from api.state import Here
from api.tuning.shapes import RevisionOut
from soc.model.silence import CLEARED_SHOWN_MS

router = APIRouter(tags=["sources"])


@router.get("/sources")
def list_sources(state: Here, account: Viewer) -> ItemsOut[SourceOut]:
    return ItemsOut(items=[SourceOut.of(one) for one in standings(state.stores, account.scope, state.clock())])


@router.get("/sources/{source_id}")
def get_source(source_id: Annotated[str, Path(max_length=200)], state: Here, account: Viewer) -> SourceOut:
    source = state.stores.sources.get(source_id, account.scope)
    return SourceOut.of(standing_of(state.stores, source, state.clock()))


@router.patch("/sources/{source_id}/expectation")
def change_expectation(
    source_id: Annotated[str, Path(max_length=200)], change: ExpectationIn, state: Here, account: Admin
) -> SourceOut:
    """When its silence is an alarm, and which system's logs these are. Every version is kept, with who laid it down."""
    source = state.stores.sources.get(source_id, account.scope)
    now = state.clock()
    expect(state.stores.policies, source_id, change.changes(), by=account.name, now=now)
    return SourceOut.of(standing_of(state.stores, source, now))


@router.get("/sources/{source_id}/expectation/history")
def expectation_history(
    source_id: Annotated[str, Path(max_length=200)], state: Here, account: Viewer
) -> ItemsOut[RevisionOut]:
    """Who changed what of it and why, oldest first."""
    source = state.stores.sources.get(source_id, account.scope)
    return ItemsOut(
        items=[RevisionOut.of(one) for one in expected_history(state.stores.policies, source.id, account.scope)]
    )


@router.get("/outages")
def list_outages(
    state: Here,
    account: Viewer,
    since: Annotated[
        AwareDatetime | None, Query(description="also those cleared since then; the last day if left out")
    ] = None,
) -> ItemsOut[OutageOut]:
    """Sources that are silent, and those that were; most recently noticed first."""
    cleared_since = ms(since)
    if cleared_since is None:
        cleared_since = state.clock() - CLEARED_SHOWN_MS
    rules = {rule.id: rule for rule in state.rules.running()[0]}
    outages = state.stores.outages.list(account.scope, since=cleared_since)
    return ItemsOut(items=[OutageOut.of(outage, rules) for outage in outages])
