"""govsoc and real servers as the end-to-end tests start them: on free ports of 127.0.0.1, stopped by the test that started them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.ports import free_port

_PATIENCE = 3

_PLAIN, _SECURED = (pytest.param(name, marks=pytest.mark.server) for name in ("elasticsearch", "secured"))
both_stores = pytest.mark.parametrize("store", ["sqlite", _PLAIN], indirect=True)
every_store = pytest.mark.parametrize("store", ["sqlite", _PLAIN, _SECURED], indirect=True)
on_secured = pytest.mark.parametrize("store", [_SECURED], indirect=True)


def need(*programs: str) -> None:
    """Skip on a person's laptop, fail in CI, when a program is not installed."""
    missing = [name for name in programs if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed in CI: {missing}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (`make servers` installs it)")


def eventually(condition: Callable[[], object], timeout_s: float = 30.0, what: str = "") -> object:
    """The condition's first true value. `timeout_s`: on a machine that does nothing else; a busy one has longer."""
    timeout_s *= _PATIENCE
    deadline = time.monotonic() + timeout_s
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s:.0f} s: {what or condition}")
        time.sleep(0.1)


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Product:
    """govsoc as a user runs it: `soc run` on a data directory of its own."""

    data_dir: Path
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    key: str = ""

    def __post_init__(self) -> None:
        ports = {
            "SOC_SERVE__HTTP_PORT": free_port(),
            "SOC_COLLECT__HTTP_PORT": free_port(),
            "SOC_COLLECT__SYSLOG_PORT": free_port(),
            "SOC_DETECT__HTTP_PORT": free_port(),
            "SOC_OBSERVE__HTTP_PORT": free_port(),
        }
        self.env = (
            os.environ
            | {name: str(port) for name, port in ports.items()}
            | {"SOC_DATA_DIR": str(self.data_dir)}
            | self.env
        )
        self.log = self.data_dir.parent / "soc.log"

    def soc(
        self, *arguments: str, check: bool = True, stdin: bytes | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        result = subprocess.run(
            [sys.executable, "-m", "soc", *arguments],
            env=self.env | (env or {}),
            input=stdin,
            capture_output=True,
            timeout=300,
            check=False,
        )
        if check and result.returncode != 0:
            pytest.fail(f"soc {' '.join(arguments)} exited {result.returncode}: {result.stderr.decode()[-2000:]}")
        return result

    def start(self, *arguments: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "soc", "run", *arguments], env=self.env, stdout=log, stderr=log
            )
        eventually(self.ready, 60, f"soc run is ready; its log is {self.log}")
        if not self.key:
            output = self.soc("accounts", "key", "admin").stdout.decode()
            self.key = output.split()[-1]

    def ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"soc run ended with {self.process.returncode}: {self.log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.env['SOC_SERVE__HTTP_PORT']}"

    @property
    def syslog_port(self) -> int:
        return int(self.env["SOC_COLLECT__SYSLOG_PORT"])

    @property
    def ingest_url(self) -> str:
        return f"http://127.0.0.1:{self.env['SOC_COLLECT__HTTP_PORT']}/ingest"

    def get(self, path: str) -> dict:
        return self.request("GET", path)

    def request(self, method: str, path: str, body: object = None, key: str = "") -> dict:
        """One request to the API, as the administrator unless another's key is given; raises `urllib.error.HTTPError`."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def alerts(self) -> list[dict]:
        return self.get("/alerts?limit=200")["items"]

    def records(self, source: str) -> int:
        for item in self.get("/sources")["items"]:
            if item["id"] == source:
                return int(item["records"])
        return 0

    def examined(self) -> int:
        """Events that the detector has examined since it started."""
        return int(self.metric("soc_detector_events_total"))

    def metric(self, name: str) -> float:
        """Of the detector's, one without labels; 0 while it is still compiling its rules."""
        url = f"http://127.0.0.1:{self.env['SOC_DETECT__HTTP_PORT']}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=300) as answer:
                lines = answer.read().decode().splitlines()
        except urllib.error.URLError:
            return 0.0
        return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process)


@dataclass(frozen=True)
class Nginx:
    url: str
    access_log: Path
    error_log: Path
    process: subprocess.Popen[bytes]

    def lines(self) -> int:
        return self.access_log.read_bytes().count(b"\n")
