"""How a source is doing, in one word."""

from __future__ import annotations

from enum import StrEnum

from soc.model.source import Source, SourceHealth

SILENT_AFTER_MS = 15 * 60_000
LATE_AFTER_MS = 15 * 60_000


class Freshness(StrEnum):
    LIVE = "live"
    LATE = "late"  # records arrive, but what they tell is old
    SILENT = "silent"  # nothing has arrived for a while
    NEVER_SEEN = "never_seen"
    DISABLED = "disabled"


def freshness(source: Source, health: SourceHealth | None, now: int) -> Freshness:
    """`now` and all times in ms since 1970 UTC."""
    if not source.enabled:
        return Freshness.DISABLED
    if health is None or health.last_received is None:
        return Freshness.NEVER_SEEN
    if now - health.last_received > SILENT_AFTER_MS:
        return Freshness.SILENT
    if health.last_event is not None and health.last_received - health.last_event > LATE_AFTER_MS:
        return Freshness.LATE
    return Freshness.LIVE
