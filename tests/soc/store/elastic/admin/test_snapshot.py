"""Restoring on a real server, also where it cannot come to an end."""

from __future__ import annotations

import base64
import os
import threading
import time

import pytest
from elastic import empty, event_ids

from soc.buffer.progress import indexer_progress
from soc.buffer.sqlite import EventLog
from soc.errors import StoreUnavailable
from soc.service.indexer import Indexer
from soc.store.elastic.admin import setup, snapshot
from soc.store.elastic.client import connect
from soc.store.elastic.events.bulk import BulkWriter
from soc.store.sqlite import events_dir

pytestmark = pytest.mark.server
NOW = 1_772_452_800_000
STUCK = "govsoc-events-web-h42-2026.03"


@pytest.fixture
def taken(elastic):
    """A client, and a repository with a snapshot in which one index asks for a node that there is not, once it is to be moved."""
    with connect(elastic.url) as client:
        setup.install(client)
        for index in (STUCK, "govsoc-accounts", "govsoc-incidents"):
            client.create(index=index, id="1", document={}, refresh=True)
        snapshot.check_repository(client, "stuck", str(elastic.snapshots / "stuck"))
        client.indices.put_settings(index=STUCK, settings={"index.routing.allocation.require._name": "nobody"})
        indices = snapshot.take(client, "stuck", "one", lambda *_: None)
        assert {STUCK, "govsoc-accounts", "govsoc-incidents"} <= set(indices)
        empty(elastic)
        yield client
        client.snapshot.delete(repository="stuck", snapshot="one")


def test_a_restore_that_does_not_move_ends_and_names_the_index(taken, monkeypatch):
    monkeypatch.setattr(snapshot, "_STALL_S", 3.0)
    told = []
    with pytest.raises(
        StoreUnavailable, match=f"for 3 s: 1 indices are not whole, such as {STUCK}.*allocation/explain"
    ):
        snapshot.restore(taken, "stuck", "one", lambda done, total: told.append((done, total)))
    assert told[-1] == (2, 3), "what can come back has come back"


def test_a_slow_restore_is_waited_for_while_it_moves(elastic, monkeypatch):
    monkeypatch.setattr(snapshot, "_STALL_S", 2.0)
    folder = {"location": str(elastic.snapshots / "slow"), "max_restore_bytes_per_sec": "500kb"}
    with connect(elastic.url) as client:
        setup.install(client)
        for n in range(30):  # of what cannot be compressed
            document = {"x": base64.b64encode(os.urandom(100_000)).decode()}
            client.create(index="govsoc-health", id=str(n), document=document)
        client.snapshot.create_repository(name="slow", repository={"type": "fs", "settings": folder})
        snapshot.take(client, "slow", "one", lambda *_: None)
        empty(elastic)
        began = time.monotonic()
        assert snapshot.restore(client, "slow", "one", lambda *_: None) == ["govsoc-health"]
        assert time.monotonic() - began > 2 * 2.0
        assert snapshot.counts(client) == {"govsoc-health": 30}
        client.snapshot.delete(repository="slow", snapshot="one")


def test_after_an_older_snapshot_without_its_progress_the_indexer_adds_what_is_missing(elastic, make_event, tmp_path):
    """As docs/elasticsearch.md says for a cluster that is put back alone."""
    log = EventLog(events_dir(tmp_path), min_free_bytes=0)
    with connect(elastic.url) as client:
        setup.install(client)

        def index() -> None:
            """As a process that was just started: one that runs looks again only at days that have changed."""
            read, progress = EventLog(events_dir(tmp_path), min_free_bytes=0), indexer_progress(tmp_path)
            Indexer(read, BulkWriter(client, "month", clock=lambda: NOW), progress).drain(threading.Event())
            progress.close()
            read.close()

        log.append([make_event(NOW + n, f"before {n}") for n in range(10)])
        index()
        snapshot.check_repository(client, "older", str(elastic.snapshots / "older"))
        snapshot.take(client, "older", "one", lambda *_: None)
        log.append([make_event(NOW + n, f"after {n}") for n in range(10)])
        index()
        there = event_ids(elastic)
        empty(elastic)
        snapshot.restore(client, "older", "one", lambda *_: None)
        index()
        assert len(event_ids(elastic)) == 10, "it believes that the rest is there"
        for path in tmp_path.glob("indexer.db*"):
            path.unlink()
        index()
        assert event_ids(elastic) == there
        assert len(set(there)) == len(there) == 20
        client.snapshot.delete(repository="older", snapshot="one")
    log.close()
