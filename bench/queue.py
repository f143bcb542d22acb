"""The alert queue at a million alerts and two million events on a real Elasticsearch, through the API, while events come in and
raise more alerts.

Bar: p95 of the default view at most 150 ms.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import orjson

from bench import workload
from bench.end_to_end import rule_settings
from bench.processes import Running
from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from deploy.elasticsearch.cluster import Cluster
from deploy.elasticsearch.place import installed
from soc.model.alert import Triage
from soc.model.event import Stored
from soc.model.rule import RuleDoc
from soc.model.source import Source, Transport
from soc.store.elastic import names
from soc.store.elastic.admin import setup
from soc.store.elastic.client import Client, connect
from soc.store.elastic.events.bulk import BulkWriter

PROVINCES = [f"province{i:02d}" for i in range(34)]
_ATTACK = '198.51.{}.{} - - [{}] "GET /thu-tuc?id=1%27%20UNION%20ALL%20SELECT%20NULL,NULL-- HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n'
_RULES = 40
_AT_ONCE = 5000
_TRIED = 300
_NOW = 1 << 45


def fill(client: Client, count: int, now: int) -> None:
    """So many alerts of a year, most of them closed, of all provinces, a few of which have most."""
    rules = [
        RuleDoc(f"rule-{i}", f"hash-{i}", f"Rule {i}", ("low", "medium", "high")[i % 3], "") for i in range(_RULES)
    ]
    for rule in rules:
        client.index(index=names.RULES, id=f"fired-{rule.hash}", document={"doc": orjson.dumps(asdict(rule)).decode()})
    lines = _alerts(rules, count, now)
    while batch := [line for _, line in zip(range(_AT_ONCE), lines, strict=False)]:
        client.perform_request(
            "POST",
            "/_bulk",
            params={"filter_path": "errors"},
            headers={"accept": "application/json", "content-type": "application/x-ndjson"},
            body=b"".join(batch),
        )
    client.indices.refresh(index="govsoc-alerts-*")


def _alerts(rules: list[RuleDoc], count: int, now: int) -> Iterator[bytes]:
    rng = random.Random(1)
    for i in range(count):
        age = int((count - i) / count * 365 * 86_400_000)
        org, rule = PROVINCES[min(int(rng.expovariate(0.15)), 33)], rng.choice(rules)
        closed = rng.random() < 0.98
        triage = asdict(Triage()) | ({"status": "closed", "verdict": "benign", "version": 1} if closed else {})
        alert = {
            "id": hashlib.blake2b(str(i).encode(), digest_size=12).hexdigest(), "rule_id": rule.id, "rule_hash": rule.hash,
            "title": rule.title, "level": rule.level, "org": f"{org}.{rng.randrange(200):03d}", "entity_field": "source.ip",
            "entity": f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", "first_seen": now - age - 60_000,
            "last_seen": now - age, "count": rng.randrange(1, 500), "raised_at": now - age, "tags": ["attack.t1190"],
            "triage": triage,
        }  # fmt: skip
        place = {"index": {"_index": names.alerts(alert["org"]), "_id": alert["id"]}}
        yield orjson.dumps(place) + b"\n" + orjson.dumps(alert) + b"\n"


def fill_events(client: Client, count: int) -> None:
    """So many events in the indices of all provinces, a few thousand of one after those of another."""
    masker, writer = Masker(bytes(32)), BulkWriter(client, "month", clock=lambda: _NOW)
    lines, stop = workload.lines(count, seed=3), threading.Event()
    for batch in range(0, count, _AT_ONCE):
        org = f"{PROVINCES[batch // _AT_ONCE % 34]}.001"
        source = Source(org, "filled", org, "nginx.access", Transport.FILE)
        some = islice(enumerate(lines, batch), min(_AT_ONCE, count - batch))
        rows = [Stored.of(to_event(Record(line.encode(), str(i)), source, masker, _NOW)) for i, line in some]
        writer.write(writer.prepare(rows), stop)


def ingest(log: Path, per_s: int, attacks_per_s: int, stop: threading.Event) -> None:
    """Write lines at this pace; each attack has an address, so an alert, of its own."""
    ordinary, began, tick = workload.lines(10_000_000, seed=2, attacks=0), time.monotonic(), 0
    with log.open("a", buffering=1 << 16) as file:
        while not stop.is_set():
            stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
            for _ in range(per_s // attacks_per_s):
                head, _, rest = next(ordinary).partition(" [")
                file.write(f"{head} [{stamp}{rest[rest.index(']') :]}")
            file.write(_ATTACK.format(tick // 250 % 256, tick % 250 + 1, stamp))
            file.flush()
            tick += 1
            stop.wait(max(0.0, began + tick / attacks_per_s - time.monotonic()))


def times(running: Running, key: str, path: str, count: int) -> list[float]:
    """Milliseconds of so many requests, one after the other."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.ports['SERVE']}/api/v1{path}", headers={"Authorization": f"Bearer {key}"}
    )
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = json.load(answer)
        taken.append((time.perf_counter() - began) * 1000)
        assert body
    return taken


