"""Connecting a source: preview, enrol, token, configuration, and whether it works."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from api.auth import Admin, Analyst, Viewer
from api.enrolment import CheckOut, ConfigOut, EnrolledOut, PreviewOut, SourceChangeIn, SourceIn, TokenOut
from api.onboarding import check_source, enrol_source, renew_token, revoke_token, switch_source
from api.pasted import PastedLines, refusing, try_lines
from api.place import place_for
from api.schemas import ItemsOut, Name
from api.source_schemas import SourceOut
from api.standing import standing_of
from api.state import Here, State
from collector.snippets import NO_TOKEN, snippet, ways
from soc.model.source import Source

router = APIRouter(prefix="/sources", tags=["sources"])
SourceId = Annotated[str, Path(max_length=200)]
_LINES = {"schema": {"type": "string"}}


@router.post(
    "/preview", openapi_extra={"requestBody": {"content": {"text/plain": _LINES, "application/x-ndjson": _LINES}}}
)
def preview_lines(
    pasted: PastedLines,
    state: Here,
    account: Analyst,
    type: Annotated[Name | None, Query(description="take them for this type")] = None,  # noqa: A002
    zone: Annotated[str, Query(max_length=64)] = "Asia/Ho_Chi_Minh",
    org: Annotated[
        Name, Query(description="whose lines they would be, for what it has tuned; empty: yours, if you have one")
    ] = "",
) -> PreviewOut:
    """What would become of these lines: their format, the masked events, and the rules that would match.

    The body is the lines themselves, at most 1 MiB; 1,000 lines are looked at. Nothing is kept.
    """
    return PreviewOut.of(*try_lines(state, pasted.lines, type or None, zone, org, account.scope))


@router.post("", status_code=201)
def add_source(wanted: SourceIn, state: Here, account: Admin) -> EnrolledOut:
    """Enrol a source that sends to the collector. Its token is in this answer and nowhere else."""
    source = wanted.source(state.clock())
    with refusing():
        token = enrol_source(state.stores, source, account.scope, by=account.name, system=wanted.system)
    return EnrolledOut(source=_shown(state, source), token=token)


@router.patch("/{source_id}")
def change_source(source_id: SourceId, change: SourceChangeIn, state: Here, account: Admin) -> SourceOut:
    """Switch a source off or on. Its events stay; its token works only while it is on."""
    source = state.stores.sources.get(source_id, account.scope)
    with refusing():
        switch_source(state.stores, source, account.scope, on=change.enabled, by=account.name)
    return _shown(state, state.stores.sources.get(source_id, account.scope))


@router.post("/{source_id}/token", status_code=201)
def new_token(source_id: SourceId, state: Here, account: Admin) -> TokenOut:
    """A new token; the one before stops working."""
    with refusing():
        source = state.stores.sources.get(source_id, account.scope)
        return TokenOut(token=renew_token(state.stores, source, by=account.name))


@router.delete("/{source_id}/token", status_code=204)
def drop_token(source_id: SourceId, state: Here, account: Admin) -> None:
    """The token stops working, and there is no other until one is made."""
    with refusing():
        revoke_token(state.stores, state.stores.sources.get(source_id, account.scope), by=account.name)


@router.get("/{source_id}/check")
def check(source_id: SourceId, state: Here, account: Viewer) -> CheckOut:
    """Whether the source works; if not, what is wrong and what to do."""
    source = state.stores.sources.get(source_id, account.scope)
    return CheckOut.of(check_source(state.stores, source, account.scope, state.clock()))


@router.get("/{source_id}/config")
def configuration(source_id: SourceId, request: Request, state: Here, account: Viewer) -> ItemsOut[ConfigOut]:
    """Ready-to-paste configuration of what sends; put the token in place of `TOKEN`."""
    source = state.stores.sources.get(source_id, account.scope)
    place = place_for(request, state.place)
    with refusing():
        return ItemsOut(
            items=[ConfigOut(way=way, text=snippet(source, way, place, token=NO_TOKEN)) for way in ways(source)]
        )


def _shown(state: State, source: Source) -> SourceOut:
    return SourceOut.of(standing_of(state.stores, source, state.clock()))
