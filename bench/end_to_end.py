"""File -> parse -> mask -> event log -> rules -> store, all three processes up; and a floor: the same lines into one bare SQLite table.

Bar: 15,000 events/s on two cores with 150 rules, at most 400 MiB together.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from bench import workload
from bench.processes import Running

OWN = Path(__file__).parent.parent / "rules" / "content"


def rule_folders() -> tuple[list[Path], list[Path]]:
    """Folders of rules and their pipelines: our own, and the SigmaHQ web rules where the test data is."""
    data = os.environ.get("SOC_TEST_DATA")
    if not data:
        return [OWN], []
    sigma = Path(data) / "sigmahq"
    return [OWN, sigma / "rules-web"], [sigma / "web-ecs-pipeline.yml"]


def rule_settings() -> dict[str, str]:
    folders, pipelines = rule_folders()
    settings = {"SOC_DETECT__RULES": json.dumps([str(folder) for folder in folders])}
    return settings | ({"SOC_DETECT__PIPELINE": str(pipelines[0])} if pipelines else {})


def run(count: int) -> dict[str, float]:
    """One run over `count` lines: events/s from start to the last event examined, MiB together at most, CPU us per event."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "access.log"
        workload.write(log, count)
        running = Running(Path(folder) / "data", rule_settings())
        running.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "bench", "--path", str(log))
        running.start("serve", "detect")
        running.wait("DETECT", "soc_detector_ready", 1, 120)
        running.wait("SERVE", "soc_api_request_seconds_count", 0, 60)
        began = time.monotonic()
        running.start("collect")
        peak = 0.0
        samples: list[float] = []
        done = 0.0
        while done < count:
            running.wait("DETECT", "soc_detector_events_total", min(done + count / 20, count), 900, poll_s=0.3)
            done = running.metric("DETECT", "soc_detector_events_total")
            samples.append(sum(running.memory_mb().values()))
            peak = max(peak, samples[-1])
        took = time.monotonic() - began
        cpu = running.cpu_s()
        running.stop()
    return {
        "events_per_s": count / took,
        "peak_mib": peak,
        "mib_at_10_percent": samples[min(1, len(samples) - 1)],
        "mib_at_end": samples[-1],
        "collector_us": cpu["collect"] / count * 1e6,
        "detector_us": cpu["detect"] / count * 1e6,
    }


def floor(count: int) -> float:
    """Lines/s that one process reads and puts into a bare SQLite table in batches of 2,000."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "access.log"
        workload.write(log, count)
        began = time.monotonic()
        db = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT)")
        with log.open() as file:
            while batch := [(line,) for _, line in zip(range(2000), file, strict=False)]:
                db.execute("BEGIN")
                db.executemany("INSERT INTO line (text) VALUES (?)", batch)
                db.execute("COMMIT")
        return count / (time.monotonic() - began)


def main(count: int = 300_000, runs: int = 3) -> list[tuple[str, str]]:
    results, floors = [], []
    for _ in range(runs):
        floors.append(floor(count))
        results.append(run(count))
    median = {key: statistics.median(r[key] for r in results) for key in results[0]}
    base = statistics.median(floors)
    return [
        (
            "rules",
            "own and 145 SigmaHQ web rules"
            if len(rule_folders()[0]) > 1
            else "own rules only (SOC_TEST_DATA is not set)",
        ),
        (
            "end to end, events/s (bar 15,000)",
            f"{median['events_per_s']:,.0f}  of {[round(r['events_per_s']) for r in results]}",
        ),
        ("floor, bare lines into SQLite, lines/s", f"{base:,.0f}"),
        ("ratio to the floor", f"{median['events_per_s'] / base:.3f}"),
        ("CPU us an event, collector / detector", f"{median['collector_us']:.1f} / {median['detector_us']:.1f}"),
        ("memory of the three, MiB peak (bar 400)", f"{median['peak_mib']:.0f}"),
        ("memory at a tenth / at the end, MiB", f"{median['mib_at_10_percent']:.0f} / {median['mib_at_end']:.0f}"),
    ]
