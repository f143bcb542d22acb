"""The API and the console as one application. Nothing is read or connected before the first request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from api import console, errors
from api.console.render import Pages
from api.directory import Organisations
from api.explain import Compiled
from api.live import Feed
from api.middleware import Envelope
from api.notifications import Tests
from api.onboarding import Rehearsal
from api.routes import (
    alerts,
    audit,
    backtests,
    coverage,
    events,
    exceptions,
    health,
    incidents,
    lists,
    notifications,
    onboarding,
    rules,
    session,
    sources,
)
from api.state import Keys, RuleBook, State
from api.throttle import SignIns
from api.tuning.budget import DAILY_BUDGET
from collector.snippets import Place
from rules.desk.tuning import Tuning
from rules.lists.known import Lists
from soc.backtest.jobs import Jobs
from soc.model.org import EVERYTHING
from soc.notify.route import Route
from soc.store.base import AlertFilter, Stores

_STATIC = Path(__file__).parent / "console" / "static"
_WATCHED_ALERTS = 200
_THREADS = 8  # requests worked on at once; each thread costs memory, and the database is not faster with more
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return errors.described(super().openapi())


def create_app(
    stores: Stores,
    *,
    clock: Callable[[], int],
    cookie_secure: bool,
    jobs: Jobs,
    tuning: Callable[[], Tuning],
    lists_dir: Path,
    known_lists: Callable[[], Lists],
    version: str = "",
    send_test: Callable[[Route], str] | None = None,
    session_s: int = 12 * 3600,
    zone: tzinfo = _ZONE,
    live_interval_s: float = 1.0,
    daily_budget: float = DAILY_BUDGET,
    keys: Keys | None = None,
    place: Place | None = None,
) -> FastAPI:
    """`clock`: ms since 1970 UTC. `cookie_secure`: sessions travel over HTTPS only. `zone`: how the console shows times.

    `send_test`: see `Tests`. `keys`, `tuning`: see `State`. `lists_dir`: where the files of lists of indicators are; `known_lists`:
    what is on them now, for rules that are tried. `place`: where senders reach the collector.
    """
    feed = Feed(
        lambda: stores.alerts.list(AlertFilter(), EVERYTHING, limit=_WATCHED_ALERTS), interval_s=live_interval_s
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        watching = asyncio.create_task(feed.run())
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    app = App(
        title="govsoc",
        version=version or "0",
        lifespan=lifespan,
        docs_url=None,  # the built-in pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.soc = State(
        stores=stores,
        clock=clock,
        version=version,
        zone=zone,
        cookie_secure=cookie_secure,
        session_s=session_s,
        sign_ins=SignIns(),
        tests=Tests(send_test),
        rules=RuleBook(stores.alerts),
        organisations=Organisations(stores.policies),
        feed=feed,
        pages=Pages(zone, clock),
        daily_budget=daily_budget,
        keys=keys,
        backtests=jobs,
        rehearsal=Rehearsal(known_lists),
        compiled=Compiled(),
        tuning=tuning,
        place=place or Place(),
        lists=lists_dir,
        known_lists=known_lists,
    )
    errors.install(app)
    app.add_middleware(Envelope, https_only=cookie_secure)
    api = APIRouter(prefix="/api/v1", responses=errors.PROBLEMS)
    for part in (
        alerts,
        incidents,
        events,
        rules,
        exceptions,
        lists,
        backtests,
        onboarding,
        sources,
        coverage,
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
