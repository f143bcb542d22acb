"""What is wrong with govsoc, from the product through the real Prometheus and Alertmanager to a receiver, and that it is over."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from load import enrol, push
from monitoring import monitored
from office import line
from servers import Product, eventually, free_port
from test_run import children

pytestmark = pytest.mark.server


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

    def told(self, alert: str, process: str, status: str, **about: str) -> dict | None:
        """The last message about this group, if it says so."""
        group = {"alertname": alert, "process": process, **about}
        messages = [one for one in self.got if one["groupLabels"] == group]
        return messages[-1] if messages and messages[-1]["status"] == status else None

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def operators(product: Product, tmp_path: Path) -> Iterator[Operators]:
    receiver = Operators()
    with monitored(product, tmp_path, receiver.port):
        yield receiver
    receiver.stop()


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

    silent = eventually(lambda: operators.told("GovsocSourcesSilent", "api", "firing", unit="hungyen"), 120)
    assert [one["annotations"]["summary"] for one in silent["alerts"]] == ["1 sources of hungyen are silent"]
    push(product, token, [line("203.0.113.5", "/")])
    eventually(lambda: operators.told("GovsocSourcesSilent", "api", "resolved", unit="hungyen"), 90)
