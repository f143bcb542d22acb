"""Many TCP connections in one thread; whoever does not ask for more slows the senders down."""

from __future__ import annotations

import selectors
import socket
from collections import Counter
from collections.abc import Iterator

import structlog

from collector.framing import Frame, Framer, FramingError

log = structlog.get_logger(__name__)

_READ_BYTES = 64 << 10


class _Connection:
    def __init__(self, peer: str, number: int, max_message_bytes: int) -> None:
        self.peer = peer
        self.number = number
        self.framer = Framer(max_message_bytes)


class Connections:
    """A listening TCP port and the connections made to it."""

    def __init__(self, host: str, port: int, most: int, max_message_bytes: int, counts: Counter[str]) -> None:
        """Binds the port: raises `OSError`. `counts` gets `connections`, `refused` and `framing_errors`."""
        family, both = (socket.AF_INET6, socket.has_dualstack_ipv6()) if ":" in host else (socket.AF_INET, False)
        self._listening = socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=both)
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self._most = most
        self._max_message_bytes = max_message_bytes
        self._counts = counts
        self._open: dict[socket.socket, _Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)

    def read(self, timeout_s: float) -> Iterator[tuple[str, int, list[Frame]]]:
        """(peer's address, number of the connection, messages) of each connection that has something; one read each."""
        for key, _ in self._selector.select(timeout_s):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is self._listening:
                self._accept()
            else:
                connection = self._open[sock]
                if frames := self._receive(sock, connection):
                    yield connection.peer, connection.number, frames

    def close(self) -> list[tuple[str, int, list[Frame]]]:
        """Close everything; returns the messages that were not finished."""
        left = [(c.peer, c.number, list(c.framer.finish(broken=True))) for c in self._open.values()]
        for sock in self._open:
            sock.close()
        self._listening.close()
        self._selector.close()
        return [item for item in left if item[2]]

    def _accept(self) -> None:
        try:
            sock, address = self._listening.accept()
        except OSError:  # gone again, or no descriptor left: the next round tries again
            return
        if len(self._open) >= self._most:
            self._counts["refused"] += 1
            log.warning("connection_refused", peer=address[0], reason=f"{self._most} connections are open")
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._counts["connections"] += 1
        self._open[sock] = _Connection(address[0], self._counts["connections"], self._max_message_bytes)
        self._selector.register(sock, selectors.EVENT_READ)

    def _receive(self, sock: socket.socket, connection: _Connection) -> list[Frame]:
        frames: list[Frame] = []
        broken = False
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
        self._selector.unregister(sock)
        del self._open[sock]
        sock.close()
        return [*frames, *connection.framer.finish(broken=broken)]
