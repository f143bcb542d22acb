"""Searches while indices are being made: they wait for the moment that takes, and never show a part for the whole."""

from __future__ import annotations

import threading

import pytest

from soc.store.elastic.client import connect

pytestmark = pytest.mark.server


def test_a_search_meets_an_index_that_is_just_being_made(elastic):
    made, problems, seen = threading.Event(), [], [0]
    with connect(elastic.url) as client, connect(elastic.url) as other:

        def look() -> None:
            while not made.is_set():
                try:
                    answer = other.search(
                        index="govsoc-x-*", allow_partial_search_results=False, ignore_unavailable=True
                    )
                    seen.append(answer["hits"]["total"]["value"])
                except Exception as error:
                    problems.append(error)

        thread = threading.Thread(target=look)
        thread.start()
        for i in range(8):
            client.index(index=f"govsoc-x-{i}", document={"a": 1}, refresh=True)
        made.set()
        thread.join()
    assert problems == []
    assert seen == sorted(seen), "never fewer than before"
