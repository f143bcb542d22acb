"""The indexer: a thread of the detector process that hands the event log over to Elasticsearch. Detection never waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from soc import telemetry
from soc.buffer.base import Buffer, Cursor
from soc.buffer.progress import Progress, indexer_progress
from soc.buffer.sqlite import EventLog
from soc.errors import SocError
from soc.service.elastic import client
from soc.service.process import now_ms
from soc.settings import Settings
from soc.store.elastic.events.bulk import REQUEST_BYTES, REQUEST_ROWS, BulkWriter, Request, StoppedError
from soc.store.elastic.patience import Patience
from soc.store.sqlite import events_dir

log = structlog.get_logger("indexer")

_STOP_S = 10.0
_POLL_S = 0.5  # what the index shows is 5 s old anyway


@contextmanager
def indexing(settings: Settings, stop: threading.Event) -> Iterator[None]:
    """Index in a thread of its own inside the block; the end of the block tells everything to stop."""
    event_log = EventLog(events_dir(settings.data_dir))
    progress = indexer_progress(settings.data_dir)
    writer = BulkWriter(client(settings), settings.store.period, clock=now_ms)
    indexer = Indexer(event_log, writer, progress)
    thread = threading.Thread(target=indexer.run, args=(stop,), name="indexer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_STOP_S)
        progress.close()
        event_log.close()


@dataclass(frozen=True, slots=True)
class _Batch:
    """`full`: there is probably more."""

    request: Request
    cursor: Cursor
    full: bool


class Indexer:
    """Reads rows, has them written, and only then notes that they are: whatever stops it, it goes on where it was.

    While there is more to read, the next request is made ready as the one before is under way.
    """

    def __init__(
        self,
        event_log: Buffer,
        writer: BulkWriter,
        progress: Progress,
        *,
        rows: int = REQUEST_ROWS,
        max_bytes: int = REQUEST_BYTES,
    ) -> None:
        self._log = event_log
        self._writer = writer
        self._progress = progress
        self._rows = rows
        self._max_bytes = max_bytes
        telemetry.INDEXER_BEHIND.caught_up()

    def run(self, stop: threading.Event, poll_s: float = _POLL_S) -> None:
        """Until told to stop. Nothing that fails ends it, and nothing is skipped."""
        patience = Patience("indexing")
        with ThreadPoolExecutor(1, "indexer-read") as reader:
            while not stop.is_set():
                pause_s = poll_s
                try:
                    self._hand_over(reader, stop)
                    patience.done()
                except StoppedError:
                    return
                except SocError as error:
                    pause_s = patience.failed(error)
                except Exception as error:
                    telemetry.INDEXER_FAILURES.inc()
                    log.exception("the indexer failed, starting it again")
                    pause_s = patience.failed(SocError(f"{type(error).__name__}: {error}"))
                stop.wait(pause_s)

    def drain(self, stop: threading.Event) -> int:
        """Hand over what is there now; returns how many events. Raises `StoppedError`, and what reading the log raises."""
        with ThreadPoolExecutor(1, "indexer-read") as reader:
            return self._hand_over(reader, stop)

    def _hand_over(self, reader: ThreadPoolExecutor, stop: threading.Event) -> int:
        done = 0
        batch = reader.submit(self._read, self._progress.cursor()).result()
        while batch.request.actions:
            ahead = reader.submit(self._read, batch.cursor) if batch.full else None
            written = self._writer.write(batch.request, stop)
            self._progress.save(batch.cursor)
            telemetry.INDEXED.inc(written.created)
            telemetry.INDEXER_DUPLICATES.inc(written.duplicates)
            telemetry.INDEXER_REFUSED.inc(written.refused)
            done += len(batch.request.actions)
            if (
                ahead is None
            ):  # the rest gathers until the next look: few large requests are cheaper than many small ones
                break
            batch = ahead.result()
        telemetry.INDEXER_BEHIND.caught_up()
        return done

    def _read(self, cursor: Cursor) -> _Batch:
        read = self._log.read(cursor, self._rows, self._max_bytes)
        return _Batch(self._writer.prepare(read.events), read.cursor, read.full)
