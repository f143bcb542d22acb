"""Running the product for a benchmark: three processes on a data directory, their memory and CPU time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from deploy.ports import free_port

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Running:
    """Collector, detector and API, started together, or what else `soc` is told to start, such as "run --demo"."""

    data_dir: Path
    extra: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = {name: free_port() for name in ("SERVE", "COLLECT", "DETECT", "OBSERVE")}
        ports = {f"SOC_{name}__HTTP_PORT": str(port) for name, port in self.ports.items()}
        self.env = (
            os.environ
            | ports
            | {"SOC_COLLECT__SYSLOG_PORT": str(free_port()), "SOC_DATA_DIR": str(self.data_dir)}
            | self.extra
        )

    def soc(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "soc", *arguments], env=self.env, check=True, capture_output=True, text=True
        ).stdout

    def start(self, *verbs: str) -> None:
        for verb in verbs or ("serve", "detect", "collect"):
            log = (self.data_dir.parent / f"{verb}.log").open("ab")
            self.processes[verb] = subprocess.Popen(
                [sys.executable, "-m", "soc", *verb.split()], env=self.env, stdout=log, stderr=log
            )

    def metric(self, process: str, name: str) -> float:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[process]}/metrics", timeout=10) as answer:
                for line in answer.read().decode().splitlines():
                    if line.startswith(name + " "):
                        return float(line.split()[1])
        except OSError:
            pass
        return 0.0

    def wait(self, process: str, name: str, value: float, timeout_s: float, poll_s: float = 0.05) -> None:
        deadline = time.monotonic() + timeout_s
        while self.metric(process, name) < value:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is {self.metric(process, name)}, not {value}, after {timeout_s} s")
            for verb, started in self.processes.items():
                if started.poll() is not None:
                    raise RuntimeError(
                        f"soc {verb} ended: {(self.data_dir.parent / f'{verb}.log').read_text()[-2000:]}"
                    )
            time.sleep(poll_s)

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each process, MiB, and what two or more share counted in each."""
        return {verb: _status(p.pid, "VmRSS") / 1024 for verb, p in self.processes.items()}

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds of each process, user and system."""
        return {verb: cpu_s(process.pid) for verb, process in self.processes.items()}

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _status(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, user and system, from /proc."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS
