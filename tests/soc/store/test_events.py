"""Searching the day files of the embedded default."""

from __future__ import annotations

from soc.buffer.sqlite import EventLog
from soc.model.org import EVERYTHING
from soc.query.parse import parse
from soc.store.events import SqliteEvents

NOON = 1_772_452_800_000


def test_a_search_that_takes_long_gives_a_short_page_to_go_on_from(tmp_path, make_event, monkeypatch):
    events = [make_event(NOON + i * 600_000, str(i), message="needle" if i == 0 else "hay") for i in range(30)]
    EventLog(tmp_path).append(events)
    monkeypatch.setattr("soc.store.events._TIME_LIMIT_S", 0.0)
    store, pages, found, cursor = SqliteEvents(tmp_path), 0, [], None
    while True:
        page = store.search(parse("needle"), EVERYTHING, cursor=cursor)
        pages, found = pages + 1, [*found, *page.items]
        if (cursor := page.next) is None:
            break
    assert found == events[:1]
    assert pages > 10
