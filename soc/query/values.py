"""Reading numbers, addresses and instants, in queries and in events alike."""

from __future__ import annotations

import math
import re
from calendar import isleap, monthrange
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,4})?", re.ASCII)
# 2026 · 2026-03 · 2026-03-02 · 2026-03-02T09 · ...T09:30 · ...T09:30:00 · ...T09:30:00.123, the last four with Z, +07:00 or +0700
_PERIOD = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)


def number(text: str) -> int | float | None:
    """A finite decimal number, or None."""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:
        value = float(text)
        return value if math.isfinite(value) else None


@lru_cache(8192)  # the same few addresses come again and again
def address(text: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 or IPv6 address, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def instant(text: str) -> int | None:
    """An ISO 8601 date and time as ms since 1970 UTC (UTC where it names no zone), or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _ms(moment, UTC)


def period(text: str, zone: tzinfo) -> tuple[int, int] | None:
    """The time that a date or time stands for: from its start until before its end, ms since 1970 UTC.

    `2026` is the whole year, `2026-03-02` the whole day, `2026-03-02T09:30` the whole minute; the finest is 1 ms.
    `zone` is for what names no zone of its own. None when it is not a date.
    """
    if not (found := _PERIOD.fullmatch(text)):
        return None
    part = found.groupdict()
    try:
        start = datetime.fromisoformat(
            f"{part['year']}-{part['month'] or '01'}-{part['day'] or '01'}T{part['hour'] or '00'}:{part['minute'] or '00'}"
            f":{part['second'] or '00'}.{(part['fraction'] or '').ljust(6, '0')[:6]}{part['zone'] or ''}"
        )
        end = start + _length(start, part) if part["fraction"] is None else None
        since = _ms(start, zone)
        return since, since + 1 if end is None else _ms(end, zone)
    except (ValueError, OverflowError):  # the 31st of February; after the year 9999
        return None


def _length(start: datetime, part: dict[str, str | None]) -> timedelta:
    if part["second"]:
        return timedelta(seconds=1)
    if part["minute"]:
        return timedelta(minutes=1)
    if part["hour"]:
        return timedelta(hours=1)
    if part["day"]:
        return timedelta(days=1)
    if part["month"]:
        return timedelta(days=monthrange(start.year, start.month)[1])
    return timedelta(days=366 if isleap(start.year) else 365)


def _ms(moment: datetime, zone: tzinfo) -> int:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - _EPOCH) // _MS
