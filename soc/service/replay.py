"""Collector and detector in one process, for files: what `soc replay` runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from collector.base import Record
from collector.fileid import read_file
from collector.keys import KeyRing
from collector.parse.record import to_event
from collector.parse.registry import PARSERS
from soc.buffer.progress import indexer_progress
from soc.buffer.sqlite import EventLog, days
from soc.errors import ConfigError
from soc.locks import only_one
from soc.model.event import Stored
from soc.model.source import Source, Transport
from soc.pipeline import Pipeline
from soc.replay import Replay
from soc.service.collector import fingerprint
from soc.service.detector import build_pipeline
from soc.service.process import now_ms, open_event_log, relax_garbage_collection
from soc.service.stores import open_detections, open_stores, prepare
from soc.service.tuning import KnownTuning
from soc.settings import Settings
from soc.store.sqlite import keys_dir

log = structlog.get_logger("replay")

_POLL_S, _SAY_S = 0.2, 5.0


@contextmanager
def open_replay(
    settings: Settings, name: str, source_type: str, org: str, zone: str
) -> Iterator[tuple[Replay, Pipeline]]:
    """Collector and detector in one, on a data directory that no other process works on. With a server, the block ends once it
    has all events too; when the block is interrupted, the next detector or replay hands over the rest."""
    if source_type not in PARSERS:
        raise ConfigError(f"there is no source type {source_type!r}: choose one of {', '.join(sorted(PARSERS))}")
    source = Source(name, name, org, source_type, Transport.FILE, zone=zone)
    with ExitStack() as cleanup:
        for role in ("collector", "detector"):
            cleanup.enter_context(only_one(settings.data_dir, role))
        event_log = open_event_log(settings)
        cleanup.callback(event_log.close)
        prepare(settings)
        detections = cleanup.enter_context(open_detections(settings))
        tuning = KnownTuning(open_stores(settings).policies, ZoneInfo(settings.detect.zone))
        tuning.load()
        pipeline = build_pipeline(settings, event_log, detections, tuning.now)
        masker = KeyRing(keys_dir(settings.data_dir)).masker(org)

        def event_of(record: Record, reference_ms: int) -> Stored:
            return Stored.of(to_event(record, source, masker, min(reference_ms, now_ms())))

        relax_garbage_collection()
        read = partial(read_file, fingerprint=fingerprint, max_line_bytes=settings.collect.max_line_bytes)
        if settings.store.url:
            from soc.service.indexer import indexing  # its library is not there on the embedded default

            cleanup.enter_context(indexing(settings, threading.Event()))
        yield Replay(event_log, pipeline, read, event_of), pipeline
        if settings.store.url:
            _wait_until_indexed(settings, event_log)


def _wait_until_indexed(settings: Settings, event_log: EventLog) -> None:
    progress = indexer_progress(settings.data_dir)
    said_at = time.monotonic()
    while left := [day for day in days(event_log.directory) if event_log.has_unread(day, progress.cursor())]:
        if time.monotonic() - said_at >= _SAY_S:
            log.info("handing events over to the store", days_left=len(left))
            said_at = time.monotonic()
        time.sleep(_POLL_S)
    progress.close()
