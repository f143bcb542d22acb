"""The bulk writer on a real server: every document once, whatever the server cannot take, refuses or forgets to answer."""

from __future__ import annotations

import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
import pytest

from soc.errors import Busy, StoreUnavailable
from soc.model.event import Stored
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.events.bulk import BulkWriter, StoppedError, Written, _for_the_document

NOW = 1_767_300_000_000
T = 1_767_225_600_000  # 2026-01-01
WEB = "govsoc-events-web-hungyen-2026.01"
AUTH = "govsoc-events-auth-hungyen-2026.01"
QUARANTINE = "govsoc-events-quarantine-hungyen"


@pytest.fixture
def writer(elastic) -> Iterator[BulkWriter]:
    client = connect(elastic.url)
    setup.install(client)
    yield BulkWriter(client, "month", clock=lambda: NOW)
    client.close()


@pytest.fixture
def rows(make_event):
    """`rows(count, dataset="nginx.access", **fields)`: rows as the event log holds them."""

    def make(count: int, dataset: str = "nginx.access", **fields: object) -> list[Stored]:
        events = [make_event(T + i, f"{dataset}/{i}", dataset=dataset, **fields) for i in range(count)]
        return [Stored.of(e) for e in events]

    return make


@contextmanager
def later(seconds: float, do: Callable[[], object]) -> Iterator[None]:
    """Does something while the body runs, and waits for it: the next test finds nothing of it."""
    timer = threading.Timer(seconds, do)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def write(writer: BulkWriter, rows: list[Stored], give_up_s: float = 30.0) -> Written:
    return writer.write(writer.prepare(rows), threading.Event(), give_up_s)


def found(elastic, index: str = "govsoc-events-*") -> dict[str, dict]:
    """Index/id -> document: a document that is there twice is counted twice."""
    elastic.request("POST", f"/{index}/_refresh")
    hits = elastic.request("POST", f"/{index}/_search", {"size": 10_000})["hits"]["hits"]
    return {f"{hit['_index']}/{hit['_id']}": hit["_source"] for hit in hits}


class TestWithoutAServer:
    def test_a_plain_document_goes_as_it_is_and_its_place_is_a_function_of_the_event(self, make_event):
        writer = BulkWriter(connect("http://127.0.0.1:1"), "day", clock=lambda: NOW)
        event = make_event(T, org="hungyen.1234", url__path="/")
        text = orjson.dumps(event.fields).decode()
        request = writer.prepare([Stored.of(event)._replace(doc=text.encode())])
        head = {"create": {"_index": "govsoc-events-web-hungyen-2026.01.01", "_id": event.id}}
        assert request.body == orjson.dumps(head) + b"\n" + text.encode() + b"\n"

    def test_places_follow_time_organisation_and_dataset(self, make_event):
        writer = BulkWriter(connect("http://127.0.0.1:1"), "month", clock=lambda: NOW)
        events = [
            make_event(T, "1"),
            make_event(T - 1, "2"),
            make_event(T, "3", org="thaibinh"),
            make_event(T, "4", dataset="linux.auth"),
            make_event(0, "5"),
            make_event(1, "6"),
        ]
        rows = [Stored.of(e)._replace(doc=b"{}") for e in events]
        indices = [orjson.loads(a.lines.split(b"\n")[0])["create"]["_index"] for a in writer.prepare(rows).actions]
        assert indices == [
            "govsoc-events-web-hungyen-2026.01",
            "govsoc-events-web-hungyen-2025.12",
            "govsoc-events-web-thaibinh-2026.01",
            "govsoc-events-auth-hungyen-2026.01",
            "govsoc-events-quarantine-hungyen",
            "govsoc-events-web-hungyen-1970.01",
        ]

    def test_other_letters_are_folded_and_unknown_fields_made_findable(self, rows):
        writer = BulkWriter(connect("http://127.0.0.1:1"), "month", clock=lambda: NOW)
        request = writer.prepare(rows(1, event__original="Thủ tục Đất đai") + rows(1, my__own="x"))
        folded, unknown = (orjson.loads(action.lines.split(b"\n")[1]) for action in request.actions)
        assert folded["govsoc.folded"] == ["thu tuc dat dai"]
        assert folded["event.original"] == "Thủ tục Đất đai"
        assert unknown["govsoc.unknown"] == {"my.own": "x"}

    @pytest.mark.parametrize(
        ("error", "its_fault"),
        [
            ({"type": "document_parsing_exception", "reason": "failed to parse"}, True),
            ({"type": "mapper_parsing_exception", "reason": "failed to parse"}, True),
            ({"type": "strict_dynamic_mapping_exception", "reason": "not allowed"}, True),
            ({"type": "illegal_argument_exception", "reason": "Document contains at least one immense term"}, True),
            (
                {
                    "type": "illegal_argument_exception",
                    "reason": "x",
                    "caused_by": {"reason": "immense term in field"},
                },
                True,
            ),
            ({"type": "illegal_argument_exception", "reason": "pipeline with id [x] does not exist"}, False),
            ({"type": "illegal_argument_exception", "reason": "Limit of total fields [1000] has been exceeded"}, False),
            ({"type": "validation_exception", "reason": "maximum shards open"}, False),
            ({"type": "index_closed_exception"}, False),
            ({"type": "something_new_exception"}, False),
            ({}, False),
        ],
    )
    def test_only_what_is_known_to_be_the_documents_fault_is(self, error, its_fault):
        assert _for_the_document(error) is its_fault

    def test_nobody_listening_is_said_after_a_while(self, rows):
        writer = BulkWriter(connect("http://127.0.0.1:1"), "month", clock=lambda: NOW)
        with pytest.raises(StoreUnavailable, match="nobody listens"):
            write(writer, rows(1), give_up_s=0.2)

    def test_it_stops_when_told_to(self, rows):
        writer, stop = BulkWriter(connect("http://127.0.0.1:1"), "month", clock=lambda: NOW), threading.Event()
        began = time.monotonic()
        with later(0.5, stop.set), pytest.raises(StoppedError):
            writer.write(writer.prepare(rows(1)), stop)
        assert time.monotonic() - began < 60


