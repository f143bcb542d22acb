"""The pages of lists of indicators: which there are, what is in one, and changing them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from api import indicators
from api.auth import Admin, Viewer
from api.errors import Refused
from api.indicators import Change, Pasted, Which
from api.schemas import Name
from api.state import Here, State
from rules.lists.read import Format, Reading
from soc.errors import ConfigError, Conflict, Forbidden, SocError
from soc.model.account import Account
from soc.model.indicator import ListType

router = APIRouter(prefix="/lists")
ListName = Annotated[str, Path(max_length=64)]
Line = Annotated[str, Form(max_length=1000)]

PAGE = 200  # entries


@router.get("")
def lists_page(request: Request, state: Here, account: Viewer) -> Response:
    return _page(request, state, account)


@router.post("")
def paste_entries(
    request: Request,
    state: Here,
    account: Admin,
    name: Line,
    type_: Annotated[ListType, Form(alias="type")],
    text: Annotated[str, Form(max_length=indicators.MAX_TEXT)],
    reason: Line,
    org: Line = "",
    days: Annotated[int, Form(ge=0, le=3650)] = 30,
    source: Line = "",
    replace: Annotated[bool, Form()] = False,
) -> Response:
    """Not sent on to another page: it says what of it could not be taken."""
    which = Which(name.strip(), org.strip())
    pasted = Pasted(which, type_, text, Format.TEXT, "", days, source.strip(), reason.strip(), replace)
    try:
        change, reading = indicators.paste(state.stores, state.lists, account, pasted, state.clock())
    except (Refused, Forbidden, Conflict, ConfigError) as error:
        return _page(request, state, account, error=error, typed=pasted)
    return _page(request, state, account, change=change, reading=reading)


@router.get("/{name}")
def list_page(
    name: ListName,
    request: Request,
    state: Here,
    account: Viewer,
    org: Annotated[Name, Query()] = "",
    starting: Annotated[Name, Query()] = "",
    cursor: Annotated[str | None, Query(max_length=2048)] = None,
) -> Response:
    return _one(request, state, account, Which(name, org), starting=starting.strip(), cursor=cursor)


@router.post("/{name}/remove")
def remove_entry(
    name: ListName, request: Request, state: Here, account: Admin, reason: Line, org: Line = "", entry: Line = ""
) -> Response:
    """One entry, or with none the whole list."""
    which, now = Which(name, org), state.clock()
    try:
        if not entry:
            indicators.remove(state.stores, account, which, reason=reason, now=now)
            return RedirectResponse("/lists", 303)
        indicators.take_out(state.stores, state.lists, account, which, [entry], reason=reason, now=now)
    except (Refused, Forbidden, Conflict, ConfigError) as error:
        return _one(request, state, account, which, error=error)
    kept = indicators.get(state.stores.policies, which, account.scope).record
    return RedirectResponse(f"/lists/{kept.name}?org={kept.org}", 303)


def _page(
    request: Request,
    state: State,
    account: Account,
    *,
    error: SocError | None = None,
    typed: Pasted | None = None,
    change: Change | None = None,
    reading: Reading | None = None,
) -> Response:
    return state.pages.html(
        request,
        "lists.html",
        _status(error),
        account=account,
        lists=indicators.visible(state.stores.policies, account.scope),
        types=list(ListType),
        error=error,
        typed=typed,
        change=change,
        reading=reading,
    )


def _one(
    request: Request,
    state: State,
    account: Account,
    which: Which,
    *,
    starting: str = "",
    cursor: str | None = None,
    error: SocError | None = None,
) -> Response:
    kept = indicators.get(state.stores.policies, which, account.scope)
    missing: ConfigError | None = None
    try:
        entries, more = indicators.page(state.lists, kept.record, starting, cursor, PAGE)
    except ConfigError as missing_file:
        entries, more, missing = [], None, missing_file
    return state.pages.html(
        request,
        "list.html",
        _status(error),
        account=account,
        kept=kept,
        entries=entries,
        more=more,
        starting=starting,
        missing=missing is not None,
        error=error,
    )


def _status(error: SocError | None) -> int:
    return {Conflict: 409, Forbidden: 403}.get(type(error), 422) if error else 200
