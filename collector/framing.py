"""Where one syslog message ends and the next begins in a TCP stream (RFC 6587)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from collector.lines import cut_note
from soc.errors import SocError

# `123 <34>1 2003-...`: an octet count. `<34>Oct 11 ...` and `2026-11-22 plain text`: lines.
_COUNT = re.compile(rb"[1-9][0-9]{0,20}")
_WINDOW = 24  # bytes in which it shows what a message begins with
_LONGEST_COUNT = 16 << 20

# A message, and what had to be done to it.
Frame = tuple[bytes, str | None]


class FramingError(SocError):
    """The stream makes no sense any more: nobody can tell where the next message begins."""


class Framer:
    """Cuts one connection's bytes into messages: octet-counted, or ended by a newline, or both in turn.

    A message longer than `max_bytes` keeps its beginning, with a note; no more than that is ever held.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._head = b""  # the first bytes of a message whose kind does not show yet
        self._kind: str | None = None
        self._counted = False  # this sender counts octets
        self._need = 0  # octets still missing from a counted message
        self._kept = bytearray()
        self._length = 0

    @property
    def unfinished(self) -> bool:
        """In the middle of a message?"""
        return self._kind is not None or bool(self._head)

    @property
    def held_bytes(self) -> int:
        return len(self._head) + len(self._kept)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The messages that end in `data`. Raises `FramingError` after those before a message length that cannot be true."""
        at = 0
        while at < len(data):
            if self._kind is None:
                at = self._decide(data, at)
            elif self._kind == "count":
                piece = data[at : at + self._need]
                self._extend(piece)
                self._need -= len(piece)
                at += len(piece)
                if not self._need:
                    yield from self._end()
            elif (newline := data.find(b"\n", at)) < 0:
                self._extend(data[at:])
                at = len(data)
            else:
                self._extend(data[at:newline])
                yield from self._end()
                at = newline + 1

    def finish(self, *, broken: bool = False) -> Iterator[Frame]:
        """What is left when the connection has ended; `broken` by a reset or by nonsense."""
        broken = broken or self._kind == "count"
        self._extend(self._head)
        yield from self._end("the connection ended before the message did" if broken else None)

    def _decide(self, data: bytes, at: int) -> int:
        """Find out what the message at `at` begins with; returns where its text begins (or goes on)."""
        if not self._head and data[at] in b"\r\n\0":
            return at + 1  # blank lines, and what some senders put behind a counted message
        before = len(self._head)
        head = self._head + data[at : at + _WINDOW - before]
        count = _COUNT.match(head)
        mark = head[count.end() : count.end() + 2] if count else b""
        if count and len(head) < _WINDOW and mark in (b"", b" "):
            self._head = head  # too early to say
            return at + len(head) - before
        self._head = b""
        if count and (mark == b" <" or (self._counted and mark[:1] == b" ")):
            self._need = int(count[0])
            if self._need > _LONGEST_COUNT:
                raise FramingError(f"a message of {self._need} bytes was announced")
            self._kind, self._counted = "count", True
            return at + count.end() + 1 - before
        if self._counted and head[:1] != b"<":
            raise FramingError("a message length was expected, and something else came")
        self._kind = "line"
        self._extend(head[:before])
        return at

    def _extend(self, piece: bytes) -> None:
        self._length += len(piece)
        self._kept += piece[: self._max - len(self._kept)]

    def _end(self, note: str | None = None) -> Iterator[Frame]:
        if self._length > len(self._kept):
            note = cut_note(len(self._kept), self._length)
        message = bytes(self._kept).strip(b"\r\n\0")
        self._kept.clear()
        self._head, self._kind, self._length = b"", None, 0
        if message:
            yield message, note
