"""Whether an account walks through citizen ids, number by number: seen here, where the numbers are still known, and told without them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

LEAST = 3  # ids in a row: two may be those of brothers
_STRIDE = 10  # who skips some walks as well
_HEADS = 4  # latest ids of an account
_ACCOUNTS = 5_000


class CitizenId(NamedTuple):
    """In memory only, and never shown: a log that prints one prints its kind."""

    kind: str
    number: int

    def __repr__(self) -> str:
        return f"<{self.kind}>"


class _Head(NamedTuple):
    """Where a walk has come to. `way`: its last step, 0 before the first; `length`: ids in a row."""

    kind: str
    number: int
    way: int
    length: int


class Walks:
    """The latest ids of each account of an organisation, of the `most` that asked last; whoever is forgotten begins anew. Any thread may
    ask."""

    def __init__(self, most: int = _ACCOUNTS) -> None:
        self._most = most
        self._heads = OrderedDict[str, list[_Head]]()  # by account
        self._lock = threading.Lock()

    def follow(self, account: str, asked: CitizenId) -> int:
        """How many ids in a row, up or down in steps of ten at most, this account has asked for with this one; 1: it walks not. A few
        others in between, as of ordinary work, end no walk."""
        with self._lock:
            heads = self._heads.setdefault(account, [])
            self._heads.move_to_end(account)
            if len(self._heads) > self._most:
                self._heads.popitem(last=False)
            kind, number = asked
            further = _Head(kind, number, 0, 1)
            for place, head in enumerate(heads):
                step = number - head.number
                if -_STRIDE <= step <= _STRIDE and kind == head.kind and step * head.way >= 0:
                    further = _Head(kind, number, step, head.length + 1) if step else head
                    del heads[place]
                    break
            heads.append(further)
            if len(heads) > _HEADS:
                del heads[0]
            return further.length
