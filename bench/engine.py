"""The engine's side of `python -m bench rules`, in a process of its own: rules from their compiled cache, the events before `FROM` to
warm up, then those after it, whose values no cache has seen.

python -m bench.engine RULES PIPELINE|- EVENTS FROM [--untagged]: one line of JSON.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from rules.load import load
from rules.match import Engine
from soc.model.event import flat
from soc.service.process import relax_garbage_collection


class B:
    def get(s, k):
        import os

        p = "/tmp/blobs/" + k
        return open(p, "rb").read() if os.path.exists(p) else None

    def put(s, k, v):
        import os

        os.makedirs("/tmp/blobs", exist_ok=True)
        open("/tmp/blobs/" + k, "wb").write(v)


def main(rules: str, pipeline: str, events: str, first: str) -> dict[str, float]:
    began = time.process_time()
    engine = Engine(load([Path(rules)], [] if pipeline == "-" else [Path(pipeline)]), ZoneInfo("UTC"), blobs=B())
    lines = Path(events).read_bytes().splitlines()
    relax_garbage_collection()
    loaded = time.process_time()
    through(engine, lines[: int(first)])
    warm = time.process_time()
    hits = through(engine, lines[int(first) :])
    done = time.process_time()
    return {
        "hits": len(hits),
        "cpu_s": done - warm,
        "load_s": loaded - began,
        "first_s": warm - loaded,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def through(engine: Engine, lines: Sequence[bytes]) -> list[tuple[int, str]]:
    """(line number, rule id) of each hit."""
    hits = []
    gauge = engine.gauge()
    for number, line in enumerate(lines):
        if gauge.admits(line):
            fields = flat(orjson.loads(line))
            for fired in engine.plan(fields).fire(fields, line):
                hits.append((number, fired.rule.id))  # noqa: PERF401
    return hits


if __name__ == "__main__":
    print(orjson.dumps(main(*sys.argv[1:])).decode())
