"""What the engine costs at its limits: with thirty times the rules, with ten million distinct values, and beside the rest of the pipeline.

Bars: 3,141 rules at most 3 times 100 rules an event; at most 400 MB, and no more at the end than at a tenth; at most 40 % of the CPU.
"""

from __future__ import annotations

import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from bench import end_to_end, workload
from bench.rules import WORKLOADS
from collector.fileid import read_file
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.engine import Engine
from rules.load.folders import load
from soc.model.event import Stored
from soc.model.source import Source, Transport
from soc.service.collector import fingerprint
from soc.service.process import relax_garbage_collection

RUNS = 3
FEW = 100
VALUES = 10_000_000
FIELDS = (
    "CommandLine",
    "ParentCommandLine",
    "Image",
    "ParentImage",
    "CurrentDirectory",
)  # each gets a value of its own


def main() -> list[tuple[str, str]]:
    data = os.environ.get("SOC_TEST_DATA")
    if not data:
        return [("not measured", "SOC_TEST_DATA is not set")]
    with tempfile.TemporaryDirectory() as folder:
        return [*_growth(Path(data), Path(folder)), *_distinct(Path(data)), *_share()]


def _growth(data: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """All rules against every thirtieth of them, in turns, on unseen events."""
    every = sorted((data / "sigmahq/rules").rglob("*.yml"))
    few = folder / "few"
    for path in every[:: len(every) // FEW][:FEW]:
        target = few / path.relative_to(data / "sigmahq/rules")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for name in ("win", "pc"):
        with gzip.open(data / WORKLOADS[name][2]) as file:
            lines = file.read().splitlines()
        events = folder / "events"
        events.write_bytes(b"\n".join(lines))
        first = len(lines) // 3

        def cost_us(some: Path, events: Path = events, first: int = first, count: int = len(lines)) -> float:
            command = [
                sys.executable,
                "-m",
                "bench.engine",
                str(folder / "cache"),
                str(some),
                "-",
                str(events),
                str(first),
            ]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            return float(orjson.loads(done.stdout)["cpu_s"]) / (count - first) * 1e6

        costs = [(cost_us(few), cost_us(data / "sigmahq/rules")) for _ in range(RUNS)]
        small, large = (statistics.median(one) for one in zip(*costs, strict=True))
        yield (
            f"{name}: us an event, {FEW} rules / all {len(every):,} (bar 3 times)",
            f"{small:.1f} / {large:.1f}   {large / small:.2f} times",
        )


def _distinct(data: Path) -> Iterator[tuple[str, str]]:
    """Memory of an engine through which ten million values go, each only once."""
    command = [sys.executable, "-m", "bench.limits", str(data)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    tenth, end, peak, rate = orjson.loads(done.stdout)
    yield (
        f"memory after 1 / {VALUES / 1e6:.0f} million distinct values; peak, MB (bar 400)",
        f"{tenth:.0f} / {end:.0f}; {peak:.0f}   at {rate:,.0f} events/s",
    )


def distinct(data: Path) -> tuple[float, float, float, float]:
    """MB at a tenth and at the end, the most, events/s of CPU time; in a process of its own."""
    with gzip.open(data / WORKLOADS["pc"][2]) as file:
        events = [orjson.loads(line) for _, line in zip(range(2_000), file, strict=False)]
    engine = Engine(load([data / "sigmahq/rules"]), ZoneInfo("UTC"))
    relax_garbage_collection()
    number, tenth, began = 0, 0.0, time.process_time()
    while number < VALUES:
        for event in events:
            number += len(FIELDS)
            fields = event | {name: f"{event.get(name, '')} {number}" for name in FIELDS}
            engine.plan(fields).fire(fields)
        tenth = tenth or (_mb("VmRSS") if number >= VALUES / 10 else 0.0)
    return tenth, _mb("VmRSS"), _mb("VmHWM"), number / len(FIELDS) / (time.process_time() - began)


def _mb(what: str) -> float:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)]
    return int(line.split()[1]) / 1024


def _share(count: int = 100_000) -> Iterator[tuple[str, str]]:
    """The engine's cost of an event alone, against that of collector and detector together on the same lines."""
    whole = end_to_end.run(count)
    both = whole["collector_us"] + whole["detector_us"]
    alone = _engine_us()
    yield (
        "engine / collector and detector, CPU us an event (bar 40 %)",
        f"{alone:.1f} / {both:.1f}   {alone / both:.0%}",
    )


def _engine_us(count: int = 20_000) -> float:
    """Telling which events need no look, parsing the others, and matching them, as the detector does; median of the runs."""
    source = Source("bench", "bench", "bench", "nginx.access", Transport.FILE)
    masker = Masker(bytes(32))
    engine = Engine(load(*end_to_end.rule_folders()), ZoneInfo("Asia/Ho_Chi_Minh"))
    relax_garbage_collection()
    costs = []
    for seed in range(RUNS + 1):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "access.log"
            workload.write(path, count, seed)
            records = read_file(path, fingerprint)
            stored = [Stored.of(to_event(record, source, masker, 1 << 45)) for record in records]
        began = time.process_time()
        for start in range(0, count, 2_000):
            engine.match(engine.sift(stored[start : start + 2_000]))
        costs.append((time.process_time() - began) / count * 1e6)
    return statistics.median(costs[1:])  # the first one compiles


if __name__ == "__main__":
    print(orjson.dumps(distinct(Path(sys.argv[1]))).decode())
