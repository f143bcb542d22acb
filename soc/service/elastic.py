"""The Elasticsearch of the settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import structlog

from soc.errors import ConfigError, StoreUnavailable
from soc.model.event import Stored
from soc.model.org import EVERYTHING, Scope
from soc.service.process import now_ms
from soc.service.stores import SOURCES_FILE
from soc.settings import Settings
from soc.store.base import Detections, HealthStore, History, SourceStore, Stores
from soc.store.elastic import open as open_elastic
from soc.store.elastic.admin import setup, snapshot
from soc.store.elastic.client import Client, connect
from soc.store.elastic.events.bulk import BulkWriter
from soc.store.elastic.events.history import ElasticHistory
from soc.store.elastic.events.recent import WithRecent
from soc.store.elastic.events.retry import Retried
from soc.store.elastic.events.retry import retry as retry_refused
from soc.store.elastic.explain import NotAllowed, SignedOut
from soc.store.elastic.records.away import KnownSources, LatestHealth, keep_in_touch
from soc.store.elastic.records.rulebook import RuleBook
from soc.store.elastic.records.sources import ElasticSources
from soc.store.events import SqliteEvents
from soc.store.sqlite import events_dir

_SOON_S = 5.0
log = structlog.get_logger("store")


class Unprepared(StoreUnavailable):
    """The cluster has never been set up for us, and we may not do it."""


REFUSALS = (SignedOut, NotAllowed, Unprepared)


def client(settings: Settings) -> Client:
    """Sends nothing yet. Raises `ConfigError`."""
    store = settings.store
    return connect(
        store.url,
        ca_file=store.ca_file,
        api_key=store.api_key.get_secret_value(),
        user=store.user,
        password=store.password.get_secret_value(),
        verify_certs=store.verify_certs,
    )


def prepare(settings: Settings) -> None:
    """Install what is missing there. Raises `StoreUnavailable` and `Busy`.

    A key that may not, as the writer's, relies on an administrator's `soc setup elasticsearch`. Where that has never run nothing
    may be written; where it has run for an older version all goes on, and what waits for it is said.
    """
    server, store = client(settings), settings.store
    try:
        setup.install(server, shards=store.shards, replicas=store.replicas)
        return
    except NotAllowed:
        RuleBook(server).running()  # makes sure that the server answers us, also where nothing else may be asked
    with suppress(NotAllowed):
        if missing := setup.missing(server, shards=store.shards, replicas=store.replicas):
            if absent := setup.absent(server):
                raise Unprepared(
                    f"Elasticsearch at {server.where()} lacks {absent[0]}, and this key may not install it: soc setup elasticsearch"
                )
            log.warning(
                "the cluster is set up for another version or other settings: soc setup elasticsearch", lacks=missing
            )


def lacking(settings: Settings) -> list[str]:
    """What `prepare` would install. A key that may not even ask, as no key of ours, finds nothing missing, if the server answers."""
    server, store = client(settings), settings.store
    try:
        return setup.missing(server, shards=store.shards, replicas=store.replicas)
    except NotAllowed:
        RuleBook(server).running()
        return []


def open_stores(settings: Settings) -> Stores:
    stores = open_elastic.open_stores(client(settings), settings.store.period, now_ms)
    return replace(stores, events=WithRecent(stores.events, SqliteEvents(events_dir(settings.data_dir))))


@contextmanager
def open_detections(settings: Settings) -> Iterator[Detections]:
    detections = open_elastic.open_detections(client(settings), settings.data_dir, settings.store.period)
    try:
        yield detections
    finally:
        detections.close()


@contextmanager
def open_history(settings: Settings, scope: Scope, since: int, until: int) -> Iterator[History]:
    server = client(settings)
    try:
        yield ElasticHistory(server, scope, since, until)
    finally:
        server.close()


@contextmanager
def open_control(settings: Settings) -> Iterator[tuple[SourceStore, HealthStore]]:
    """What the collector needs, also while the server is away: what was last known. Raises `StoreUnavailable` when nothing is."""
    # Where it hangs, what is known from the last time is soon taken instead.
    server = client(settings).options(request_timeout=_SOON_S)
    stores = open_elastic.open_stores(server, settings.store.period, now_ms)
    sources = KnownSources(ElasticSources(server, stores.audit, now_ms), settings.data_dir / SOURCES_FILE)
    health = LatestHealth(stores.health)
    sources.load()
    stop = threading.Event()
    touch = threading.Thread(target=keep_in_touch, args=(sources, health, stop), name="control data", daemon=True)
    touch.start()
    try:
        yield sources, health
    finally:
        stop.set()
        touch.join(_SOON_S)


def retry(settings: Settings, tell: Callable[[int, int], None]) -> Retried:
    """Try again what the server refused and this machine's event log has. Raises `ConfigError`, `StoreUnavailable` and `Busy`."""
    prepare(settings)
    local = SqliteEvents(events_dir(settings.data_dir))

    def logged(ids: Sequence[str]) -> list[Stored]:
        return [Stored.of(event) for event in local.many(ids, EVERYTHING)]

    server = client(settings)
    writer = BulkWriter(server, settings.store.period, clock=now_ms)
    return retry_refused(server, writer, logged, tell)


def back_up(
    settings: Settings, repository: str, location: str | None, name: str, tell: Callable[[str], None]
) -> dict[str, object]:
    """Take a snapshot; returns what `restore` has to know. Raises `ConfigError`, `StoreUnavailable` and `Busy`."""
    server = client(settings)
    snapshot.check_repository(server, repository, location)
    indices = snapshot.take(server, repository, name, lambda done, total: tell(f"snapshot: {done} of {total} shards"))
    return {"repository": repository, "location": location, "snapshot": name, "indices": indices}


def restore(settings: Settings, repository: str, location: str | None, name: str, tell: Callable[[str], None]) -> None:
    """Restore a snapshot into a cluster without indices of ours. Raises `ConfigError` when there are some, before anything is done."""
    server = client(settings)
    if there := snapshot.ours(server):
        raise ConfigError(
            f"Elasticsearch at {server.where()} has {there[0]} and more of ours: restore into an empty one"
        )
    snapshot.check_repository(server, repository, location)
    snapshot.restore(server, repository, name, lambda done, total: tell(f"restoring: {done} of {total} indices"))
    prepare(settings)
