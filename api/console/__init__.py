"""The console: the same stores and permissions as the JSON API, as pages."""

from __future__ import annotations

from fastapi import APIRouter

from api.console import alerts, backtests, events, notifications, rules, sources, visit

router = APIRouter()
for part in (visit, alerts, events, sources, rules, backtests, notifications):
    router.include_router(part.router)
