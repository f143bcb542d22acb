"""Errors as people and programs read them: RFC 9457 problem details, and the one place where an error gets its HTTP status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from soc.errors import (
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    ParseError,
    QueryError,
    RuleError,
    SocError,
    StoreUnavailable,
)


class SignInNeeded(SocError):  # noqa: N818 - as in soc.errors, the bare name reads better
    """Nobody is signed in, or no longer."""


class Refused(SocError):  # noqa: N818
    """Well formed, and against a rule of the house, such as closing an alert without a verdict."""


class NeedsReason(Refused):
    """Allowed, when somebody says why: what it costs is in the message."""


STATUS: Mapping[type[SocError], int] = {
    QueryError: 400,
    SignInNeeded: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    ParseError: 422,
    RuleError: 422,
    Refused: 422,
    Busy: 429,
    StoreUnavailable: 503,
}


class Fault(BaseModel):
    """One field of a request that is wrong."""

    where: str = Field(description="such as `body.version` or `query.limit`")
    reason: str


class Problem(BaseModel):
    """RFC 9457. `request_id` finds the request in the service's own log."""

    type: str = Field(description="`urn:govsoc:problem:` and the kind, stable for programs")
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[Fault] | None = None
    position: int | None = Field(None, description="where a search expression cannot be read, counted from 0")


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, before it is known whether a person or a program reads it."""

    status: int
    kind: str
    detail: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(failure: Failure, request_id: str) -> JSONResponse:
    body = Problem(
        type=f"urn:govsoc:problem:{failure.kind}",
        title=HTTPStatus(failure.status).phrase,
        status=failure.status,
        detail=failure.detail,
        request_id=request_id,
        **failure.extra,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True),
        failure.status,
        headers=dict(failure.headers),
        media_type="application/problem+json",
    )


def of_soc(error: SocError) -> Failure:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    if status == 500:
        return INTERNAL
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    extra = {"position": error.position} if isinstance(error, QueryError) and error.position is not None else {}
    headers: dict[str, str] = {}
    if isinstance(error, Busy):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, SignInNeeded):
        headers["WWW-Authenticate"] = "Bearer"
    return Failure(status, kind, str(error), extra, headers)


def of_validation(error: RequestValidationError) -> Failure:
    """Names the fields and never repeats their values: they may be secrets, or not fit for JSON."""
    faults = [Fault(where=".".join(map(str, e["loc"])), reason=e["msg"]) for e in error.errors()[:50]]
    detail = "; ".join(f"{fault.where}: {fault.reason}" for fault in faults[:3]) or "the request cannot be read"
    return Failure(422, "invalid-request", detail, {"errors": faults})


def of_http(error: HTTPException) -> Failure:
    return Failure(error.status_code, "http", str(error.detail), headers=error.headers or {})


INTERNAL = Failure(500, "internal", "something broke here; the service's log has the details under the request id")


def for_programs(request: Request) -> bool:
    """Whether JSON is wanted. People get pages: everything that is neither `/api/` nor a probe is the console's."""
    return request.url.path.startswith(("/api/", "/livez", "/readyz", "/metrics", "/openapi.json"))


def install(app: FastAPI) -> None:
    """Every error that is raised on purpose becomes a problem document, or a page that says the same."""

    def answer(request: Request, failure: Failure) -> Response:
        request_id = request.scope.get("request_id", "")
        if for_programs(request):
            return problem(failure, request_id)
        if failure.status == 401:
            return _to_sign_in(request)
        page: Response = request.app.state.soc.pages.failure(request, failure, request_id)
        return page

    def on_soc(request: Request, error: Exception) -> Response:
        assert isinstance(error, SocError)
        return answer(request, of_soc(error))

    def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, of_validation(error))

    def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, of_http(error))

    app.add_exception_handler(SocError, on_soc)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)


def _to_sign_in(request: Request) -> Response:
    """Back to the page that was asked for after signing in; an htmx request is told to move the whole page."""
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = path if request.method == "GET" else "/"
    return RedirectResponse("/sign-in?" + urlencode({"next": back}), 303)


# What any route may answer besides its own; `described` gives OpenAPI the schema that these point to.
_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": HTTPStatus(code).phrase, "content": _CONTENT}
    for code in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}


def described(openapi: dict[str, Any]) -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    openapi["components"]["schemas"].update({**schema.pop("$defs"), "Problem": schema})
    return openapi
