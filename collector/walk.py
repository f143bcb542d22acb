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
        self._heads = OrderedDict[int, list[_Head]]()  # by hash of the account: names may be of any length
        self._lock = threading.Lock()

    def follow(self, account: str, asked: CitizenId) -> int:
        """How many ids in a row, up or down in steps of ten at most, this account has asked for with this one; 1: it walks not. A few
        others in between, as of ordinary work, end no walk, nor does what is delivered again."""
        key = hash(account)
        with self._lock:
            heads = self._heads.setdefault(key, [])
            self._heads.move_to_end(key)
            if len(self._heads) > self._most:
                self._heads.popitem(last=False)
            kind, number = asked
            further, others = _Head(kind, number, 0, 1), []
            for head in heads:
                step = number - head.number
                if not -_STRIDE <= step <= _STRIDE or kind != head.kind or step * head.way < 0:
                    others.append(head)
                elif head.length + (step != 0) > further.length:  # what is delivered again walks behind, and is shorter
                    further = _Head(kind, number, step, head.length + 1) if step else head
            self._heads[key] = [*others[1 - _HEADS :], further]
            return further.length
