"""On a real Elasticsearch that is started for it: the writer, bytes on disk, and the whole pipeline beside its server.

The writer is fed from a filled event log and stands against raw bulk requests of the same documents into the same indices, made
ready before the clock starts, in turn with it. Bars: 0.85 of the raw rate at no more than a third of the server's CPU; 0.6 of the
bytes that dynamic mapping takes; 8,000 events/s end to end with the server on the same two cores.
"""

from __future__ import annotations

import http.client
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from bench import workload
from bench.end_to_end import rule_settings
from bench.processes import Running, cpu_s
from collector.fileid import read_file
from collector.parse.record import to_event
from collector.privacy import Masker
from deploy.elasticsearch.cluster import Cluster
from deploy.elasticsearch.place import installed
from soc.buffer.base import Cursor
from soc.buffer.progress import Progress
from soc.buffer.sqlite import EventLog
from soc.model.event import Stored
from soc.model.source import Source, Transport
from soc.service.collector import fingerprint
from soc.service.indexer import Indexer
from soc.service.process import relax_garbage_collection
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.elastic.events.bulk import REQUEST_ROWS, BulkWriter

_NOW = 1 << 45


def fill(folder: Path, count: int) -> Path:
    """An event log of `count` events; returns its folder."""
    access, events = folder / "access.log", folder / "events"
    workload.write(access, count)
    source = Source("bench", "bench", "bench", "nginx.access", Transport.FILE)
    masker, log = Masker(bytes(32)), EventLog(events)
    made = [to_event(record, source, masker, _NOW) for record in read_file(access, fingerprint)]
    for start in range(0, count, 4000):
        log.append(made[start : start + 4000])
    log.close()
    return events


def rows_of(events: Path) -> list[Stored]:
    log, rows = EventLog(events), list[Stored]()
    cursor: Cursor = {}
    while (read := log.read(cursor, 10_000)).events:
        rows += read.events
        cursor = read.cursor
    log.close()
    return rows


