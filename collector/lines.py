"""From a stream of bytes to lines, in bounded memory."""

from __future__ import annotations

from collector.base import Record

MAX_LINE_BYTES = 1 << 20


def cut_note(kept: int, length: int) -> str:
    return f"cut at {kept} of {length} bytes"


class LineCutter:
    r"""Cuts what is fed to it into records at `<prefix><byte offset of the line>`; the chunk borders make no difference.

    Lines end in `\n` or `\r\n`; blank lines are no records. A line longer than `max_line_bytes` keeps its beginning and says
    so in its note. NUL bytes at the start of a line (the hole that copytruncate leaves, a crash of the file system) are
    skipped, and the next record's note says how many; NUL bytes inside a line stay. A UTF-8 byte order mark is no text.
    """

    def __init__(self, prefix: str, max_line_bytes: int = MAX_LINE_BYTES, offset: int = 0, nuls: int = 0) -> None:
        self.prefix = prefix
        self.offset = (
            offset  # where the first unfinished line begins: reading again from here loses and repeats nothing
        )
        self._max = max_line_bytes
        self._kept = bytearray()
        self._length = 0  # of the unfinished line so far, what was not kept included
        self._nuls = nuls  # skipped since the last record

    def feed(self, chunk: bytes) -> list[Record]:
        """The lines that end in this chunk."""
        first, *rest = chunk.split(b"\n")
        self._extend(first)
        if not rest:
            return []
        last = rest.pop()
        records: list[Record] = []
        self._end(records)
        if self._nuls or len(chunk) > self._max or b"\0" in chunk:
            for line in rest:
                self._extend(line)
                self._end(records)
        else:
            records += self._whole(rest)
        self._extend(last)
        return records

    def finish(self) -> list[Record]:
        """The last line, if it has no line end: call it when no more will come."""
        records: list[Record] = []
        if self._length:
            self._end(records, ending=0)
        return records

    def _whole(self, lines: list[bytes]) -> list[Record]:
        # Nearly every line passes here; nothing may be added to this loop without measuring.
        prefix, at, records = self.prefix, self.offset, []
        for raw in lines:
            if line := raw.removesuffix(b"\r"):
                records.append(Record(line, f"{prefix}{at}"))
            at += len(raw) + 1
        self.offset = at
        return records

    def _extend(self, piece: bytes) -> None:
        if not self._length and piece[:1] == b"\0":
            text = piece.lstrip(b"\0")
            skipped = len(piece) - len(text)
            self._nuls += skipped
            self.offset += skipped
            piece = text
        self._length += len(piece)
        self._kept += piece[: self._max - len(self._kept)]

    def _end(self, records: list[Record], ending: int = 1) -> None:
        kept, length = len(self._kept), self._length
        line = bytes(self._kept).removesuffix(b"\r")
        if not self.offset:
            line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
        if line:
            notes = [f"{self._nuls} NUL bytes skipped before this line"] if self._nuls else []
            if kept < length:
                notes.append(cut_note(kept, length))
            records.append(Record(line, f"{self.prefix}{self.offset}", "; ".join(notes) or None))
            self._nuls = 0
        self.offset += length + ending
        self._kept.clear()
        self._length = 0
