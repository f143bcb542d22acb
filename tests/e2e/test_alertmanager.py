"""What is wrong with govsoc, from the product through the real Prometheus and Alertmanager to a receiver, and that it is over."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from load import enrol, push
from office import line
from servers import Product, eventually, free_port, need, stop
from test_run import children

pytestmark = pytest.mark.server
FOLDER = Path(__file__).parents[2] / "dashboards"
DEMO_PORTS = {"SERVE": 8080, "COLLECT": 8081, "DETECT": 8082, "OBSERVE": 8083}


class Operators:
    """Takes what Alertmanager sends: for each message its status, what it is grouped by, and the alerts in it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.got: list[dict] = []
        operators = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                operators.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self, alert: str, process: str, status: str) -> dict | None:
        """The last message about this group, if it says so."""
        about = [one for one in self.got if one["groupLabels"] == {"alertname": alert, "process": process}]
        return about[-1] if about and about[-1]["status"] == status else None

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def operators(product: Product, tmp_path: Path) -> Iterator[Operators]:
    """With Prometheus and Alertmanager as they are shipped, but for ports, and times of a second for each."""
    need("prometheus", "prometheus-alertmanager")
    operators, prometheus, manager = Operators(), free_port(), free_port()
    ports = {8080 + n: product.env[f"SOC_{part}__HTTP_PORT"] for n, part in enumerate(DEMO_PORTS)} | {9093: manager}
    for name in ("prometheus/prometheus.yml", "prometheus/govsoc.rules.yml", "alertmanager/alertmanager.yml"):
        text = (FOLDER / name).read_text().replace("http://127.0.0.1:9099", f"http://127.0.0.1:{operators.port}")
        text = re.sub(r"127\.0\.0\.1:(80\d\d|9093)\b", lambda one: f"127.0.0.1:{ports[int(one[1])]}", text)
        text = re.sub(r"((?:scrape|evaluation|group)_interval|group_wait|for): \d+[smh]", r"\1: 1s", text)
        (tmp_path / Path(name).name).write_text(text)
    commands = [
        ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", f"--web.listen-address=127.0.0.1:{prometheus}"],
        ["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=silences", "--cluster.listen-address=",
         f"--web.listen-address=127.0.0.1:{manager}"],
    ]  # fmt: skip
    with (tmp_path / "prometheus.log").open("wb") as log:
        started = [subprocess.Popen(one, cwd=tmp_path, stdout=log, stderr=log) for one in commands]
    yield operators
    for process in started:
        stop(process)
    operators.stop()


def test_a_killed_detector_and_a_silent_source_are_told_and_are_over_again(product: Product, operators: Operators):
    token = enrol(product)
    product.start()
    product.request("PATCH", "/sources/portal/expectation", {"limit_minutes": 1})
    push(product, token, [line("203.0.113.5", "/")])
    eventually(lambda: product.examined() >= 1, 60)
    # Before it had started it was down.
    eventually(lambda: operators.told("GovsocDown", "detector", "firing") is None, 60)

    detector = children(product)["detect"]
    os.kill(detector, signal.SIGSTOP)  # hung: what supervises it sees nothing
    down = eventually(lambda: operators.told("GovsocDown", "detector", "firing"), 60)
    assert [one["annotations"]["summary_vi"] for one in down["alerts"]] == [
        "Tiến trình detector của govsoc không trả lời"
    ]
    os.kill(detector, signal.SIGKILL)
    eventually(lambda: operators.told("GovsocDown", "detector", "resolved"), 90)

    silent = eventually(lambda: operators.told("GovsocSourcesSilent", "api", "firing"), 120)
    assert [one["annotations"]["summary"] for one in silent["alerts"]] == ["1 sources are silent"]
    push(product, token, [line("203.0.113.5", "/")])
    eventually(lambda: operators.told("GovsocSourcesSilent", "api", "resolved"), 90)
