"""What a cluster makes of events that nobody foresaw: fields by the thousand, and times that cannot be."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from soc.model.event import Event, Stored
from soc.model.org import EVERYTHING
from soc.model.source import Source, Transport
from soc.query.parse import parse
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.events.bulk import BulkWriter, Written
from soc.store.elastic.events.fields import UNKNOWN
from soc.store.elastic.events.search import ElasticEvents

pytestmark = pytest.mark.server

NOON = 1_772_452_800_000  # 2026-03-02T12:00:00Z
WEB = "govsoc-events-web-hungyen-2026.03"
QUARANTINE = "govsoc-events-quarantine-hungyen"
PORTAL = Source("portal", "Portal", "hungyen", "nginx.access", Transport.FILE)

Store = Callable[[Event], Written]


@pytest.fixture
def client(elastic):
    with connect(elastic.url) as client:
        setup.install(client)
        yield client


@pytest.fixture
def store(elastic, client) -> Store:
    writer = BulkWriter(client, "month", clock=lambda: NOON)

    def write(*events: Event) -> Written:
        written = writer.write(writer.prepare([Stored.of(e) for e in events]), threading.Event(), give_up_s=30)
        elastic.request("POST", "/govsoc-events-*/_refresh")
        return written

    return write


def ids(elastic, index: str, query: dict) -> list[str]:
    return [hit["_id"] for hit in elastic.request("POST", f"/{index}/_search", {"query": query})["hits"]["hits"]]


def test_a_thousand_unknown_fields_leave_the_mapping_as_it_was_and_each_is_found(elastic, client, store, make_event):
    store(make_event(NOON, "1", url__path="/"))
    before = elastic.request("GET", f"/{WEB}/_mapping")
    strange = {f"partner__part_{i % 7}__field_{i}": f"value {i}" for i in range(1000)}
    event = make_event(NOON + 1, "2", url__path="/nop-ho-so", **strange)
    assert store(event) == Written(created=1)
    assert elastic.request("GET", f"/{WEB}/_mapping") == before
    for i in (0, 499, 999):
        field = f"partner.part_{i % 7}.field_{i}"
        assert ids(elastic, WEB, {"term": {f"{UNKNOWN}.{field}": f"value {i}"}}) == [event.id]
        assert ElasticEvents(client).search(parse(f'{field}:"value {i}"'), EVERYTHING).items == (event,)


@pytest.mark.parametrize(
    ("stamp", "claimed"),
    [("05/May/1999:00:00:00 +0000", "1999-05-05T00:00:00.000Z"), ("05/May/2999:00:00:00 +0000", "2999-05-05T00:00:00.000Z")],
)  # fmt: skip
def test_a_quarantined_line_shows_what_it_claims_and_what_the_clock_said(elastic, client, store, stamp, claimed):
    line = f'203.0.113.7 - - [{stamp}] "GET /ho-so HTTP/1.1" 200 512 "-" "Mozilla/5.0"'.encode()
    event = to_event(Record(line, "1"), PORTAL, Masker(bytes(32)), NOON)
    store(event)
    document = elastic.request("GET", f"/{QUARANTINE}/_doc/{event.id}")["_source"]
    assert (document["@timestamp"], document["event.created"]) == (claimed, "2026-03-02T12:00:00.000Z")
    assert document["error.message"].startswith("implausible time")
    for field, at in (("@timestamp", claimed), ("event.created", "2026-03-02T12:00:00.000Z")):
        assert ids(elastic, QUARANTINE, {"range": {field: {"gte": at, "lte": at}}}) == [event.id]
        assert ElasticEvents(client).search(parse(f'{field}:"{at}"'), EVERYTHING).items == (event,)
