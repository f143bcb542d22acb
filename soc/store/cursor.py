"""Where a page ended, as an opaque string: a number and a text, the order of the list; of events, the last id itself."""

from __future__ import annotations

import base64
import binascii

from soc.errors import QueryError

_HEX = frozenset("0123456789abcdef")


def encode(number: int, text: str) -> str:
    return base64.urlsafe_b64encode(f"{number}:{text}".encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[int, str]:
    """Raises `QueryError` for what `encode` did not make."""
    try:
        number, _, text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        return _int64(number), text
    except (ValueError, binascii.Error):
        raise _foreign() from None


def encode_pair(first: str, second: str) -> str:
    return encode(0, f"{first} {second}")


def decode_pair(cursor: str | None) -> tuple[str, str]:
    """What `encode_pair` was given, two empty texts for None. Raises `QueryError` for anything else."""
    if cursor is None:
        return "", ""
    first, _, second = decode(cursor)[1].partition(" ")
    return first, second


def encode_numbers(first: int, second: int) -> str:
    return encode(first, str(second))


def decode_numbers(cursor: str) -> tuple[int, int]:
    """What `encode_numbers` was given. Raises `QueryError` for anything else."""
    first, second = decode(cursor)
    try:
        return first, _int64(second)
    except ValueError:
        raise _foreign() from None


def _foreign() -> QueryError:
    return QueryError("the cursor is not one that this service gave: start again without it")


def _int64(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("more than the stores' integers hold")
    return number


def below(until: int | None, cursor: str | None) -> str:
    """What the ids of the events of the next page lie below. Raises `QueryError` for a cursor that is none."""
    if cursor is not None and not (0 < len(cursor) <= 32 and set(cursor) <= _HEX):
        raise _foreign()
    bounds = [bound for bound in (cursor, None if until is None else f"{max(until, 0):012x}") if bound is not None]
    return min(bounds, default="g")  # "g" sorts after every hex digit


def above(since: int | None, cursor: str | None) -> str:
    """What the ids of the events of the next page lie above: an id begins with its time. Raises `QueryError` for a cursor that is none."""
    if cursor is not None:
        return decode(cursor)[1]
    return "" if since is None else f"{max(since, 0):012x}"