class Raw:
    """Bulk requests that are ready before the clock starts, sent one after the other over one connection."""

    def __init__(self, cluster: Cluster, bodies: list[bytes]) -> None:
        self._port, self._bodies = cluster.nodes[0].http_port, bodies

    def __call__(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        for body in self._bodies:
            connection.request("POST", "/_bulk?filter_path=errors", body, {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse().read()
            if answer != b'{"errors":false}':
                raise RuntimeError(f"a raw bulk request failed: {answer[:500]!r}")
        connection.close()


def timed(cluster: Cluster, act: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds, CPU seconds of ours, CPU seconds of the server."""
    server = cluster.nodes[0].pid
    ours, theirs, began = cpu_s(os.getpid()), cpu_s(server), time.monotonic()
    act()
    return time.monotonic() - began, cpu_s(os.getpid()) - ours, cpu_s(server) - theirs


def writer(cluster: Cluster, folder: Path, count: int, runs: int) -> list[tuple[str, str]]:
    events = fill(folder, count)
    client = connect(cluster.url)
    setup.install(client)
    ready = BulkWriter(client, "month", clock=lambda: _NOW)
    rows = rows_of(events)
    raw = Raw(cluster, [ready.prepare(rows[at : at + REQUEST_ROWS]).body for at in range(0, len(rows), REQUEST_ROWS)])
    del rows
    relax_garbage_collection()  # as the detector process does

    def index() -> None:
        log, progress = EventLog(events), Progress(folder / f"{time.monotonic_ns()}.db")
        Indexer(log, BulkWriter(client, "month", clock=lambda: _NOW), progress).drain(threading.Event())
        log.close()
        progress.close()

    def afresh(act: Callable[[], object]) -> tuple[float, float, float]:
        cluster.request("DELETE", "/govsoc-events-*")
        result = timed(cluster, act)
        cluster.request("POST", "/govsoc-events-*/_refresh")
        if (stored := cluster.request("GET", "/govsoc-events-*/_count")["count"]) != count:
            raise RuntimeError(f"{stored} of {count} events are stored")
        return result

    for _ in range(2):  # until the server's code is compiled
        afresh(raw)
    pairs = [(afresh(raw), afresh(index)) for _ in range(runs)]
    base, own = (statistics.median(count / pair[i][0] for pair in pairs) for i in (0, 1))
    ratios = [raw_took / own_took for (raw_took, *_), (own_took, *_) in pairs]
    shares = [client_cpu / server_cpu for _, (_, client_cpu, server_cpu) in pairs]
    client_us, server_us = (statistics.median(own[i] for _, own in pairs) / count * 1e6 for i in (1, 2))
    return [
        ("raw bulk requests, events/s", f"{base:,.0f}"),
        ("writer, events/s", f"{own:,.0f}"),
        ("ratio to raw (bar 0.85)", f"{statistics.median(ratios):.3f}  of {[round(ratio, 2) for ratio in ratios]}"),
        ("CPU us an event, ours / server", f"{client_us:.1f} / {server_us:.1f}"),
        ("our share of the server's CPU (bar 0.333)", f"{statistics.median(shares):.3f}"),
        *disk(cluster, events, count),
    ]


def disk(cluster: Cluster, events: Path, count: int) -> list[tuple[str, str]]:
    """Bytes of the index that is there, and of the same documents under dynamic mapping, each merged to one segment."""
    rows = rows_of(events)
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "mapping.total_fields.limit": 10_000}
    cluster.request("PUT", "/dynamic", {"settings": {"index": settings}})
    bodies = []
    for at in range(0, len(rows), REQUEST_ROWS):
        lines = []
        for row in rows[at : at + REQUEST_ROWS]:
            lines += [orjson.dumps({"create": {"_index": "dynamic", "_id": row.id}}), row.doc]
        bodies.append(b"\n".join([*lines, b""]))
    Raw(cluster, bodies)()
    sizes = [size(cluster, index) / count for index in ("govsoc-events-*", "dynamic")]
    cluster.request("DELETE", "/dynamic")
    return [
        ("bytes on disk an event, ours / dynamic mapping", f"{sizes[0]:.0f} / {sizes[1]:.0f}"),
        ("ratio to dynamic mapping (bar 0.6)", f"{sizes[0] / sizes[1]:.3f}"),
    ]


def size(cluster: Cluster, index: str) -> int:
    """Bytes of the index in one segment, once the files that were merged into it are gone."""
    cluster.request("POST", f"/{index}/_forcemerge?max_num_segments=1&flush=true")
    sizes = [-1]
    while len(sizes) < 3 or len(set(sizes[-3:])) > 1:
        cluster.request("POST", f"/{index}/_refresh")
        time.sleep(1.0)
        store = cluster.request("GET", f"/{index}/_stats/store")["_all"]["primaries"]["store"]
        sizes.append(int(store["size_in_bytes"]))
    return sizes[-1]


def pipeline(cluster: Cluster, folder: Path, count: int) -> list[tuple[str, str]]:
    """A file through all processes until the last event is examined and the last is indexed."""
    cluster.request("DELETE", "/govsoc-*")
    folder.mkdir()
    access = folder / "access.log"
    workload.write(access, count)
    running = Running(folder / "data", rule_settings() | {"SOC_STORE__URL": cluster.url})
    running.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "bench", "--path", str(access))
    running.start("serve", "detect")
    running.wait("DETECT", "soc_detector_ready", 1, 120)
    server = cpu_s(cluster.nodes[0].pid)
    began = time.monotonic()
    running.start("collect")
    running.wait("DETECT", "soc_detector_events_total", count, 900, poll_s=0.3)
    detected = time.monotonic() - began
    running.wait("DETECT", "soc_indexer_events_total", count, 900, poll_s=0.3)
    took = time.monotonic() - began
    cpu = running.cpu_s() | {"server": cpu_s(cluster.nodes[0].pid) - server}
    memory = running.memory_mb()
    running.stop()
    return [
        ("pipeline and server on the same cores, events/s (bar 8,000)", f"{count / took:,.0f}"),
        ("the same until the last event is examined, events/s", f"{count / detected:,.0f}"),
        (
            "CPU us an event, collector / detector and indexer / server",
            " / ".join(f"{cpu[name] / count * 1e6:.1f}" for name in ("collect", "detect", "server")),
        ),
        ("memory of the three of ours, MiB", f"{sum(memory.values()):.0f}"),
    ]


def main(count: int = 100_000, runs: int = 5) -> list[tuple[str, str]]:
    if installed() is None:
        return [("not measured", "Elasticsearch is not installed: `make servers` installs it")]
    cluster = Cluster(heap="1g")
    cluster.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return [
                *writer(cluster, Path(folder), count, runs),
                *pipeline(cluster, Path(folder) / "pipeline", 3 * count),
            ]
    finally:
        cluster.stop()