@pytest.mark.server
class TestOnAServer:
    def test_writing_again_changes_nothing(self, elastic, writer, rows):
        some = rows(100) + rows(20, "linux.auth")
        assert write(writer, some) == Written(created=120)
        assert write(writer, some + rows(101)[100:]) == Written(created=1, duplicates=120)
        there = found(elastic)
        assert len(there) == 121
        assert {key.partition("/")[2] for key in there} == {row.id for row in some + rows(101)}
        assert there[f"{AUTH}/{some[-1].id}"] == orjson.loads(some[-1].doc)

    def test_a_request_too_large_for_the_server_goes_in_pieces(self, elastic, writer, rows):
        some = rows(400, event__original="x" * 2000)
        limit = {"network.breaker.inflight_requests.limit": "300kb"}
        elastic.request("PUT", "/_cluster/settings", {"persistent": limit})
        assert write(writer, some) == Written(created=400)
        assert len(found(elastic)) == 400

    def test_what_a_read_only_index_cannot_take_waits_and_the_rest_is_stored(self, elastic, writer, rows):
        write(writer, rows(1) + rows(1, "linux.auth"))
        elastic.request("PUT", f"/{WEB}/_settings", {"index.blocks.read_only_allow_delete": True})
        some = rows(50) + rows(60, "linux.auth")
        with pytest.raises(Busy, match="read-only"):
            write(writer, some, give_up_s=0.5)
        assert len(found(elastic, AUTH)) == 60
        assert len(found(elastic, WEB)) == 1

        def lift() -> None:
            elastic.request("PUT", f"/{WEB}/_settings", {"index.blocks.read_only_allow_delete": None})

        with later(1.5, lift):  # the server, too, lifts this block where its disk has room
            assert write(writer, some) == Written(created=49, duplicates=61)
        assert len(found(elastic)) == 110

    def test_only_what_failed_is_sent_again(self, elastic, writer, rows):
        write(writer, rows(1))
        elastic.request("PUT", f"/{WEB}/_settings", {"index.blocks.write": True})
        with later(1.0, lambda: elastic.request("PUT", f"/{WEB}/_settings", {"index.blocks.write": None})):
            written = write(writer, rows(10) + rows(1000, "linux.auth"))
        assert written == Written(created=1009, duplicates=1), "none of the thousand was a duplicate of its own"

    def test_a_refused_document_becomes_a_dead_letter_with_the_reason(self, elastic, writer, rows):
        strict = {
            "mappings": {"dynamic": "strict"}
        }  # somebody made the index by hand: it takes no field that it does not know
        elastic.request("PUT", f"/{WEB}", strict)
        bad = rows(3, event__original="GET /a", my__own="Đỗ Ánh")
        some = [*bad, *rows(100, "linux.auth")]
        assert write(writer, some) == Written(created=100, refused=3)
        there = found(elastic)
        assert len(there) == 103
        letter = there[f"{QUARANTINE}/{bad[0].id}"]
        assert letter["event.kind"] == "pipeline_error"
        assert letter["event.original"] == "GET /a"
        assert letter["@timestamp"] == "2026-01-01T00:00:00.000Z"
        assert letter["organization.id"] == "hungyen"
        assert "strict_dynamic_mapping_exception" in letter["error.message"]
        assert "not allowed" in letter["error.message"]
        assert write(writer, some) == Written(duplicates=100, refused=3)
        assert len(found(elastic)) == 103, "sent again, they are there once"

    def test_when_nearly_all_are_refused_they_wait_for_an_administrator(self, elastic, writer, rows):
        elastic.request("PUT", f"/{WEB}", {"mappings": {"dynamic": "strict"}})
        some = rows(40, my__own="x") + rows(2, "linux.auth")
        with pytest.raises(StoreUnavailable, match=r"nearly all events are refused, so they wait: .*strict_dynamic"):
            write(writer, some, give_up_s=0.3)
        with pytest.raises(urllib.error.HTTPError):
            found(elastic, QUARANTINE)
        assert len(found(elastic, AUTH)) == 2, "the others are stored"
        elastic.request("DELETE", f"/{WEB}")
        assert write(writer, some) == Written(created=40, duplicates=2)

    def test_a_dead_letter_that_is_refused_as_well_keeps_the_beginning_of_its_line(self, elastic, writer, rows):
        """Somebody made both indices by hand: one takes no field that it does not know, the other no long line."""
        elastic.request("PUT", f"/{WEB}", {"mappings": {"dynamic": "strict"}})
        by_hand = {"index_patterns": [f"{QUARANTINE}*"], "priority": 900}
        elastic.request("PUT", "/_index_template/govsoc-by-hand", by_hand)
        fields = {"event": {"properties": {"original": {"type": "keyword"}}}}
        elastic.request("PUT", f"/{QUARANTINE}", {"mappings": {"properties": fields}})
        some = [*rows(30, event__original="ab" * 50_000, my__own="x"), *rows(40, "linux.auth")]
        assert write(writer, some) == Written(created=40, refused=30)
        letters = found(elastic, QUARANTINE)
        assert len(letters) == 30
        assert {letter["event.original"] for letter in letters.values()} == {"ab" * 16_000}
        assert all("of its 100000 bytes the first 32000 are kept" in one["error.message"] for one in letters.values())
        assert all("immense term" in one["error.message"] for one in letters.values())

    def test_a_document_that_spoils_its_whole_request_is_found_and_the_others_are_stored(self, elastic, writer, rows):
        some = rows(64)
        # The event log writes no line breaks into a document; to the server it looks like an action that it does not know.
        broken = b'{"event.original":\n"broken"}'
        some[17] = some[17]._replace(doc=broken)
        written = write(writer, some)
        assert (written.created, written.refused) == (63, 1)
        assert found(elastic)[f"{QUARANTINE}/{some[17].id}"]["event.original"] == "broken"

    def test_too_many_shards_is_for_an_administrator_and_no_fault_of_the_documents(self, elastic, writer, rows):
        elastic.request("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": 1}})
        elastic.request("PUT", "/govsoc-x?wait_for_active_shards=0", {"settings": {"number_of_replicas": 0}})
        with pytest.raises(StoreUnavailable, match="shards"):
            write(writer, rows(5), give_up_s=0.5)
        with pytest.raises(urllib.error.HTTPError):
            found(elastic, QUARANTINE)
        elastic.request("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": None}})
        assert write(writer, rows(5)) == Written(created=5)

    def test_a_request_whose_answer_is_late_is_sent_again_and_nothing_is_there_twice(self, elastic, writer, rows):
        node = elastic.nodes[0]
        client = connect(elastic.url, timeout_s=1.0)
        writer = BulkWriter(client, "month", clock=lambda: NOW)
        write(writer, rows(1))
        node.pause()
        with later(2.5, node.resume):
            written = write(writer, rows(500))
        assert written.created + written.duplicates == 500
        client.close()
        assert len(found(elastic)) == 500
