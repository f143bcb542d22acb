#!/usr/bin/env python3
"""A real Elasticsearch on this machine: one node or several, plain or with TLS and users, stopped, killed and paused at will.

For tests and for demonstrations; `deploy/elasticsearch/install` puts it there. Standard library only. As a program it starts one
node, runs a command on it and stops it again:

    server.py [--keep NAME]   [--heap 1g] [--port 9200] COMMAND...    $SOC_STORE__URL tells the command where it is
    server.py --where                                                 the folder that it is installed in
"""

from __future__ import annotations

import argparse
import atexit
import base64
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

VERSION = "8.19.7"
_ACCOUNT = "nobody"  # Elasticsearch refuses to run as root
_QUICK = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
_START_S = 300.0


class StartError(RuntimeError):
    """The server did not come up; the message ends with what it last said."""


def servers_folder() -> Path:
    """`.servers` of the project; where the account that the server runs as may not go there, a folder of our own that it may reach."""
    folder = Path(__file__).resolve().parents[2] / ".servers"
    if os.geteuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.parents):
        return folder
    folder = Path("/var/tmp/govsoc-servers")
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.stat().st_uid != 0 or folder.stat().st_mode & 0o022 or folder.is_symlink():
        raise SystemExit(f"{folder} is not root's alone: remove it, then try again")
    return folder


def installed() -> Path | None:
    """The folder of the server's program, when it is installed."""
    home = servers_folder() / f"elasticsearch-{VERSION}"
    return home if (home / ".installed").exists() and java_home() else None


def java_home() -> Path | None:
    """Java 17 where Debian has it, else the one on the path."""
    debian = sorted(Path("/usr/lib/jvm").glob("java-17-openjdk-*"))
    for candidate in debian:
        if (candidate / "bin" / "java").exists():
            return candidate
    java = shutil.which("java")
    return Path(java).resolve().parents[1] if java else None


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
        return self.folder / "certs" / "ca" / "ca.crt" if self.security else None

    @property
    def snapshots(self) -> Path:
        """A folder that a snapshot repository of type `fs` may use."""
        return self.folder / "snapshots"

    def start(self) -> None:
        """Start all nodes and wait until they are one cluster that answers."""
        _home()
        self.snapshots.mkdir(parents=True, exist_ok=True)
        if self.security and not (self.folder / "certs").exists():
            _make_certificates(self.folder)
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
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return json.loads(answer.read() or b"{}")


