"""The pages that people work with, at a million alerts of a year while 2,000 events/s come in and raise more, on both stores.

Bars: p95 of each page at most 300 ms; of the default view of the queue through the API at most 150 ms.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench import filled, workload
from bench.end_to_end import rule_settings
from bench.processes import Running
from soc.store.sqlite import open_stores

_ATTACK = '198.51.{}.{} - - [{}] "GET /thu-tuc?id=1%27%20UNION%20ALL%20SELECT%20NULL,NULL-- HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n'
_ATTACKS_PER_S = 5

Figures = list[tuple[str, str]]


def ingest(log: Path, per_s: int, stop: threading.Event) -> None:
    """Write lines at this pace; each attack has an address, so an alert, of its own."""
    ordinary, began, tick = workload.lines(10_000_000, seed=2, attacks=0), time.monotonic(), 0
    with log.open("a", buffering=1 << 16) as file:
        while not stop.is_set():
            stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
            for _ in range(per_s // _ATTACKS_PER_S):
                head, _, rest = next(ordinary).partition(" [")
                file.write(f"{head} [{stamp}{rest[rest.index(']') :]}")
            file.write(_ATTACK.format(tick // 250 % 256, tick % 250 + 1, stamp))
            file.flush()
            tick += 1
            stop.wait(max(0.0, began + tick / _ATTACKS_PER_S - time.monotonic()))


def times(ask: Callable[[], httpx.Response], count: int) -> list[float]:
    """Milliseconds of so many requests, one after the other, the first of which are not counted."""
    taken = []
    for i in range(count + 5):
        began = time.perf_counter()
        answer = ask()
        if i >= 5:
            taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code in (200, 303), (answer.url, answer.status_code, answer.text[:500])
    return taken


def figures(taken: list[float]) -> str:
    cuts = statistics.quantiles(taken, n=100)
    return f"{cuts[49]:.0f} / {cuts[94]:.0f} / {cuts[98]:.0f}"


def main(count: int = 1_000_000, events: int = 2_000_000, per_s: int = 2000, tried: int = 100) -> Figures:
    return embedded(count, per_s, tried) + elastic(count, events, per_s, tried)


def embedded(count: int, per_s: int, tried: int) -> Figures:
    with tempfile.TemporaryDirectory() as name:
        folder, now = Path(name), time.time_ns() // 1_000_000
        (folder / "data").mkdir()
        filled.fill_sqlite(folder / "data", count, now)
        filled.fill_desk(open_stores(folder / "data"), now)
        return [("embedded store", f"{count:,} alerts"), *measured(folder, {}, per_s, tried)]


def elastic(count: int, events: int, per_s: int, tried: int) -> Figures:
    from deploy.elasticsearch.cluster import Cluster
    from deploy.elasticsearch.place import installed
    from soc.store.elastic.admin import setup
    from soc.store.elastic.client import connect
    from soc.store.elastic.open import open_stores as on_server

    if installed() is None:
        return [("not measured on Elasticsearch", "it is not installed: `make servers` installs it")]
    cluster = Cluster(heap="1g")
    cluster.start()
    try:
        with tempfile.TemporaryDirectory() as name, connect(cluster.url) as client:
            setup.install(client)
            now = time.time_ns() // 1_000_000
            filled.fill_elastic(client.options(request_timeout=300), count, now)
            filled.fill_events(client, events)
            filled.fill_desk(on_server(client), now)
            first = [("Elasticsearch", f"{count:,} alerts, {events:,} events")]
            return first + measured(Path(name), {"SOC_STORE__URL": cluster.url}, per_s, tried)
    finally:
        cluster.stop()


def measured(folder: Path, extra: dict[str, str], per_s: int, tried: int) -> Figures:
    log, stop = folder / "access.log", threading.Event()
    log.touch()
    running = Running(folder / "data", rule_settings() | extra)
    running.soc("sources", "add", "portal", "--type", "nginx.access", "--org", filled.COMMUNE, "--path", str(log))
    running.start()
    running.wait("DETECT", "soc_detector_ready", 1, 120)
    writing = threading.Thread(target=ingest, args=(log, per_s, stop))
    writing.start()
    try:
        running.wait("DETECT", "soc_detector_events_total", 5 * per_s, 120)
        seen, began = running.metric("DETECT", "soc_detector_events_total"), time.monotonic()
        result = views(running, tried)
        rate = (running.metric("DETECT", "soc_detector_events_total") - seen) / (time.monotonic() - began)
        load = os.getloadavg()[0]
        result.append(("events examined meanwhile, a second", f"{rate:,.0f} (load average {load:.1f})"))
    finally:
        stop.set()
        writing.join()
        running.stop()
    return result


@contextmanager
def signed_in(running: Running, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{running.ports['SERVE']}", timeout=60) as client:
        assert client.post("/sign-in", data={"name": name, "password": filled.PASSWORD}).status_code == 303
        yield client


def views(running: Running, tried: int) -> Figures:
    with signed_in(running, "all") as everyone, signed_in(running, "commune") as commune:
        alert = everyone.get("/api/v1/alerts?limit=1").json()["items"][0]["id"]
        incident = everyone.get("/api/v1/incidents?limit=1").json()["items"][0]["id"]
        rule = everyone.get(f"/api/v1/alerts/{alert}").json()["rule_id"]
        shown = {
            "API: default view (bar: p95 150)": (everyone, "/api/v1/alerts"),
            "API: one commune": (commune, "/api/v1/alerts"),
            "API: status new, level high": (everyone, "/api/v1/alerts?status=new&level=high"),
            "API: one entity": (everyone, "/api/v1/alerts?entity=10.1.2.3"),
            "API: counts by status": (everyone, "/api/v1/health"),
            "queue": (everyone, "/alerts"),
            "queue of a commune": (commune, "/alerts"),
            "an alert": (everyone, f"/alerts/{alert}"),
            "one decision for many, shown first": (everyone, "/alerts/bulk?status=new&level=high&q=org:province00.*"),
            "incidents": (everyone, "/incidents"),
            "an incident": (everyone, f"/incidents/{incident}"),
            "rules": (everyone, "/rules"),
            "a rule": (everyone, f"/rules/{rule}"),
            "an exception from an alert, with its preview": (everyone, f"/alerts/{alert}/exception"),
            "backtests": (everyone, "/backtests"),
            "notifications": (everyone, "/notifications"),
            "sources": (everyone, "/sources"),
            "a source": (everyone, "/sources/portal"),
            "coverage": (everyone, "/coverage"),
            "events": (everyone, "/events"),
        }
        result = []
        for what, (client, path) in shown.items():
            try:
                result.append((f"{what}, ms p50 / p95 / p99", figures(times(lambda: client.get(path), tried))))  # noqa: B023
            except AssertionError as error:
                result.append((what, f"failed: {error}"))
            print(*result[-1], flush=True)
    return result
