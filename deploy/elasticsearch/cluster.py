"""A real Elasticsearch on this machine: one node or several, plain or with TLS and users, stopped, killed and paused at will."""

from __future__ import annotations

import atexit
import base64
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from deploy.elasticsearch import config
from deploy.elasticsearch.place import StartError, account, given, java_home, own, program
from deploy.ports import free_port

_START_S = 300.0


class Cluster:
    """Nodes on free ports of 127.0.0.1, each with a folder of its own below `folder` (a temporary one by default, removed by `stop`).

    `quick`: starts with half the work, and runs slower: for tests. `security`: TLS on both ports, and the user `elastic` with the
    password in `password`; `ca` is the certificate to verify with.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        nodes: int = 1,
        heap: str = "512m",
        security: bool = False,
        quick: bool = False,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="elasticsearch-"))
        if self._temporary:
            self.folder.chmod(0o711)
        self.security = security
        self.quick = quick
        self.password = secrets.token_urlsafe(16) if security else ""
        self.settings = dict(settings or {})
        self.nodes = [Node(self, f"node{i + 1}", heap, port if i == 0 else None) for i in range(nodes)]

    @property
    def url(self) -> str:
        return self.nodes[0].url

    @property
    def ca(self) -> Path | None:
        return self.certificates / "ca" / "ca.crt" if self.security else None

    @property
    def certificates(self) -> Path:
        return self.folder / "certs"

    @property
    def snapshots(self) -> Path:
        """A folder that a snapshot repository of type `fs` may use."""
        return self.folder / "snapshots"

    def start(self) -> None:
        """Start all nodes and wait until they are one cluster that answers. Raises `StartError`."""
        program()
        own(self.folder)
        given(self.snapshots)
        if self.security and not self.certificates.exists():
            config.make_certificates(self.certificates)
        for node in self.nodes:
            node.start(wait=False)
        self.wait()

    def wait(self, timeout_s: float = _START_S) -> None:
        """Until every node that runs has joined. Raises `StartError`."""
        deadline = time.monotonic() + timeout_s
        running = [node for node in self.nodes if node.running]
        for node in running:
            node.wait(deadline - time.monotonic(), nodes=len(running))

    def stop(self) -> None:
        """Stop what runs; a temporary folder goes."""
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            node.stop()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def request(self, method: str, path: str, body: object = None, *, node: Node | None = None) -> dict:
        """One request as the superuser; raises `urllib.error.HTTPError` and `OSError`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{(node or self.nodes[0]).url}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        if self.security:
            token = base64.b64encode(f"elastic:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        context = ssl.create_default_context(cafile=str(self.ca)) if self.security else None
        with urllib.request.urlopen(request, timeout=120, context=context) as answer:
            return json.loads(answer.read() or b"{}")


class Node:
    """One server process. Its ports and its data stay the same over restarts."""

    def __init__(self, cluster: Cluster, name: str, heap: str, port: int | None) -> None:
        self.cluster, self.name, self.heap = cluster, name, heap
        self.folder = cluster.folder / name
        self.http_port, self.transport_port = port or free_port(), free_port()
        self._launcher: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        atexit.register(self.terminate)

    @property
    def url(self) -> str:
        return f"{'https' if self.cluster.security else 'http'}://127.0.0.1:{self.http_port}"

    @property
    def running(self) -> bool:
        return self._launcher is not None and self._launcher.poll() is None

    @property
    def pid(self) -> int:
        """Of the server itself; the process that we started only launches it, and ends with it. Raises `OSError` when there is
        none."""
        pid = int(self._pid_file.read_text())
        if self._launcher is None or os.getpgid(pid) != self._launcher.pid:
            raise ProcessLookupError(f"{self._pid_file} names a process that is not of {self.name}")
        return pid

    @property
    def _pid_file(self) -> Path:
        return self.folder / "tmp" / "pid"  # where the server itself may write

    def start(self, *, wait: bool = True) -> None:
        """Start, again after `stop` or `kill` with the data there is. Raises `StartError`."""
        self._configure()
        self._pid_file.unlink(missing_ok=True)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ES_", "JAVA_", "_JAVA"))
        }
        environment |= {
            "ES_JAVA_HOME": str(java_home()),
            "CLI_JAVA_OPTS": config.QUICK[0],  # what only launches the server
            "ES_PATH_CONF": str(self._config),
            "ES_TMPDIR": str(self.folder / "tmp"),
            "HOME": str(self.folder / "tmp"),
        }
        runs_as = account()
        with (self.folder / "out.log").open("wb") as out:
            self._launcher = subprocess.Popen(
                [program() / "bin" / "elasticsearch", "-p", self._pid_file],
                env=environment,
                cwd=self.folder / "tmp",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                user=runs_as.pw_uid if runs_as else None,
                group=runs_as.pw_gid if runs_as else None,
                extra_groups=[] if runs_as else None,
                start_new_session=True,  # a group of its own: that is how its processes are known
            )
        self._guard = _guard(self._launcher.pid)
        if wait:
            self.wait()

    def wait(self, timeout_s: float = _START_S, *, nodes: int = 1) -> None:
        """Until it answers and knows at least so many nodes. Raises `StartError`."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if self.cluster.request("GET", "/_cluster/health", node=self)["number_of_nodes"] >= nodes:
                    return
            except (OSError, urllib.error.HTTPError):
                pass
            if not self.running or time.monotonic() > deadline:
                raise StartError(f"{self.name} is not up:\n{self.said()}")
            time.sleep(0.25)

    def said(self) -> str:
        """The end of its output."""
        return (self.folder / "out.log").read_text(errors="replace")[-3000:]

    def terminate(self) -> None:
        """Ask it to stop; do not wait."""
        if self.running:
            self.resume()
            self._launcher.terminate()

    def stop(self) -> None:
        """Stop and wait; killed when it takes too long."""
        self.terminate()
        if self._launcher is not None:
            try:
                self._launcher.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        self._unguard()

    def kill(self) -> None:
        """`kill -9`, as when a machine dies."""
        os.kill(self.pid, signal.SIGKILL)
        self._launcher.wait(30)
        self._unguard()

    def pause(self) -> None:
        """It hangs: connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        try:
            os.kill(self.pid, signal.SIGCONT)
        except (OSError, ValueError):  # not up yet, or gone
            return

    def _unguard(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None

    @property
    def _config(self) -> Path:
        return self.folder / "config"

    def _configure(self) -> None:
        cluster = self.cluster
        own(self.folder)
        if not self._config.exists():
            config.make(self._config, cluster.certificates if cluster.security else None, cluster.password)
        config.write(own(self._config), self._settings(), self.heap, quick=cluster.quick)
        given(*(self.folder / name for name in ("tmp", "data", "logs")))

    def _settings(self) -> dict[str, object]:
        peers = self.cluster.nodes
        settings: dict[str, object] = {
            "cluster.name": "govsoc",
            "node.name": self.name,
            "network.host": "127.0.0.1",
            "http.port": self.http_port,
            "transport.port": self.transport_port,
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
            "path.repo": str(self.cluster.snapshots),
            "discovery.seed_hosts": [f"127.0.0.1:{peer.transport_port}" for peer in peers],
            "xpack.security.enabled": self.cluster.security,
            "action.destructive_requires_name": False,  # so that tests can empty it
            # Absolute, since a laptop's disk is often nine tenths full.
            "cluster.routing.allocation.disk.watermark.low": "300mb",
            "cluster.routing.allocation.disk.watermark.high": "200mb",
            "cluster.routing.allocation.disk.watermark.flood_stage": "100mb",
        }
        if not (self.folder / "data").exists():  # only ever for a cluster that is new
            settings["cluster.initial_master_nodes"] = [peer.name for peer in peers]
        if self.cluster.security:
            settings |= config.security()
        return settings | self.cluster.settings


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """Stops the process when we die, whatever ends us: its input is a pipe that closes then."""
    script = 'cat >/dev/null; kill "$1" 2>/dev/null'
    return subprocess.Popen(["sh", "-c", script, "sh", str(pid)], stdin=subprocess.PIPE, start_new_session=True)
