"""An entry of a log, the line that it is written as, and how each log writes the time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

import orjson

ZONE = timezone(timedelta(hours=7))  # Vietnam, which has no daylight saving time
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000

# Stream -> the file that it is written to.
FILES = {
    "nginx.access": "portal-access.log",
    "nginx.error": "portal-error.log",
    "otp.gateway": "otp-gateway.log",
    "lgsp.gateway": "lgsp-gateway.log",
    "linux.auth": "auth.log",
}


class Entry(NamedTuple):
    """What a system has to say, before it is written down: the one source of its native line and of its ECS fields.

    `at`: ms since 1970 UTC; `stream`: a key of `FILES`; `fields`: what the stream's format has, by its own names;
    `clock`: ms by which the system's clock is ahead, which its line shows and `at` does not.
    """

    at: int
    stream: str
    fields: dict[str, object]
    clock: int = 0


class Line(NamedTuple):
    """`at` and `stream` as in `Entry`; `text`: the line as the system writes it, without its end."""

    at: int
    stream: str
    text: str


@lru_cache(maxsize=4096)
def clf(second: int) -> str:
    """Common log format: 02/Mar/2026:09:00:00 +0700."""
    return f"{_clf_minute(second // 60)}{second % 60:02d} +0700"


@lru_cache(maxsize=256)
def _clf_minute(minute: int) -> str:
    at = datetime.fromtimestamp(minute * 60, ZONE)
    return f"{at:%d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:}"


@lru_cache(maxsize=256)
def _iso_minute(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, ZONE).strftime("%Y-%m-%dT%H:%M:")


def nginx_error_time(second: int) -> str:
    """2026/03/02 09:00:00, as nginx writes it in its error log."""
    return datetime.fromtimestamp(second, ZONE).strftime("%Y/%m/%d %H:%M:%S")


def iso(ms: int) -> str:
    """RFC 3339 with milliseconds and zone: 2026-03-02T09:00:00.123+07:00."""
    minute, rest = divmod(ms, MINUTE_MS)
    return f"{_iso_minute(minute)}{rest // 1000:02d}.{rest % 1000:03d}+07:00"


def as_json(fields: dict[str, object]) -> str:
    """One object without the fields that are None."""
    return orjson.dumps({name: value for name, value in fields.items() if value is not None}).decode()


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
