"""Where correlations keep what must survive a restart."""

from __future__ import annotations

from typing import Protocol


class State(Protocol):
    """Keyed bytes, committed by the caller together with its cursor. Nothing else: so that it can live in any keyed store."""

    def get(self, key: str) -> bytes | None: ...

    def set(self, key: str, value: bytes, expires: int) -> None:
        """`expires`: ms of event time after which the entry cannot matter any more and may be deleted."""
        ...
