"""Whether an account walks through citizen ids, number by number: seen here, where the numbers are still known, and told without them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

LEAST = 3  # ids in a row: two may be those of brothers
_STRIDE = 10  # who skips some walks as well
_HEADS = 4  # latest ids of an account
_ACCOUNTS = 5_000


@dataclass(frozen=True, slots=True)
class CitizenId:
    """In memory only, and never shown: a log that prints one prints its kind."""

    kind: str
    number: int = field(repr=False)


class _Head(NamedTuple):
    """Where a walk has come to. `way`: its last step, 0 before the first; `length`: ids in a row."""

    at: CitizenId
    way: int = 0
    length: int = 1

    def on(self, asked: CitizenId) -> _Head | None:
        """The walk with this id, if it leads there."""
        step = asked.number - self.at.number
        if asked == self.at:
            return self
        if asked.kind != self.at.kind or abs(step) > _STRIDE or step * self.way < 0:
            return None
        return _Head(asked, step, self.length + 1)


class Walks:
    """The latest ids of each account of an organisation, of the `most` that asked last; whoever is forgotten begins anew. Any thread may
    ask."""

    def __init__(self, most: int = _ACCOUNTS) -> None:
        self._most = most
        self._heads: OrderedDict[str, list[_Head]] = OrderedDict()  # by account
        self._lock = threading.Lock()

    def follow(self, account: str, asked: CitizenId) -> int:
        """How many ids in a row, up or down in steps of ten at most, this account has asked for with this one; 1: it walks not. A few
        others in between, as of ordinary work, end no walk."""
        with self._lock:
            heads = self._heads.setdefault(account, [])
            self._heads.move_to_end(account)
            if len(self._heads) > self._most:
                self._heads.popitem(last=False)
            for place, head in enumerate(heads):
                if (further := head.on(asked)) is not None:
                    del heads[place]
                    break
            else:
                further = _Head(asked)
            heads.append(further)
            del heads[:-_HEADS]
            return further.length
