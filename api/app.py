"""The API and the console as one application. Nothing is read or connected before the first request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from api import console, errors
from api.middleware import Envelope
from api.routes import (
    alerts,
    audit,
    backtests,
    coverage,
    entities,
    events,
    exceptions,
    health,
    incidents,
    lists,
    notifications,
    onboarding,
    rules,
    series_backtests,
    services,
    session,
    sources,
    surges,
)
from api.routes import anomalies as anomaly_routes
from api.state import State

_STATIC = Path(__file__).parent / "console" / "static"
_THREADS = 8  # requests worked on at once; each thread costs memory, and the database is not faster with more


class App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return errors.described(super().openapi())


def create_app(state: State) -> FastAPI:
    """Every route, over `state`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        watching = asyncio.create_task(app.state.soc.feed.run())
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    app = App(
        title="govsoc",
        version=state.version or "0",
        lifespan=lifespan,
        docs_url=None,  # the built-in pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.soc = state
    errors.install(app)
    app.add_middleware(Envelope, https_only=state.cookie_secure)
    api = APIRouter(prefix="/api/v1", responses=errors.PROBLEMS)
    for part in (
        alerts,
        series_backtests,  # before what a series is called
        anomaly_routes,
        entities,
        incidents,
        events,
        rules,
        exceptions,
        lists,
        backtests,
        onboarding,
        sources,
        coverage,
        services,
        surges,
        notifications,
        audit,
        health,
        session,
    ):
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(health.probes)
    app.include_router(console.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app
