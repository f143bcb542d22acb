"""Syslog over UDP and TCP (RFC 3164 and 5424 messages; framing of RFC 6587), for many sources on one port.

A record is the whole message, PRI included; its position is `<id of this start>:<connection>:<sequence>`, as syslog never sends
anything twice on purpose. Back pressure: TCP connections are not read while the buffer is full. UDP has none: datagrams wait in
a bounded queue, then in the kernel's buffer, then are lost, and both losses are counted and shown.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol

import structlog

from collector.base import DeliverTo, Record
from collector.lines import cut_note
from collector.patience import insist
from collector.tcp import Connections, TcpLimits
from collector.udp import Datagrams
from soc.errors import NotFound

log = structlog.get_logger(__name__)

_TICK_S = 0.05
_FLOOD = 4  # batches
_PARTING_S = 5.0  # for what is in memory when told to stop
_STRANGERS = 10
_SHOWN_S = 60.0  # how long a loss stays in `problem`


class Unknown(Protocol):
    def __call__(self, sender: str, records: Sequence[Record]) -> None:
        """Keep what an address sends that belongs to no source. Blocks and raises as `Deliver`."""
        ...


class Syslog:
    """The `Listener` on one UDP and one TCP port. `None` for a port leaves that protocol out; 0 takes any free one."""

    def __init__(
        self,
        host: str,
        udp_port: int | None,
        tcp_port: int | None,
        route: Callable[[str], str | None],
        unknown: Unknown,
        *,
        limits: TcpLimits | None = None,
        batch: int = 2000,
        delay_s: float = 0.1,
        queue_messages: int = 100_000,
        queue_bytes: int = 32 << 20,
        clock: Callable[[], float] = time.monotonic,
        start_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """`route`: the sender's address -> source id, or None; asked again at least once a second for each address."""
        self.host, self.udp_port, self.tcp_port = host, udp_port, tcp_port
        # udp, tcp, unknown, connections, refused, closed, framing_errors, udp_dropped, udp_dropped_by_kernel
        self.counts: Counter[str] = Counter()
        self.strangers: OrderedDict[str, int] = (
            OrderedDict()
        )  # the latest addresses that belong to no source: their messages
        self._route = route
        self._unknown = unknown
        self._limits = limits or TcpLimits()
        self._batch = batch
        self._delay_s = delay_s
        self._queue_messages, self._queue_bytes = queue_messages, queue_bytes
        self._clock = clock
        self._start_id = start_id
        self._waiting: str | None = None
        self._lost: tuple[float, str] | None = None
        self._routes: dict[str, str | None] = {}
        self._pending: dict[str, list[Record]] = {}  # by sender; survives a restart of `run`
        self._size = 0
        self._due: float | None = None  # when the oldest pending record must go

    @property
    def problem(self) -> str | None:
        if self._lost and self._clock() - self._lost[0] < _SHOWN_S:
            return self._lost[1]
        return self._waiting

    def run(self, deliver_to: DeliverTo, stop: threading.Event) -> None:
        self._deliver_to = deliver_to
        self._prefix = self._start_id()
        self._sequence = 0
        self._drops: dict[str, int] = {}
        with ExitStack() as closing:
            udp = tcp = None
            if self.udp_port is not None:
                udp = Datagrams(self.host, self.udp_port, self._queue_messages, self._queue_bytes)
                self.udp_port = udp.port
                closing.callback(udp.close)
            if self.tcp_port is not None:
                tcp = Connections(self.host, self.tcp_port, self._limits, self.counts, self._clock)
                self.tcp_port = tcp.port
                closing.callback(tcp.close)
            log.info("syslog_listens", host=self.host, udp_port=self.udp_port, tcp_port=self.tcp_port)
            self._receive(udp, tcp, stop)
            closing.pop_all()
            self._part(udp, tcp)

    def _receive(self, udp: Datagrams | None, tcp: Connections | None, stop: threading.Event) -> None:
        next_look = 0.0
        while not stop.is_set():
            moved = self._take_datagrams(udp)
            wait_s = 0.0 if moved else _TICK_S
            if tcp:
                self._take_messages(tcp, wait_s)
            elif wait_s:
                stop.wait(wait_s)
            now = self._clock()
            if self._size >= self._batch or (self._due is not None and now >= self._due):
                self._flush(stop)
            if now >= next_look:
                next_look = now + 1
                self._routes.clear()  # sources may have been added or removed
                if udp:
                    self._count_drops(udp, now)

    def _take_datagrams(self, udp: Datagrams | None) -> bool:
        datagrams = udp.take(self._batch) if udp else []
        most = self._limits.message_bytes
        for sender, data in datagrams:
            note = cut_note(most, len(data)) if len(data) > most else None
            if message := data[:most].strip(b"\r\n\0"):
                self._add(sender, "udp", message, note)
        return bool(datagrams)

    def _take_messages(self, tcp: Connections, wait_s: float) -> None:
        for sender, number, frames in tcp.read(wait_s):
            for message, note in frames:
                self._add(sender, number, message, note)
            if self._size >= _FLOOD * self._batch:
                return  # the others are read after this has been stored

    def _add(self, sender: str, connection: int | str, message: bytes, note: str | None) -> None:
        self._sequence += 1
        self.counts["udp" if connection == "udp" else "tcp"] += 1
        record = Record(message, f"{self._prefix}:{connection}:{self._sequence}", note)
        # An IPv4 sender on an IPv6 socket is the same sender.
        self._pending.setdefault(sender.removeprefix("::ffff:"), []).append(record)
        self._size += 1
        if self._due is None:
            self._due = self._clock() + self._delay_s

    def _flush(self, stop: threading.Event) -> None:
        """Deliver what is pending; while that has to wait nothing is read, so senders on TCP have to wait as well."""
        while self._pending and not stop.is_set():
            by_source: dict[str, list[str]] = {}
            for sender, records in list(self._pending.items()):
                source_id = self._source(sender)
                if source_id is not None:
                    by_source.setdefault(source_id, []).append(sender)
                elif insist(partial(self._unknown, sender, records), stop, self._wait):
                    self._count_stranger(sender, len(self._pending.pop(sender)))
            for source_id, senders in by_source.items():
                if not self._flush_source(source_id, senders, stop):
                    return  # `_part` tries once more; the positions are the same, so nothing is stored twice
        self._size = sum(map(len, self._pending.values()))
        self._due = None

    def _count_stranger(self, sender: str, messages: int) -> None:
        self.counts["unknown"] += messages
        self.strangers[sender] = self.strangers.pop(sender, 0) + messages
        if len(self.strangers) > _STRANGERS:
            self.strangers.popitem(last=False)

    def _flush_source(self, source_id: str, senders: Sequence[str], stop: threading.Event) -> bool:
        """Deliver what `senders` sent, or find another way for it if the source is gone. False if told to stop first."""
        records = [record for sender in senders for record in self._pending[sender]]
        try:
            for at in range(0, len(records), self._batch):
                if not insist(partial(self._deliver_to, source_id, records[at : at + self._batch]), stop, self._wait):
                    return False
        except NotFound:  # disabled a moment ago
            self._wait(None)
            for sender in senders:
                now = self._route(sender)
                self._routes[sender] = now if now != source_id else None
        else:
            for sender in senders:
                del self._pending[sender]
        return True

    def _source(self, sender: str) -> str | None:
        if sender not in self._routes:
            self._routes[sender] = self._route(sender)
        return self._routes[sender]

    def _wait(self, reason: str | None) -> None:
        if reason and not self._waiting:
            log.warning("syslog_waits", reason=reason)
        self._waiting = reason

    def _count_drops(self, udp: Datagrams, now: float) -> None:
        for name, drops in (("udp_dropped", udp.dropped), ("udp_dropped_by_kernel", udp.kernel_drops())):
            if new := drops - self._drops.get(name, 0):
                text = f"{new} UDP messages were lost ({drops} since the start): send by TCP"
                log.warning("syslog_lost", reason=text, where=name)
                self._lost = now, text
                self._drops[name] = drops
                self.counts[name] += new

    def _part(self, udp: Datagrams | None, tcp: Connections | None) -> None:
        """Store what has been received, for as long as that is likely to work."""
        for sender, number, frames in tcp.close() if tcp else ():
            for message, note in frames:
                self._add(sender, number, message, note)
        if udp:
            udp.close()
            while self._take_datagrams(udp):
                pass
        enough = threading.Event()
        timer = threading.Timer(_PARTING_S, enough.set)
        timer.start()
        self._flush(enough)
        timer.cancel()
        if self._pending:
            log.error("syslog_lost", reason="stopped while nothing could be stored", messages=self._size)
