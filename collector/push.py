"""HTTP push: `POST /ingest` with lines or JSON, answered 200 only once everything in it is on disk (`ingest.py`)."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from collector import beats
from collector.base import DeliverTo
from collector.body import Limits, RefusedError
from collector.ingest import Ingest, not_known
from soc.errors import NotFound, StoreUnavailable
from soc.origin import from_this_machine

log = structlog.get_logger(__name__)


def ingest_app(
    deliver_to: DeliverTo,
    authenticate: Callable[[str], str | None],
    digest: Callable[[str, bytes], str],
    *,
    limits: Limits | None = None,
    ready: Callable[[], str | None] = lambda: None,
    count: Callable[[int], None] = lambda _: None,
    refused_token: Callable[[str], None] = lambda _: None,
    registry: CollectorRegistry = REGISTRY,
) -> Starlette:
    """The ASGI application.

    `authenticate`: bearer token -> source id, or None. `digest(source_id, data)`: a short text, keyed by the source's
    organisation. Both may block. `ready` says why nothing can be taken now; `count` is told each answer's status, and
    `refused_token` each token that is not valid.
    """
    ingest = Ingest(deliver_to, authenticate, digest, limits or Limits(), refused_token)

    async def answered(work: Awaitable[Any]) -> Response:
        try:
            response: Response = JSONResponse(await work)
        except RefusedError as refused:
            response = _problem(refused)
        except NotFound:  # the source was disabled while it sent
            response = _problem(not_known())
        except StoreUnavailable as error:
            response = _problem(RefusedError(503, f"Tokens cannot be checked at the moment: {error}", retry_after_s=5))
        except Exception as error:  # noqa: BLE001 (one request must not show its stack trace, nor the record in it)
            where = traceback.extract_tb(error.__traceback__)[-1]
            log.error("request_failed", error=type(error).__name__, at=f"{where.filename}:{where.lineno}")  # noqa: TRY400
            response = _problem(RefusedError(500, "The collector failed at this request; its log says where."))
        count(response.status_code)
        return response

    async def post(request: Request) -> Response:
        return await answered(ingest.handle(request))

    async def bulk(request: Request) -> Response:
        return await answered(ingest.bulk(request))

    async def who(request: Request) -> Response:
        return await answered(ingest.known(request, beats.WHO))

    async def license_(request: Request) -> Response:
        return await answered(ingest.known(request, beats.LICENSE))

    def readiness(_: Request) -> Response:
        reason = ready()
        return _problem(RefusedError(503, reason)) if reason else PlainTextResponse("ready\n")

    def metrics(request: Request) -> Response:
        if not from_this_machine(request.client and request.client.host, request.headers):
            return _problem(RefusedError(403, "metrics are of all organisations: they are open to this machine only"))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/ingest", post, methods=["POST"]),
            Route("/elasticsearch", who),
            Route("/elasticsearch/", who),
            Route("/elasticsearch/_license", license_),
            Route("/elasticsearch/_bulk", bulk, methods=["POST"]),
            Route("/livez", lambda _: PlainTextResponse("alive\n")),
            Route("/readyz", readiness),
            Route("/metrics", metrics),
        ],
        exception_handlers={404: _no_such_thing, 405: _no_such_thing},
    )


class Push:
    """The `Listener` that serves the application on one port."""

    def __init__(self, host: str, port: int, app: Callable[[DeliverTo], Starlette]) -> None:
        """`app` makes the application around a `DeliverTo`; see `ingest_app`. Port 0 takes any free one."""
        self.host, self.port = host, port
        self.problem: str | None = None
        self._app = app

    def run(self, deliver_to: DeliverTo, stop: threading.Event) -> None:
        with socket.create_server((self.host, self.port), backlog=1024) as listening:
            self.port = listening.getsockname()[1]
            config = uvicorn.Config(
                self._app(deliver_to),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=5,
            )
            server = uvicorn.Server(config)
            watcher = threading.Thread(target=_ask_to_exit, args=(server, stop), daemon=True)
            watcher.start()
            log.info("push_listens", host=self.host, port=self.port)
            server.run(sockets=[listening])


def _ask_to_exit(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True


def _problem(refused: RefusedError) -> Response:
    titles = {
        400: "Bad Request",
        403: "Forbidden",
        401: "Unauthorized",
        404: "Not Found",
        405: "Method Not Allowed",
        408: "Request Timeout",
    }
    titles |= {
        413: "Content Too Large",
        415: "Unsupported Media Type",
        429: "Too Many Requests",
        500: "Internal Server Error",
        503: "Service Unavailable",
    }
    headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(refused.retry_after_s)
    body = {"type": "about:blank", "title": titles[refused.status], "status": refused.status, "detail": refused.detail}
    return JSONResponse(body, refused.status, headers, media_type="application/problem+json")


def _no_such_thing(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return _problem(RefusedError(status, "There is POST /ingest, and GET /livez, /readyz and /metrics."))