class Node:
    """One server process. Its ports and its data stay the same over restarts."""

    def __init__(self, cluster: Cluster, name: str, heap: str, port: int | None) -> None:
        self.cluster, self.name, self.heap = cluster, name, heap
        self.folder = cluster.folder / name
        self.http_port, self.transport_port = port or _free_port(), _free_port()
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
        """Of the server itself; the process that we started only launches it, and ends with it."""
        return int((self.folder / "pid").read_text())

    def start(self, *, wait: bool = True) -> None:
        """Start, again after `stop` or `kill` with the data there is. Raises `StartError`."""
        home = _home()
        self._configure(home)
        (self.folder / "pid").unlink(missing_ok=True)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ES_", "JAVA_", "_JAVA"))
        }
        environment |= {
            "ES_JAVA_HOME": str(java_home()),
            "CLI_JAVA_OPTS": _QUICK[0],  # what only launches the server
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "tmp"),
            "HOME": str(self.folder),
        }
        account = pwd.getpwnam(_ACCOUNT) if os.geteuid() == 0 else None
        if account:
            _give(account, self.cluster.folder, self.cluster.snapshots, *self.folder.rglob("*"), self.folder)
        with (self.folder / "out.log").open("wb") as out:
            self._launcher = subprocess.Popen(
                [home / "bin" / "elasticsearch", "-p", self.folder / "pid"],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
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
        except (FileNotFoundError, ProcessLookupError):  # not up yet, or gone
            return

    def _unguard(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None

    def _configure(self, home: Path) -> None:
        config = self.folder / "config"
        if not config.exists():
            shutil.copytree(home / "config", config)
            (self.folder / "tmp").mkdir()
            if self.cluster.security:
                shutil.copytree(self.cluster.folder / "certs", config / "certs")
                _make_keystore(home, config, self.cluster.password)
        options = (home / "config" / "jvm.options").read_text().splitlines()
        options = [line for line in options if not line.startswith(("-Xlog", "-XX:+HeapDump"))]
        if self.cluster.quick:
            options = [line for line in options if line != "-XX:+UseG1GC"] + _QUICK
        (config / "jvm.options").write_text("\n".join([*options, f"-Xms{self.heap}", f"-Xmx{self.heap}", ""]))
        lines = (f"{key}: {json.dumps(value)}" for key, value in self._settings().items())
        (config / "elasticsearch.yml").write_text("\n".join([*lines, ""]))

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
            settings["xpack.security.autoconfiguration.enabled"] = False
            for side in ("http", "transport"):
                settings |= {
                    f"xpack.security.{side}.ssl.enabled": True,
                    f"xpack.security.{side}.ssl.key": "certs/node/node.key",
                    f"xpack.security.{side}.ssl.certificate": "certs/node/node.crt",
                    f"xpack.security.{side}.ssl.certificate_authorities": ["certs/ca/ca.crt"],
                }
        return settings | self.cluster.settings


def _home() -> Path:
    home = installed()
    if home is None:
        raise StartError(
            "Elasticsearch is not installed: `deploy/elasticsearch/install` downloads it (Java 17 and Maven)"
        )
    return home


def _make_certificates(folder: Path) -> None:
    """A certificate authority and one certificate for 127.0.0.1, below `folder/certs`; the authority's key is not kept."""
    home, made = _home(), folder / "certs.zip"
    instances = folder / "instances.yml"
    instances.write_text("instances: [{name: node, dns: [localhost], ip: [127.0.0.1]}]\n")
    ca = folder / "ca.zip"
    _tool(home, "elasticsearch-certutil", "ca", "--silent", "--pem", "--pass", "", "--out", str(ca))
    with zipfile.ZipFile(ca) as archive:
        archive.extractall(folder / "authority")
    authority = folder / "authority" / "ca"
    keys = ("--ca-cert", str(authority / "ca.crt"), "--ca-key", str(authority / "ca.key"))
    _tool(
        home, "elasticsearch-certutil", "cert", "--silent", "--pem", "--in", str(instances), *keys, "--out", str(made)
    )
    with zipfile.ZipFile(made) as archive:
        archive.extractall(folder / "certs")
    shutil.copytree(authority, folder / "certs" / "ca", ignore=shutil.ignore_patterns("*.key"))
    shutil.rmtree(folder / "authority")
    for leftover in (instances, ca, made):
        leftover.unlink()


def _make_keystore(home: Path, config: Path, password: str) -> None:
    _tool(home, "elasticsearch-keystore", "create", config=config)
    _tool(home, "elasticsearch-keystore", "add", "-x", "-f", "bootstrap.password", config=config, stdin=password)


def _tool(home: Path, program: str, *arguments: str, config: Path | None = None, stdin: str = "") -> None:
    environment = os.environ | {"ES_JAVA_HOME": str(java_home()), "ES_PATH_CONF": str(config or home / "config")}
    done = subprocess.run(
        [home / "bin" / program, *arguments], env=environment, input=stdin.encode(), capture_output=True, check=False
    )
    if done.returncode:
        raise StartError(f"{program} {arguments[0]} failed: {done.stderr.decode()[-2000:]}")


def _give(account: pwd.struct_passwd, *paths: Path) -> None:
    for path in paths:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """Stops the process when we die, whatever ends us: its input is a pipe that closes then."""
    script = 'cat >/dev/null; kill "$1" 2>/dev/null'
    return subprocess.Popen(["sh", "-c", script, "sh", str(pid)], stdin=subprocess.PIPE, start_new_session=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: Sequence[str], url: str) -> int:
    """Run it to its end; when we are told to stop, so is the command, before the server goes."""
    process = subprocess.Popen(command, env=os.environ | {"SOC_STORE__URL": url})
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Run a command on an Elasticsearch that is started for it.")
    parser.add_argument("--where", action="store_true", help="print the folder that servers are installed in")
    parser.add_argument("--keep", metavar="NAME", help="keep its data under this name; forgotten by default")
    parser.add_argument("--heap", default="1g")
    parser.add_argument("--port", type=int)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    if chosen.where:
        print(servers_folder())
        return 0
    folder = servers_folder() / chosen.keep if chosen.keep else None
    cluster = Cluster(folder, heap=chosen.heap, port=chosen.port)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        cluster.start()
        print(f"Elasticsearch {VERSION} answers at {cluster.url}", file=sys.stderr, flush=True)
        return _run(chosen.command or ["sleep", "infinity"], cluster.url)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
