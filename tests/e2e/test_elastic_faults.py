"""Elasticsearch fails under load: nodes are killed, it hangs, its disk is full. Nothing is lost, nothing is there twice, and it is said."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from elastic import event_ids, need_elasticsearch
from servers import Product, eventually

from bench import workload
from deploy.elasticsearch.cluster import Cluster, Node

pytestmark = pytest.mark.server


class Feed:
    """Appends lines to a file, so many a second, until told to stop or until there are no more."""

    def __init__(self, path: Path, lines: list[str], per_s: int) -> None:
        self._path, self._lines, self._per_s = path, lines, per_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.written = 0

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        with self._path.open("a") as file:
            while self.written < len(self._lines) and not self._stop.wait(0.05):
                due = min(int((time.monotonic() - began) * self._per_s), len(self._lines))
                file.writelines(self._lines[self.written : due])
                file.flush()
                self.written = due

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)


class Watch:
    """Looks four times a second at what must go on: the events examined, and what the console answers."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.longest_pause_s = 0.0
        self.answers: dict[int, int] = {}
        self.slowest_s = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        examined, since = self._product.examined(), time.monotonic()
        while not self._stop.wait(0.25):
            now = self._product.examined()
            if now > examined:
                examined, since = now, time.monotonic()
            self.longest_pause_s = max(self.longest_pause_s, time.monotonic() - since)
            began = time.monotonic()
            try:
                self._product.get("/alerts?limit=1")
                status = 200
            except urllib.error.HTTPError as error:
                status = error.code
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.answers[status] = self.answers.get(status, 0) + 1


def logged_ids(data_dir: Path) -> list[str]:
    """The id of every event in the event log, sorted: those whose source was told that they are safe."""
    ids: list[str] = []
    for path in (data_dir / "events").glob("*.db"):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        ids += [row[0] for row in db.execute("SELECT id FROM event")]
        db.close()
    return sorted(ids)


def alerts(product: Product) -> list[tuple]:
    """What every alert says but for the wall clock of its raising."""
    items, cursor = [], ""
    while True:
        page = product.get(f"/alerts?limit=200{cursor}")
        items += page["items"]
        if not page.get("next"):
            break
        cursor = f"&cursor={page['next']}"
    return sorted((a["id"], a["rule_id"], a["entity"], a["count"], a["first_seen"], a["last_seen"]) for a in items)


def metric(product: Product, name: str) -> float:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{product.env['SOC_DETECT__HTTP_PORT']}/metrics", timeout=10
    ) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
    return 0.0


def indexed(product: Product) -> float:
    """Events that the server has acknowledged since the detector started."""
    return metric(product, "soc_indexer_events_total") + metric(product, "soc_indexer_duplicates_total")


@pytest.fixture
def three_nodes() -> Iterator[Cluster]:
    need_elasticsearch()
    cluster = Cluster(nodes=3, heap="400m", quick=True)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def on_elastic(elastic, tmp_path) -> Iterator[Product]:
    product = Product(tmp_path / "data", env={"SOC_STORE__URL": elastic.url})
    yield product
    product.stop()


def with_primary(cluster: Cluster) -> Node:
    """The node that has the first shard of the events."""
    shards = cluster.request("GET", "/_cat/shards/govsoc-events-*?format=json")
    return named(cluster, next(shard["node"] for shard in shards if shard["prirep"] == "p"))


def elected(cluster: Cluster) -> Node:
    return named(cluster, cluster.request("GET", "/_cat/master?format=json")[0]["node"])


def named(cluster: Cluster, name: str) -> Node:
    return next(node for node in cluster.nodes if node.name == name)


def green(cluster: Cluster) -> bool:
    """Every shard has its copy again."""
    health = cluster.request("GET", "/_cluster/health")
    return health["status"] == "green" and health["number_of_nodes"] == len(cluster.nodes)