def figures(taken: list[float]) -> str:
    cuts = statistics.quantiles(taken, n=100)
    return f"{cuts[49]:.0f} / {cuts[94]:.0f} / {cuts[98]:.0f}"


def main(
    count: int = 1_000_000, events: int = 2_000_000, per_s: int = 1000, tried: int = _TRIED
) -> list[tuple[str, str]]:
    if installed() is None:
        return [("not measured", "Elasticsearch is not installed: `make servers` installs it")]
    cluster = Cluster(heap="1g")
    cluster.start()
    try:
        with tempfile.TemporaryDirectory() as folder, connect(cluster.url) as client:
            setup.install(client)
            began = time.monotonic()
            fill(client.options(request_timeout=300), count, time.time_ns() // 1_000_000)
            fill_events(client, events)
            took = time.monotonic() - began
            result = [("alerts and events", f"{count:,} and {events:,}, {len(PROVINCES)} provinces, in {took:.0f} s")]
            return result + _measured(cluster, client, Path(folder), per_s, tried)
    finally:
        cluster.stop()


def baseline(client: Client, count: int) -> list[float]:
    """Milliseconds of reading one document by its id: what a busy machine adds to every request, several times to a page."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        client.get(index=names.ACCOUNTS, id="account:all")
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _measured(cluster: Cluster, client: Client, folder: Path, per_s: int, tried: int) -> list[tuple[str, str]]:
    log, stop = folder / "access.log", threading.Event()
    log.touch()
    running = Running(folder / "data", rule_settings() | {"SOC_STORE__URL": cluster.url})
    running.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "province00.001", "--path", str(log))
    keys = {}
    for name, orgs in (("all", ["--all-orgs"]), ("commune", ["--org", "province00.001"])):
        running.soc("accounts", "add", name, "--role", "viewer", *orgs)
        keys[name] = running.soc("accounts", "key", name).split()[-1]
    running.start()
    running.wait("DETECT", "soc_detector_ready_count", 1, 120)
    writing = threading.Thread(target=ingest, args=(log, per_s, 5, stop))
    writing.start()
    result = []
    try:
        running.wait("DETECT", "soc_indexer_events_total", 5 * per_s, 120)
        times(running, keys["all"], "/alerts", 50)  # the first requests of a server that has just been started
        indexed = running.metric("DETECT", "soc_indexer_events_total")
        began = time.monotonic()
        for what, who, path in (
            ("default view, everything (bar: p95 150)", "all", "/alerts"),
            ("default view, one commune", "commune", "/alerts"),
            ("status new, level high, everything", "all", "/alerts?status=new&level=high"),
            ("one entity, everything", "all", "/alerts?entity=10.1.2.3"),
            ("counts by status, everything", "all", "/health"),
        ):
            taken = times(running, keys[who], path, tried)
            result.append((f"{what}, ms p50 / p95 / p99", figures(taken)))
        result.append(("for comparison: one document by its id, ms p50 / p95 / p99", figures(baseline(client, tried))))
        rate = (running.metric("DETECT", "soc_indexer_events_total") - indexed) / (time.monotonic() - began)
        result.append(("events indexed meanwhile, a second", f"{rate:,.0f} (load average {os.getloadavg()[0]:.1f})"))
    finally:
        stop.set()
        writing.join()
        running.stop()
    return result
