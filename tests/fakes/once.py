"""What Hyperscan has compiled for a test, it does not compile for the next: half of the time that it takes was for the same expressions
again. Tests take them as a second start of govsoc does, from the bytes that were kept; the first time all is as ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import hyperscan
import pytest

from rules.match import database

_MOST = 20_000


@contextmanager
def compiling_once() -> Iterator[None]:
    kept, compiled = database.InMemory(), database._compiled

    def once(expressions: Sequence[database.Expression]) -> hyperscan.Database:
        key = database._key(expressions)
        if (bytes_ := kept.get(key)) is not None:
            return hyperscan.loadb(bytes_, mode=database._BLOCK)
        made = compiled(expressions)
        if len(kept) < _MOST:
            kept.put(key, hyperscan.dumpb(made))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_compiled", once)
        yield
