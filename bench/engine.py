"""The engine's side of `python -m bench rules`, in a process of its own: rules from the compiled cache in FOLDER, the events before
number FIRST to warm up, then those after it, whose values no cache has seen.

python -m bench.engine FOLDER RULES PIPELINE|- EVENTS FIRST: one line of JSON.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from rules.engine import Engine
from rules.load.cache import Cache
from rules.load.folders import load
from soc.cli.match import well_formed
from soc.model.reader import Reader
from soc.service.process import relax_garbage_collection


def main(folder: str, rules: str, pipeline: str, events: str, first: int) -> dict[str, float]:
    with Path(events).open("rb") as file:
        lines = [line.rstrip() for line in file]
    before = time.process_time()
    with Cache(Path(folder)) as cache:
        ruleset = load([Path(rules)], [] if pipeline == "-" else [Path(pipeline)], cache=cache)
        engine = Engine(ruleset, ZoneInfo("UTC"), blobs=cache)
        relax_garbage_collection()
        through(engine, lines[:first])
        warm = time.process_time()
        hits = through(engine, lines[first:])
        done = time.process_time()
    steady = (done - warm) / (len(lines) - first)
    return {
        "hits": len(hits),
        "cpu_s": done - warm,
        "start_s": warm - before - steady * first,  # loading, and what the first events cost more than others
        "memory_mb": _memory_mb() - sum(map(sys.getsizeof, lines)) / (1 << 20),
    }


def _memory_mb() -> float:
    """The most that this process has held."""
    [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(peak.split()[1]) / 1024


def through(engine: Engine, lines: Sequence[bytes]) -> list[tuple[int, str]]:
    """(line number, rule id) of each hit."""
    hits = []
    admits, read = engine.gauge().admits, Reader().read
    for number, line in enumerate(lines):
        if not admits(line):
            well_formed(line)  # as `soc match` does
            continue
        fields = read(line)
        for fired in engine.plan(fields).fire(fields, line):
            hits.append((number, fired.rule.id))  # noqa: PERF401
    return hits


if __name__ == "__main__":
    *paths, first = sys.argv[1:]
    print(orjson.dumps(main(*paths, int(first))).decode())
