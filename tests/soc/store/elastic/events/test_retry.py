"""Trying again what a real server had refused: every event is somewhere at any moment, and at its right place in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event as Flag

import pytest
from mortal import Killed, mortal

from soc.model.event import Stored
from soc.store.elastic.admin import setup
from soc.store.elastic.client import Client, connect
from soc.store.elastic.events.bulk import BulkWriter
from soc.store.elastic.events.retry import Retried, retry

pytestmark = pytest.mark.server

T = 1_767_225_600_000  # 2026-01-01
WEB = "govsoc-events-web-hungyen-2026.01"
AUTH = "govsoc-events-auth-ninhbinh-2026.01"
LETTERS = "govsoc-events-quarantine-"
LONG = {"mappings": {"properties": {"url.path": {"type": "long"}}, "subobjects": False}}


@pytest.fixture
def client(elastic) -> Iterator[Client]:
    with connect(elastic.url) as client:
        setup.install(client)
        # By hand, and with nothing of our own template.
        for index in (WEB, AUTH):
            elastic.request("PUT", f"/_index_template/govsoc-{index}", {"index_patterns": [index], "priority": 900})
            elastic.request("PUT", f"/{index}", LONG)
        yield client


@pytest.fixture
def log(client, make_event) -> list[Stored]:
    """The event log: two organisations' events that the server has refused, and one undated that belongs into the quarantine."""
    web = [make_event(T + i, str(i), url__path="/login") for i in range(12)]
    auth = [make_event(T + i, f"a{i}", "ninhbinh", "linux.auth", url__path="/login") for i in range(3)]
    undated = make_event(0, "u", event__kind="pipeline_error")
    rows = [Stored.of(event) for event in (*web, *auth, undated)]
    written = writer_of(client).write(writer_of(client).prepare(rows), Flag(), 30.0)
    assert (written.created, written.refused) == (1, 15)
    return rows


def writer_of(client: Client) -> BulkWriter:
    return BulkWriter(client, "month", clock=lambda: T)


def run(client: Client, log: Sequence[Stored]) -> tuple[Retried, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []

    def logged(ids: Sequence[str]) -> list[Stored]:
        return [row for row in log if row.id in ids]

    return retry(client, writer_of(client), logged, lambda *counts: told.append(counts)), told


def mend(elastic, index: str) -> None:
    elastic.request("DELETE", f"/{index}")
    elastic.request("DELETE", f"/_index_template/govsoc-{index}")


def found(elastic, pattern: str) -> dict[str, dict]:
    elastic.request("POST", f"/{pattern}/_refresh")
    hits = elastic.request("POST", f"/{pattern}/_search", {"size": 100})["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


def test_without_a_quarantine_there_is_nothing_to_do(client):
    assert run(client, []) == (Retried(), [(0, 0)])


def test_what_is_mended_is_indexed_and_what_is_not_stays(elastic, client, log, monkeypatch):
    monkeypatch.setattr("soc.store.elastic.events.retry._AT_ONCE", 4)
    letters = found(elastic, f"{LETTERS}*")
    retried, told = run(client, log)
    assert (retried.indexed, retried.refused, retried.absent) == (0, 15, 0)
    assert "document_parsing_exception" in retried.reason
    assert told == [(0, 15), (4, 15), (8, 15), (12, 15), (15, 15)]
    assert found(elastic, f"{LETTERS}*") == letters, "refused again, they are what they were"

    mend(elastic, WEB)
    retried, _ = run(client, log[2:])  # the first two are not in this machine's log
    assert (retried.indexed, retried.refused, retried.absent) == (10, 3, 2)
    assert found(elastic, WEB) == {row.id: row.event.fields for row in log[2:12]}
    assert found(elastic, f"{LETTERS}*") == {row.id: letters[row.id] for row in (*log[:2], *log[12:])}

    mend(elastic, AUTH)
    assert run(client, log)[0] == Retried(indexed=5)
    assert found(elastic, f"{LETTERS}*").keys() == {log[-1].id}, "without a time it belongs there"
    assert found(elastic, "govsoc-events-*").keys() == {row.id for row in log}
    assert run(client, log)[0] == Retried()


@pytest.mark.parametrize("answered", [False, True], ids=["before the server has it", "after the server has done it"])
def test_whatever_dies_in_between_every_event_is_somewhere(elastic, client, log, answered):
    for index in (WEB, AUTH):
        mend(elastic, index)
    deaths = 0
    while True:
        dying = mortal(elastic.url, deaths + 1, answered)
        try:
            run(dying, log)
            break
        except Killed:
            deaths += 1
        finally:
            dying.close()
        assert found(elastic, "govsoc-events-*").keys() == {row.id for row in log}
    assert deaths >= 4, "refreshed, counted, searched, indexed"
    run(client, log)
    assert found(elastic, f"{LETTERS}*").keys() == {log[-1].id}
    assert found(elastic, WEB) | found(elastic, AUTH) == {row.id: row.event.fields for row in log[:-1]}
