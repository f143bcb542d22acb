"""What a parser is, and what all parsers share."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache

import orjson

from soc.errors import ParseError
from soc.model.event import Fields, Scalar

MAX_JSON_BYTES = 1 << 20
_LONG = 1 << 63  # a store keeps whole numbers in 64 bits, one of them for the sign


@dataclass(frozen=True, slots=True)
class Context:
    """`zone` is for times that carry none; `now_ms` (ms since 1970) only for those without a year."""

    zone: tzinfo
    now_ms: int


# A masked line to ECS fields, flat keys; the time stands under `@timestamp` as an int, ms since 1970 UTC. A parser that hands a
# line on (syslog) sets `event.dataset`. Raises `ParseError` with a reason that never repeats the line.
Parser = Callable[[str, Context], Fields]


def is_ip(text: str) -> bool:
    if text.count(".") != 3 or ":" in text:
        return _is_ipv6(text)
    try:
        socket.inet_pton(socket.AF_INET, text)  # far quicker than ipaddress
    except (OSError, ValueError):
        return False
    return True


@lru_cache(maxsize=16384)
def _is_ipv6(text: str) -> bool:
    if ":" not in text or len(text) > 45:
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=16384)
def is_public(text: str) -> bool:
    return is_ip(text) and ipaddress.ip_address(text).is_global


def add_source(fields: Fields, address: str) -> None:
    """`source.*` of a host name or ip address."""
    fields["source.address"] = address
    if is_ip(address):
        fields["source.ip"] = address
        if "related.ip" in fields:
            relate(fields, "related.ip", address)
        else:
            fields["related.ip"] = [address]
    elif not address.endswith(":"):  # unix:
        fields["source.domain"] = address


def add_duration(fields: Fields, nanoseconds: float) -> None:
    """`event.duration`, whole; left out where it is not finite or more than a store can keep."""
    if -_LONG <= nanoseconds < _LONG:
        fields["event.duration"] = round(nanoseconds)


def relate(fields: Fields, key: str, *values: Scalar) -> None:
    """Add values to a list field such as `related.user`, each once, without empty ones."""
    known = fields.get(key)
    merged = list(known) if isinstance(known, list) else []
    merged += [value for value in values if value not in (None, "") and value not in merged]
    if merged:
        fields[key] = merged


def load_object(line: str) -> dict[str, object]:
    """One JSON object. The size is bounded here, the depth (1,024) by orjson."""
    if len(line) > MAX_JSON_BYTES:
        raise ParseError(f"the JSON is longer than {MAX_JSON_BYTES} characters")
    try:
        document = orjson.loads(line)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise ParseError("the line is not JSON") from None
    if not isinstance(document, dict):
        raise ParseError("the JSON is not an object")
    return document
