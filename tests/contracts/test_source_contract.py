"""What every way into the collector must do. A new one adds a class to `WAYS` and passes unchanged."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from readers import MemoryCheckpoints, Sink, plain_print, run_reader, wait_for

from collector.body import Limits
from collector.push import Push, ingest_app
from collector.syslog import Syslog
from collector.tail import Tail


class TailedFile:
    """Lines are appended to a file that is rotated now and then."""

    repeats = True  # after a crash it reads again what was not acknowledged

    def __init__(self, folder: Path) -> None:
        self.log = folder / "app.log"
        self.log.touch()
        self.notes = MemoryCheckpoints()

    def send(self, lines: list[bytes]) -> None:
        for start in range(0, len(lines), 700):
            with self.log.open("ab") as file:
                file.write(b"".join(line + b"\n" for line in lines[start : start + 700]))
            if start == 700:
                self.log.rename(self.log.with_name("app.log.1"))
                self.log.touch()

    @contextlib.contextmanager
    def running(self, sink: Sink) -> Iterator[None]:
        patterns = [str(self.log), str(self.log.with_name("app.log.*"))]
        options = {"poll_s": 0.01, "scan_s": 0.02, "linger_s": 0.1, "batch": 100}
        tail = Tail("app", patterns, self.notes, fingerprint=plain_print, **options)
        with run_reader(tail.run, sink):
            yield


class ArchivedFile(TailedFile):
    """The same, out of a compressed archive."""

    def send(self, lines: list[bytes]) -> None:
        temporary = self.log.with_name("new")
        temporary.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
        number = len(list(self.log.parent.glob("app.log.*"))) + 1
        temporary.rename(self.log.with_name(f"app.log.{number}.gz"))


class Pushed:
    """A client that repeats a request until it is answered 200."""

    repeats = True

    def __init__(self, folder: Path) -> None:
        self.port = 0
        self.senders: list[threading.Thread] = []

    def send(self, lines: list[bytes]) -> None:
        sender = threading.Thread(target=self._insist, args=(b"\n".join(lines),))
        sender.start()
        self.senders.append(sender)

    def _insist(self, body: bytes) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                url = f"http://127.0.0.1:{self.port}/ingest"
                if httpx.post(url, content=body, headers={"Authorization": "Bearer t"}).status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError("never accepted")

    @contextlib.contextmanager
    def running(self, sink: Sink) -> Iterator[None]:
        def digest(source_id: str, data: bytes) -> str:
            return hashlib.sha256(data).hexdigest()[:16]

        def app(deliver_to):
            return ingest_app(deliver_to, {"t": "app"}.get, digest, limits=Limits(batch=100))

        push = Push("127.0.0.1", 0, app)
        with run_reader(push.run, lambda source_id, records: sink(records)):
            wait_for(lambda: push.port)
            self.port = push.port
            yield
            if not sink.failed:
                for sender in self.senders:
                    sender.join(60)


class SyslogTcp:
    """A connection; the sender never repeats, so there is nothing to read again after a crash."""

    repeats = False

    def __init__(self, folder: Path) -> None:
        self.port = 0
        self.waiting: list[bytes] = []

    def send(self, lines: list[bytes]) -> None:
        self.waiting += lines

    @contextlib.contextmanager
    def running(self, sink: Sink) -> Iterator[None]:
        syslog = Syslog("127.0.0.1", None, 0, lambda ip: "app", lambda ip, records: None, batch=100, delay_s=0.02)
        with run_reader(syslog.run, lambda source_id, records: sink(records)):
            wait_for(lambda: syslog.tcp_port)
            with socket.create_connection(("127.0.0.1", syslog.tcp_port)) as tcp:
                tcp.sendall(b"".join(b"%d %s" % (len(b"<1>" + line), b"<1>" + line) for line in self.waiting))
                yield


WAYS = [TailedFile, ArchivedFile, Pushed, SyslogTcp]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def way(request, tmp_path: Path):
    return request.param(tmp_path)


@pytest.fixture(params=[way for way in WAYS if way.repeats], ids=lambda way: way.__name__)
def repeating_way(request, tmp_path: Path):
    return request.param(tmp_path)


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def lines() -> list[bytes]:
    rng = random.Random(7)
    return [b"seq=%05d %s" % (n, b"x" * rng.randrange(300)) for n in range(3000)]


def texts(sink: Sink) -> list[bytes]:
    return sorted(line.removeprefix(b"<1>") for line in sink.lines)


def test_nothing_is_lost_and_nothing_comes_twice(way, lines, sink) -> None:
    way.send(lines)
    with way.running(sink):
        sink.wait(len(lines))
        time.sleep(0.1)
    assert texts(sink) == lines
    assert len(sink.unique) == len(lines)


def test_a_full_buffer_is_waited_out(way, lines, sink) -> None:
    sink.full.set()
    way.send(lines)
    with way.running(sink):
        wait_for(lambda: sink.refused >= 2)
        assert sink.records == []
        sink.full.clear()
        sink.wait(len(lines))
    assert texts(sink) == lines
    assert len(sink.unique) == len(lines)


def test_a_crash_in_the_middle_changes_nothing_in_the_end(repeating_way, lines, sink) -> None:
    way = repeating_way
    undisturbed = Sink()
    way.send(lines)
    rng = random.Random(11)
    for _ in range(5):
        sink.die_after = len(sink.records) + rng.randrange(100, 700)
        sink.failed = False
        with way.running(sink):
            wait_for(lambda: sink.failed)
    sink.die_after, sink.failed = None, False
    with way.running(sink):
        wait_for(lambda: len(sink.unique) == len(lines))
    assert sorted(sink.unique.values()) == lines
    if isinstance(way, TailedFile):
        way.notes = MemoryCheckpoints()
        with way.running(undisturbed):
            undisturbed.wait(len(lines))
        assert undisturbed.unique == sink.unique


def test_no_descriptor_is_left_open(way, lines, sink) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    way.send(lines)
    with way.running(sink):
        sink.wait(len(lines))
    wait_for(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)
