"""The one place that decides where things are kept: in the data directory, or in Elasticsearch where `store.url` names one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from typing import TypeVar

import structlog

from soc.errors import Busy, ConfigError, StoreUnavailable
from soc.model.org import Scope
from soc.service.process import now_ms, open_event_log
from soc.settings import Settings
from soc.store import sqlite
from soc.store.base import Detections, HealthStore, History, SourceStore, Stores
from soc.store.detections import SqliteDetections
from soc.store.history import SqliteHistory

log = structlog.get_logger("store")
T = TypeVar("T")

SOURCES_FILE = "sources.json"  # in the data directory: the sources as last known, where they are on a server
_RETRY_S = 1.0
_SAY_AGAIN_S = 15.0
_REFUSED_S = 20.0


def open_stores(settings: Settings) -> Stores:
    """Every noun, where the settings say that it is kept. Sends nothing. Raises `ConfigError`."""
    if not settings.store.url:
        return sqlite.open_stores(settings.data_dir, now_ms)
    need_library()
    from soc.service import elastic

    return elastic.open_stores(settings)


@contextmanager
def open_detections(settings: Settings) -> Iterator[Detections]:
    """What the detector writes to."""
    if not settings.store.url:
        local = SqliteDetections(settings.data_dir)
        try:
            yield local
        finally:
            local.close()
        return
    need_library()
    from soc.service import elastic

    with elastic.open_detections(settings) as detections:
        yield detections


@contextmanager
def open_history(
    settings: Settings, scope: Scope, since: int, until: int, patience: int | None = None
) -> Iterator[History]:
    """The stored events of a scope and a time (ms), once more from the oldest on."""
    if not settings.store.url:
        log_ = open_event_log(settings)
        try:
            yield SqliteHistory(log_, scope, since, until, patience)
        finally:
            log_.close()
        return
    need_library()
    from soc.service import elastic

    with elastic.open_history(settings, scope, since, until) as history:
        yield history


@contextmanager
def open_control(settings: Settings, stop: threading.Event) -> Iterator[tuple[SourceStore, HealthStore] | None]:
    """What the collector needs to know and to tell. On a server: as last known, while it is away; where nothing is known yet this
    waits for it. None when told to stop before."""
    if not settings.store.url:
        stores = sqlite.open_stores(settings.data_dir, now_ms)
        yield stores.sources, stores.health
        return
    need_library()
    from soc.service import elastic

    with ExitStack() as opened:
        yield _waiting(lambda: opened.enter_context(elastic.open_control(settings)), stop, inf)


def knows_sources(settings: Settings) -> bool:
    """Whether the collector can go on without the server, because it has kept what it needs of it."""
    return bool(settings.store.url) and (settings.data_dir / SOURCES_FILE).exists()


def prepare(settings: Settings, stop: threading.Event | None = None, patience_s: float = 0.0) -> bool:
    """Wait until the store can be written, and install there what it needs; True when that is done, False when told to stop.

    Raises `ConfigError`, and when the patience has run out what the last try said. Says why it waits, now and then.
    """
    if not settings.store.url:
        return True
    need_library()
    from soc.service import elastic

    def done() -> bool:
        elastic.prepare(settings)
        return True

    return bool(_waiting(done, stop or threading.Event(), patience_s, elastic.REFUSALS))


def lacking(settings: Settings) -> list[str]:
    """What the server lacks that we need there. Raises `ConfigError` and what asking it raises."""
    need_library()
    from soc.service import elastic

    return elastic.lacking(settings)


def _waiting(
    work: Callable[[], T], stop: threading.Event, patience_s: float, refusals: tuple[type[StoreUnavailable], ...] = ()
) -> T | None:
    """What the work gives once the store lets it, None when told to stop before; raises when the patience has run out.

    With a `refusal`, such as a wrong key, there is less of it: a server that is starting may know nobody for some seconds.
    """
    began, said_at = time.monotonic(), -inf
    while not stop.is_set():
        try:
            return work()
        except (StoreUnavailable, Busy) as error:
            now = time.monotonic()
            refused = isinstance(error, refusals) and patience_s < inf
            if now - began >= (min(patience_s, _REFUSED_S) if refused else patience_s):
                raise
            if now - said_at >= _SAY_AGAIN_S:
                log.warning("waiting for the store", reason=str(error))
                said_at = now
            stop.wait(_RETRY_S)
    return None


def need_library() -> None:
    """Raises `ConfigError` when the client of Elasticsearch, which the embedded default does without, is not installed."""
    try:
        import elasticsearch  # noqa: F401
    except ImportError:
        raise ConfigError(
            "store.url is set, but the client of Elasticsearch is not installed: make setup-elasticsearch"
        ) from None
