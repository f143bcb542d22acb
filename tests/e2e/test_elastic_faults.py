"""Elasticsearch fails under load: it hangs, its disk is full, an index is not ours. Nothing is lost or there twice, and it is said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from elastic import event_ids
from load import (
    Pushes,
    alerts,
    alerts_of_a_calm_run,
    all_there_once,
    enrol,
    indexed,
    logged_ids,
    push,
    said,
)
from servers import Product, eventually

from bench import workload

pytestmark = pytest.mark.server


@pytest.fixture
def on_elastic(elastic, data_dir) -> Iterator[Product]:
    product = Product(data_dir, env={"SOC_STORE__URL": elastic.url})
    yield product
    product.stop()


def plain(start: int, count: int, query: str = "") -> list[str]:
    """Lines of a minute ago, each by an address of its own."""
    stamp = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return [
        f'10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255} - - [{stamp}] "GET /{i}{query} HTTP/1.1" 200 5 "-" "x"'
        for i in range(start, start + count)
    ]


def test_a_server_that_hangs_for_two_minutes_under_load_and_attack(elastic, on_elastic):
    product, node = on_elastic, elastic.nodes[0]
    token = enrol(product)
    product.start()
    with Pushes(product, token, list(workload.lines(200_000, seed=5, attacks=0.02)), at_once=100) as pushes:
        eventually(lambda: indexed(product) >= 500, 60, "the first events are indexed")
        node.pause()
        time.sleep(120)
        pushed = pushes.accepted
        assert said(product, "no answer in time")
        assert product.metric("soc_indexer_behind_seconds") > 60
        node.resume()
        eventually(lambda: indexed(product) >= pushed, 60, "what was pushed meanwhile is indexed")
    count = pushes.accepted
    eventually(lambda: all_there_once(product, elastic, count), 60, "everything is indexed")
    eventually(lambda: product.examined() >= count, 60, "everything is examined")
    assert event_ids(elastic) == logged_ids(product.data_dir)
    assert len(event_ids(elastic)) == count
    eventually(lambda: product.metric("soc_indexer_behind_seconds") < 5, 10, "it is no longer behind")
    assert "Traceback" not in product.log.read_text()
    found = alerts(product)
    product.stop()
    assert len(found) > 20
    assert found == alerts_of_a_calm_run(product, pushes.sent), "the alerts are those of a run that nothing disturbed"


def test_a_server_whose_disk_is_nearly_full(elastic, on_elastic):
    """The server itself makes its indices read-only at its flood stage, and writable again when there is space."""

    def watermarks(free: str | None) -> None:
        at = "cluster.routing.allocation.disk.watermark."
        levels = {f"{at}{level}": free for level in ("low", "high", "flood_stage")}
        elastic.request("PUT", "/_cluster/settings", {"persistent": levels | {"cluster.info.update.interval": "10s"}})

    def blocked() -> bool:
        return "read_only_allow_delete" in json.dumps(elastic.request("GET", "/govsoc-events-*/_settings"))

    product = on_elastic
    token = enrol(product)
    product.start()
    push(product, token, plain(0, 500))
    eventually(lambda: indexed(product) >= 500, 60, "the first events are indexed")
    watermarks("900000gb")
    eventually(blocked, 40, "the server has made its indices read-only")
    for i in range(1, 5):
        push(product, token, plain(i * 500, 500))
    eventually(lambda: said(product, "its disk is nearly full"), 20, "the log says why nothing is indexed")
    assert indexed(product) == 500
    watermarks(None)
    eventually(lambda: all_there_once(product, elastic, 2500), 60, "everything is indexed")
    assert event_ids(elastic) == logged_ids(product.data_dir)
    assert "Traceback" not in product.log.read_text()


def test_an_index_made_by_hand_refuses_some_events_and_they_are_kept_until_they_are_tried_again(elastic, on_elastic):
    product = on_elastic
    token = enrol(product)
    product.start()
    month = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y.%m")
    fields = {"url": {"properties": {"query": {"type": "long"}}}}
    elastic.request(
        "PUT", "/_index_template/govsoc-by-hand", {"index_patterns": ["govsoc-events-web-*"], "priority": 900}
    )
    elastic.request("PUT", f"/govsoc-events-web-hungyen-{month}", {"mappings": {"properties": fields}})
    push(product, token, plain(0, 100))
    push(product, token, plain(100, 15, query="?a=b"))
    eventually(lambda: product.metric("soc_indexer_refused_total") >= 15, 30, "they are refused")
    eventually(lambda: all_there_once(product, elastic, 100), 30, "the others are indexed")
    elastic.request("POST", "/govsoc-events-*/_refresh")
    hits = elastic.request("POST", "/govsoc-events-quarantine-hungyen/_search", {"size": 200})["hits"]["hits"]
    assert len(hits) == 15
    assert event_ids(elastic) == logged_ids(product.data_dir)
    assert all("document_parsing_exception" in hit["_source"]["error.message"] for hit in hits)
    assert all("?a=b" in hit["_source"]["event.original"] for hit in hits)
    refused = product.soc("store", "retry", check=False)
    assert (refused.returncode, b"15 are refused again" in refused.stderr) == (3, True)
    elastic.request("DELETE", f"/govsoc-events-web-hungyen-{month}")
    elastic.request("DELETE", "/_index_template/govsoc-by-hand")
    assert b"15 refused events are indexed now" in product.soc("store", "retry").stdout
    assert len(event_ids(elastic)) == 15
    assert elastic.request("GET", "/govsoc-events-quarantine-hungyen/_count")["count"] == 0
    assert "Traceback" not in product.log.read_text()


def test_an_index_made_by_hand_that_refuses_everything_makes_events_wait_until_it_is_gone(elastic, on_elastic):
    product = on_elastic
    token = enrol(product)
    product.start()
    month = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y.%m")
    index = f"govsoc-events-web-hungyen-{month}"
    elastic.request(
        "PUT", "/_index_template/govsoc-by-hand", {"index_patterns": ["govsoc-events-web-*"], "priority": 900}
    )
    elastic.request("PUT", f"/{index}", {"mappings": {"properties": {"http": {"type": "keyword"}}}})
    push(product, token, plain(0, 100))
    eventually(lambda: said(product, "nearly all events are refused, so they wait"), 30, "it says why")
    assert product.metric("soc_indexer_refused_total") == 0
    elastic.request("DELETE", f"/{index}")
    elastic.request("DELETE", "/_index_template/govsoc-by-hand")
    eventually(lambda: all_there_once(product, elastic, 100), 60, "everything is indexed")
    assert event_ids(elastic) == logged_ids(product.data_dir)
    assert "Traceback" not in product.log.read_text()
