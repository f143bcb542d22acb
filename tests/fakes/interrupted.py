"""Stores whose writes of triage and incidents are counted: one of them never happens, or something else happens just before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from soc.store.base import Stores


class Killed(BaseException):
    """Not an `Exception`: nothing that the code does about errors happens."""


def _kill() -> None:
    raise Killed


def interrupted(stores: Stores, after: int, act: Callable[[], object] = _kill) -> Stores:
    """The stores, of which `act` is called once `after` writes are done and before the next one."""
    count = _Count(after, act)
    return replace(stores, triage=_Counted(stores.triage, count), incidents=_Counted(stores.incidents, count))


@dataclass
class _Count:
    left: int
    act: Callable[[], object]


@dataclass
class _Counted:
    store: Any
    count: _Count

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if name not in ("create", "change"):
            return method

        def write(*args: Any, **kwargs: Any) -> Any:
            self.count.left -= 1
            if self.count.left == -1:
                self.count.act()
            return method(*args, **kwargs)

        return write
