"""A line of a log, and how each log writes the time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

import orjson

ZONE = timezone(timedelta(hours=7))  # Vietnam, which has no daylight saving time

# Stream -> the file that it is written to.
FILES = {
    "nginx.access": "portal-access.log",
    "nginx.error": "portal-error.log",
    "otp.gateway": "otp-gateway.log",
    "lgsp.gateway": "lgsp-gateway.log",
    "linux.auth": "auth.log",
}


class Line(NamedTuple):
    """`at`: ms since 1970 UTC; `stream`: a key of `FILES`; `text`: the line as the system writes it, without its end."""

    at: int
    stream: str
    text: str


@lru_cache(maxsize=4096)
def clf(second: int) -> str:
    """Common log format: 02/Mar/2026:09:00:00 +0700."""
    at = datetime.fromtimestamp(second, ZONE)
    return f"{at:%d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0700"


@lru_cache(maxsize=4096)
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, ZONE).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=4096)
def nginx_error_time(second: int) -> str:
    """2026/03/02 09:00:00, as nginx writes it in its error log."""
    return datetime.fromtimestamp(second, ZONE).strftime("%Y/%m/%d %H:%M:%S")


def iso(ms: int) -> str:
    """RFC 3339 with milliseconds and zone: 2026-03-02T09:00:00.123+07:00."""
    return f"{_iso_second(ms // 1000)}.{ms % 1000:03d}+07:00"


def as_json(fields: dict[str, object]) -> str:
    """One object without the fields that are None."""
    return orjson.dumps({name: value for name, value in fields.items() if value is not None}).decode()


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
