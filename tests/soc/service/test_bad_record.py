"""One record that nobody expected, by every way in: it is kept, and so is what comes with it."""

from __future__ import annotations

import json
import socket
import threading
from functools import partial
from pathlib import Path

import httpx
import pytest
from readers import MemoryCheckpoints, plain_print, wait_for

from collector.keys import KeyRing
from collector.parse import registry
from collector.parse.base import Context
from collector.parse.otp import parse_otp
from collector.push import Push, ingest_app
from collector.runner import Collector
from collector.syslog import Syslog
from collector.tail import Tail
from soc.buffer.sqlite import EventLog
from soc.model.event import Fields, Stored
from soc.model.source import Source, Transport
from soc.service.collector import to_events
from soc.service.replay import open_replay
from soc.settings import Settings
from soc.store.sqlite import events_dir

REASON = "the parser made what cannot be stored of 'event.duration'"


def line(number: int, latency_ms: float = 3000) -> str:
    return json.dumps(
        {
            "time": "2026-03-02T09:00:00+07:00",
            "event": "dlr",
            "status": "DELIVRD",
            "request_id": f"r{number}",
            "latency_ms": latency_ms,
        }
    )


LINES = [line(number, 1e15 if number == 30 else 3000) for number in range(100)]


def careless(text: str, context: Context) -> Fields:
    """A parser with a fault: what it gives for the bad record has no JSON."""
    fields = parse_otp(text, context)
    return fields | ({"event.duration": 1 << 70} if '"r30"' in text else {})


@pytest.fixture(params=[parse_otp, careless], ids=["left out", "dead letter"])
def reasons(request, monkeypatch) -> list[str]:
    """Of the dead letters that there have to be."""
    monkeypatch.setitem(registry.PARSERS, "otp.gateway", request.param)
    return [REASON] if request.param is careless else []


def read(folder: Path) -> list[Stored]:
    log = EventLog(events_dir(folder))
    found = list(log.read({}, 1000).events)
    log.close()
    return found


def assert_all_kept(folder: Path, reasons: list[str]) -> None:
    events = [stored.event for stored in read(folder)]
    assert sorted(str(event.fields["govsoc.otp.request_id"]) for event in events) == sorted(f"r{n}" for n in range(100))
    assert [event.fields["error.message"] for event in events if event.dead] == reasons
    assert [event.fields["govsoc.otp.request_id"] for event in events if "event.duration" not in event.fields] == [
        "r30"
    ]


class Running:
    """A collector of one source in a thread, with all of its ways in."""

    def __init__(self, folder: Path, source: Source) -> None:
        log = EventLog(events_dir(folder))
        self.syslog = Syslog("127.0.0.1", 0, 0, lambda ip: source.id, lambda ip, records: None)
        self.push = Push(
            "127.0.0.1",
            0,
            lambda deliver_to: ingest_app(deliver_to, {"secret": source.id}.get, lambda id_, data: str(hash(data))),
        )
        self.collector = Collector(
            log,
            partial(to_events, KeyRing(folder)),
            lambda: [source],
            lambda: 1,
            lambda one: (
                Tail(one.id, one.where, MemoryCheckpoints(), fingerprint=plain_print, poll_s=0.01)
                if one.transport is Transport.FILE
                else None
            ),
            {Transport.SYSLOG: self.syslog, Transport.PUSH: self.push},
            lambda health: None,
            look_s=0.02,
            pause_s=0.1,
        )
        self._log = log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.collector.run, args=(self._stop,))

    def __enter__(self) -> Running:
        self._thread.start()
        wait_for(lambda: self.syslog.udp_port and self.push.port and self.collector._enabled)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        self._log.close()
        assert self.collector.failures == 0


@pytest.mark.parametrize("way", ["udp", "tcp", "push", "path"])
def test_it_is_kept_and_so_are_the_others(way, tmp_path, reasons):
    file = tmp_path / "gateway.log"
    file.write_text("\n".join(LINES) + "\n")
    transport = {"push": Transport.PUSH, "path": Transport.FILE}.get(way, Transport.SYSLOG)
    source = Source("gw", "gw", "H42", "otp.gateway", transport, (str(file),))
    with Running(tmp_path, source) as running:
        if way == "udp":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                for text in LINES:
                    udp.sendto(
                        f"<13>1 2026-03-02T02:00:00Z gw otp - - - {text}".encode(),
                        ("127.0.0.1", running.syslog.udp_port),
                    )
        elif way == "tcp":
            with socket.create_connection(("127.0.0.1", running.syslog.tcp_port)) as tcp:
                tcp.sendall("".join(f"<13>1 2026-03-02T02:00:00Z gw otp - - - {text}\n" for text in LINES).encode())
        elif way == "push":
            url = f"http://127.0.0.1:{running.push.port}/ingest"
            answer = httpx.post(url, headers={"Authorization": "Bearer secret"}, content="\n".join(LINES))
            assert (answer.status_code, answer.json()) == (200, {"accepted": 100})
        wait_for(lambda: len(read(tmp_path)) == 100)
    assert_all_kept(tmp_path, reasons)


def test_a_replay_goes_on(tmp_path, reasons):
    file = tmp_path / "gateway.log"
    file.write_text("\n".join(LINES) + "\n")
    for new in (100 - len(reasons), 0):
        with open_replay(Settings(data_dir=tmp_path), "gw", "otp.gateway", "H42", "+07:00") as (replay, _):
            for _progress in replay.run([file]):
                pass
            assert (replay.progress.records, replay.progress.events) == (100, new)
            assert replay.progress.unparsed == len(reasons)
    assert_all_kept(tmp_path, reasons)
