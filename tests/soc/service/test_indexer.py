"""From the event log to Elasticsearch: everything once, whatever stops the indexer, the server or both."""

from __future__ import annotations

import threading
import urllib.error
from collections.abc import Iterator

import pytest
from servers import eventually

from soc import telemetry
from soc.buffer.progress import indexer_progress
from soc.buffer.sqlite import EventLog
from soc.errors import StoreUnavailable
from soc.service.indexer import Indexer, indexing
from soc.settings import Settings, Store
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.events.bulk import BulkWriter, Request, StoppedError, Written
from soc.store.sqlite import events_dir

pytestmark = pytest.mark.server

T = 1_767_225_600_000  # 2026-01-01
DAY = 86_400_000


class House:
    """A data directory with its event log, and an indexer that may be made again as after a restart."""

    def __init__(self, elastic, data_dir, make_event) -> None:
        self.elastic, self.data_dir, self._make_event = elastic, data_dir, make_event
        self.log = EventLog(events_dir(data_dir))
        self.client = connect(elastic.url, timeout_s=2.0)
        setup.install(self.client)
        self.appended: dict[str, dict] = {}
        self._made = 0
        self._open: list = [self.log, self.client]

    def append(self, count: int, **fields: object) -> None:
        """Events of three days, of two datasets, some with Vietnamese text."""
        events = []
        for _ in range(count):
            i = self._made = self._made + 1
            more = {"url__query": "q=Đất đai"} if i % 10 == 0 else {}
            dataset = ("nginx.access", "linux.auth")[i % 2]
            events.append(self._make_event(T + i % 3 * DAY + i, str(i), dataset=dataset, **fields, **more))
        self.log.append(events)
        self.appended |= {event.id: event.fields for event in events}

    def indexer(self, writer: BulkWriter | None = None, **options: int) -> Indexer:
        raw, progress = EventLog(events_dir(self.data_dir)), indexer_progress(self.data_dir)
        self._open += [raw, progress]
        return Indexer(raw, writer or BulkWriter(self.client, "day", clock=lambda: T), progress, **options)

    def stored(self) -> list[str]:
        """Ids of everything that is there, also of what is there twice."""
        self.elastic.request("POST", "/govsoc-events-*/_refresh")
        body = {"size": 10_000, "_source": False}
        return sorted(
            hit["_id"] for hit in self.elastic.request("POST", "/govsoc-events-*/_search", body)["hits"]["hits"]
        )

    def everything_once(self) -> bool:
        try:
            return self.stored() == sorted(self.appended)
        except urllib.error.HTTPError as error:
            if error.code == 503:  # an index that is just being made, or not up again yet
                return False
            raise

    def close(self) -> None:
        for thing in self._open:
            thing.close()


@pytest.fixture
def house(elastic, tmp_path, make_event) -> Iterator[House]:
    house = House(elastic, tmp_path, make_event)
    yield house
    house.close()


class DiesAfter:
    """A writer whose process is killed after some requests were acknowledged, before that is noted."""

    def __init__(self, writer: BulkWriter, requests: int) -> None:
        self._writer, self._left = writer, requests
        self.prepare = writer.prepare

    def write(self, request: Request, stop: threading.Event) -> Written:
        written = self._writer.write(request, stop)
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
        return written


def test_what_is_in_the_log_is_indexed_once_as_it_is(house):
    house.append(500)
    stop = threading.Event()
    assert house.indexer(rows=64).drain(stop) == 500
    assert house.everything_once()
    body = {"size": 10_000, "query": {"ids": {"values": sorted(house.appended)}}}
    for hit in house.elastic.request("POST", "/govsoc-events-*/_search", body)["hits"]["hits"]:
        document = {name: value for name, value in hit["_source"].items() if name != "govsoc.folded"}
        assert document == house.appended[hit["_id"]]
    again = house.indexer()
    assert again.drain(stop) == 0, "it knows where it was"
    house.append(3)
    assert again.drain(stop) == 3
    assert house.everything_once()


def test_killed_between_the_answer_and_the_note_it_repeats_and_nothing_is_there_twice(house):
    house.append(300)
    stop = threading.Event()
    writer = BulkWriter(house.client, "day", clock=lambda: T)
    with pytest.raises(KeyboardInterrupt):
        house.indexer(DiesAfter(writer, 3), rows=50).drain(stop)
    assert len(house.stored()) == 150
    before = telemetry.INDEXER_DUPLICATES._value.get()
    assert house.indexer(rows=50).drain(stop) == 200, "from the last note: two requests of 50"
    assert telemetry.INDEXER_DUPLICATES._value.get() - before == 50
    assert house.everything_once()


def test_a_lost_cursor_costs_time_and_nothing_else(house):
    house.append(200)
    stop = threading.Event()
    house.indexer().drain(stop)
    for file in house.data_dir.glob("indexer.db*"):
        file.unlink()
    assert house.indexer().drain(stop) == 200
    assert house.everything_once()


def test_a_full_batch_goes_on_at_once_and_bytes_bound_it_too(house):
    house.append(40, message="x" * 10_000)
    indexer = house.indexer(rows=1000, max_bytes=100_000)
    assert indexer.drain(threading.Event()) == 40
    assert house.everything_once()


def test_the_thread_lives_through_the_server_being_paused_killed_and_away(house):
    node = house.elastic.nodes[0]
    stop = threading.Event()
    indexer = house.indexer(rows=100)
    thread = threading.Thread(target=indexer.run, args=(stop, 0.05))
    thread.start()
    try:
        house.append(200)
        eventually(house.everything_once, 30, "the first are there")
        node.pause()
        house.append(250)
        assert not stop.wait(3.0)
        node.resume()
        eventually(house.everything_once, 60, "the server hung for a while")
        house.append(250)
        node.kill()
        house.append(250)
        assert telemetry.INDEXER_BEHIND.collect()[0].samples[0].value > 0, "it says that it is behind"
        assert not stop.wait(1.0)
        node.start()
        house.append(50)
        house.elastic.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=30s")
        eventually(house.everything_once, 60, "the server died and came back")
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_a_damaged_day_is_waited_for_and_the_thread_goes_on_when_it_is_mended(house):
    house.append(9)
    bad = house.log.directory / "2025-12-31.db"
    bad.write_bytes(b"not a database" * 500)
    indexer, stop = house.indexer(), threading.Event()
    with pytest.raises(StoreUnavailable, match=r"2025-12-31\.db"):
        indexer.drain(stop)
    thread = threading.Thread(target=indexer.run, args=(stop, 0.05))
    thread.start()
    assert not stop.wait(0.5)
    bad.unlink()
    eventually(house.everything_once, 30, "the file is gone")
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def test_told_to_stop_while_the_server_is_away_it_stops(house):
    indexer = house.indexer(BulkWriter(connect("http://127.0.0.1:1"), "day", clock=lambda: T))
    house.append(1)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(StoppedError):
        indexer.drain(stop)


def test_in_the_detector_it_runs_as_the_settings_say(house):
    house.append(30)
    settings = Settings(data_dir=house.data_dir, store=Store(url=house.elastic.url, period="week"))
    stop = threading.Event()
    with indexing(settings, stop):
        eventually(house.everything_once, 30, "all are there")
    assert stop.is_set()
    names = house.elastic.request("GET", "/govsoc-events-*/_settings?filter_path=*.settings.index.uuid")
    assert "govsoc-events-web-hungyen-2026.w01" in names
    progress = indexer_progress(house.data_dir)
    assert sum(progress.cursor().values()) == 30
    progress.close()
