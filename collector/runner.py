"""Runs every source: threads that are watched, one writer behind them, and a report each second."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from collector.base import Listener, Reader, Record
from collector.intake import Intake, Meter, ToEvents
from soc.buffer.base import Buffer
from soc.errors import Busy, NotFound, SocError
from soc.model.source import Source, SourceHealth, Transport

log = structlog.get_logger(__name__)

_LOOK_S = 1.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_PARTING_S = 15.0


class Worker:
    """A thread that runs one reader or listener, and runs it again, after a growing pause, when it fails."""

    def __init__(self, name: str, run: Callable[[threading.Event], None], *, pause_s: float = _FIRST_PAUSE_S) -> None:
        self.name = name
        self.failures = 0
        self.problem: str | None = None  # why it is not running
        self._run = run
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_running, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("worker_does_not_stop", worker=self.name)

    def _keep_running(self) -> None:
        pause_s = self._pause_s
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._run(self._stop)
                problem = f"{self.name} ended by itself"
            except (OSError, SocError) as error:
                problem = f"{self.name}: {error}"
            except Exception as error:  # noqa: BLE001 (one source must not stop the others)
                # Not the message: it may repeat what was in a record.
                where = traceback.extract_tb(error.__traceback__)[-1]
                problem = f"{self.name}: {type(error).__name__} at {where.filename}:{where.lineno}"
            if self._stop.is_set():
                return
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause_s = self._pause_s
            self.failures += 1
            self.problem = problem
            log.error("worker_failed", worker=self.name, problem=problem, failures=self.failures, again_in_s=pause_s)
            self._stop.wait(pause_s)
            self.problem = None
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


class Collector:
    """Reads what `sources` lists: a reader for each source that has one of its own, and the shared listeners."""

    def __init__(
        self,
        buffer: Buffer,
        to_events: ToEvents,
        sources: Callable[[], Sequence[Source]],
        revision: Callable[[], int],
        make_reader: Callable[[Source], Reader | None],
        listeners: Mapping[Transport, Listener],
        report: Callable[[Sequence[SourceHealth]], None],
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6,
        look_s: float = _LOOK_S,
        pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        """`revision` grows when `sources` would give something else; it is asked each `look_s`, and so is `report` told.

        `make_reader`: None for a source that a listener serves.
        """
        self.intake = Intake(buffer, to_events)
        self._sources, self._revision = sources, revision
        self._make_reader = make_reader
        self._listeners = listeners
        self._report = report
        self._now_ms = now_ms
        self._look_s = look_s
        self._pause_s = pause_s
        self._seen_revision: int | None = None
        self._enabled: dict[str, Source] = {}
        self._enabled_revision: int | None = None
        self._meters: dict[str, Meter] = {}
        self._readers: dict[str, tuple[Source, Reader, Worker]] = {}
        self._serving: dict[Transport, Worker] = {}

    @property
    def failures(self) -> int:
        """How often a reader or listener had to be started again, of those that run now."""
        workers = [worker for _, _, worker in self._readers.values()] + list(self._serving.values())
        return sum(worker.failures for worker in workers)

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; what has been received by then is stored first."""
        self.intake.start()
        for transport, listener in self._listeners.items():
            self._serving[transport] = self._start(transport, partial(listener.run, self._deliver_to))
        try:
            while not stop.is_set():
                self._look()
                stop.wait(self._look_s)
        finally:
            workers = [worker for _, _, worker in self._readers.values()] + list(self._serving.values())
            self._end(workers)
            self.intake.close()
            self._tell()

    def deliver(self, source: Source, records: Sequence[Record]) -> None:
        """Store records as `source`'s; see `Deliver`. Also for what a listener gets from nobody it knows."""
        events = self.intake.submit(source, records)
        if meter := self._meters.get(source.id):  # whoever is not known could have any number of names
            meter.count(events, len(records), self._now_ms())

    def refuse(self, source_id: str) -> None:
        """Count a request that came with a token of this source that is not valid."""
        if meter := self._meters.get(source_id):
            meter.refuse(self._now_ms())

    def _deliver_to(self, source_id: str, records: Sequence[Record]) -> None:
        source = self._enabled.get(source_id)
        if source is None and self._revision() != self._enabled_revision:  # it may have been enabled a moment ago
            raise Busy("the list of sources is about to be read again", retry_after_s=2)
        if source is None:
            raise NotFound("this source is not enabled")
        self.deliver(source, records)

    def _look(self) -> None:
        try:
            revision = self._revision()
            if revision != self._seen_revision:
                self._change(self._sources(), revision)
                self._seen_revision = revision
            self._tell()
        except Exception as error:  # noqa: BLE001 (the sources that run go on, whatever the control database does)
            log.error("look_failed", error=type(error).__name__, reason=str(error))  # noqa: TRY400 (no stack trace)

    def _change(self, sources: Sequence[Source], revision: int) -> None:
        """Start what is new, stop what is gone, and do both to what has changed."""
        wanted = {source.id: source for source in sources if source.enabled}
        self._meters = {key: self._meters.get(key) or Meter(key) for key in wanted}
        self._enabled, self._enabled_revision = wanted, revision
        over = [key for key, (source, _, _) in self._readers.items() if wanted.get(key) != source]
        self._end([self._readers.pop(key)[2] for key in over])
        for key, source in wanted.items():
            if key not in self._readers and (reader := self._make_reader(source)):
                worker = self._start(source.name, partial(reader.run, partial(self.deliver, source)))
                self._readers[key] = source, reader, worker
        log.info("sources_read", enabled=len(wanted), readers=len(self._readers))

    def _start(self, name: str, run: Callable[[threading.Event], None]) -> Worker:
        worker = Worker(name, run, pause_s=self._pause_s)
        worker.start()
        return worker

    def _end(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.ask_to_stop()
        end = time.monotonic() + _PARTING_S
        for worker in workers:
            worker.join(max(0.0, end - time.monotonic()))

    def _tell(self) -> None:
        self._report([self._meters[key].health(self._problem(source)) for key, source in self._enabled.items()])

    def _problem(self, source: Source) -> str | None:
        if source.id in self._readers:
            _, reader, worker = self._readers[source.id]
            return worker.problem or reader.problem
        if source.transport in self._listeners:
            return self._serving[source.transport].problem or self._listeners[source.transport].problem
        return f"nothing listens for sources of the kind {source.transport}"
