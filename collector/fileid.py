"""Which file is this? Identity by content, so that a log keeps its positions when it is renamed, copied or compressed."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

import orjson

from collector.base import Record
from collector.lines import MAX_LINE_BYTES, LineCutter
from soc.errors import SocError

# Bytes to a short text; masks personal data by kind before it hashes, so that a checkpoint is no oracle for phone numbers.
Fingerprint = Callable[[bytes], str]

CHUNK_BYTES = 1 << 20  # with batches of thousands of lines, an index page is written once for many of them
HEAD_BYTES = 4096
TAIL_BYTES = 512
_NOTES_OF_GONE_FILES = 200
_DIGITS = b"+0123456789"
_PACKED: dict[bytes, Callable[[IO[bytes]], object]] = {
    b"\x1f\x8b": lambda raw: gzip.GzipFile(fileobj=raw),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_ZSTD = b"\x28\xb5\x2f\xfd"


class DamagedFileError(SocError):
    """A compressed file that cannot be read to its end. Everything before the damage has been read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class Content:
    """The bytes of an open file at any offset. A compressed file (gzip, bzip2, xz) reads as what it holds."""

    def __init__(self, path: Path) -> None:
        """Opens the file. Raises `OSError`, and `DamagedFileError` for a compression that is not supported."""
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        magic = os.pread(self._fd, 8, 0)
        if magic.startswith(_ZSTD):
            os.close(self._fd)
            raise DamagedFileError(
                path, "is compressed with zstd, which is not supported: use gzip, bzip2 or xz, or none"
            )
        unpack = next((unpack for start, unpack in _PACKED.items() if magic.startswith(start)), None)
        self._stream: gzip.GzipFile | None = None
        if unpack:
            self._stream = cast(gzip.GzipFile, unpack(os.fdopen(self._fd, "rb", closefd=False)))
        self._damage: DamagedFileError | None = None
        self._readable = sys.maxsize

    @property
    def packed(self) -> bool:
        return self._stream is not None

    def stat(self) -> os.stat_result:
        return os.fstat(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def read(self, at: int, size: int) -> bytes:
        """Up to `size` bytes from `at`; fewer only at the end, or before damage. Raises `DamagedFileError` at the damage."""
        if self._stream is None:
            return os.pread(self._fd, size, at)
        if self._damage and at >= self._readable:
            raise self._damage
        size = min(size, self._readable - at)
        parts: list[bytes] = []
        try:
            self._stream.seek(at)  # backwards is slow (it unpacks again from the start), so nobody does it in a loop
            while size > 0 and (part := self._stream.read1(size)):
                parts.append(part)
                size -= len(part)
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            self._damage = DamagedFileError(self.path, f"the compressed data is damaged or cut short ({error})")
            self._readable = at + sum(map(len, parts))
            self._stream.seek(0)  # what lies before the damage stays readable
            if not parts:
                raise self._damage from error
        return b"".join(parts)

    def first_text(self, start: int) -> int:
        """The offset of the first byte from `start` on that is not NUL, or of the end. Holes of sparse files cost nothing."""
        while chunk := self.read(start, CHUNK_BYTES):
            text = chunk.lstrip(b"\0")
            start += len(chunk) - len(text)
            if text:
                break
            start = self._next_data(start)
        return start

    def _next_data(self, start: int) -> int:
        if self._stream:
            return start
        size = os.fstat(self._fd).st_size  # before the search: what is appended after it must not be skipped
        try:
            return os.lseek(self._fd, start, os.SEEK_DATA)
        except OSError as error:  # ENXIO: a hole up to the end; else the file system cannot tell
            return max(start, size) if error.errno == errno.ENXIO else start


def head_print(content: Content, start: int, fingerprint: Fingerprint, *, final: bool = False) -> str | None:
    """The file's identity: the fingerprint of its first line, or of the first 4,096 bytes if that is longer.

    `start` is where the text begins. None while the first line is still being written, unless `final`.
    """
    head = content.read(start, HEAD_BYTES)
    line, newline, _ = head.partition(b"\n")
    if newline or (final and line):
        return fingerprint(line.removesuffix(b"\r"))
    # Half a number would not be recognised as one, so the cut must not go through digits (here and in tail_print).
    return fingerprint(head.rstrip(_DIGITS)) if len(head) == HEAD_BYTES else None


def tail_bytes(content: Content, offset: int) -> bytes:
    start = max(0, offset - TAIL_BYTES)
    return content.read(start, offset - start)


def tail_print(tail: bytes, fingerprint: Fingerprint) -> str:
    """The fingerprint of the last lines before an offset: proof that a file with the right head is the file that was read."""
    _, _, whole_lines = tail.partition(b"\n")
    return fingerprint(whole_lines or tail.lstrip(_DIGITS))


@dataclass(frozen=True, slots=True)
class Note:
    """How far a file has been read; one checkpoint. `offset` counts unpacked bytes; `size` and `mtime_ns` are the file's."""

    fingerprint: str
    device: int
    inode: int
    path: str
    offset: int
    tail: str
    size: int
    mtime_ns: int
    done: bool  # there was nothing more in it then

    @property
    def key(self) -> str:
        return f"{self.device}:{self.inode}"

    def dump(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def load(cls, text: str) -> Note:
        """Raises `ValueError` for anything that is not a note."""
        fields = orjson.loads(text)
        types = {"fingerprint": str, "path": str, "tail": str, "done": bool}
        if not isinstance(fields, dict) or set(fields) != set(cls.__slots__):
            raise ValueError("not a file checkpoint")
        if any(type(value) is not types.get(name, int) for name, value in fields.items()) or fields["offset"] < 0:
            raise ValueError("a file checkpoint with a wrong value")
        return cls(**fields)

    def fits(self, content: Content, fingerprint: Fingerprint) -> bool:
        """Does `content` hold, before the note's offset, what was read? (That it has the note's head is known already.)"""
        tail = tail_bytes(content, self.offset)
        return len(tail) == min(TAIL_BYTES, self.offset) and tail_print(tail, fingerprint) == self.tail


class Notebook:
    """What is known of the contents that were read: the last note of each file, and of what it held before it was truncated."""

    def __init__(self) -> None:
        self._by_key: dict[str, Note] = {}
        self._by_print: dict[str, dict[str, Note]] = {}
        self._size = 0

    def put(self, note: Note) -> None:
        self._by_key[note.key] = note
        notes = self._by_print.setdefault(note.fingerprint, {})
        self._size += note.key not in notes
        notes[note.key] = note

    def of(self, key: str) -> Note | None:
        return self._by_key.get(key)

    def like(self, fingerprint: str) -> Collection[Note]:
        return self._by_print.get(fingerprint, {}).values()

    def prune(self, live: Collection[str]) -> list[str]:
        """Forget the older half of the contents that no live file has, once they are many; returns the keys to delete."""
        if self._size <= 2 * len(live) + _NOTES_OF_GONE_FILES:
            return []
        every = [note for notes in self._by_print.values() for note in notes.values()]
        gone = [note for note in every if self._by_key[note.key] is not note or note.key not in live]
        gone.sort(key=lambda note: note.mtime_ns)
        deleted: list[str] = []
        for note in gone[: len(gone) // 2]:
            del self._by_print[note.fingerprint][note.key]
            if self._by_key[note.key] is note:
                del self._by_key[note.key]
                deleted.append(note.key)
        self._by_print = {print_: notes for print_, notes in self._by_print.items() if notes}
        self._size = len(every) - len(gone) // 2
        return deleted


def read_file(path: Path, fingerprint: Fingerprint, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[Record]:
    """Every record of a file in one pass, at the positions that `Tail` gives them. An unfinished last line counts as a line.

    Raises `OSError`, and `DamagedFileError` after everything readable of a damaged compressed file.
    """
    content = Content(path)
    try:
        at = content.first_text(0)
        head = head_print(content, at, fingerprint, final=True)
        if head is None:
            return
        cutter = LineCutter(f"{head}:", max_line_bytes, offset=at, nuls=at)
        damage: DamagedFileError | None = None
        try:
            while chunk := content.read(at, CHUNK_BYTES):
                at += len(chunk)
                yield from cutter.feed(chunk)
        except DamagedFileError as error:
            damage = error
        yield from cutter.finish()
        if damage:
            raise damage
    finally:
        content.close()
