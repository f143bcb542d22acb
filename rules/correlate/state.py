"""Where correlations keep what must survive a restart."""

from __future__ import annotations

from typing import Protocol

LATEST = (1 << 63) - 1


class State(Protocol):
    """Keyed bytes, committed by the caller together with its cursor. Nothing else: so that it can live in any keyed store."""

    def get(self, key: str) -> bytes | None: ...

    def set(self, key: str, value: bytes, expires: int) -> None:
        """`expires`: ms of event time after which the entry cannot matter any more and may be deleted."""
        ...


class Staged:
    """What is written to `state` all together, with `apply`, or not at all."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._changes: dict[str, tuple[bytes, int]] = {}

    def get(self, key: str) -> bytes | None:
        changed = self._changes.get(key)
        return self._state.get(key) if changed is None else changed[0]

    def set(self, key: str, value: bytes, expires: int) -> None:
        """Raises `OverflowError` for a time that no store takes."""
        if not 0 <= expires <= LATEST:
            raise OverflowError(f"state that expires at {expires}")
        self._changes[key] = value, expires

    def apply(self) -> None:
        for key, (value, expires) in self._changes.items():
            self._state.set(key, value, expires)
