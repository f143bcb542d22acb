"""The same searches over the same events give the same ids on every store, in the same order, page by page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from documents import NOON, documents
from elastic import empty
from indexed import IndexedLog

from soc.buffer.sqlite import EventLog
from soc.errors import QueryError
from soc.model.event import Event
from soc.model.org import EVERYTHING, Scope
from soc.query.ast import Query
from soc.query.evaluate import matches
from soc.query.parse import parse
from soc.store.base import EventStore
from soc.store.elastic import names
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.events.added import added
from soc.store.elastic.events.search import ElasticEvents
from soc.store.events import SqliteEvents
from soc.store.sqlite import events_dir

QUERIES = [
    line
    for line in (Path(__file__).parent / "queries.txt").read_text().splitlines()
    if line and not line.startswith("# ")
]
SCOPES = [
    EVERYTHING,
    *(Scope(frozenset(orgs)) for orgs in (["H42"], ["H42.01", "H30"], ["Bộ TT&TT"], ["h42"], [], ["nobody"])),
]


@dataclass
class Filled:
    store: EventStore
    events: list[Event]

    def ids(self, query: Query, scope: Scope = EVERYTHING, *, limit: int = 1000, **window: int) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            page = self.store.search(query, scope, cursor=cursor, limit=limit, **window)
            found += [event.id for event in page.items]
            if page.next is None:
                return found
            cursor = page.next

    def expected(self, query: Query, scope: Scope = EVERYTHING, since: int = 0, until: int = 1 << 47) -> list[str]:
        kept = (e for e in self.events if scope.allows(e.org) and since <= e.ts < until and matches(query, e.fields))
        return sorted((event.id for event in kept), reverse=True)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.server)])
def filled(request, tmp_path_factory) -> Iterator[Filled]:
    folder, events = tmp_path_factory.mktemp("events"), documents()
    if request.param == "sqlite":
        EventLog(events_dir(folder), min_free_bytes=0).append(events)
        yield Filled(SqliteEvents(events_dir(folder)), events)
        return
    server = request.getfixturevalue("elastic_server")
    empty(server)
    with connect(server.url) as client:
        setup.install(client)
        IndexedLog(events_dir(folder), client).append(events)
        yield Filled(ElasticEvents(client), events)


@pytest.mark.long
def test_there_is_enough_to_ask_and_to_find():
    events = documents()
    assert len(QUERIES) >= 200
    assert len({event.id for event in events}) == len(events) >= 400
    found = sum(any(matches(parse(text), event.fields) for event in events) for text in QUERIES)
    assert found >= 0.8 * len(QUERIES)


@pytest.mark.parametrize("text", QUERIES)
def test_a_search(filled, text):
    query = parse(text)
    assert filled.ids(query) == filled.expected(query)


@pytest.mark.parametrize("text", QUERIES[::20])
@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: "+".join(sorted(scope.orgs or ["all"])) or "none")
def test_a_search_in_a_scope(filled, text, scope):
    query = parse(text)
    assert filled.ids(query, scope) == filled.expected(query, scope)


@pytest.mark.parametrize("text", QUERIES[::25])
@pytest.mark.parametrize("limit", [1, 7])
def test_a_search_page_by_page(filled, text, limit):
    query = parse(text)
    expected = filled.expected(query)[:30]
    page = filled.store.search(query, EVERYTHING, limit=limit)
    found = [event.id for event in page.items]
    while page.next is not None and len(found) < len(expected):
        assert len(page.items) <= limit
        page = filled.store.search(query, EVERYTHING, limit=limit, cursor=page.next)
        found += [event.id for event in page.items]
    assert found[: len(expected)] == expected


@pytest.mark.parametrize("text", QUERIES[::25])
@pytest.mark.parametrize(
    ("since", "until"),
    [
        (NOON, NOON + 60_000),
        (NOON + 1, 1 << 47),
        (0, NOON),
        (1, NOON),
        (NOON - 86_400_000, NOON),
        (5, 5),
        (0, 0),
        (-5, 1),
    ],
)
def test_a_search_in_a_span_of_time(filled, text, since, until):
    query = parse(text)
    assert filled.ids(query, since=since, until=until) == filled.expected(query, since=since, until=until)


@pytest.mark.parametrize("seed", range(16))
def test_searches_made_at_random(filled, seed):
    rng = random.Random(seed)
    for _ in range(8):
        text = _random(rng, 3)
        try:
            query = parse(text)
        except QueryError:
            continue
        assert filled.ids(query) == filled.expected(query), text


def _random(rng: random.Random, depth: int) -> str:
    if depth and rng.random() < 0.6:
        sign = rng.choice([" AND ", " OR ", " "])
        inside = sign.join(_random(rng, depth - 1) for _ in range(rng.randint(1, 3)))
        return f"{rng.choice(['', 'NOT '])}({inside})"
    return rng.choice(["", "", "NOT "]) + rng.choice(
        [text for text in QUERIES if text[0] not in "-+" and " " not in text]
    )


@pytest.mark.server
def test_an_event_that_the_server_refused_has_its_place_in_the_order(elastic):
    events = [event for event in documents() if event.ts][:40] + [event for event in documents() if not event.ts]
    refused = events.pop(20)
    with connect(elastic.url) as client:
        setup.install(client)
        index = names.events("0" * 32, refused.org, refused.dataset, "month")
        client.index(index=index, id=refused.id, document=refused.fields)
        for event in events:
            index = names.events(event.id, event.org, event.dataset, "month")
            client.index(index=index, id=event.id, document=event.fields | added(event.fields))
        client.indices.refresh(index="govsoc-*")
        filled = Filled(ElasticEvents(client), [*events, refused])
        for limit in (1, 7, 1000):
            assert filled.ids(parse(""), limit=limit) == filled.expected(parse(""))
            assert filled.ids(parse(""), limit=limit, since=1) == filled.expected(parse(""), since=1)


def test_events_are_as_they_were_written(filled):
    by_id = {event.id: event for event in filled.events}
    for event in filled.store.many(by_id, EVERYTHING):
        assert event == by_id.pop(event.id)
    assert by_id == {}


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: "+".join(sorted(scope.orgs or ["all"])) or "none")
def test_neighbours(filled, scope):
    for event in filled.events[::37]:
        if not scope.allows(event.org):
            continue
        near = [
            e
            for e in sorted(filled.events)
            if e.ts and e.org == event.org and e.fields["govsoc.source.id"] == event.fields["govsoc.source.id"]
        ]
        before = [e for e in near if event.ts - 3_600_000 <= e.ts and e.id < event.id][-4:] if event.ts else []
        after = [e for e in near if e.ts < event.ts + 3_600_000 and e.id > event.id][:4] if event.ts else []
        assert filled.store.neighbours(event.id, scope, each_side=4) == (before, after)
