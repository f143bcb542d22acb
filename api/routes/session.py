"""Signing in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.auth import Viewer, address_of, keep_session, sign_in, sign_out
from api.schemas import AccountOut, CredentialsIn
from api.state import Here

router = APIRouter(prefix="/session", tags=["session"])


@router.post("", status_code=201)
def open_session(credentials: CredentialsIn, request: Request, response: Response, state: Here) -> AccountOut:
    """Sign in with a password: the answer sets the session cookie. Programs use an API key instead."""
    account, session = sign_in(state, credentials.account, credentials.password, address_of(request))
    keep_session(state, response, session)
    return AccountOut.of(account)


@router.get("")
def who_am_i(account: Viewer) -> AccountOut:
    return AccountOut.of(account)


@router.delete("", status_code=204)
def close_session(_: Viewer, request: Request, response: Response, state: Here) -> None:
    sign_out(state, request, response)
