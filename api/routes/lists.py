"""Lists of indicators: which there are, what is in them, and changing them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import indicators
from api.auth import Admin, Viewer
from api.indicators import Which
from api.list_schemas import EntriesIn, EntryOut, ListChangeOut, ListOut, RemoveIn
from api.schemas import ItemsOut, Limit, Name, PageOut
from api.state import Here

router = APIRouter(prefix="/lists", tags=["lists"])
ListName = Annotated[str, Path(max_length=64)]
OfOrg = Annotated[Name, Query(description="agency code; empty: the list for all organisations")]


@router.get("")
def list_lists(state: Here, account: Viewer) -> ItemsOut[ListOut]:
    """Those for all organisations, and those of yours."""
    return ItemsOut(items=[ListOut.of(kept) for kept in indicators.visible(state.stores.policies, account.scope)])


@router.get("/{name}")
def get_list(name: ListName, state: Here, account: Viewer, org: OfOrg = "") -> ListOut:
    return ListOut.of(indicators.get(state.stores.policies, Which(name, org), account.scope))


@router.get("/{name}/entries")
def list_entries(
    name: ListName,
    state: Here,
    account: Viewer,
    org: OfOrg = "",
    starting: Annotated[Name, Query(description="only entries that begin so")] = "",
    cursor: Annotated[str | None, Query(max_length=2048, description="`next` of the page before")] = None,
    limit: Annotated[Limit, Query()] = 100,
) -> PageOut[EntryOut]:
    """Sorted as texts."""
    kept = indicators.get(state.stores.policies, Which(name, org), account.scope)
    found, more = indicators.page(state.lists, kept.record, starting, cursor, limit)
    return PageOut(items=[EntryOut.of(entry) for entry in found], next=more)


@router.post("/{name}/entries")
def add_entries(name: ListName, wanted: EntriesIn, state: Here, account: Admin) -> ListChangeOut:
    """Add entries, or put them in the place of all others (`replace`); a list that is not there is made. Lines that are no entries are
    named and stop nothing. Lists too large for this are changed by `soc lists import`."""
    pasted = indicators.Pasted(
        Which(name, wanted.org),
        wanted.type,
        wanted.text,
        wanted.format,
        wanted.column,
        wanted.days,
        wanted.source,
        wanted.reason,
        wanted.replace,
        wanted.dry_run,
    )
    change, reading = indicators.paste(state.stores, state.lists, account, pasted, state.clock())
    return ListChangeOut.of(change, reading)


@router.post("/{name}/remove")
def remove_entries(name: ListName, wanted: RemoveIn, state: Here, account: Admin) -> ListChangeOut | None:
    """Remove entries, or with none the whole list: the rules that ask for it rest from then on."""
    which, now = wanted.which(name), state.clock()
    if not wanted.entries:
        indicators.remove(state.stores, account, which, reason=wanted.reason, now=now)
        return None
    change = indicators.take_out(
        state.stores, state.lists, account, which, wanted.entries, reason=wanted.reason, now=now
    )
    return ListChangeOut.of(change)
