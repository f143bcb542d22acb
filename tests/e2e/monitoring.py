"""The real Prometheus and Alertmanager as they are shipped, but for ports, and times of a second each."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import Product, free_port, need, stop

FOLDER = Path(__file__).parents[2] / "dashboards"
_PARTS = {8080: "SERVE", 8081: "COLLECT", 8082: "DETECT", 8083: "OBSERVE"}


@contextmanager
def monitored(product: Product, place: Path, receiver: int | None = None) -> Iterator[str]:
    """The address of a Prometheus that scrapes the product. `receiver`: a port to which an Alertmanager tells what it hears of it."""
    need("prometheus", "prometheus-alertmanager")
    port, manager = free_port(), free_port()
    ports = {known: product.env[f"SOC_{part}__HTTP_PORT"] for known, part in _PARTS.items()}
    ports |= {9093: manager, 9099: receiver}
    for name in ("prometheus/prometheus.yml", "prometheus/govsoc.rules.yml", "alertmanager/alertmanager.yml"):
        text = re.sub(
            r"127\.0\.0\.1:(\d+)\b", lambda one: f"127.0.0.1:{ports[int(one[1])]}", (FOLDER / name).read_text()
        )
        text = re.sub(r"((?:scrape|evaluation|group)_interval|group_wait|for): \d+[smh]", r"\1: 1s", text)
        (place / Path(name).name).write_text(text)
    commands = [["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]]
    commands[0] += [f"--web.listen-address=127.0.0.1:{port}"]
    if receiver is not None:
        commands += [["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=silences"]]
        commands[1] += ["--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{manager}"]
    with (place / "prometheus.log").open("wb") as log:
        started = [subprocess.Popen(one, cwd=place, stdout=log, stderr=log) for one in commands]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in started:
            stop(process)
