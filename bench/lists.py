"""What a list of a million addresses costs the engine: the shipped rules over nginx lines, with no list, and with it."""

from __future__ import annotations

import random
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from bench import workload
from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.engine import Engine
from rules.lists.index import FOREVER, Index
from rules.lists.known import Lists
from rules.lists.pack import Entry, packed, write
from rules.load.folders import load
from soc.model.event import Stored
from soc.model.indicator import ListType
from soc.model.source import Source, Transport

ENTRIES = 1_000_000
EVENTS = 20_000
ROUNDS = 5


def main() -> list[tuple[str, str]]:
    chance = random.Random(1)
    values = [socket.inet_ntoa(chance.getrandbits(32).to_bytes(4)) for _ in range(ENTRIES)]
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        name = write(Path(folder), packed(ListType.IP, map(Entry, values)))
        made = time.process_time() - began
        del values
        before = _resident()
        index = Index.open(Path(folder), name)
        unseen = [socket.inet_ntoa(chance.getrandbits(32).to_bytes(4)) for _ in range(100_000)]
        lookup = _cpu(lambda: sum(index.until(one) == FOREVER for one in unseen)) / len(unseen)
        memory = _resident() - before
        without, with_ = _both(Lists(), Lists([("blocked_addresses", "", index)]))
    return [
        (f"making a list of {ENTRIES:,} addresses, s of CPU", f"{made:.1f}"),
        ("finding an address that was not seen, us (bar 2)", f"{lookup * 1e6:.2f}"),
        ("its memory, MiB, shared by processes (bar 20)", f"{memory / 1024:.1f}"),
        ("events/s without a list: the rules that ask for it rest", f"{EVENTS / without:,.0f}"),
        ("events/s with it", f"{EVENTS / with_:,.0f}"),
        ("ratio", f"{without / with_:.2f}"),
    ]


def _events(seed: int) -> list[Stored]:
    source, masker = Source("bench", "bench", "bench", "nginx.access", Transport.FILE), Masker(bytes(32))
    records = (Record(line.encode(), str(n)) for n, line in enumerate(workload.lines(EVENTS, seed)))
    return [Stored.of(to_event(record, source, masker, 1 << 45)) for record in records]


def _both(*lists: Lists) -> list[float]:
    """CPU seconds of the median round of each, interleaved; each round has values of its own."""
    ruleset = load()
    engines = [Engine(ruleset, ZoneInfo("Asia/Ho_Chi_Minh"), lists=one) for one in lists]
    rounds = []
    for seed in range(ROUNDS):
        events = _events(seed)
        turns = [(n, engine) for n, engine in enumerate(engines)][:: 1 if seed % 2 else -1]
        taken = {n: _cpu(lambda: engine.match(engine.sift(events))) for n, engine in turns}  # noqa: B023
        rounds.append([taken[n] for n in range(len(engines))])
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def _cpu(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def _resident() -> int:
    """KiB, file pages that are mapped among them."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])
