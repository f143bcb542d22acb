"""Reading typed values out of a JSON object that somebody else wrote."""

from __future__ import annotations

import math

from collector.parse.base import Context
from collector.parse.time import parse_epoch, parse_iso
from soc.errors import ParseError


def text(document: dict[str, object], key: str) -> str | None:
    """A scalar as text; None where absent, null or not a scalar."""
    value = document.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def number(document: dict[str, object], key: str) -> int | float | None:
    """A number, also one written as text; None where absent or not a number of sensible size."""
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, str) and len(value) < 32:
        try:
            value = float(value) if "." in value else int(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value if abs(value) < 1 << 53 else None


def take_time(document: dict[str, object], context: Context) -> int:
    """The field `time`: RFC 3339 (without zone: the source's), or seconds or milliseconds since 1970."""
    value = document.get("time")
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        return parse_iso(value, context.zone)
    moment = number(document, "time")
    if moment is None:
        raise ParseError("the field time is missing or not a time")
    return parse_epoch(moment)
