"""Many TCP connections in one thread; whoever does not ask for more slows the senders down."""

from __future__ import annotations

import selectors
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from collector.framing import Frame, Framer, FramingError

log = structlog.get_logger(__name__)

_READ_BYTES = 64 << 10

# A peer's address, the number of its connection, and messages that came by it.
Arrival = tuple[str, int, list[Frame]]


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """`unfinished_bytes`: of messages that have begun, of all connections together. `unfinished_s`: how long a connection may
    be silent in the middle of a message; `idle_s`: and between messages, where closing it may cost a sender one message."""

    connections: int = 1000
    connections_per_peer: int = 100
    message_bytes: int = 64 << 10
    unfinished_bytes: int = 16 << 20
    unfinished_s: float = 600.0
    idle_s: float = 86_400.0


class _Connection:
    def __init__(self, peer: str, number: int, max_message_bytes: int, now: float) -> None:
        self.peer = peer
        self.number = number
        self.heard = now
        self.framer = Framer(max_message_bytes)


class Connections:
    """A listening TCP port and the connections made to it."""

    def __init__(
        self, host: str, port: int, limits: TcpLimits, counts: Counter[str], clock: Callable[[], float]
    ) -> None:
        """Binds the port: raises `OSError`. `counts` gets `connections`, `refused`, `closed` and `framing_errors`."""
        family, both = (socket.AF_INET6, socket.has_dualstack_ipv6()) if ":" in host else (socket.AF_INET, False)
        self._listening = socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=both)
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self._limits = limits
        self._counts = counts
        self._clock = clock
        self._next_look = 0.0
        self._held_bytes = 0  # by all framers
        self._open: dict[socket.socket, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)

    def read(self, timeout_s: float) -> Iterator[Arrival]:
        """What each connection that has something sent, with one read each, and what those had begun that had to be closed."""
        ready = self._selector.select(timeout_s)
        now = self._clock()
        for key, _ in ready:
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is self._listening:
                self._accept(now)
            elif connection := self._open.get(sock):  # else closed in this round
                connection.heard = now
                if frames := self._receive(sock, connection):
                    yield connection.peer, connection.number, frames
                if self._held_bytes > self._limits.unfinished_bytes:
                    yield from self._close_the_longest()
        if now >= self._next_look:
            self._next_look = now + 1
            yield from self._close_the_silent(now)

    def close(self) -> list[Arrival]:
        """Close everything; returns the messages that were not finished."""
        left = [(c.peer, c.number, list(c.framer.finish(broken=True))) for c in self._open.values()]
        for sock in self._open:
            sock.close()
        self._listening.close()
        self._selector.close()
        return [item for item in left if item[2]]

    def _accept(self, now: float) -> None:
        try:
            sock, address = self._listening.accept()
        except OSError:  # gone again, or no descriptor left: the next round tries again
            return
        if reason := self._too_many(address[0]):
            self._counts["refused"] += 1
            log.warning("connection_refused", peer=address[0], reason=reason)
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._counts["connections"] += 1
        self._open[sock] = _Connection(address[0], self._counts["connections"], self._limits.message_bytes, now)
        self._selector.register(sock, selectors.EVENT_READ)

    def _too_many(self, peer: str) -> str | None:
        most, most_per_peer = self._limits.connections, self._limits.connections_per_peer
        if len(self._open) >= most:
            return f"{most} connections are open"
        if sum(connection.peer == peer for connection in self._open.values()) >= most_per_peer:
            return f"{most_per_peer} connections of this address are open"
        return None

    def _close_the_longest(self) -> Iterator[Arrival]:
        sock, connection = max(self._open.items(), key=lambda item: item[1].framer.held_bytes)
        reason = f"{self._limits.unfinished_bytes} bytes of unfinished messages are held, most of them of this one"
        yield from self._give_up(sock, connection, reason)

    def _close_the_silent(self, now: float) -> Iterator[Arrival]:
        for sock, connection in list(self._open.items()):
            unfinished = connection.framer.unfinished
            most_s = self._limits.unfinished_s if unfinished else self._limits.idle_s
            if now - connection.heard > most_s:
                reason = f"silent for {most_s:g} s" + " in the middle of a message" * unfinished
                yield from self._give_up(sock, connection, reason)

    def _give_up(self, sock: socket.socket, connection: _Connection, reason: str) -> Iterator[Arrival]:
        self._counts["closed"] += 1
        log.warning("connection_closed", peer=connection.peer, reason=reason)
        if frames := self._end(sock, connection, broken=True):
            yield connection.peer, connection.number, frames

    def _receive(self, sock: socket.socket, connection: _Connection) -> list[Frame]:
        frames: list[Frame] = []
        broken = False
        held_bytes = connection.framer.held_bytes
        try:
            data = sock.recv(_READ_BYTES)
            frames.extend(connection.framer.feed(data))
            if data:
                return frames
        except BlockingIOError:
            return []
        except FramingError as error:
            self._counts["framing_errors"] += 1
            log.warning("connection_closed", peer=connection.peer, reason=str(error))
            broken = True
        except OSError:  # reset by the peer
            broken = True
        finally:
            self._held_bytes += connection.framer.held_bytes - held_bytes
        return frames + self._end(sock, connection, broken=broken)

    def _end(self, sock: socket.socket, connection: _Connection, *, broken: bool) -> list[Frame]:
        """Close a connection; the message that it had begun, if any."""
        self._selector.unregister(sock)
        del self._open[sock]
        sock.close()
        self._held_bytes -= connection.framer.held_bytes
        return list(connection.framer.finish(broken=broken))
