"""CPU time of each part of the way of an event, one process, one core; and orjson on the same documents as a yardstick."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from bench import workload
from bench.end_to_end import rule_folders
from collector.fileid import read_file
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.engine import Engine
from rules.load.folders import load
from soc.buffer.base import Cursor
from soc.buffer.sqlite import EventLog
from soc.model.event import Stored
from soc.model.source import Source, Transport
from soc.service.collector import fingerprint
from soc.service.process import relax_garbage_collection

_COUNT = 20_000


def cost_us(act: Callable[[int], object], runs: int = 3) -> float:
    """CPU microseconds an event, median of the runs; each run has values of its own, which no cache has seen."""
    taken = []
    for run in range(runs):
        began = time.process_time()
        act(run)
        taken.append((time.process_time() - began) / _COUNT * 1e6)
    return statistics.median(taken)


def main() -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"access{run}.log" for run in range(3)]
        for seed, path in enumerate(paths):
            workload.write(path, _COUNT, seed)
        source = Source("bench", "bench", "bench", "nginx.access", Transport.FILE)
        masker, judge = Masker(bytes(32)), Masker(bytes(32))
        records = [list(read_file(path, fingerprint)) for path in paths]
        loaded = load(*rule_folders())
        engine = Engine(loaded, ZoneInfo("Asia/Ho_Chi_Minh"))
        relax_garbage_collection()  # as the processes do

        def parse(run: int) -> None:
            for record in records[run]:
                to_event(record, source, masker, 1 << 45)

        costs = {
            "read lines of a file": cost_us(lambda run: sum(1 for _ in read_file(paths[run], fingerprint))),
            "mask": cost_us(lambda run: [judge.mask(record.line.decode()) for record in records[run]]),
            "record to event (mask and parse included)": cost_us(parse),
        }
        events = [[to_event(record, source, masker, 1 << 45) for record in some] for some in records]
        logs = [EventLog(Path(folder) / f"log{run}") for run in range(3)]
        documents = [[orjson.dumps(event.fields) for event in some] for some in events]

        ready: list[list[Stored]] = []

        def make_ready(run: int) -> None:
            ready.append([Stored.of(event) for event in events[run]])

        def append(run: int) -> None:
            for start in range(0, _COUNT, 4000):
                logs[run].append(ready[run][start : start + 4000])

        costs |= {
            "make ready for the disk": cost_us(make_ready),
            "append to the event log": cost_us(append),
            "read from the event log": cost_us(lambda run: sum(len(some) for some in _batches(logs[run].directory))),
            "read, sift, and parse what passes": cost_us(
                lambda run: [engine.sift(some) for some in _batches(logs[run].directory)]
            ),
            f"match {len(loaded.rules)} rules, all events": cost_us(lambda run: engine.match(events[run])),
            "yardstick: orjson.loads": cost_us(lambda run: [orjson.loads(document) for document in documents[run]]),
        }
    base = costs["yardstick: orjson.loads"]
    return [(name, f"{cost:7.2f} us   {cost / base:5.2f} x orjson.loads") for name, cost in costs.items()]


def _batches(folder: Path) -> Iterator[tuple[Stored, ...]]:
    log = EventLog(folder)
    cursor: Cursor = {}
    while (batch := log.read(cursor, 5000)).events:
        yield batch.events
        cursor = batch.cursor
