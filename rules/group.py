"""One group of a correlation: its entries, the windows of its hits, and both as bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rules.entries import TIME_BYTES, Entries
from rules.window import Slide

VERSION = 2
CARRIED_BYTES = 8
_HEAD = struct.Struct(">BqqIII")  # version, decided, due; bytes of texts, number of windows, bytes of what is carried
_WINDOW = TIME_BYTES + 1 + TIME_BYTES


@dataclass(slots=True)
class Covered:
    """Times `lo < ts <= hi` lie in windows of hits of one local day; `hi` is the last of these hits."""

    day: str
    lo: int
    hi: int


@dataclass(slots=True)
class Group:
    """`decided`: instants before it are decided (of a correlation that the watermark decides). `due`: the bucket in which it is
    looked at next, -1 for none. `carried`: what correlations of this one need of its events, by the hash that records hold.

    The rest is of the batch at hand, and not kept: `fresh` records since the last look, `first` the lowest index of one.
    """

    key: str
    org: str
    by: list[str]
    entries: Entries
    covered: list[Covered] = field(default_factory=list)
    decided: int = 0
    due: int = -1
    carried: dict[bytes, list[str]] = field(default_factory=dict)
    fresh: list[bytes] = field(default_factory=list)
    first: int = 0
    slide: Slide | None = None
    counted_in: int = -1  # see Agenda.rebook
    weight: int = 0
    alerts: dict[str, str] = field(default_factory=dict)  # local day -> alert id

    def insert(self, record: bytes) -> bool:
        """Whether it is new."""
        at = self.entries.add(record)
        if at is None:
            return False
        if not self.fresh or at < self.first:
            self.first = at
        self.fresh.append(record)
        if self.slide is not None and at < self.slide.high:
            self.slide = None
        return True

    def cover(self, day: str, lo: int, hi: int) -> list[tuple[int, int]]:
        """Note the window of a hit; return the parts of it in which no window of a hit of that day lay before."""
        covered = self.covered
        if covered and (last := covered[-1]).day == day and last.lo <= lo <= last.hi <= hi:
            old, last.hi = last.hi, hi
            return [(old, hi)] if hi > old else []
        touching = sorted((c for c in covered if c.day == day and c.lo <= hi and lo <= c.hi), key=lambda c: c.lo)
        free, at = [], lo
        for one in touching:
            if at < one.lo:
                free.append((at, one.lo))
            at = max(at, one.hi)
        if at < hi:
            free.append((at, hi))
        if free:
            whole = Covered(day, min(lo, *(c.lo for c in touching), lo), max(hi, *(c.hi for c in touching), hi))
            self.covered = sorted([c for c in covered if c not in touching] + [whole], key=lambda c: c.hi)
        return free

    def forget(self, count: int) -> None:
        """Drop the oldest entries."""
        self.entries.drop(count)
        if self.slide is not None and not self.slide.forget(count):
            self.slide = None
        if self.carried:
            kept = {record[-CARRIED_BYTES:] for record in self.entries.between(0, len(self.entries))}
            self.carried = {name: texts for name, texts in self.carried.items() if name in kept}

    def weigh(self) -> int:
        """About as many bytes of memory."""
        return 900 + len(self.entries.data) + 120 * len(self.covered) + (self.slide.weight if self.slide else 0)

    def encode(self) -> bytes:
        carried = b"".join(name + _packed(texts) for name, texts in self.carried.items())
        texts = _packed([self.org, *self.by])
        head = _HEAD.pack(VERSION, self.decided, self.due, len(texts), len(self.covered), len(carried))
        windows = b"".join(c.lo.to_bytes(TIME_BYTES + 1, signed=True) + c.hi.to_bytes(TIME_BYTES) for c in self.covered)
        return b"".join((head, texts, windows, carried, self.entries.data))


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
    texts, _ = _unpacked(stored, _HEAD.size)
    covered = []
    for _ in range(windows):
        lo, hi = int.from_bytes(stored[at : at + 7], signed=True), int.from_bytes(stored[at + 7 : at + _WINDOW])
        covered.append(Covered(day(hi), lo, hi))
        at += _WINDOW
    carried = {}
    while at < after:
        name = stored[at : at + CARRIED_BYTES]
        carried[name], at = _unpacked(stored, at + CARRIED_BYTES)
    return Group(key, texts[0], texts[1:], Entries(width, stored[after:]), covered, decided, due, carried)


def _packed(texts: Sequence[str]) -> bytes:
    parts = [len(texts).to_bytes(1)]
    for text in texts:
        encoded = text.encode(errors="surrogatepass")
        parts += (len(encoded).to_bytes(2), encoded)
    return b"".join(parts)


def _unpacked(stored: bytes, at: int) -> tuple[list[str], int]:
    """The texts that begin there, and where they end."""
    texts = []
    count, at = stored[at], at + 1
    for _ in range(count):
        end = at + 2 + int.from_bytes(stored[at : at + 2])
        texts.append(stored[at + 2 : end].decode(errors="surrogatepass"))
        at = end
    return texts, at
