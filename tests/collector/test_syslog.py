"""Real sockets on 127.0.0.1; framing cases of RFC 6587 and of senders that do not follow it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from collector.framing import Framer, FramingError
from collector.syslog import Syslog
from collector.tcp import TcpLimits
from soc.errors import NotFound

A = b"<34>1 2026-11-22T10:00:00Z host app - - - first"
B = b"<34>Oct 11 22:14:15 host su: 'su root' failed"


def counted(*messages: bytes) -> bytes:
    return b"".join(b"%d %s" % (len(message), message) for message in messages)


class TestFraming:
    @pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 1000])
    @pytest.mark.parametrize(
        "stream",
        [
            A + b"\n" + B + b"\n",
            A + b"\r\n\n" + B + b"\0\n",
            counted(A, B),
            counted(A) + b"\n" + counted(B) + b"\n",
            A + b"\n" + counted(B),
            counted(A) + b"\0" + counted(B),
            counted(A) + B + b"\n",
        ],
    )
    def test_messages_are_whole_however_they_arrive(self, stream: bytes, size: int) -> None:
        framer = Framer(1000)
        got = [frame for at in range(0, len(stream), size) for frame in framer.feed(stream[at : at + size])]
        assert got + list(framer.finish()) == [(A, None), (B, None)]

    @pytest.mark.parametrize(
        "line", [b"2026-11-22 10:00 no PRI", b"5 minutes later", b"1763800000000 epoch", b"12", b"7" * 30]
    )
    @pytest.mark.parametrize("size", [1, 100])
    def test_lines_that_begin_with_digits(self, line: bytes, size: int) -> None:
        framer = Framer(1000)
        stream = line + b"\n" + B + b"\n"
        assert [f for at in range(0, len(stream), size) for f in framer.feed(stream[at : at + size])] == [
            (line, None),
            (B, None),
        ]

    @pytest.mark.parametrize(
        "stream", [b"99999999999 <34>x", b"16777217 <34>x", counted(A) + b"garbage", counted(A) + b"12x"]
    )
    def test_a_length_that_cannot_be_true(self, stream: bytes) -> None:
        framer = Framer(1000)
        got = []
        with pytest.raises(FramingError):
            got.extend(framer.feed(stream + b" " * 30))
        assert got == [(A, None)][: stream.startswith(counted(A))]

    @pytest.mark.parametrize("stream", [b"<1>" + b"x" * 4997 + b"\n", counted(b"<1>" + b"x" * 4997)])
    def test_a_long_message_is_cut(self, stream: bytes) -> None:
        framer = Framer(100)
        got = [f for at in range(0, len(stream), 7) for f in framer.feed(stream[at : at + 7])]
        assert got == [(b"<1>" + b"x" * 97, "cut at 100 of 5000 bytes")]
        assert list(framer.feed(A + b"\n"))

    def test_endless_text_without_an_end_takes_no_memory(self) -> None:
        framer = Framer(1000)
        for _ in range(1000):
            list(framer.feed(b"x" * 10_000))
        assert len(framer._kept) == 1000

    def test_what_is_left_at_the_end(self) -> None:
        framer = Framer(1000)
        assert list(framer.feed(B)) == []
        assert list(framer.finish()) == [(B, None)]
        assert list(framer.feed(b"500 " + A)) == []
        assert list(framer.finish()) == [(A, "the connection ended before the message did")]
        assert list(framer.feed(b"12")) == []
        assert list(framer.finish()) == [(b"12", None)]


class Stored:
    def __init__(self, sink) -> None:
        self.sink = sink
        self.by_source: dict[str, list[bytes]] = {}
        self.unknown: list[tuple[str, bytes]] = []
        self.disabled: set[str] = set()

    def __call__(self, source_id: str, records) -> None:
        if source_id in self.disabled:
            raise NotFound("this source is not enabled")
        self.sink(records)
        self.by_source.setdefault(source_id, []).extend(record.line for record in records)

    def keep_unknown(self, sender: str, records) -> None:
        self.unknown += [(sender, record.line) for record in records]


@pytest.fixture
def stored(sink) -> Stored:
    return Stored(sink)


@pytest.fixture
def listen(stored, running, eventually):
    """`with listen(...) as syslog:` both ports are open; 127.0.0.1 is the source `firewall`."""

    @contextlib.contextmanager
    def open_(route=lambda ip: "firewall" if ip == "127.0.0.1" else None, **options):
        syslog = Syslog("127.0.0.1", 0, 0, route, stored.keep_unknown, **{"delay_s": 0.02} | options)
        with running(syslog.run, stored):
            eventually(lambda: syslog.tcp_port and syslog.udp_port)
            yield syslog

    return open_


def send_udp(syslog: Syslog, *messages: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for message in messages:
            sock.sendto(message, ("127.0.0.1", syslog.udp_port))


def connect(syslog: Syslog) -> socket.socket:
    return socket.create_connection(("127.0.0.1", syslog.tcp_port), timeout=5)


def test_udp_and_tcp_of_one_source(listen, stored, sink) -> None:
    with listen() as syslog, connect(syslog) as tcp:
        send_udp(syslog, A, B + b"\n", b"\n")
        sink.wait(2)
        tcp.sendall(counted(A, B))
        sink.wait(4)
    assert stored.by_source == {"firewall": [A, B, A, B]}
    assert len(sink.unique) == 4
    assert (syslog.counts["udp"], syslog.counts["tcp"]) == (2, 2)


def test_positions_are_of_this_start(listen, sink) -> None:
    with listen(start_id=lambda: "start") as syslog:
        send_udp(syslog, A)
        sink.wait(1)
        with connect(syslog) as tcp:
            tcp.sendall(A + b"\n")
        sink.wait(2)
    assert [r.position for r in sink.records] == ["start:udp:1", "start:1:2"]


def test_an_unknown_sender_is_kept_aside(listen, stored, sink, eventually) -> None:
    routes: dict[str, str] = {}
    with listen(route=routes.get) as syslog:
        send_udp(syslog, A)
        eventually(lambda: stored.unknown == [("127.0.0.1", A)])
        routes["127.0.0.1"] = "enrolled"  # while running
        eventually(lambda: (send_udp(syslog, B), time.sleep(0.1), sink.records)[-1])
    assert set(stored.by_source["enrolled"]) == {B}
    assert syslog.counts["unknown"] >= 1


@pytest.mark.parametrize(("then", "stored_at"), [("wider", "wider"), (None, None), ("firewall", None)])
def test_what_a_disabled_source_sends_goes_another_way(listen, stored, eventually, then, stored_at) -> None:
    routes = {"127.0.0.1": "firewall"}
    with listen(route=routes.get) as syslog, connect(syslog) as tcp:
        tcp.sendall(A + b"\n")
        eventually(lambda: stored.by_source == {"firewall": [A]})
        stored.disabled.add("firewall")
        routes["127.0.0.1"] = then
        tcp.sendall(B + b"\n")
        eventually(lambda: stored.unknown or len(stored.by_source) == 2)
    assert stored.unknown == ([] if stored_at else [("127.0.0.1", B)])
    assert stored.by_source == {"firewall": [A]} | ({stored_at: [B]} if stored_at else {})
    assert syslog.problem is None


def test_many_connections_at_once(listen, sink) -> None:
    with listen() as syslog:
        connections = [connect(syslog) for _ in range(100)]
        for turn in range(5):
            for number, tcp in enumerate(connections):
                tcp.sendall(b"<1>%d %d\n" % (number, turn))
        sink.wait(500)
        for tcp in connections:
            tcp.close()
    assert len(sink.unique) == 500
    assert sorted(sink.lines) == sorted(b"<1>%d %d" % (n, t) for n in range(100) for t in range(5))


@pytest.mark.parametrize("limits", [TcpLimits(connections=2), TcpLimits(connections_per_peer=2)])
def test_more_connections_than_allowed_are_refused(listen, sink, limits: TcpLimits) -> None:
    with listen(limits=limits) as syslog:
        first, second, third = (connect(syslog) for _ in range(3))
        assert third.recv(1) == b""
        first.sendall(A + b"\n")
        second.sendall(B + b"\n")
        sink.wait(2)
        for tcp in (first, second, third):
            tcp.close()
    assert syslog.counts["refused"] == 1


def test_one_address_cannot_take_every_connection(listen, sink, eventually) -> None:
    with listen(limits=TcpLimits(connections_per_peer=1)) as syslog, connect(syslog):
        address = ("127.0.0.1", syslog.tcp_port)
        with socket.create_connection(address, source_address=("127.0.0.2", 0)) as other, connect(syslog) as second:
            assert second.recv(1) == b""
            other.sendall(A + b"\n")
            eventually(lambda: syslog.counts["unknown"])
    assert syslog.counts["refused"] == 1
    assert syslog.counts["unknown"] == 1


def test_a_silent_connection_is_closed_and_what_it_began_is_stored(listen, sink) -> None:
    limits = TcpLimits(unfinished_s=0.5, idle_s=100)
    with listen(limits=limits) as syslog, connect(syslog) as begun, connect(syslog) as between:
        between.sendall(A + b"\n")
        begun.sendall(B[:20])
        assert begun.recv(1) == b""
        sink.wait(2)
        between.sendall(B + b"\n")
        sink.wait(3)
    assert sink.lines == [A, B[:20], B]
    assert sink.records[1].note == "the connection ended before the message did"
    assert syslog.counts["closed"] == 1


def test_a_connection_that_sends_nothing_at_all_is_closed(listen) -> None:
    with listen(limits=TcpLimits(idle_s=0.5)) as syslog, connect(syslog) as idle:
        assert idle.recv(1) == b""
    assert syslog.counts["closed"] == 1


def test_unfinished_messages_share_a_bound(listen, sink) -> None:
    with listen(limits=TcpLimits(message_bytes=50_000, unfinished_bytes=100_000)) as syslog, connect(syslog) as good:
        good.sendall(B[:20])
        with contextlib.ExitStack() as stack:
            greedy = [stack.enter_context(connect(syslog)) for _ in range(6)]
            for number, tcp in enumerate(greedy):
                tcp.sendall(b"<1>%d" % number + b"x" * 39_996)
            sink.wait(4)
            good.sendall(B[20:] + b"\n")
            sink.wait(5)
            assert syslog.counts["closed"] == 4
    assert [len(line) for line in sink.lines] == [40_000] * 4 + [len(B)] + [40_000] * 2


def test_nonsense_closes_only_its_connection(listen, sink) -> None:
    with listen() as syslog, connect(syslog) as bad, connect(syslog) as good:
        bad.sendall(counted(A) + b"99999999999999 <34>x" + b" " * 30)
        assert bad.recv(1) == b""
        good.sendall(B + b"\n")
        sink.wait(2)
    assert sorted(sink.lines) == sorted([A, B])
    assert syslog.counts["framing_errors"] == 1


def test_a_reset_in_the_middle_of_a_message(listen, sink) -> None:
    with listen() as syslog:
        tcp = connect(syslog)
        tcp.sendall(A + b"\n" + B[:20])
        sink.wait(1)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tcp.close()
        sink.wait(2)
    assert sink.lines == [A, B[:20]]
    assert sink.records[1].note == "the connection ended before the message did"


def test_a_full_buffer_slows_tcp_down_and_loses_nothing(listen, sink, eventually) -> None:
    sink.full.set()
    blocked = threading.Event()
    count = 20_000

    def send(tcp: socket.socket) -> None:
        for number in range(count):
            tcp.sendall(b"<1>%05d %s\n" % (number, b"x" * 1000))
        blocked.set()

    with listen(batch=100) as syslog, connect(syslog) as tcp:
        sender = threading.Thread(target=send, args=(tcp,))
        sender.start()
        eventually(lambda: "full" in (syslog.problem or ""))
        assert not blocked.wait(0.3), "20 MB went somewhere"
        sink.full.clear()
        sender.join()
        sink.wait(count)
        assert syslog.problem is None
    assert [int(line[3:8]) for line in sink.lines] == list(range(count))


def test_udp_that_is_lost_is_counted(listen, sink, eventually) -> None:
    sink.full.set()
    with listen(queue_messages=100, batch=50) as syslog:
        send_udp(syslog, *[A] * 50)
        eventually(lambda: syslog.problem)
        for _ in range(10):
            send_udp(syslog, *[A] * 100)
            time.sleep(0.01)
        sink.full.clear()
        eventually(lambda: syslog.counts["udp_dropped"] > 0)
        assert "lost" in syslog.problem
        lost = ("udp_dropped", "udp_dropped_by_kernel")
        eventually(lambda: len(sink.records) + sum(syslog.counts[name] for name in lost) == 1050)


def test_what_is_in_memory_is_stored_before_it_stops(listen, sink) -> None:
    with listen(delay_s=60) as syslog, connect(syslog) as tcp:
        send_udp(syslog, A)
        tcp.sendall(B)
        time.sleep(0.2)
        assert sink.records == []
    assert sorted(sink.lines) == sorted([A, B])


def test_a_long_datagram_is_cut(listen, sink) -> None:
    with listen(limits=TcpLimits(message_bytes=100)) as syslog:
        send_udp(syslog, b"x" * 5000)
        sink.wait(1)
    assert (sink.records[0].line, sink.records[0].note) == (b"x" * 100, "cut at 100 of 5000 bytes")


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_ipv6_and_ipv4_on_one_port(stored, running, eventually, sink) -> None:
    syslog = Syslog("::", 0, 0, {"::1": "six", "127.0.0.1": "four"}.get, stored.keep_unknown)
    with running(syslog.run, stored):
        eventually(lambda: syslog.tcp_port and syslog.udp_port)
        for address in ("::1", "127.0.0.1"):
            with socket.create_connection((address, syslog.tcp_port)) as tcp:
                tcp.sendall(A + b"\n")
        send_udp(syslog, B)
        sink.wait(3)
    assert {name: sorted(lines) for name, lines in stored.by_source.items()} == {"six": [A], "four": sorted([A, B])}


def test_a_port_in_use_is_said(stored) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        syslog = Syslog("127.0.0.1", None, taken.getsockname()[1], lambda ip: None, stored.keep_unknown)
        with pytest.raises(OSError, match="in use"):
            syslog.run(stored, threading.Event())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        syslog = Syslog("127.0.0.1", port, None, lambda ip: None, stored.keep_unknown)
        with pytest.raises(OSError, match=f"in use.*UDP 127.0.0.1:{port}"):
            syslog.run(stored, threading.Event())
