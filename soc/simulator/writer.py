"""Writer: lines into real log files and to a real syslog port; `play` paces them."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from soc.errors import ConfigError
from soc.simulator.episode import Incident
from soc.simulator.line import FILES, Line

TRUTH = "incidents.ndjson"
FLUSH_EVERY_MS = 200
RECONNECT_AFTER_S = 1.0
SYSLOG_WAITING = 10_000  # messages kept while nobody listens; older ones are dropped and counted
_AUTHPRIV_INFO = 86  # RFC 5424: facility 10, severity 6
# 2026-03-02T09:00:00.123+07:00 portal-web01 sshd[812]: text
_AUTH = re.compile(r"(\S+) (\S+) ([^\s\[:]+)(?:\[(\d+)\])?: (.*)")


class Writer:
    """Appends each stream to its file below `directory`; with `syslog`, sends `linux.auth` there over TCP instead.

    The first line makes all files, so that those who follow them find them. `dropped` counts syslog messages that found no
    listener for too long.
    """

    def __init__(self, directory: Path, syslog: tuple[str, int] | None = None) -> None:
        self.dropped = 0
        self._directory = directory
        self._syslog = Syslog(*syslog) if syslog else None
        self._files: dict[str, TextIO] = {}

    def write(self, line: Line) -> None:
        """Buffered: the line is on its way after the next `flush`. Raises `ConfigError` when the file cannot be written."""
        if self._syslog and line.stream == "linux.auth":
            self._syslog.add(to_rfc5424(line.text))
            return
        if not self._files:
            self._open()
        self._files[line.stream].write(line.text + "\n")

    def record(self, incident: Incident) -> None:
        """Add one incident to the ground truth."""
        if not self._files:
            self._open()
        self._files[TRUTH].write(incident.as_json() + "\n")

    def flush(self) -> None:
        for file in self._files.values():
            file.flush()
        if self._syslog:
            self.dropped += self._syslog.send()

    def close(self) -> None:
        self.flush()
        for file in self._files.values():
            file.close()
        if self._syslog:
            self._syslog.close()

    def _open(self) -> None:
        names = {stream: name for stream, name in FILES.items() if not self._syslog or stream != "linux.auth"}
        for stream, name in (names | {TRUTH: TRUTH}).items():
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                self._files[stream] = (self._directory / name).open("a", encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"cannot write {self._directory / name}: {error.strerror or error}") from error


class Syslog:
    """RFC 5424 messages over TCP, framed by counting octets (RFC 6587, 3.4.1). Connects again when the listener was away."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._connection: socket.socket | None = None
        self._retry_at = 0.0
        self._waiting: deque[bytes] = deque(maxlen=SYSLOG_WAITING)
        self._pushed_out = 0

    def add(self, message: str) -> None:
        self._pushed_out += len(self._waiting) == SYSLOG_WAITING
        payload = message.encode()
        self._waiting.append(b"%d %s" % (len(payload), payload))

    def send(self) -> int:
        """Send what waits; returns how many had to be dropped since the last call. Blocks for a second at most."""
        try:
            while self._waiting and self._connected():
                assert self._connection is not None
                self._connection.sendall(self._waiting[0])
                self._waiting.popleft()
        except OSError:
            self.close()
        dropped, self._pushed_out = self._pushed_out, 0
        return dropped

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connected(self) -> bool:
        if self._connection is None and time.monotonic() >= self._retry_at:
            self._retry_at = time.monotonic() + RECONNECT_AFTER_S
            self._connection = socket.create_connection(self._place, timeout=RECONNECT_AFTER_S)
        return self._connection is not None


def to_rfc5424(text: str) -> str:
    """`time host program[pid]: text`, as rsyslog writes it to a file, in the form in which it is sent."""
    found = _AUTH.fullmatch(text)
    assert found, text
    at, host, program, process, message = found.groups()
    return f"<{_AUTHPRIV_INFO}>1 {at} {host} {program} {process or '-'} - - {message}"


def play(
    lines: Iterable[Line], writer: Writer, stop: threading.Event, incidents: list[Incident], speed: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:  # fmt: skip
    """Write the lines, and each of `incidents` (which may grow meanwhile) once; returns how many lines were written.

    `speed`: simulated seconds a second, 1 for real time; None for as fast as possible. Ends soon after `stop` is set.
    """
    began, first, flushed_at, written, told = clock(), None, 0, 0, 0
    for line in lines:
        if speed is not None:
            first = line.at if first is None else first
            ahead_s = (line.at - first) / 1000 / speed - (clock() - began)
            if ahead_s > 0 or line.at - flushed_at > FLUSH_EVERY_MS * speed:
                writer.flush()
                flushed_at = line.at
            if ahead_s > 0 and not _wait(ahead_s, writer, stop):
                break
        if stop.is_set():
            break
        for incident in incidents[told:]:
            writer.record(incident)
        told = len(incidents)
        writer.write(line)
        written += 1
    writer.flush()
    return written


def _wait(seconds: float, writer: Writer, stop: threading.Event) -> bool:
    """Until then, or False when stopped; what found no listener is tried again each second."""
    while seconds > 0:
        step = min(seconds, RECONNECT_AFTER_S)
        if stop.wait(step):
            return False
        seconds -= step
        writer.flush()
    return True
