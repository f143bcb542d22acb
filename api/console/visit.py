"""Coming and going: signing in and out, and the language."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import address_of, keep_session, sign_in, sign_out
from api.console.language import COOKIE
from api.console.render import local
from api.errors import SignInNeeded
from api.state import Here
from soc.errors import Busy

router = APIRouter()
_YEAR_S = 365 * 24 * 3600


@router.get("/")
def front_page() -> Response:
    return RedirectResponse("/alerts", 303)


@router.get("/sign-in")
def sign_in_page(request: Request, state: Here, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    return state.pages.html(request, "sign_in.html", next=local(next), name="", wrong=False, wait_s=0)


@router.post("/sign-in")
def do_sign_in(
    request: Request,
    state: Here,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    wait_s = 0
    try:
        _, session = sign_in(state, name, password, address_of(request))
    except Busy as busy:
        wait_s = busy.retry_after_s
    except SignInNeeded:
        pass
    else:
        response = RedirectResponse(local(next), 303)
        keep_session(state, response, session)
        return response
    return state.pages.html(
        request, "sign_in.html", 429 if wait_s else 401, next=local(next), name=name, wrong=not wait_s, wait_s=wait_s
    )


@router.post("/sign-out")
def do_sign_out(request: Request, state: Here) -> Response:
    response = RedirectResponse("/sign-in", 303)
    sign_out(state, request, response)
    return response


@router.get("/language/{language}")
def choose_language(language: Literal["vi", "en"], state: Here, next: str = "/") -> Response:  # noqa: A002
    response = RedirectResponse(local(next), 303)
    response.set_cookie(COOKIE, language, max_age=_YEAR_S, httponly=True, secure=state.cookie_secure, samesite="lax")
    return response
