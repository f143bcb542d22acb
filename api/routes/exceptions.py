"""Exceptions: what of a rule's findings is not to be shown, why, for whom and until when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.auth import Admin, Viewer
from api.schemas import ItemsOut, Name
from api.state import Here
from api.tuning import exceptions
from api.tuning.history import revisions
from api.tuning.shapes import ExceptionChangeIn, ExceptionIn, ExceptionOut, PreviewOut, RevisionOut, WithdrawIn

router = APIRouter(prefix="/exceptions", tags=["exceptions"])
ExceptionId = Annotated[str, Path(max_length=200)]


@router.get("")
def list_exceptions(
    state: Here, account: Viewer, rule_id: Annotated[Name | None, Query()] = None
) -> ItemsOut[ExceptionOut]:
    """Those that change what you see, also those that are over."""
    found = exceptions.visible(state.stores, account.scope, rule_id)
    return ItemsOut(items=[ExceptionOut.of(laid, state.clock()) for laid in found])


@router.post("", status_code=201)
def create_exception(proposed: ExceptionIn, state: Here, account: Admin) -> ExceptionOut:
    """422 `needs-reason`, with the numbers, when it would have hidden alerts that were confirmed true, or there was too
    much to look at, and no `confirm_reason` is given."""
    now = state.clock()
    return ExceptionOut.of(exceptions.create(state.stores, account, proposed.proposed(account), now, state.zone), now)


@router.post("/preview")
def preview_exception(proposed: ExceptionIn, state: Here, account: Admin) -> PreviewOut:
    """What it would have hidden in the last 30 days. Changes nothing."""
    return PreviewOut.of(exceptions.look(state.stores, account, proposed.proposed(account), state.clock(), state.zone))


@router.get("/{exception_id}")
def get_exception(exception_id: ExceptionId, state: Here, account: Viewer) -> ExceptionOut:
    return ExceptionOut.of(exceptions.get(state.stores, exception_id, account.scope), state.clock())


@router.put("/{exception_id}")
def change_exception(exception_id: ExceptionId, wanted: ExceptionChangeIn, state: Here, account: Admin) -> ExceptionOut:
    """All of it anew, but for its rule. 409 when somebody changed it since `version`."""
    now = state.clock()
    proposed = wanted.proposed(account, exception_id)
    laid = exceptions.change(state.stores, account, proposed, wanted.version, wanted.why, now, state.zone)
    return ExceptionOut.of(laid, now)


@router.post("/{exception_id}/withdraw", status_code=204)
def withdraw_exception(exception_id: ExceptionId, body: WithdrawIn, state: Here, account: Admin) -> None:
    """It ends now; its history stays."""
    exceptions.withdraw(state.stores, account, exception_id, body.version, body.reason, state.clock())


@router.get("/{exception_id}/history")
def exception_history(exception_id: ExceptionId, state: Here, account: Viewer) -> ItemsOut[RevisionOut]:
    """Every version and what it changed, oldest first, also of what is withdrawn."""
    policies = exceptions.versions(state.stores, exception_id, account.scope)
    return ItemsOut(items=[RevisionOut.of(one) for one in revisions(policies, account.scope)])
