"""Follows log files through rotation, truncation, compression and restarts.

A record's position is `<fingerprint of the file's first line>:<byte offset>`, so the same content has the same positions under
every name it ever has, and whatever is read twice is stored once. Open files are told apart by inode; after a restart, by
fingerprint and by the last lines that were read before the offset. A file that fails these is read from its beginning.

Limits, stated:
* Two files of one source that begin with the same bytes are both read, but what they have in common (the same line, apart from
  personal data, at the same offset) is one event: a copy cannot be told from a twin. Lines with a time in them differ.
* What is cut off a file (copytruncate) before it was read is lost unless a copy of it lies beside it under a rotated name
  (`access.log.1`, `access.log-20261122.gz`); it is reported.
* A file that is created, and deleted or moved to a name that is neither matched nor a rotated one, between two scans is not
  seen. The same holds for the last lines of a file beyond `max_open` that is deleted.
* Half a line at the end of a file is held until the rest arrives. It is emitted as it is once the file has been rotated away and
  quiet for `linger_s`, or was truncated.
* Lines end in a newline byte, so UTF-16 is not read.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import structlog

from collector.base import Checkpoints, Deliver, Record
from collector.fileid import DamagedFileError, Fingerprint, Note, Notebook
from collector.followed import Followed, seal_of
from collector.globs import Found, Globs, base_name
from collector.lines import MAX_LINE_BYTES
from collector.patience import insist

log = structlog.get_logger(__name__)

_IDLE_SHARE = 9  # looking at idle files may take one part in ten of the time


class Tail:
    """A `Reader` of every file that matches `patterns` (globs, `**` included), and of what rotation makes of them."""

    def __init__(
        self,
        source_id: str,
        patterns: Sequence[str],
        checkpoints: Checkpoints,
        *,
        fingerprint: Fingerprint,
        start_at: Literal["beginning", "end"] = "beginning",
        max_line_bytes: int = MAX_LINE_BYTES,
        batch: int = 10_000,
        poll_s: float = 0.1,
        scan_s: float = 1.0,
        linger_s: float = 10.0,
        max_open: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`start_at="end"` skips what the files hold when the source is read for the very first time.

        `batch`: records in a delivery, at most. `linger_s`: how long a quiet file is waited for after it was rotated away.
        `max_open`: files kept open (by default half of what the process may open); the others are looked at every `scan_s`.
        """
        self._source_id = source_id
        self._patterns = tuple(patterns)
        self._checkpoints = checkpoints
        self._skip_old = start_at == "end"
        self._follow = partial(Followed, fingerprint=fingerprint, max_line_bytes=max_line_bytes, settle_s=scan_s)
        self._batch = batch
        self._poll_s = poll_s
        self._scan_s = scan_s
        self._linger_s = linger_s
        self._max_open = max_open or min(1024, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._clock = clock
        self._begin({})

    @property
    def problem(self) -> str | None:
        """What keeps something from being read, for people; None when all is well."""
        reasons = [self._waiting] if self._waiting else []
        reasons += [*self._problems.values(), *self._unopened.values(), *self._globs.problems.values()]
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        return reasons[0] + more if reasons else None

    def run(self, deliver: Deliver, stop: threading.Event) -> None:
        self._begin(self._checkpoints.load(self._source_id))
        try:
            while not stop.is_set():
                began = self._clock()
                self._scan_when_due()
                if not self._sweep(deliver, stop):
                    stop.wait(max(self._poll_s, _IDLE_SHARE * (self._clock() - began)))
        finally:
            for file in self._files.values():
                file.close()

    def _begin(self, saved: Mapping[str, str]) -> None:
        self._files: dict[str, Followed] = {}
        self._open: set[str] = set()
        self._notes = Notebook()
        self._problems: dict[str, str] = {}  # by file
        self._unopened: dict[str, str] = {}  # by name, as of the last scan
        self._waiting: str | None = None
        self._next_scan = 0.0
        since: dict[str, int] = {}
        self._damaged: list[str] = []  # keys of checkpoints to delete, but not before there are good ones
        for key, text in saved.items():
            try:
                note = Note.load(text)
            except ValueError as error:
                self._complain(key, f"checkpoint {key} is damaged ({error}): its file is read again from the beginning")
                self._damaged.append(key)
                continue
            self._notes.put(note)
            base = base_name(note.path)
            whole_second = note.mtime_ns - note.mtime_ns % 10**9  # some compressors keep no more of it
            since[base] = max(since.get(base, 0), whole_second)
        self._globs = Globs(self._patterns, since, history=not self._damaged)
        self._enrolling = not saved

    # ---- which files

    def _scan_when_due(self) -> None:
        began = self._clock()
        if began < self._next_scan:
            return
        before = self._globs.problems | self._unopened
        found = self._globs.look(lambda key: key in self._files or self._notes.of(key) is not None)
        self._compare(found)
        self._enrolling = False
        for name, reason in (self._globs.problems | self._unopened).items():
            if before.get(name) != reason:
                log.warning("tail_problem", source=self._source_id, reason=reason)
        now = self._clock()
        self._next_scan = now + max(self._scan_s, _IDLE_SHARE * (now - began))

    def _compare(self, found: Found) -> None:
        now = self._clock()
        unopened: dict[str, str] = {}
        for key, (path, status) in sorted(found.items(), key=lambda item: item[1][1].st_mtime_ns):
            file = self._files.get(key)
            if file is None:
                if reason := self._adopt(path, status):
                    unopened[path] = reason
                continue
            if path != file.path:
                file.path, file.rotated, file.quiet_since = path, True, now
            file.away = False
            if file.content is None and file.seal != seal_of(status):
                file.drained = False
        for key in self._files.keys() - found.keys():
            file = self._files[key]
            if not file.away:
                file.away, file.quiet_since = True, now
        self._unopened = unopened

    def _adopt(self, path: str, status: os.stat_result) -> str | None:
        """Follow a file from now on; returns why that cannot be."""
        file = self._follow(path, status)
        note = self._notes.of(file.key)
        if note and note.done and (note.size, note.mtime_ns) == seal_of(status):
            file.seal, file.drained, file.finished = seal_of(status), True, True
        if self._enrolling and self._skip_old:
            file.skip_to = status.st_size
        try:
            file.open()
        except (OSError, DamagedFileError) as error:
            return _explain(path, error)
        self._files[file.key] = file
        self._limit(file)
        return None

    def _limit(self, file: Followed) -> None:
        if file.content and not file.away and len(self._open) >= self._max_open and file.key not in self._open:
            file.close()
        (self._open.add if file.content else self._open.discard)(file.key)

    def _complain(self, key: str, reason: str) -> None:
        if self._problems.get(key) != reason:
            log.warning("tail_problem", source=self._source_id, reason=reason)
        self._problems[key] = reason

    # ---- reading them

    def _sweep(self, deliver: Deliver, stop: threading.Event) -> bool:
        """One delivery's worth of every file that has news, all of a rotated one, which is older. True if there was anything."""
        records: list[Record] = []
        touched: list[Followed] = []
        moved = False
        for file in sorted(filter(self._has_news, list(self._files.values())), key=lambda file: not file.rotated):
            while not stop.is_set():
                before = file.progress
                records += self._read(file)
                if file.progress == before:
                    break
                moved = True
                touched.append(file)
                if len(records) >= self._batch:
                    if not self._flush(records, touched, deliver, stop):
                        return False
                    records, touched = [], []
                if not file.rotated and (file.drained or not records):  # the others have their turn
                    break
            self._limit(file)
        if self._flush(records, touched, deliver, stop):
            self._retire()
        return moved

    def _has_news(self, file: Followed) -> bool:
        return not file.drained or file.changed() or self._is_over(file)

    def _is_over(self, file: Followed) -> bool:
        return (
            file.leaving and file.drained and not file.finished and self._clock() - file.quiet_since >= self._linger_s
        )

    def _read(self, file: Followed) -> list[Record]:
        over = self._is_over(file) and not file.changed()
        if over and file.identified:
            return file.finish()
        try:
            records = file.read(self._clock(), self._notes.like, final=over)
        except (OSError, DamagedFileError) as error:
            self._complain(file.key, _explain(file.path, error))
            file.give_up(for_now=isinstance(error, OSError))
            return file.finish() if over else []
        self._problems.pop(file.key, None)
        if over and not file.identified:
            file.finish()
        if file.cut_off is not None:
            log.warning("file_truncated", source=self._source_id, path=file.path, unread_bytes=file.cut_off)
            file.cut_off = None
            self._next_scan = 0.0  # a copy of what was cut off may lie beside it
        return records

    def _flush(
        self, records: Sequence[Record], touched: Sequence[Followed], deliver: Deliver, stop: threading.Event
    ) -> bool:
        """Deliver, then write the checkpoints. False if told to stop before all of it was done."""
        for start in range(0, len(records), self._batch):
            if not insist(partial(deliver, records[start : start + self._batch]), stop, self._wait):
                return False
        notes = {file.key: note for file in touched if (note := file.note())}
        texts: dict[str, str | None] = {key: note.dump() for key, note in notes.items()}
        if texts:
            texts = dict.fromkeys(self._damaged) | texts
        if texts and not insist(partial(self._checkpoints.save, self._source_id, texts), stop, self._wait):
            return False
        for note in notes.values():
            self._damaged.clear()
            self._notes.put(note)
        return True

    def _wait(self, reason: str | None) -> None:
        if reason and not self._waiting:
            log.warning("tail_waits", source=self._source_id, reason=reason)
        self._waiting = reason
        self._scan_when_due()  # files that are rotated and deleted meanwhile are opened in time

    def _retire(self) -> None:
        for file in [file for file in self._files.values() if file.finished and file.leaving]:
            file.close()
            self._open.discard(file.key)
            if file.away:
                del self._files[file.key]
                self._problems.pop(file.key, None)
        if old := self._notes.prune(self._files):
            self._checkpoints.save(self._source_id, dict.fromkeys(old))


def _explain(path: str, error: OSError | DamagedFileError) -> str:
    return f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
