"""What every `History` must do: give the stored events of a scope and a time, each once, from the oldest on."""

from __future__ import annotations

import threading

import pytest
from indexed import IndexedLog

from soc.buffer.sqlite import EventLog
from soc.model.event import Stored
from soc.model.org import EVERYTHING, Scope
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.events.bulk import BulkWriter
from soc.store.elastic.events.history import ElasticHistory
from soc.store.history import SqliteHistory
from soc.store.sqlite import events_dir

DAY = 86_400_000
NOON = 1_772_452_800_000
END = NOON + 10 * DAY


@pytest.fixture(params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.server)])
def stored(request, tmp_path):
    """Two functions: one stores events, the other opens a history."""
    folder = events_dir(tmp_path)
    if request.param == "sqlite":
        yield EventLog(folder).append, lambda *where: SqliteHistory(EventLog(folder), *where)
        return
    client = connect(request.getfixturevalue("elastic").url)
    setup.install(client)
    yield IndexedLog(folder, client).append, lambda *where: ElasticHistory(client, *where)
    client.close()


def read(history, limit=7):
    """All events, and the cursors between the batches."""
    events, cursors, cursor = [], [], {}
    while (batch := history.read(cursor, limit)).events:
        events += [stored.event for stored in batch.events]
        cursor = batch.cursor
        cursors.append(cursor)
    return events, cursors


@pytest.fixture
def events(make_event, stored):
    made = [make_event(NOON + i * DAY // 6, str(i), org=("hungyen", "ninhbinh")[i % 2]) for i in range(30)]
    dead = make_event(0, "dead", event__kind="pipeline_error")
    stored[0]([*made, dead])
    return made


def test_everything_once_and_in_order(stored, events):
    history = stored[1](EVERYTHING, NOON, END)
    assert read(history)[0] == events
    assert history.began() == NOON


def test_it_goes_on_from_any_cursor(stored, events):
    _, cursors = read(stored[1](EVERYTHING, NOON, END))
    for number, cursor in enumerate(cursors, 1):
        rest = stored[1](EVERYTHING, NOON, END).read(cursor, 1000)
        assert [one.event for one in rest.events] == events[7 * number :]


def test_the_bounds_of_time(stored, events):
    history = stored[1](EVERYTHING, events[4].ts, events[9].ts)
    assert read(history)[0] == events[4:9]
    assert history.began() == events[4].ts
    nothing = stored[1](EVERYTHING, NOON - 9 * DAY, NOON - 8 * DAY)
    assert read(nothing)[0] == []
    assert nothing.began() is None


def test_a_scope_hides_other_organisations(stored, events):
    history = stored[1](Scope(frozenset({"ninhbinh"})), NOON, END)
    assert read(history)[0] == events[1::2]
    assert read(stored[1](Scope(frozenset()), NOON, END))[0] == []


def test_progress_grows_to_the_end(stored, events):
    history = stored[1](EVERYTHING, NOON, events[-1].ts + 1)
    done = [history.done(cursor) for cursor in read(history)[1]]
    assert done == sorted(done)
    assert 0 < done[0] < done[-1] <= history.total()


def test_a_batch_is_bounded_by_bytes(stored, events):
    batch = stored[1](EVERYTHING, NOON, END).read({}, 1000, max_bytes=1)
    assert 1 <= len(batch.events) < 30 or batch.full


def write(client, events):
    """As the indexer does it: taken by the server, not yet found by a search."""
    writer = BulkWriter(client, "month", clock=lambda: 0)
    writer.write(writer.prepare([Stored.of(event) for event in events]), threading.Event(), give_up_s=10)


@pytest.mark.server
def test_what_was_written_a_moment_ago_is_there(elastic, make_event):
    made = [make_event(NOON + i, str(i)) for i in range(16)]
    with connect(elastic.url) as client:
        setup.install(client)
        write(client, made)
        assert client.count(index="govsoc-events-*")["count"] == 0, "or this proves nothing"
        assert read(ElasticHistory(client, EVERYTHING, NOON, END))[0] == made
        write(client, [make_event(NOON + 99, "later")])
        assert len(read(ElasticHistory(client, Scope(frozenset({"hungyen"})), NOON, END))[0]) == 17


@pytest.mark.server
def test_where_the_key_may_only_read_it_waits_for_the_server(secured, make_event):
    made = [make_event(NOON + i, str(i)) for i in range(16)]
    with connect(secured.url, ca_file=secured.ca, user="elastic", password=secured.password) as client:
        setup.install(client)
        write(client, made)
        rights = {"indices": [{"names": ["govsoc-events-*"], "privileges": ["read"]}]}
        key = client.security.create_api_key(name="reads", role_descriptors={"reads": rights})["encoded"]
    with connect(secured.url, ca_file=secured.ca, api_key=key) as client:
        assert read(ElasticHistory(client, EVERYTHING, NOON, END))[0] == made
