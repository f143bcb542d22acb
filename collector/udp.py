"""Datagrams, taken off the kernel's hands as fast as possible; what is lost all the same is counted."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from pathlib import Path

_KERNEL_BUFFER_BYTES = 16 << 20
_SO_RCVBUFFORCE = 33  # Linux; needs CAP_NET_ADMIN, and goes beyond net.core.rmem_max
_LONGEST = 65_535

# Sender's address, and what it sent.
Datagram = tuple[str, bytes]


class Datagrams:
    """A UDP port and a bounded queue behind it, filled by a thread of its own."""

    def __init__(self, host: str, port: int, most: int, most_bytes: int) -> None:
        """Binds the port: raises `OSError`."""
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._enlarge()
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise OSError(error.errno, f"{error.strerror} (UDP {host}:{port})") from error
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]
        self.dropped = 0  # the queue was full
        self._most, self._most_bytes = most, most_bytes
        self._queue: deque[Datagram] = deque()
        self._bytes_in = 0  # written by the thread only
        self._bytes_out = 0  # written by `take` only
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._receive, name=f"udp-{self.port}", daemon=True)
        self._thread.start()

    def take(self, most: int) -> list[Datagram]:
        """Up to `most` datagrams, oldest first; never waits."""
        taken = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        self._bytes_out += sum(len(data) for _, data in taken)
        return taken

    def kernel_drops(self) -> int:
        """Datagrams that the kernel threw away because its buffer was full; 0 where it does not tell."""
        table = "udp6" if self._socket.family == socket.AF_INET6 else "udp"
        inode = str(os.fstat(self._socket.fileno()).st_ino)
        try:
            rows = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            return 0
        return next((int(row[-1]) for row in map(str.split, rows) if row[9] == inode), 0)

    def close(self) -> None:
        """Stop receiving. What is in the queue can still be taken."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _enlarge(self) -> None:
        for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, option, _KERNEL_BUFFER_BYTES)
            except PermissionError:
                continue
            return

    def _receive(self) -> None:
        queue, receive, most, most_bytes = self._queue, self._socket.recvfrom, self._most, self._most_bytes
        while not self._stop.is_set():
            try:
                data, sender = receive(_LONGEST)
            except TimeoutError:
                continue
            except OSError:  # an ICMP error of a sender that is gone
                continue
            if len(queue) >= most or self._bytes_in - self._bytes_out > most_bytes:
                self.dropped += 1
            else:
                queue.append((sender[0], data))
                self._bytes_in += len(data)
