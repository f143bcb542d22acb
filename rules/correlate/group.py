"""One group of a correlation: its entries, the windows of its hits, and both as bytes."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from rules.correlate.entries import TIME_BYTES, Entries
from rules.correlate.window import Slide

VERSION = 3
CARRIED_BYTES = 8
LEAST = 100  # entries that a group may have in any case
MOST_CARRIED = 16 << 20  # bytes of what one group carries
_HEAD = struct.Struct(">BqqIII")  # version, decided, due; bytes of texts, number of windows, bytes of what is carried
_WINDOW = TIME_BYTES + 1 + TIME_BYTES
_hi, _day, _day_and_hi = attrgetter("hi"), attrgetter("day"), attrgetter("day", "hi")


@dataclass(slots=True)
class Covered:
    """Times `lo < ts <= hi` lie in windows of hits of one local day; `hi` is the last of these hits."""

    day: str
    lo: int
    hi: int

    def encode(self) -> bytes:
        return self.lo.to_bytes(TIME_BYTES + 1, signed=True) + self.hi.to_bytes(TIME_BYTES)


class Group:
    """`texts`: the organisation and what is grouped by, a NUL between. `covered`: in the order of their ends, which is day by day; of one
    day none touches another. `decided`: instants before it are decided (of a correlation that the watermark decides). `due`: the bucket
    in which it is looked at next, -1 for none. `carried`: what correlations of this one need of its events, by the hash that records
    hold.

    The rest is of the batch at hand, and not kept: `fresh` records since the last look, `first` the lowest index of one.
    """

    __slots__ = (
        "_names", "alerts", "carried", "carried_size", "counted_in", "covered", "decided", "due", "entries", "first", "fresh", "key",
        "slide", "stored", "texts", "weight",
    )  # fmt: skip

    def __init__(self, key: str, texts: bytes, entries: Entries) -> None:
        self.key, self.texts, self.entries = key, texts, entries
        self.covered: list[Covered] = []
        self.decided, self.due = 0, -1
        self.carried: dict[bytes, list[str]] | None = None
        self.carried_size = 0  # bytes, or a little less
        self.fresh: list[bytes] | None = None
        self.first = 0
        self.slide: Slide | None = None
        self.counted_in, self.stored = -1, 0  # see Agenda.rebook
        self.weight = 0
        self.alerts: dict[str, str] | None = None  # local day -> alert id
        self._names: list[str] | None = None

    @property
    def org(self) -> str:
        return self._unpacked()[0]

    @property
    def by(self) -> list[str]:
        return self._unpacked()[1:]

    def _unpacked(self) -> list[str]:
        if self._names is None:
            self._names = self.texts.decode(errors="surrogatepass").split("\0")
        return self._names

    def carry(self, name: bytes, texts: list[str]) -> None:
        if self.carried is None:
            self.carried = {}
        if name not in self.carried:
            self.carried[name] = texts
            self.carried_size += _size(texts)

    def insert(self, record: bytes) -> bool:
        """Whether it is new."""
        at = self.entries.add(record)
        if at is None:
            return False
        if self.fresh is None:
            self.fresh, self.first = [record], at
        else:
            self.fresh.append(record)
            self.first = min(self.first, at)
        if self.slide is not None and at < self.slide.high:
            self.slide = None
        return True

    def cover(self, day: str, lo: int, hi: int) -> list[tuple[int, int]]:
        """Note the window of a hit; return the parts of it in which no window of a hit of that day lay before."""
        covered = self.covered
        if covered and (last := covered[-1]).day == day and last.lo <= lo <= last.hi <= hi:
            old, last.hi = last.hi, hi
            return [(old, hi)] if hi > old else []
        first = end = bisect_left(covered, (day, lo), key=_day_and_hi)
        free, at = [], lo
        while end < len(covered) and (one := covered[end]).day == day and one.lo <= hi:
            if at < one.lo:
                free.append((at, one.lo))
            at = max(at, one.hi)
            end += 1
        if at < hi:
            free.append((at, hi))
        if free:
            touching = covered[first:end]
            whole = Covered(day, min(lo, *(c.lo for c in touching), lo), max(hi, *(c.hi for c in touching), hi))
            covered[first:end] = [whole]
        return free

    def covering(self, ts: int) -> Iterator[str]:
        """The local days of which a window of a hit holds this time."""
        covered = self.covered
        i = bisect_left(covered, ts, key=_hi)
        while i < len(covered):
            one = covered[i]
            if one.lo < ts:
                yield one.day
            i = bisect_right(covered, one.day, i, key=_day)

    def forget(self, count: int) -> None:
        """Drop the oldest entries."""
        self.entries.drop(count)
        if self.slide is not None and not self.slide.forget(count):
            self.slide = None
        # Not each time: it looks at all that is left.
        if self.carried and (len(self.carried) > 2 * len(self.entries) or self.carried_size > MOST_CARRIED):
            self._forget_carried()

    def _forget_carried(self) -> None:
        kept = {record[-CARRIED_BYTES:] for record in self.entries.between(0, len(self.entries))}
        self.carried = {name: texts for name, texts in (self.carried or {}).items() if name in kept}
        self.carried_size = sum(map(_size, self.carried.values()))

    def cap(self, most: int, *, grows: bool) -> int:
        """How many entries it may have, of `most` that any may: fewer when it carries too much, and, unless it `grows`, what was stored."""
        count = len(self.entries)
        if not grows:
            most = min(most, max(self.stored // self.entries.width, LEAST))
        if self.carried_size > MOST_CARRIED:
            self._forget_carried()
        return most if self.carried_size <= MOST_CARRIED else min(most, count * MOST_CARRIED // self.carried_size)

    def weigh(self) -> int:
        """About as many bytes of memory."""
        slide = self.slide.weight if self.slide else 0
        return 900 + len(self.entries.data) + 120 * len(self.covered) + self.carried_size + slide

    def encode(self) -> bytes:
        carried = b"".join(name + packed(texts) for name, texts in self.carried.items()) if self.carried else b""
        head = _HEAD.pack(VERSION, self.decided, self.due, len(self.texts), len(self.covered), len(carried))
        windows = b"".join([one.encode() for one in self.covered]) if self.covered else b""
        return b"".join((head, self.texts, windows, carried, self.entries.data))


def decode(key: str, stored: bytes, width: int, day: Callable[[int], str]) -> Group:
    """Raises ValueError for what `encode` has not written. `day`: the local day of a time."""
    try:
        version, decided, due, texts_size, windows, carried_size = _HEAD.unpack_from(stored)
    except struct.error as error:
        raise ValueError("damaged state: no head") from error
    at = _HEAD.size + texts_size
    after = at + windows * _WINDOW + carried_size
    if version != VERSION or after > len(stored):
        raise ValueError("damaged state: cut, or of another version")
    group = Group(key, stored[_HEAD.size : at], Entries(width, stored[after:]))
    group.decided, group.due = decided, due
    for _ in range(windows):
        lo, hi = int.from_bytes(stored[at : at + 7], signed=True), int.from_bytes(stored[at + 7 : at + _WINDOW])
        group.covered.append(Covered(day(hi), lo, hi))
        at += _WINDOW
    while at < after:
        name = stored[at : at + CARRIED_BYTES]
        texts, at = unpacked(stored, at + CARRIED_BYTES)
        group.carry(name, texts)
    return group


def packed(texts: Sequence[str]) -> bytes:
    parts = [len(texts).to_bytes(2)]
    for text in texts:
        encoded = text.encode(errors="surrogatepass")
        parts += (len(encoded).to_bytes(2), encoded)
    return b"".join(parts)


def unpacked(stored: bytes, at: int) -> tuple[list[str], int]:
    """The texts that begin there, and where they end."""
    texts = []
    count, at = int.from_bytes(stored[at : at + 2]), at + 2
    for _ in range(count):
        end = at + 2 + int.from_bytes(stored[at : at + 2])
        texts.append(stored[at + 2 : end].decode(errors="surrogatepass"))
        at = end
    return texts, at


def _size(texts: Sequence[str]) -> int:
    """About as many bytes of memory."""
    return 200 + sum(60 + len(text) for text in texts)
