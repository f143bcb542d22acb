"""The console: the same stores and permissions as the JSON API, as pages."""

from __future__ import annotations

from fastapi import APIRouter

from api.console import (
    alerts,
    anomalies,
    audit,
    backtests,
    bulk,
    coverage,
    entities,
    events,
    explain,
    incidents,
    lists,
    notifications,
    onboarding,
    rules,
    series_backtests,
    services,
    source,
    sources,
    tuning,
    visit,
)

router = APIRouter()
for part in (
    visit,
    bulk,
    alerts,
    series_backtests,
    anomalies,
    entities,
    explain,
    incidents,
    events,
    sources,
    onboarding,
    source,
    coverage,
    services,
    rules,
    tuning,
    lists,
    backtests,
    notifications,
    audit,
):
    router.include_router(part.router)
