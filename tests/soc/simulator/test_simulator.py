"""The simulated province: repeatable, in order, truthful, and written to real files and a real socket."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import threading
import time
from collections import Counter
from datetime import datetime

import pytest
from typer.testing import CliRunner

from soc.cli import build
from soc.errors import ConfigError
from soc.simulator import FILES, INCIDENTS, Line, Rates, World, Writer, play, schedule
from soc.simulator.line import ZONE
from soc.simulator.writer import TRUTH, Syslog, to_rfc5424

MONDAY_8 = int(datetime(2026, 3, 2, 8, tzinfo=ZONE).timestamp() * 1000)
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def world(seed: int = 1, every_ms: int | None = None, rate: float = 1.0) -> World:
    planned = schedule(MONDAY_8, 3_000, every_ms) if every_ms else ()
    return World(seed, MONDAY_8, Rates().times(rate), planned)


def test_the_same_seed_gives_the_same_lines_and_another_seed_others():
    end = MONDAY_8 + 10 * MINUTE_MS
    lines = list(world(1, MINUTE_MS).lines(end))
    assert lines == list(world(1, MINUTE_MS).lines(end))
    assert lines != list(world(2, MINUTE_MS).lines(end))


def test_lines_come_in_order_of_time_within_the_period():
    end = MONDAY_8 + HOUR_MS
    times = [line.at for line in world(1, 5 * MINUTE_MS).lines(end)]
    assert times == sorted(times)
    assert times[0] >= MONDAY_8
    assert times[-1] < end


def test_incidents_leave_other_ordinary_lines_as_they_are():
    end = MONDAY_8 + 20 * MINUTE_MS
    ordinary = Counter(world(3).lines(end))
    kinds = [
        (at, kind)
        for at, kind in zip(range(MONDAY_8, end, MINUTE_MS), INCIDENTS, strict=False)
        if kind != "otp_carrier_outage"
    ]
    with_incidents = Counter(World(3, MONDAY_8, Rates(), kinds).lines(end))
    assert not ordinary - with_incidents
    assert with_incidents - ordinary


def test_an_outage_reaches_ordinary_citizens_of_that_carrier_only():
    rates = Rates(0, 0, 3000, 0, 0, 0, 0, 0)
    lines = list(World(4, MONDAY_8, rates, [(MONDAY_8 + 1000, "otp_carrier_outage")]).lines(MONDAY_8 + 5 * MINUTE_MS))
    receipts = [
        document
        for line in lines
        if (document := json.loads(line.text))["event"] == "dlr" and line.at > MONDAY_8 + 90_000
    ]
    delivered = {
        name: Counter(d["status"] == "DELIVRD" for d in receipts if d["carrier"] == name)
        for name in ("viettel", "vinaphone", "mobifone")
    }
    out = [name for name, count in delivered.items() if not count[True]]
    assert len(out) == 1
    assert all(count[True] > 10 * count[False] for name, count in delivered.items() if name not in out)


def test_work_is_done_by_day():
    hours = Counter(
        datetime.fromtimestamp(line.at / 1000, ZONE).hour
        for line in World(5, MONDAY_8 - 8 * HOUR_MS, Rates().times(0.2)).lines(MONDAY_8 + 16 * HOUR_MS)
    )
    assert hours[9] > 10 * hours[3]
    assert set(hours) == set(range(24))


def test_every_stream_writes_its_native_format():
    lines = list(world(6, 4 * MINUTE_MS).lines(MONDAY_8 + HOUR_MS))
    assert {line.stream for line in lines} == set(FILES)
    for line in lines:
        assert "\n" not in line.text
        if line.stream.endswith("gateway"):
            document = json.loads(line.text)
            assert datetime.fromisoformat(document["time"]).timestamp() * 1000 == line.at
        elif line.stream == "nginx.access":
            assert re.fullmatch(
                r'\S+ - - \[\d\d/Mar/2026:\d\d:\d\d:\d\d \+0700\] "[^"]+ HTTP/1.1" \d{3} \d+ "[^"]*" "[^"]*" rt=\d+\.\d{3}',
                line.text,
            ), line.text
        elif line.stream == "nginx.error":
            assert re.match(
                r"2026/03/02 \d\d:\d\d:\d\d \[(error|warn)\] 1207#1207: \*\d+ .+, client: \S+, server: ", line.text
            ), line.text


def test_addresses_belong_to_nobody():
    reserved = [
        ipaddress.ip_network(net)
        for net in ("10.0.0.0/8", "198.18.0.0/15", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
    ]
    for line in world(7, 2 * MINUTE_MS).lines(MONDAY_8 + 30 * MINUTE_MS):
        if line.stream == "nginx.access":
            address = ipaddress.ip_address(line.text.split(" ")[0])
            assert any(address in net for net in reserved), address


@pytest.mark.parametrize("kind", INCIDENTS)
def test_the_truth_about_an_incident_is_in_its_lines(kind):
    none = Rates(0, 0, 0, 0, 0, 0, 0, 0)
    one = World(8, MONDAY_8, none, [(MONDAY_8 + 500, kind)])
    lines = list(one.lines())
    [incident] = one.incidents
    assert incident.kind == kind
    assert incident.start == lines[0].at == MONDAY_8 + 500
    assert incident.end == lines[-1].at
    assert {line.stream for line in lines} == {incident.stream}
    assert all(any(value in line.text for line in lines) for value in incident.who.values())
    assert json.loads(incident.as_json())["kind"] == kind


def test_writer_appends_each_stream_to_its_file_and_the_truth_beside(tmp_path):
    end, province = MONDAY_8 + 10 * MINUTE_MS, world(9, MINUTE_MS)
    writer = Writer(tmp_path / "logs")
    written = play(province.lines(end), writer, threading.Event(), province.incidents)
    writer.close()
    expected = list(world(9, MINUTE_MS).lines(end))
    assert written == len(expected)
    for stream, name in FILES.items():
        lines = (tmp_path / "logs" / name).read_text().splitlines()
        assert lines == [line.text for line in expected if line.stream == stream]
    truth = [json.loads(line) for line in (tmp_path / "logs" / TRUTH).read_text().splitlines()]
    assert [entry["kind"] for entry in truth] == [incident.kind for incident in province.incidents]
    assert len(truth) == 10


def test_play_keeps_pace_and_begins_with_an_incident(tmp_path):
    province = world(10, MINUTE_MS)
    writer = Writer(tmp_path)
    began = time.monotonic()
    play(province.lines(MONDAY_8 + 10_000), writer, threading.Event(), province.incidents, speed=10)
    took = time.monotonic() - began
    writer.close()
    assert 0.7 < took < 9, "ten seconds of theirs"
    [entry] = [json.loads(line) for line in (tmp_path / TRUTH).read_text().splitlines()]
    assert datetime.fromisoformat(entry["start"]).timestamp() * 1000 <= MONDAY_8 + 5_000


def test_play_stops_soon_and_leaves_whole_lines(tmp_path):
    stop, province, writer = threading.Event(), world(11), Writer(tmp_path)
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    written = play(province.lines(), writer, stop, province.incidents, speed=1)
    assert time.monotonic() - began < 60
    writer.close()
    texts = [(tmp_path / name).read_text() for name in FILES.values() if (tmp_path / name).exists()]
    assert sum(text.count("\n") for text in texts) == written
    assert all(text.endswith("\n") for text in texts if text)


class Listener:
    """A syslog server that takes octet-counted messages of one connection."""

    def __init__(self, port: int = 0) -> None:
        self.server = socket.create_server(("127.0.0.1", port))
        self.port = self.server.getsockname()[1]
        self.data = b""
        self.thread = threading.Thread(target=self._take)
        self.thread.start()

    def _take(self) -> None:
        connection, _ = self.server.accept()
        with connection, self.server:
            while chunk := connection.recv(65536):
                self.data += chunk

    def messages(self) -> list[str]:
        self.thread.join(60)
        messages, rest = [], self.data
        while rest:
            length, rest = rest.split(b" ", 1)
            messages.append(rest[: int(length)].decode())
            rest = rest[int(length) :]
        return messages


def test_writer_sends_the_servers_messages_by_syslog(tmp_path):
    listener = Listener()
    writer = Writer(tmp_path, ("127.0.0.1", listener.port))
    lines = [line for line in world(12, MINUTE_MS).lines(MONDAY_8 + 10 * MINUTE_MS) if line.stream == "linux.auth"]
    play(lines, writer, threading.Event(), [])
    writer.close()
    assert listener.messages() == [to_rfc5424(line.text) for line in lines]
    assert not (tmp_path / FILES["linux.auth"]).exists()
    assert writer.dropped == 0


def test_syslog_that_nobody_hears_waits_and_is_sent_later(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    syslog = Syslog("127.0.0.1", port)
    syslog.add("<86>1 first")
    assert syslog.send() == 0
    listener = Listener(port)
    monkeypatch.setattr("soc.simulator.writer.RECONNECT_AFTER_S", 0.05)
    syslog._retry_at = 0
    syslog.add("<86>1 second")
    syslog.send()
    syslog.close()
    assert listener.messages() == ["<86>1 first", "<86>1 second"]


def test_syslog_that_nobody_hears_for_long_is_counted(monkeypatch):
    monkeypatch.setattr("soc.simulator.writer.SYSLOG_WAITING", 1)
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    syslog = Syslog("127.0.0.1", port)
    for number in range(3):
        syslog.add(f"<86>1 {number}")
    assert syslog.send() == 2


def test_a_file_in_the_place_of_the_directory_is_explained(tmp_path):
    (tmp_path / "logs").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        Writer(tmp_path / "logs").write(Line(0, "nginx.access", "x"))


def test_rfc5424_form_of_a_message_without_process_id():
    text = "2026-03-02T09:00:00.123+07:00 web01 sudo: an : TTY=pts/0 ; COMMAND=/bin/ls"
    assert to_rfc5424(text) == "<86>1 2026-03-02T09:00:00.123+07:00 web01 sudo - - - an : TTY=pts/0 ; COMMAND=/bin/ls"


def simulate(*arguments: str):
    return CliRunner().invoke(build("simulate"), ["simulate", *arguments])


def test_the_command_writes_files(tmp_path):
    result = simulate(
        "--out", str(tmp_path / "a"), "--duration", "30m", "--seed", "5", "--start", "2026-03-02T08:00:00"
    )
    assert result.exit_code == 0, result.output
    again = simulate(
        "--out", str(tmp_path / "b"), "--duration", "30m", "--seed", "5", "--start", "2026-03-02T01:00:00Z"
    )
    assert again.exit_code == 0
    assert {p.name: p.read_text() for p in (tmp_path / "a").iterdir()} == {
        p.name: p.read_text() for p in (tmp_path / "b").iterdir()
    }
    assert "2 incidents" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--duration", "an hour", "write it like 90s"),
        ("--duration", "0s", "write it like 90s"),
        ("--start", "yesterday", "write it like 2026"),
        ("--syslog", "5514", "write it like 127.0.0.1:5514"),
        ("--syslog", "host:99999", "write it like 127.0.0.1:5514"),
    ],
)
def test_a_wrong_option_says_what_to_write(tmp_path, option, value, words):
    result = simulate("--out", str(tmp_path), option, value)
    assert isinstance(result.exception, ConfigError)
    assert words in str(result.exception)
