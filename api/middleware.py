"""Around every request: an id, limits, security headers, no cross-site changes, and no stack trace to anybody."""

from __future__ import annotations

import re
import secrets
import time
import traceback
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import INTERNAL, Failure, problem
from soc.telemetry import REQUESTS

MAX_BODY_BYTES = 64 * 1024
MAX_PASTED_BYTES = 1 << 20
_PASTED = frozenset({"/api/v1/sources/preview", "/sources/new/preview", "/lists"})
_ENTRIES = re.compile(r"/api/v1/lists/[^/]+/entries")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _SAFE | {"POST", "PUT", "PATCH", "DELETE"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_log = structlog.get_logger()


class Envelope:
    """Outermost of ours. A body that says its length is refused before it is read; one that does not is counted."""

    def __init__(self, app: ASGIApp, https_only: bool) -> None:
        self._app = app
        self._headers = _HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if https_only else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = secrets.token_hex(8)
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(scope, MutableHeaders(scope=message), request_id)
            await send(message)

        received, most = 0, _most_bytes(scope)

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413, _too_large(most))
            return message

        try:
            if refusal := _refusal(scope):
                await problem(refusal, request_id)(scope, receive, send_with_headers)
            else:
                await self._app(scope, receive_counted, send_with_headers)
        except Exception:
            # The outermost isolation point: one request may break, the service goes on.
            # The plain trace: a pretty one would show local variables, and with them keys and passwords.
            _log.error("request failed", request_id=request_id, path=scope["path"], trace=traceback.format_exc())
            if status:
                raise  # the answer is on its way already: only cutting the connection tells the client
            await problem(INTERNAL, request_id)(scope, receive, send_with_headers)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            seconds = time.perf_counter() - started
            # One that failed is in the log under this id.
            REQUESTS.labels(method, str(status)).observe(seconds, exemplar={"request_id": request_id})

    def _add_headers(self, scope: Scope, headers: MutableHeaders, request_id: str) -> None:
        headers.update(self._headers)
        headers["X-Request-ID"] = request_id
        headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")


def _most_bytes(scope: Scope) -> int:
    path = scope["path"]
    return MAX_PASTED_BYTES if path in _PASTED or _ENTRIES.fullmatch(path) else MAX_BODY_BYTES


def _too_large(most: int) -> str:
    advice = "; of a log, the first thousand lines are enough" if most == MAX_PASTED_BYTES else ""
    return f"the body may have {most} bytes at most{advice}"


def _refusal(scope: Scope) -> Failure | None:
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _most_bytes(scope):
        return Failure(413, "too-large", _too_large(_most_bytes(scope)))
    if scope["method"] not in _SAFE and _cross_site(headers):
        return Failure(403, "cross-site", "another site asked for this change: do it from the console itself")
    return None


def _cross_site(headers: Headers) -> bool:
    """Whether a browser says that another site makes it send this. Programs that are not browsers send neither header.

    Sec-Fetch-Site: W3C Fetch Metadata; Origin: RFC 6454, compared with the Host that the browser was talking to.
    """
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True
