"""Times in logs to milliseconds since 1970 UTC. Neighbouring lines share their minute, so that part is cached.

Every function raises `ParseError` for what is not a time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from soc.errors import ParseError
from soc.model.calendar import DAY_MS

MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
# What `iso_time` can write and stores can read: years of four digits. A date that was never set is often 0001-01-01, and that of
# Hanoi is the year 0 in UTC.
FIRST_MS, LAST_MS = -30_610_224_000_000, 253_402_300_799_999


@lru_cache(maxsize=1024)
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


@lru_cache(maxsize=4096)  # access logs have whole seconds: many requests share theirs
def iso_time(ts: int) -> str:
    """The same as `soc.model.event.iso`, cached; from `FIRST_MS` to `LAST_MS`."""
    return f"{_iso_second(ts // 1000)}{ts % 1000:03d}Z"


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000) if moment.microsecond % 1000 == 0 else int(moment.timestamp() * 1000)


@lru_cache(maxsize=1024)
def _clf_minute(minute: str, offset: str) -> int:
    day, month, rest = minute.split("/", 2)
    year, hour, minutes = rest.split(":")
    zone = timezone((1 if offset[0] == "+" else -1) * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])))
    return int(datetime(int(year), MONTHS[month], int(day), int(hour), int(minutes), tzinfo=zone).timestamp()) * 1000


@lru_cache(maxsize=4096)  # many requests share their second
def parse_clf(text: str) -> int:
    """`07/Dec/2016:11:05:07 +0100`, the time of access logs."""
    try:
        return _clf_minute(text[:17], text[21:26]) + _second(text[18:20]) * 1000
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise ParseError("the time is not of the form dd/Mon/yyyy:hh:mm:ss +hhmm") from error


def _second(text: str) -> int:
    """Leap seconds count as the second before them."""
    value = int(text)
    if not 0 <= value <= 60:
        raise ValueError("second out of range")
    return min(value, 59)


@lru_cache(maxsize=1024)
def _iso_minute(minute: str, offset: str, zone: tzinfo) -> int:
    return _ms(
        datetime.fromisoformat(minute + offset) if offset else datetime.fromisoformat(minute).replace(tzinfo=zone)
    )


def parse_iso(text: str, zone: tzinfo) -> int:
    """RFC 3339 and its neighbours: `T` or a blank, any fraction, `Z`, `+07:00`, `+0700` or no zone (then `zone`)."""
    try:
        rest = text[19:]
        digits = 0
        if rest[:1] in (".", ","):
            digits = len(rest) - 1 - len(rest[1:].lstrip("0123456789"))
            if not digits:
                raise ValueError("empty fraction")
        fraction, offset = rest[1 : digits + 1], rest[digits + 1 if digits else 0 :].strip()
        if text[16:17] != ":" or text[10:11] not in ("T", "t", " "):
            raise ValueError("not an ISO time")
        return _iso_minute(text[:16], offset.upper(), zone) + _second(text[17:19]) * 1000 + int((fraction + "000")[:3])
    except (ValueError, OverflowError) as error:
        raise ParseError("the time is not of the form yyyy-mm-ddThh:mm:ss") from error


@lru_cache(maxsize=1024)
def _wall_minute(year: int, month: str, day: int, minute: str, zone: tzinfo) -> int:
    hour, minutes = minute.split(":")
    return _ms(datetime(year, MONTHS[month], day, int(hour), int(minutes), tzinfo=zone))


def parse_wall(year: str, month: str, day: str, clock: str, zone: tzinfo) -> int:
    """Year, month name, day and `hh:mm:ss[.ffffff]`."""
    try:
        milliseconds = int((clock[9:] + "000")[:3])
        return _wall_minute(int(year), month, int(day), clock[:5], zone) + _second(clock[6:8]) * 1000 + milliseconds
    except (ValueError, KeyError, OverflowError) as error:
        raise ParseError("the time names no such day or hour") from error


@lru_cache(maxsize=64)
def _year(hour: int, zone: tzinfo) -> int:
    return datetime.fromtimestamp(hour * 3600, zone).year


def parse_yearless(month: str, day: str, clock: str, zone: tzinfo, now_ms: int) -> int:
    """RFC 3164 times have no year: the year that brings them nearest to now, never more than a day ahead of it."""
    year = _year(now_ms // 3_600_000, zone)
    nearest: int | None = None
    for guess in (year, year + 1, year - 1, year - 2, year - 3, year - 4):  # 29 February may lie years back
        try:
            ts = parse_wall(str(guess), month, day, clock, zone)
        except ParseError:
            continue
        if -DAY_MS <= now_ms - ts < 180 * DAY_MS:
            return ts  # no other year can be nearer: nearly always the first guess
        if ts <= now_ms + DAY_MS and (nearest is None or ts > nearest):
            nearest = ts
    if nearest is None:
        raise ParseError("the time names no such day or hour")
    return nearest


def parse_epoch(value: float) -> int:
    """Seconds, or milliseconds where the number is too large for seconds."""
    if not -1e14 < value < 1e14:
        raise ParseError("the time is out of range")
    return int(value if abs(value) >= 1e11 else value * 1000)
