"""Ports of this machine that a server may listen on, and find free again when it is stopped and started."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _USUAL_HIGHEST = 10_000, 32_768
_given: set[int] = set()
_choice = random.SystemRandom()  # processes that begin at once, and tests that seed `random`, choose differently


def free_port() -> int:
    """A port that nobody listens on, for TCP and for UDP, and that this process has not been given before. It is below those that the
    kernel takes for outgoing connections: one of these could have it before the server has, or while the server is away."""
    while True:
        port = _choice.randrange(_LOWEST, _highest())
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _highest() -> int:
    first = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _USUAL_HIGHEST
    return first if first > _LOWEST + 1000 else _USUAL_HIGHEST


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
