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
from collections.abc import Callable, Iterator
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
    command = [
        sys.executable,
        "-m",
        "bench.engine",
        str(folder / "cache"),
        str(rules),
        str(pipeline or "-"),
        str(events),
    ]

    def ours() -> dict[str, float]:
        done = subprocess.run([*command, str(first)], check=True, stdout=subprocess.PIPE)
        return dict(orjson.loads(done.stdout))

    compiled = ours()
    mine, theirs = [], []
    with _started(peer, rules, pipeline) as ask:
        for _ in range(ROUNDS):
            mine.append(ours())
            if ask is not None:
                theirs.append(ask(unseen))
    cpu_s = statistics.median(one["cpu_s"] for one in mine)
    yield f"{name}: events/s of a core", f"{(len(lines) - first) / cpu_s:9,.0f}"
    if theirs:
        other = statistics.median(one["cpu_s"] for one in theirs)
        hits = f"{theirs[0]['hits']} hits" + ("" if theirs[0]["hits"] == mine[0]["hits"] else f", we {mine[0]['hits']}")
        rate = (len(lines) - first) / other
        yield f"{name}: rsigma-eval ({hits})", f"{rate:9,.0f}   we are {other / cpu_s:.2f} times as fast"
    start = statistics.median(one["start_s"] for one in mine)
    memory = statistics.median(one["memory_mb"] for one in mine)
    yield (
        f"{name}: CPU to full speed, the first time; memory",
        f"{start:.2f} s, {compiled['start_s']:.1f} s; {memory:.0f} MB",
    )


@contextmanager
def _started(
    peer: Path | None, rules: Path, pipeline: Path | None
) -> Iterator[Callable[[Path], dict[str, float]] | None]:
    """A function that runs the peer over a file; None without a peer."""
    if peer is None:
        yield None
        return
    command = [str(peer), str(rules), *([str(pipeline)] if pipeline else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def ask(path: Path) -> dict[str, float]:
            asked.write(f"{path}\n".encode())
            asked.flush()
            return dict(orjson.loads(answers.readline()))

        yield ask
        asked.close()
