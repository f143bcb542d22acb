"""Guessing passwords is slow: a few failures for an account from an address, and some more for the address alone."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from soc.errors import Busy

_PLACES = 3


class SignIns:
    """Recent failed sign-ins, at most `size` keys of them in memory: the longest quiet are forgotten first.

    One sign-in is checked at a time, so that many at once neither slip past the count nor fill the memory that argon2
    wants, and few may wait for their turn, so that a flood of them leaves the other requests their threads.
    """

    def __init__(
        self, *, per_account: int = 5, per_address: int = 50, window_ms: int = 300_000, size: int = 10_000
    ) -> None:
        self._lock = Lock()
        self._places = BoundedSemaphore(_PLACES)
        self._limits = (per_account, per_address)
        self._window_ms = window_ms
        self._size = size
        self._failures: OrderedDict[tuple[str, str], deque[int]] = OrderedDict()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold it around the other three. Raises `Busy` when others wait already."""
        if not self._places.acquire(blocking=False):
            raise Busy("too many people sign in at once: try again in a moment")
        try:
            with self._lock:
                yield
        finally:
            self._places.release()

    def check(self, account: str, address: str, now: int) -> None:
        """Raises `Busy` when there were too many failures lately."""
        for key, limit in self._keys(account, address).items():
            recent = self._failures.get(key, deque())
            while recent and recent[0] <= now - self._window_ms:
                recent.popleft()
            if len(recent) >= limit:
                wait_s = (recent[-limit] + self._window_ms - now) // 1000 + 1
                raise Busy(f"too many failed sign-ins: wait {wait_s} seconds and try again", wait_s)

    def failed(self, account: str, address: str, now: int) -> None:
        for key, limit in self._keys(account, address).items():
            self._failures.setdefault(key, deque(maxlen=limit)).append(now)
            self._failures.move_to_end(key)
        while len(self._failures) > self._size:
            self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        self._failures.pop((account, address), None)

    def _keys(self, account: str, address: str) -> Mapping[tuple[str, str], int]:
        return dict(zip(((account, address), ("", address)), self._limits, strict=True))