@pytest.mark.timeout(600)
def test_a_node_killed_three_times_under_load(three_nodes, tmp_path):
    """The one that holds the primary shard of the events, the elected master, and any."""
    lines = list(workload.lines(200_000, seed=7, attacks=0.02))
    urls = ",".join(node.url for node in three_nodes.nodes)
    product = Product(tmp_path / "data", env={"SOC_STORE__URL": urls})
    log = tmp_path / "access.log"
    log.touch()
    product.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--path", str(log))
    feed = Feed(log, lines, per_s=400)
    try:
        product.start()
        feed.start()
        eventually(lambda: indexed(product) > 2000, 60, "the first events are indexed")
        eventually(lambda: green(three_nodes), 150, "every shard has a copy")
        with Watch(product) as watch:
            for pick in (with_primary, elected, lambda cluster: cluster.nodes[2]):
                victim, before = pick(three_nodes), indexed(product)
                victim.kill()
                eventually(lambda: indexed(product) > before + 2000, 90, f"without {victim.name} it goes on")  # noqa: B023
                victim.start()
                eventually(lambda: green(three_nodes), 150, f"{victim.name} has its copies again")
        feed.stop()
        eventually(lambda: indexed(product) >= feed.written, 90, "everything is indexed")
        eventually(lambda: product.examined() >= feed.written, 60, "everything is examined")
        assert feed.written > 6000
        assert len(logged_ids(product.data_dir)) == feed.written
        assert event_ids(three_nodes) == logged_ids(product.data_dir)
        assert watch.longest_pause_s < 15, "detection goes on"
        assert set(watch.answers) <= {200, 503}, "the console keeps answering, or says that the store does not"
        assert watch.answers[200] > 0.9 * sum(watch.answers.values())
        print(watch.answers, watch.slowest_s, watch.longest_pause_s, feed.written)
        found = alerts(product)
    finally:
        feed.stop()
        product.stop()

    calm = Product(tmp_path / "calm" / "data")
    shutil.copytree(product.data_dir / "keys", calm.data_dir / "keys")
    calm.soc("replay", str(log), "--source-type", "nginx.access", "--source", "portal", "--org", "hungyen")
    calm.start()
    try:
        assert len(found) > 20
        assert found == alerts(calm), "the alerts are those of a run that nothing disturbed"
    finally:
        calm.stop()


def enrol(product: Product) -> str:
    output = product.soc(
        "sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--push"
    ).stdout.decode()
    return next(word for word in output.split() if word.startswith("govsoc_"))


def push(product: Product, token: str, start: int, count: int, query: str = "") -> None:
    """Lines of one push request, accepted."""
    stamp = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    body = "\n".join(
        f'10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255} - - [{stamp}] "GET /{i}{query} HTTP/1.1" 200 5 "-" "x"'
        for i in range(start, start + count)
    )
    request = urllib.request.Request(product.ingest_url, body.encode(), {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer) == {"accepted": count}


def said(product: Product, text: str) -> bool:
    return text in product.log.read_text()


def all_there_once(product: Product, cluster: Cluster, count: int) -> bool:
    return indexed(product) >= count and len(event_ids(cluster)) >= count


def test_a_server_that_hangs_for_a_minute_under_load(elastic, on_elastic):
    product, node = on_elastic, elastic.nodes[0]
    token = enrol(product)
    product.start()
    push(product, token, 0, 500)
    eventually(lambda: indexed(product) >= 500, 60, "the first events are indexed")
    node.pause()
    began, count = time.monotonic(), 500
    while time.monotonic() < began + 60:
        push(product, token, count, 250)
        count += 250
        time.sleep(0.25)
    assert said(product, "no answer in time")
    assert metric(product, "soc_indexer_behind_seconds") > 30
    node.resume()
    eventually(lambda: all_there_once(product, elastic, count), 60, "everything is indexed")
    eventually(lambda: product.examined() >= count, 60, "everything is examined")
    assert event_ids(elastic) == logged_ids(product.data_dir)
    assert len(event_ids(elastic)) == count
    eventually(lambda: metric(product, "soc_indexer_behind_seconds") < 5, 10, "it is no longer behind")
    assert "Traceback" not in product.log.read_text()


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
    push(product, token, 0, 500)
    eventually(lambda: indexed(product) >= 500, 60, "the first events are indexed")
    watermarks("900000gb")
    eventually(blocked, 40, "the server has made its indices read-only")
    for i in range(1, 5):
        push(product, token, i * 500, 500)
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
    push(product, token, 0, 100)
    push(product, token, 100, 15, query="?a=b")
    eventually(lambda: metric(product, "soc_indexer_refused_total") >= 15, 30, "they are refused")
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
    push(product, token, 0, 100)
    eventually(lambda: said(product, "nearly all events are refused, so they wait"), 30, "it says why")
    assert metric(product, "soc_indexer_refused_total") == 0
    elastic.request("DELETE", f"/{index}")
    elastic.request("DELETE", "/_index_template/govsoc-by-hand")
    eventually(lambda: all_there_once(product, elastic, 100), 60, "everything is indexed")
    assert event_ids(elastic) == logged_ids(product.data_dir)
    assert "Traceback" not in product.log.read_text()
