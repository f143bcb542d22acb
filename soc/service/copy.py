"""Moving a department that outgrows the embedded store into Elasticsearch: everything, resumable, compared afterwards."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import orjson

from soc.buffer.database import Database
from soc.buffer.progress import indexer_progress
from soc.buffer.sqlite import SCHEMA as EVENT_SCHEMA
from soc.buffer.sqlite import EventLog, day_file, days
from soc.errors import Busy, ConfigError
from soc.locks import only_one
from soc.service import elastic
from soc.service.indexer import Indexer
from soc.service.process import now_ms
from soc.settings import Settings
from soc.store.control import control_file, open_control
from soc.store.detections import SCHEMA, detections_file
from soc.store.elastic.admin.copy import Compared, Table, compare, events, finish, tables, write
from soc.store.elastic.client import Client
from soc.store.elastic.events.bulk import BulkWriter
from soc.store.elastic.patience import Patience
from soc.store.sqlite import events_dir

# What is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], None]

_PROGRESS_FILE = "copy.json"
_LOOK_S = 0.5
_GIVE_UP_S = 300.0


def copy(settings: Settings, tell: Tell) -> Mapping[str, Compared]:
    """Copy the data directory into the cluster of `store.url`; returns how the two compare, by noun.

    Nothing here is deleted, nothing there overwritten. After any end the same call goes on where it was. Raises `ConfigError`,
    `StoreUnavailable` and `Busy`. Blocks for as long as the cluster takes; while it runs, nothing may change here.
    """
    folder = settings.data_dir
    if not settings.store.url:
        raise ConfigError("store.url is empty: set it to the cluster to copy to")
    if not control_file(folder).exists():
        raise ConfigError(f"{folder.resolve()} holds no embedded store: name its folder with --data-dir")
    with ExitStack() as held:
        for role in ("collector", "detector"):
            held.enter_context(only_one(folder, role))
        control = open_control(folder)
        held.callback(control.close)
        held.enter_context(control.write())  # whoever is signed in to the console may look, and change nothing
        elastic.prepare(settings)
        client = elastic.client(settings)
        held.callback(client.close)
        done = _Done(folder / _PROGRESS_FILE, _uuid(client))
        with _embedded(folder) as db:
            for table in tables(settings.store.period):
                _copy_table(client, table, db, done, tell)
            _copy_events(client, settings, done, tell)
            _patiently(partial(finish, client))
            compared = {table.name: _compare(client, table, [db], tell) for table in tables(settings.store.period)}
        with ExitStack() as opened:
            logs = [opened.enter_context(_day(folder, day)) for day in days(events_dir(folder))]
            compared["events"] = _compare(client, events(settings.store.period), logs, tell)
    return compared


class _Done:
    """How far a copy to one cluster has come, in a file beside the data; a copy to another one starts anew.

    A key holds for as long as its table has as many rows: what came in between may lie before it.
    """

    def __init__(self, path: Path, target: str) -> None:
        self._path = path
        known = orjson.loads(path.read_bytes()) if path.exists() else {}
        self._state: dict[str, object] = known if known.get("target") == target else {"target": target}

    def key(self, name: str, total: int = 0) -> tuple[object, ...] | None:
        found = self._state.get(name)
        return tuple(found[1]) if isinstance(found, list) and found[0] == total else None

    def save(self, name: str, key: tuple[object, ...], total: int = 0) -> None:
        self._state[name] = [total, key]
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(self._state))
        fresh.replace(self._path)


def _copy_table(client: Client, table: Table, db: sqlite3.Connection, done: _Done, tell: Tell) -> None:
    total, copied = table.total(db), 0
    tell(f"copying {table.name}", 0, total)
    for page in table.pages(db, done.key(table.name, total)):
        _patiently(partial(write, client, page.documents))
        done.save(table.name, page.key, total)
        copied += page.rows
        tell(f"copying {table.name}", copied, total)


def _copy_events(client: Client, settings: Settings, done: _Done, tell: Tell) -> None:
    """As the indexer does later, with its own progress: it goes on from there."""
    folder, stop = settings.data_dir, threading.Event()
    with ExitStack() as opened, ThreadPoolExecutor(1, "copy") as worker:
        event_log, progress = EventLog(events_dir(folder)), indexer_progress(folder)
        opened.callback(event_log.close)
        opened.callback(progress.close)
        if done.key("events") is None:  # what the indexer has noted may have gone to another cluster
            progress.save({})
            done.save("events", ())
        logs = [opened.enter_context(_day(folder, day)) for day in days(events_dir(folder))]
        total = sum(events(settings.store.period).total(db) for db in logs)
        indexer = Indexer(event_log, BulkWriter(client, settings.store.period, clock=now_ms), progress)
        opened.callback(stop.set)  # first of all, also when interrupted
        while True:
            handed = worker.submit(indexer.drain, stop)
            while not _finished(handed):
                tell("copying events", sum(progress.cursor().values()), total)
            if handed.result() == 0:
                return


def _finished(handed: Future[int]) -> bool:
    try:
        handed.exception(_LOOK_S)
    except TimeoutError:
        return False
    return True


def _compare(client: Client, table: Table, databases: list[sqlite3.Connection], tell: Tell) -> Compared:
    so_far, rows = Compared(), 0
    total = sum(table.total(db) for db in databases)
    for db in databases:
        for page in table.pages(db):
            _patiently(partial(compare, client, page.documents, so_far))
            rows += page.rows
            tell(f"comparing {table.name}", rows, total)
    return so_far


def _patiently(work: Callable[[], None]) -> None:
    """Do it again, more and more slowly, while the server says that it has more to do than it can; raises `Busy` after minutes of it.

    The work may be repeated: what it has done of it before is not done twice.
    """
    patience = Patience("copying")
    while True:
        try:
            return work()
        except Busy as error:
            pause_s = patience.failed(error)
            if patience.stuck_s + pause_s > _GIVE_UP_S:
                raise
        time.sleep(pause_s)


@contextmanager
def _embedded(folder: Path) -> Iterator[sqlite3.Connection]:
    database = Database(detections_file(folder), SCHEMA, attach={"control": control_file(folder)})
    try:
        with database.read() as db:
            yield db
    finally:
        database.close()


@contextmanager
def _day(folder: Path, day: str) -> Iterator[sqlite3.Connection]:
    database = Database(day_file(events_dir(folder), day), EVENT_SCHEMA)
    try:
        with database.read() as db:
            yield db
    finally:
        database.close()


def _uuid(client: Client) -> str:
    return str(client.cluster.state(metric="version", filter_path="cluster_uuid").body["cluster_uuid"])
