"""From a line written to a file to its alert visible in the API, while 1,000 lines/s come in. Bar: p95 at most 1 s."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

from bench import workload
from bench.end_to_end import rule_settings
from bench.processes import Running

_ATTACK = '198.51.{}.{} - - [{}] "GET /thu-tuc?id=1%27%20UNION%20ALL%20SELECT%20NULL,NULL-- HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n'


def run(seconds: int, per_s: int = 1000, attacks_per_s: int = 5) -> list[float]:
    """Seconds from each attack line's write to its alert in the API; each attack has an address, so an alert, of its own."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "access.log"
        log.touch()
        running = Running(Path(folder) / "data", rule_settings())
        running.soc("sources", "add", "portal", "--type", "nginx.access", "--org", "bench", "--path", str(log))
        running.soc("accounts", "add", "bench", "--role", "viewer", "--all-orgs")
        key = running.soc("accounts", "key", "bench").split()[-1]
        running.start()
        running.wait("DETECT", "soc_detector_ready", 1, 120)
        time.sleep(3)
        written: dict[str, float] = {}
        seen: dict[str, float] = {}
        ordinary = workload.lines(seconds * per_s, seed=2, attacks=0)
        with log.open("a", buffering=1 << 16) as file:
            began = time.monotonic()
            for tick in range(seconds * attacks_per_s):
                stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
                attack = _ATTACK.format(tick // 250, tick % 250 + 1, stamp)
                for _ in range(per_s // attacks_per_s):
                    head, _, rest = next(ordinary).partition(" [")
                    file.write(f"{head} [{stamp}{rest[rest.index(']') :]}")
                file.write(attack)
                file.flush()
                written[attack.partition(" ")[0]] = time.monotonic()
                while time.monotonic() < began + (tick + 1) / attacks_per_s:
                    _look(running, key, seen)
                    time.sleep(0.02)
        deadline = time.monotonic() + 20
        while len(seen) < len(written) and time.monotonic() < deadline:
            _look(running, key, seen)
            time.sleep(0.02)
        running.stop()
    missing = written.keys() - seen.keys()
    if missing:
        raise RuntimeError(f"{len(missing)} of {len(written)} attacks have no alert")
    return [seen[ip] - at for ip, at in written.items()]


def _look(running: Running, key: str, seen: dict[str, float]) -> None:
    url = f"http://127.0.0.1:{running.ports['SERVE']}/api/v1/alerts?limit=50"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        now = time.monotonic()
        for alert in json.load(answer)["items"]:
            seen.setdefault(alert["entity"], now)


def main(seconds: int = 40) -> list[tuple[str, str]]:
    latencies = sorted(run(seconds))
    p95 = latencies[int(len(latencies) * 0.95)]
    return [
        ("line written to alert in the API at 1,000 lines/s, p50 s", f"{statistics.median(latencies):.3f}"),
        ("p95 s (bar 1)", f"{p95:.3f}"),
        ("max s", f"{latencies[-1]:.3f} of {len(latencies)} alerts"),
    ]
