"""One log file that is followed, and how far it has been read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from collector.base import Record
from collector.fileid import (
    CHUNK_BYTES,
    TAIL_BYTES,
    Content,
    Fingerprint,
    Note,
    head_print,
    tail_bytes,
    tail_print,
)
from collector.globs import base_name, file_key
from collector.lines import LineCutter

Seal = tuple[int, int]
# The notes of contents with a fingerprint.
Known = Callable[[str], Iterable[Note]]
_UNSEEN: Seal = (-1, 0)


def seal_of(status: os.stat_result) -> Seal:
    """Size and mtime: changes whenever the file does."""
    return status.st_size, status.st_mtime_ns


class Followed:
    """Reads a file chunk by chunk, in step with what happens to it."""

    def __init__(
        self, path: str, status: os.stat_result, fingerprint: Fingerprint, max_line_bytes: int, settle_s: float
    ) -> None:
        self.path = path
        self.key = file_key(status)
        self.content: Content | None = None
        self.seal = _UNSEEN  # when it was last looked into
        self.drained = False  # read to the end that it had then
        self.rotated = base_name(path) != path
        self.away = False  # no watched name leads to it any more
        self.finished = False  # its last line has been emitted, with or without a line end
        self.quiet_since = 0.0
        self.skip_to = 0  # what lies before this was there before anybody asked for it
        self.cut_off: int | None = None  # bytes lost to the last truncation; None if there was none
        self._make_print = fingerprint
        self._max_line_bytes = max_line_bytes
        self._settle_s = settle_s
        self._cutter: LineCutter | None = None  # None until the first line is whole: no identity before that
        self._print = ""
        self._packed = False
        self._at = 0  # the next byte to read
        self._tail = b""  # the bytes before it: while they are still there, the file was only appended to

    @property
    def leaving(self) -> bool:
        return self.rotated or self.away

    @property
    def identified(self) -> bool:
        return self._cutter is not None

    @property
    def progress(self) -> object:
        """Equal to its earlier value if nothing has happened in between."""
        return self._at, self._cutter, self.finished

    def open(self) -> Content:
        """Raises `OSError` and `DamagedFileError`."""
        if self.content is None:
            content = Content(Path(self.path))
            if file_key(content.stat()) != self.key:
                content.close()
                raise OSError(errno.ESTALE, "has just been replaced, looking again")
            self.content, self._packed = content, content.packed
        return self.content

    def close(self) -> None:
        if self.content:
            self.content.close()
            self.content = None

    def give_up(self, *, for_now: bool) -> None:
        """After an error: look again at the next scan, or only once the file has changed."""
        self.close()
        self.drained = True
        if for_now:
            self.seal = _UNSEEN

    def changed(self) -> bool:
        try:
            return self.content is not None and seal_of(self.content.stat()) != self.seal
        except OSError:
            return True  # reading will say what is wrong

    def read(self, now: float, known: Known, *, final: bool = False) -> list[Record]:
        """The records of the next chunk. `final`: the file will not grow any more, so its last line counts as whole.

        `known` gives the notes of like contents, to go on where the same content was left under another name. Raises `OSError`
        and `DamagedFileError`.
        """
        content = self.open()
        if self._cutter is None and not self._identify(content, now, known, final):
            return []
        assert self._cutter
        size, self.seal = self.seal[0], seal_of(content.stat())  # before reading, so that no change is missed
        back = 0 if self._packed else len(self._tail)
        data = content.read(self._at - back, back + CHUNK_BYTES)
        if back and data[:back] != self._tail:
            return self._start_over(size)
        fresh = data[back:]
        self._at += len(fresh)
        self._tail = (self._tail + data if self._packed else data)[-TAIL_BYTES:]
        self.drained = len(fresh) < (1 if self._packed else CHUNK_BYTES)
        if fresh:
            self.quiet_since, self.finished = now, False
        return self._cutter.feed(fresh)

    def finish(self) -> list[Record]:
        """The last line, if it has no line end."""
        self.finished = True
        return self._cutter.finish() if self._cutter else []

    def note(self) -> Note | None:
        """The checkpoint: it points at the beginning of the first unfinished line. None while the file has no identity."""
        if self._cutter is None:
            return None
        offset, tail = self._cutter.offset, self._tail
        if offset != self._at:
            tail = tail_bytes(self.content, offset) if self.content and not self._packed else b""
        device, inode = map(int, self.key.split(":"))
        return Note(
            fingerprint=self._print,
            device=device,
            inode=inode,
            path=self.path,
            offset=offset,
            tail=tail_print(tail, self._make_print),
            size=self.seal[0],
            mtime_ns=self.seal[1],
            done=self.drained and offset == self._at,
        )

    def _start_over(self, size: int) -> list[Record]:
        self.cut_off = max(0, size - self._at)
        records = self._cutter.finish() if self._cutter else []
        self._cutter, self._at, self._tail = None, 0, b""
        self.seal, self.drained, self.finished, self.skip_to = _UNSEEN, False, False, 0
        return records

    def _identify(self, content: Content, now: float, known: Known, final: bool) -> bool:
        seal = seal_of(content.stat())
        if seal != self.seal:
            self.quiet_since = now
        settled = now - self.quiet_since >= self._settle_s
        self.seal, self.drained = seal, False
        if self._packed and not settled:
            return False  # it is probably being compressed
        start = content.first_text(self._at if self._at <= seal[0] or self._packed else 0)
        head = head_print(content, start, self._make_print, final=final)
        if head is None:
            self._at, self.drained = start, True
            return False
        notes = list(known(head))
        if self.rotated and not settled and any(note.offset > seal[0] for note in notes):
            return False  # it is probably being copied
        self._resume(content, head, start, notes, seal)
        return True

    def _resume(self, content: Content, head: str, start: int, notes: list[Note], seal: Seal) -> None:
        """Go on where this content was left, under whatever name; if it is not quite the same, from the beginning."""
        offset = 0
        for note in sorted(notes, key=lambda note: note.offset):
            archive = self._packed and note.key == self.key and (note.size, note.mtime_ns) == seal
            if archive or note.fits(content, self._make_print):
                offset = note.offset
        if not offset and self.skip_to:
            offset = self._line_start(content, self.skip_to)
        self._at = max(offset, start)
        self._print = head
        nuls = start if offset <= start else 0
        self._cutter = LineCutter(f"{head}:", self._max_line_bytes, offset=self._at, nuls=nuls)
        self._tail = b"" if self._packed else tail_bytes(content, self._at)

    def _line_start(self, content: Content, offset: int) -> int:
        """The beginning of the line that `offset` lies in; of an archive, everything."""
        if self._packed:
            while chunk := content.read(offset, CHUNK_BYTES):
                offset += len(chunk)
            return offset
        begin = max(0, offset - self._max_line_bytes)
        return begin + content.read(begin, offset - begin).rfind(b"\n") + 1
