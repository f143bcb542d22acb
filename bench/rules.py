"""Rules a second, against the fastest open engine in the same run: rsigma-eval, a Rust library, built here from its crate.

Both parse the JSON, choose rules by the event's own log source, and list their hits; both are measured in CPU time on events that come
after those they were warmed with. The two take turns, and the ratio is that of the medians.
"""

from __future__ import annotations

import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

ROUNDS = 5
PEER = Path(__file__).parent / "peers" / "rsigma"
BUILT = Path(__file__).parent.parent / "build" / "peers"
WORKLOADS = {
    "win": ("sigmahq/rules", None, "otrf/windows-events.ndjson.gz"),
    "pc": ("sigmahq/rules", None, "otrf/process-creation-20k.ndjson.gz"),
    "web": ("sigmahq/rules-web", "sigmahq/web-ecs-pipeline.yml", "weblogs/web-ecs-60k.ndjson.gz"),
}
TAGS = ("product", "category", "service")


def main() -> list[tuple[str, str]]:
    data = os.environ.get("SOC_TEST_DATA")
    if not data:
        return [("not measured", "SOC_TEST_DATA is not set")]
    peer = _peer()
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (rules, pipeline, events) in WORKLOADS.items():
            with gzip.open(Path(data) / events) as file:
                lines = file.read().splitlines()
            figures += _compare(peer, Path(folder), name, Path(data) / rules, pipeline and Path(data) / pipeline, lines)
            if name != "web":
                untagged = [_untagged(line) for line in lines]
                figures += _compare(peer, Path(folder), f"{name} without tags", Path(data) / rules, None, untagged)
    return figures


def _untagged(line: bytes) -> bytes:
    return orjson.dumps({key: value for key, value in orjson.loads(line).items() if key not in TAGS})


def _peer() -> Path | None:
    """The peer's binary; None where there is no toolchain for it."""
    if shutil.which("cargo") is None:
        return None
    command = ["cargo", "+nightly", "build", "--release", "--quiet", "--target-dir", str(BUILT)]
    return BUILT / "release" / "peer" if subprocess.run(command, cwd=PEER, check=False).returncode == 0 else None


def _compare(
    peer: Path | None, folder: Path, name: str, rules: Path, pipeline: Path | None, lines: list[bytes]
) -> Iterator[tuple[str, str]]:
    first = len(lines) // 3
    events, unseen = folder / "events", folder / "unseen"
    events.write_bytes(b"\n".join(lines))
    unseen.write_bytes(b"\n".join(lines[first:]))
    count = len(lines) - first
    ours, theirs = [], []
    with _started(peer, rules, pipeline) as ask:
        for _ in range(ROUNDS):
            command = [sys.executable, "-m", "bench.engine", str(rules), str(pipeline or "-"), str(events), str(first)]
            ours.append(orjson.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
            if ask is not None:
                theirs.append(ask(unseen))
    mine = statistics.median(one["cpu_s"] for one in ours)
    yield f"{name}: events/s of a core", f"{count / mine:9,.0f}"
    if theirs:
        other = statistics.median(one["cpu_s"] for one in theirs)
        agree = (
            "the same hits"
            if theirs[0]["hits"] == ours[0]["hits"]
            else f"{theirs[0]['hits']} hits, we {ours[0]['hits']}"
        )
        yield f"{name}: rsigma-eval, {agree}", f"{count / other:9,.0f}   we are {other / mine:.2f} x as fast"
    yield (
        f"{name}: load, first third, memory",
        "{:.1f} s   {:.1f} s   {:.0f} MB".format(
            *(statistics.median(one[key] for one in ours) for key in ("load_s", "first_s", "rss_mb"))
        ),
    )


@contextmanager
def _started(peer, rules, pipeline):
    """A function that runs the peer over a file; None without a peer."""
    if peer is None:
        yield None
        return
    command = [str(peer), str(rules), *([str(pipeline)] if pipeline else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

        def ask(path: Path) -> dict[str, float]:
            process.stdin.write(f"{path}\n".encode())
            process.stdin.flush()
            return orjson.loads(process.stdout.readline())

        yield ask
        process.stdin.close()
