"""How far local time is ahead of UTC: whose day it is, and which hour."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

_LEAST_MS, _MOST_MS = (
    946_684_800_000,
    4_102_444_800_000,
)  # 2000 and 2100: a clock beyond is wrong, and zones were others


def ahead_ms(ts: int, zone: tzinfo) -> int:
    """At this time (ms), as an event claims it."""
    at = datetime.fromtimestamp(min(max(ts, _LEAST_MS), _MOST_MS) / 1000, UTC).astimezone(zone)
    ahead = at.utcoffset()
    return int(ahead.total_seconds() * 1000) if ahead else 0
