"""Where a page ended, as an opaque string: a number and a text, the order of the list."""

from __future__ import annotations

import base64
import binascii

from soc.errors import QueryError


def encode(number: int, text: str) -> str:
    return base64.urlsafe_b64encode(f"{number}:{text}".encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[int, str]:
    """Raises `QueryError` for what `encode` did not make."""
    try:
        number, _, text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        return _int64(number), text
    except (ValueError, binascii.Error):
        raise QueryError("the cursor is not one that this service gave: start again without it") from None


def _int64(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("more than the stores' integers hold")
    return number
