"""What Prometheus reads of the demo, with many sources enrolled beside it: how many series there are, and how long a scrape takes.

Bars: a scrape of each process at most 50 ms (median), and at most 6,000 series of all together for 1,000 sources.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench.processes import Running
from soc.model.source import Source, Transport
from soc.service.process import now_ms
from soc.store.sqlite import open_stores

SOURCES = (1_000, 3_321)  # the second: one in each commune
PROVINCES = 34
SCRAPES = 30
SETTLE_S = 90  # so long the demo runs before it is scraped
PARTS = ("COLLECT", "DETECT", "OBSERVE", "SERVE")
_PATIENCE_S = 600


def main(counts: tuple[int, ...] = SOURCES, settle_s: float = SETTLE_S) -> list[tuple[str, str]]:
    return [figure for count in counts for figure in _measured(count, settle_s)]


def _measured(count: int, settle_s: float) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        running = Running(data_dir)
        running.soc("accounts", "add", "bench", "--role", "viewer", "--all-orgs")
        _enrol(data_dir, count)
        running.start("run --demo")
        try:
            running.wait("DETECT", "soc_detector_events_total", 1, _PATIENCE_S)
            time.sleep(settle_s)
            seconds: dict[str, list[float]] = {part: [] for part in PARTS}
            series = dict.fromkeys(PARTS, 0)
            for _ in range(SCRAPES):
                for part in PARTS:
                    took, series[part] = _scrape(running.ports[part])
                    seconds[part].append(took)
        finally:
            running.stop()
    medians = " / ".join(f"{1000 * statistics.median(seconds[part]):.1f}" for part in PARTS)
    longest = " / ".join(f"{1000 * max(seconds[part]):.1f}" for part in PARTS)
    yield f"{count:,} sources: series (bar 6,000 for 1,000)", f"{sum(series.values()):,}"
    yield f"{count:,} sources: scrape, ms, median of {SCRAPES} (bar 50)", medians
    yield f"{count:,} sources: longest", longest


def _enrol(data_dir: Path, count: int) -> None:
    sources = open_stores(data_dir).sources
    for n in range(count):
        org = f"province{n % PROVINCES}.commune{n}"
        sources.add(Source(f"s{n}", f"s{n}", org, "otp.gateway", Transport.PUSH, created_at=now_ms()), None, by="bench")


def _scrape(port: int) -> tuple[float, int]:
    """Seconds, and series."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read()
    took = time.perf_counter() - began
    return took, sum(not line.startswith(b"#") for line in text.splitlines())
