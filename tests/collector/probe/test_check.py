"""Probes of real servers on loopback: what is up, what is down and why, and where no probe goes."""

from __future__ import annotations

import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from collector.probe.check import Checker, Outcome, in_order, resolve
from collector.probe.target import parse_target
from soc.errors import ConfigError

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Portal(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.seen.append(self.headers)
        status = {"/down": 503, "/moved": 302}.get(self.path, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://169.254.169.254/latest")
        self.end_headers()
        if self.path == "/drip":
            for _ in range(100):
                self.wfile.write(b".")
                self.wfile.flush()
                time.sleep(0.1)
        elif self.path == "/endless":
            for _ in range(2000):
                self.wfile.write(b"x" * 65536)
        else:
            self.wfile.write("<title>Tra cứu hồ sơ</title>".encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(context: ssl.SSLContext | None = None) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that has what it wants goes away
    server.seen = []
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def portal() -> Iterator[ThreadingHTTPServer]:
    with served() as server:
        yield server


def probe(text: str, **options: object) -> Outcome:
    return Checker(LOOPBACK, **options).check(parse_target(text))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "up", "reason"),
    [
        ("/", True, ""),
        ("/moved", True, ""),
        ("/moved#status=200-299", False, "the status is 302"),
        ("/down", False, "the status is 503"),
        ("/down#status=503", True, ""),
        ("/#text=Tra cứu", True, ""),
        ("/#text=Login", False, "the text is not in the answer"),
        ("/endless#text=Login", False, "the text is not in the answer"),
        ("/drip#text=Login&timeout=1", False, "no answer within 1 s"),
    ],
)
def test_http(portal: ThreadingHTTPServer, path: str, up: bool, reason: str) -> None:
    found = probe(f"http://127.0.0.1:{portal.server_port}{path}")
    assert (found.up, found.address) == (up, "127.0.0.1")
    assert found.reason == reason
    assert found.duration_ms < 8000, "bounded, whatever the other side does"
    assert len(portal.seen) == 1, "no redirect is followed"
    assert portal.seen[0]["Host"] == f"127.0.0.1:{portal.server_port}"


def test_tcp_refused_and_silent() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        assert probe(f"tcp://127.0.0.1:{port}").up
        silent = probe(f"http://127.0.0.1:{port}/#timeout=1")  # it accepts, and never answers
        assert (silent.up, silent.reason) == (False, "no answer within 1 s")
        assert probe(f"tls://127.0.0.1:{port}#timeout=1").reason == "no answer within 1 s"
    refused = probe(f"tcp://127.0.0.1:{port}")
    assert (refused.up, refused.reason) == (False, "Connection refused")


def test_what_is_not_http(portal: ThreadingHTTPServer) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert probe(f"http://127.0.0.1:{listening.getsockname()[1]}/").reason == "the answer is not HTTP"
        thread.join()
    assert probe(f"https://127.0.0.1:{portal.server_port}/").reason.startswith("TLS: ")


def test_nothing_else_is_connected_to(portal: ThreadingHTTPServer) -> None:
    target = parse_target(f"http://127.0.0.1:{portal.server_port}/")
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1 is not in collect\.probe_networks"):
        Checker([ipaddress.ip_network("10.0.0.0/8")]).check(target)
    with pytest.raises(ConfigError, match="is empty: no probe is made"):
        Checker([]).check(target)
    # A name with one address that may not be probed is not probed at all.
    both: Callable[[str, int], list[str]] = lambda *_: ["127.0.0.1", "169.254.169.254"]  # noqa: E731
    with pytest.raises(ConfigError, match=r"169\.254\.169\.254 is not in"):
        Checker(LOOPBACK, resolver=both).check(parse_target(f"http://portal.example.vn:{portal.server_port}/"))
    with pytest.raises(ConfigError, match="::ffff"):
        Checker(LOOPBACK, resolver=lambda *_: ["::ffff:10.0.0.1"]).check(target)
    assert portal.seen == []


def test_the_address_that_was_looked_at_is_the_one_connected_to(portal: ThreadingHTTPServer) -> None:
    asked: list[str] = []

    def resolver(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    text = f"http://portal.example.vn:{portal.server_port}/"
    assert Checker(LOOPBACK, resolver=resolver).check(parse_target(text)).up
    assert asked == ["portal.example.vn"]
    assert portal.seen[0]["Host"] == f"portal.example.vn:{portal.server_port}"


def test_names() -> None:
    found = probe("dns://localhost")
    assert found.up
    assert "127.0.0.1" in found.answers
    assert "127.0.0.1" in resolve("localhost", 0)

    def unknown(*_: object) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    assert probe("dns://a.example.vn", resolver=unknown).reason == "the name does not resolve"
    assert probe("https://a.example.vn/", resolver=lambda *_: []).reason == "the name has no address"


def certificate(folder: Path, days: int) -> tuple[Path, Path]:
    key, cert = folder / "key.pem", folder / f"{days}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", str(days),
         "-subj", "/CN=portal.example.vn", "-addext", "subjectAltName=DNS:portal.example.vn"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_certificates(tmp_path: Path) -> None:
    key, cert = certificate(tmp_path, 20)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    trusting = ssl.create_default_context(cafile=str(cert))
    here: Callable[[str, int], list[str]] = lambda *_: ["127.0.0.1"]  # noqa: E731
    with served(serving) as server:
        for kind in ("tls", "https"):
            target = parse_target(f"{kind}://portal.example.vn:{server.server_port}")
            found = Checker(LOOPBACK, trusting, here).check(target)
            assert (found.up, found.days_left) == (True, 19)
            strange = Checker(LOOPBACK, None, here).check(target)
            assert (strange.up, strange.reason) == (False, "certificate: self-signed certificate")
        wrong = parse_target(f"tls://other.example.vn:{server.server_port}")
        assert Checker(LOOPBACK, trusting, here).check(wrong).reason.startswith("certificate: Hostname mismatch")


def test_an_address_that_cannot_be_reached_says_nothing_while_there_is_another(portal: ThreadingHTTPServer) -> None:
    """No route to the first one, as to IPv6 from a machine without."""
    networks = [*LOOPBACK, ipaddress.ip_network("2001:db8::/32"), ipaddress.ip_network("255.255.255.255/32")]
    text = f"http://portal.example.vn:{portal.server_port}/#timeout=3"
    for first in ("2001:db8::1", "255.255.255.255"):
        checker = Checker(networks, resolver=lambda *_, first=first: [first, "127.0.0.1"])
        found = checker.check(parse_target(text))
        assert (found.up, found.address) == (True, "127.0.0.1")
    found = Checker(networks, resolver=lambda *_: ["255.255.255.255"]).check(parse_target(text))
    assert (found.up, found.address) == (False, "255.255.255.255")


def test_addresses_are_in_the_order_of_numbers() -> None:
    assert in_order(["2001:db8::1", "203.0.113.5", "113.1.1.1", "9.1.1.1"]) == [
        "9.1.1.1", "113.1.1.1", "203.0.113.5", "2001:db8::1",
    ]  # fmt: skip


def test_a_lookup_that_hangs_is_given_up_and_asked_once() -> None:
    free, asked = threading.Event(), []

    def hangs(host: str, _: int) -> list[str]:
        asked.append(host)
        free.wait(30)
        return ["127.0.0.1"]

    checker = Checker(LOOPBACK, resolver=hangs)
    target = parse_target("dns://portal.example.vn#every=60")
    quick = parse_target("https://portal.example.vn/#timeout=1")
    assert checker.check(quick).reason == "the name does not resolve in time"
    again = checker.check(parse_target("https://portal.example.vn/x#timeout=1"))
    assert (again.up, again.reason, asked) == (False, "the name does not resolve in time", ["portal.example.vn"])
    free.set()
    assert checker.check(target).up
