"""The console: the same stores and permissions as the JSON API, as pages."""

from __future__ import annotations

from fastapi import APIRouter

from api.console import alerts, events, onboarding, rules, sources, visit

router = APIRouter()
for part in (visit, alerts, events, sources, onboarding, rules):
    router.include_router(part.router)
