"""JSON documents as Elasticsearch has them, nested or flat, read for a few fields only: the whole of one is never made flat."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

from soc.query.values import instant

Getter = Callable[[Mapping[str, object]], object]
_MAX_LIST = 16
_SECONDS, _MILLIS, _MICROS = 1e11, 1e14, 1e17  # an epoch below the first is in seconds, and so on


def getter(name: str) -> Getter:
    """A function that finds the field of this dotted name: a scalar, a list, or None."""
    parts = name.split(".")
    if len(parts) == 1:
        return lambda document: document.get(name)
    first, rest = parts[0], ".".join(parts[1:])
    inner = getter(rest)

    def found(document: Mapping[str, object]) -> object:
        value = document.get(name)
        if value is not None:
            return value
        node = document.get(first)
        if node.__class__ is dict:
            return inner(cast("dict[str, object]", node))
        if node.__class__ is list:
            return _within(cast("list[object]", node), inner)
        return _half_flat(document, parts) if len(parts) > 2 else None

    return found


def _half_flat(document: Mapping[str, object], parts: list[str]) -> object:
    """`{"winlog.event_data": {"User": x}}`: some of the dots are in the keys."""
    for cut in range(2, len(parts)):
        node = document.get(".".join(parts[:cut]))
        if isinstance(node, dict):
            return getter(".".join(parts[cut:]))(node)
    return None


def _within(nodes: list[object], inner: Getter) -> object:
    values = [inner(node) for node in nodes[:_MAX_LIST] if isinstance(node, dict)]
    return [value for value in values if value is not None] or None


def time_of(value: object) -> int | None:
    """`@timestamp` as ms since 1970 UTC: RFC 3339, or an epoch in s, ms, us or ns, as number or text. None when it is no time."""
    if isinstance(value, str):
        at = instant(value)
        if at is not None or not value[:1].isdecimal():
            return at if at is None or at > 0 else None
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        return None
    for limit, factor in ((_SECONDS, 1000.0), (_MILLIS, 1.0), (_MICROS, 1e-3)):
        if value < limit:
            return int(value * factor)
    return int(value / 1e6) if value < 1e20 else None
