"""Who is calling, and what they may do: sessions for people, API keys for programs, three roles.

A route shows its permission in its signature: `account: Analyst`. Every store read takes `account.scope`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api.errors import SignInNeeded
from api.passwords import digest, new_secret, verify
from api.state import Here, State
from soc.errors import Forbidden
from soc.model.account import Account, Role
from soc.origin import from_this_machine
from soc.store.base import AuditEntry
from soc.telemetry import SIGN_INS

COOKIE = "govsoc_session"


def account_of(state: State, key: str | None, session: str | None) -> Account | None:
    """The account behind an API key or, where none is given, behind a session; both are looked up by their hash."""
    if key is not None:
        found = state.stores.accounts.by_key(digest(key))
    elif session is not None:
        found = state.stores.accounts.by_session(digest(session), now=state.clock())
    else:
        return None
    return None if found is None or found.disabled else found


def _caller(
    state: Here,
    bearer: Annotated[
        HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False, scheme_name="api_key"))
    ],
    session: Annotated[str | None, Security(APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session"))],
) -> Account:
    account = account_of(state, bearer.credentials if bearer else None, session)
    if account is None:
        raise SignInNeeded("sign in, or send an API key as `Authorization: Bearer ...`")
    return account


def _at_least(role: Role) -> Callable[[Account], Account]:
    def check(account: Annotated[Account, Depends(_caller)]) -> Account:
        if not account.role.includes(role):
            raise Forbidden(f"this needs the role {role}; {account.name} is {account.role}")
        return account

    return check


Viewer = Annotated[Account, Depends(_at_least(Role.VIEWER))]
Analyst = Annotated[Account, Depends(_at_least(Role.ANALYST))]
Admin = Annotated[Account, Depends(_at_least(Role.ADMIN))]


def _of_everything(account: Admin) -> Account:
    if account.scope.orgs is not None:
        raise Forbidden("this is of all organisations together: it needs an administrator who sees every one")
    return account


Auditor = Annotated[Account, Depends(_of_everything)]


def sign_in(state: State, name: str, password: str, address: str) -> tuple[Account, str]:
    """The account and the secret of its new session.

    Raises `SignInNeeded` without saying whether name or password is wrong, and `Busy` after too many failures.
    """
    attempts, accounts, now = state.sign_ins, state.stores.accounts, state.clock()
    with attempts.turn():
        attempts.check(name, address, now)
        account = accounts.get(name)
        right = verify(accounts.password_hash(name), password) and account is not None and not account.disabled
        if right:
            attempts.succeeded(name, address)
        else:
            attempts.failed(name, address, now)
    SIGN_INS.labels("success" if right else "failure").inc()
    # An unknown name is not written down: people type passwords into the wrong field.
    state.stores.audit.record(
        AuditEntry(
            now,
            name if account else "",
            "sign-in" if right else "sign-in-failed",
            name if account else "",
            f"from {address}",
        )
    )
    if not right or account is None:
        raise SignInNeeded("name or password is wrong")
    session = new_secret()
    accounts.open_session(name, digest(session), now=now, expires=now + state.session_s * 1000)
    return account, session


def sign_out(state: State, request: Request, response: Response) -> None:
    if session := request.cookies.get(COOKIE):
        state.stores.accounts.close_session(digest(session))
    response.delete_cookie(COOKIE, path="/")


def keep_session(state: State, response: Response, session: str) -> None:
    """`Lax`, not `Strict`: a link to an alert in a mail must open signed in. `Envelope` refuses cross-site changes."""
    response.set_cookie(
        COOKIE, session, max_age=state.session_s, path="/", httponly=True, secure=state.cookie_secure, samesite="lax"
    )


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def may_read_metrics(request: Request, state: Here) -> None:
    """Metrics know no organisations: this machine may read them, and whoever sees every organisation."""
    if from_this_machine(address_of(request), request.headers):
        return
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    account = account_of(state, key if scheme.lower() == "bearer" else None, request.cookies.get(COOKIE))
    if account is None:
        raise SignInNeeded("metrics are open to this machine only: send an API key as `Authorization: Bearer ...`")
    if account.scope.orgs is not None:
        raise Forbidden(f"metrics are of all organisations; {account.name} may see only some")
