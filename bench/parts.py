"""CPU time of each part of the way of an event, one process, one core; and orjson on the same documents as a yardstick."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

import rules.load
from bench import workload
from bench.end_to_end import rule_folders
from collector.fileid import read_file
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.match import Engine
from soc.buffer.sqlite import EventLog
from soc.model.source import Source, Transport
from soc.service.collector import fingerprint
from soc.service.process import relax_garbage_collection

_COUNT = 20_000


def cost_us(act: Callable[[], object], runs: int = 3) -> float:
    """CPU microseconds an event, median of the runs."""
    taken = []
    for _ in range(runs):
        began = time.process_time()
        act()
        taken.append((time.process_time() - began) / _COUNT * 1e6)
    return statistics.median(taken)


def main() -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "access.log"
        workload.write(path, _COUNT)
        records = list(read_file(path, fingerprint))
        source = Source("bench", "bench", "bench", "nginx.access", Transport.FILE)
        masker = Masker(bytes(32))
        events = [to_event(record, source, masker, 1 << 45) for record in records]
        texts = [record.line.decode() for record in records]
        documents = [orjson.dumps(event.fields) for event in events]
        logs = iter([EventLog(Path(folder) / f"log{i}") for i in range(9)])

        relax_garbage_collection()  # as the processes do

        def append() -> None:
            log = next(logs)
            for start in range(0, _COUNT, 2000):
                log.append(events[start : start + 2000])

        loaded = rules.load.load(*rule_folders())

        def match() -> None:
            Engine(loaded, ZoneInfo("Asia/Ho_Chi_Minh")).match(events)  # a new engine each time: no value has been seen

        costs = {
            "read lines of a file": cost_us(lambda: sum(1 for _ in read_file(path, fingerprint))),
            "mask": cost_us(lambda: [masker.mask(text) for text in texts]),
            "record to event (mask and parse included)": cost_us(
                lambda: [to_event(r, source, masker, 1 << 45) for r in records]
            ),
            "append to the event log": cost_us(append),
            "read from the event log": cost_us(lambda: list(islice(_events(Path(folder) / "log0"), _COUNT))),
            f"match {len(loaded.rules)} rules, values unseen": cost_us(match),
            "yardstick: orjson.loads": cost_us(lambda: [orjson.loads(d) for d in documents]),
        }
    base = costs["yardstick: orjson.loads"]
    return [(name, f"{cost:7.2f} us   {cost / base:5.2f} x orjson.loads") for name, cost in costs.items()]


def _events(folder: Path):  # type: ignore[no-untyped-def]
    log, cursor = EventLog(folder), {}
    while (batch := log.read(cursor, 2000)).events:
        yield from batch.events
        cursor = dict(batch.cursor)
    log.close()
