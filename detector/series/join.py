"""Steps of a funnel joined by the id that their events share: which requests got an answer, whichever bucket it came in.

What is asked is counted in its own bucket and series, so that an answer needs none of the fields that are grouped by; the bucket is
closed when answers have had their time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from detector.series.definition import Definition
from soc.model.event import Fields
from soc.query.evaluate import predicate
from soc.query.parse import parse

MOST_OPEN = 20_000  # ids of one definition in one organisation whose time is not over
MOST_ANSWERS = 8  # of one id
ANSWERED = 0  # in the place of a time (ms)


class Asked(NamedTuple):
    """A request: its id, its time (ms), and the series that it is of."""

    id: bytes
    ts: int
    slot: int


class Over(NamedTuple):
    """What is over when a bucket is closed. `ids`: by slot what was asked, and when (ms), or `ANSWERED`. `answers`: to nothing, with their
    times (ms)."""

    ids: dict[int, dict[bytes, int]]
    answers: list[tuple[bytes, int]]

    @property
    def cells(self) -> dict[int, list[int]]:
        return {slot: counted(ids) for slot, ids in self.ids.items()}


def counted(ids: Mapping[bytes, int]) -> list[int]:
    """The cell of a series: how many were answered in time, and all."""
    return [sum(at == ANSWERED for at in ids.values()), len(ids)]


class _Open:
    """An id. `asked`: when it was first, ms; None: only answers were seen so far."""

    __slots__ = ("answers", "asked", "slot")

    def __init__(self, asked: int | None = None, slot: int = 0, answers: list[int] | None = None) -> None:
        self.asked, self.slot, self.answers = asked, slot, answers or []


class Joined:
    """Ids are kept as hashes, of which one in 2^64 is taken for another. An answer may bear a time before its request, as clocks differ."""

    def __init__(
        self, field: str, within_ms: int, asks: Callable[[Fields], bool], answers: Callable[[Fields], bool]
    ) -> None:
        self.within_ms, self.asks, self.answers = within_ms, asks, answers
        self._field = field
        self._open: dict[bytes, _Open] = {}

    @property
    def empty(self) -> bool:
        return not self._open

    def id_of(self, fields: Fields) -> bytes | None:
        """None where it has none: it is no part of the series."""
        value = fields.get(self._field)
        if value is None or value == "":
            return None
        return hashlib.blake2b(str(value).encode(errors="surrogatepass"), digest_size=8).digest()

    def ask(self, id_: bytes, ts: int, slot: int) -> bool:
        """False: it cannot be counted, for want of room."""
        one = self._of(id_)
        if one is None:
            return False
        if one.asked is None or ts < one.asked:
            one.asked, one.slot = ts, slot
        return True

    def answer(self, id_: bytes, ts: int) -> bool:
        """As `ask`."""
        one = self._of(id_)
        if one is None:
            return False
        if len(one.answers) < MOST_ANSWERS:
            one.answers.append(ts)
        return True

    def close(self, end: int) -> Over:
        """What was asked before `end` (ms), and answers that nothing can be asked for any more. They are forgotten."""
        over = Over({}, [])
        for id_, one in list(self._open.items()):
            if one.asked is None:
                if max(one.answers) >= end - self.within_ms:
                    continue
                over.answers.extend((id_, ts) for ts in one.answers)
            elif one.asked < end:
                answered = any(abs(ts - one.asked) <= self.within_ms for ts in one.answers)
                over.ids.setdefault(one.slot, {})[id_] = ANSWERED if answered else one.asked
            else:
                continue
            del self._open[id_]
        return over

    def clear(self) -> int:
        """Forget all; returns how many had been asked."""
        asked = sum(one.asked is not None for one in self._open.values())
        self._open.clear()
        return asked

    def dump(self) -> list[Any]:
        return [(id_, one.asked, one.slot, one.answers) for id_, one in self._open.items()]

    def load(self, saved: list[Any]) -> None:
        self._open = {id_: _Open(asked, slot, list(answers)) for id_, asked, slot, answers in saved}

    def _of(self, id_: bytes) -> _Open | None:
        one = self._open.get(id_)
        if one is None and len(self._open) < MOST_OPEN:
            one = self._open[id_] = _Open()
        return one


def joined_of(definition: Definition) -> Joined | None:
    if definition.join is None:
        return None
    asks, answers = predicate(parse(definition.where)), predicate(parse(definition.hit or ""))
    return Joined(definition.join, definition.within_ms, asks, answers)
