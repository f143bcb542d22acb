"""Files through the real pipeline in one process: what `soc replay` does."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from collector.base import Record
from collector.fileid import DamagedFileError
from soc.buffer.base import Buffer
from soc.model.event import Stored
from soc.pipeline import Pipeline

BATCH = 5000


@dataclass(slots=True)
class Progress:
    """So far: `events` newly stored, `unparsed` dead letters (new or known), `bytes_read` of all files, unpacked."""

    records: int = 0
    events: int = 0
    unparsed: int = 0
    bytes_read: int = 0


class Replay:
    """Reads files record by record, merged by event time, and runs the pipeline after each batch.

    Merging keeps the logs of several servers in step, as they were when they came in; correlations see no false lateness.
    `read` gives the records of a file; `to_event` makes an event of a record, `reference_ms` being what "now" is for its file:
    the time of the file's last change, so that a log without years means the same whenever it is replayed.
    """

    def __init__(
        self,
        buffer: Buffer,
        pipeline: Pipeline,
        read: Callable[[Path], Iterator[Record]],
        to_event: Callable[[Record, int], Stored],
    ) -> None:
        self.progress = Progress()
        self.problems: list[str] = []
        self._buffer = buffer
        self._pipeline = pipeline
        self._read = read
        self._to_event = to_event

    def run(self, files: Sequence[Path]) -> Iterator[Progress]:
        """Does the work, yielding after each batch. Interrupt it anywhere: what is stored is found again the next time."""
        self._pipeline.drain()
        merged = heapq.merge(*(self._events(file) for file in files), key=lambda timed: timed[0])
        while batch := [event for _, event in islice(merged, BATCH)]:
            readable = [event for event in batch if not event.dead]
            unreadable = [event for event in batch if event.dead]
            self.progress.records += len(batch)
            self.progress.events += self._buffer.append(readable)
            self._buffer.append(unreadable)
            self.progress.unparsed += len(unreadable)
            self._pipeline.drain()
            yield self.progress
        self._pipeline.finish()
        yield self.progress

    def _events(self, file: Path) -> Iterator[tuple[int, Stored]]:
        """The events of a file, each with the time to merge it by: its own, or for a dead letter that of the line before."""
        reference_ms = int(file.stat().st_mtime * 1000)
        at = 0
        try:
            for record in self._read(file):
                self.progress.bytes_read += len(record.line) + 1
                event = self._to_event(record, reference_ms)
                at = event.ts or at
                yield at, event
        except (OSError, DamagedFileError) as error:
            self.problems.append(f"{file}: {getattr(error, 'strerror', None) or error}")
