"""What every reader is tested against: notes in memory, a sink that can be full, and a thread to run in."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from collector.base import Record
from soc.errors import Busy


class MemoryCheckpoints:
    """`Checkpoints` in a dictionary: durable as long as the object."""

    def __init__(self) -> None:
        self.notes: dict[str, dict[str, str]] = {}

    def load(self, source_id: str) -> Mapping[str, str]:
        return dict(self.notes.get(source_id, {}))

    def save(self, source_id: str, notes: Mapping[str, str | None]) -> None:
        kept = self.notes.setdefault(source_id, {})
        for key, text in notes.items():
            if text is None:
                kept.pop(key, None)
            else:
                kept[key] = text


class KilledError(Exception):
    """Stands for the death of the process in the middle of a delivery."""


class Sink:
    """A `Deliver` that keeps what it was given. `full` makes it refuse; `die_after` makes it fail hard after that many records."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.calls = 0
        self.full = threading.Event()
        self.refused = 0
        self.die_after: int | None = None
        self.failed = False

    def __call__(self, records: Sequence[Record]) -> None:
        if self.full.is_set():
            self.refused += 1
            raise Busy("the buffer is full")
        if self.die_after is not None and len(self.records) + len(records) > self.die_after:
            self.failed = True
            raise KilledError
        self.calls += 1
        self.records.extend(records)

    @property
    def lines(self) -> list[bytes]:
        return [record.line for record in self.records]

    @property
    def unique(self) -> dict[str, bytes]:
        """Position -> line, as the store would see it."""
        stored: dict[str, bytes] = {}
        for record in self.records:
            assert stored.setdefault(record.position, record.line) == record.line
        return stored

    def wait(self, count: int, timeout_s: float = 60.0) -> list[bytes]:
        wait_for(lambda: len(self.records) >= count, timeout_s)
        return self.lines


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@contextlib.contextmanager
def run_reader(run: Callable[..., None], deliver: object) -> Iterator[threading.Event]:
    stop = threading.Event()

    def target() -> None:
        with contextlib.suppress(KilledError):  # pytest reports any other exception of a thread
            run(deliver, stop)

    thread = threading.Thread(target=target)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive(), "did not stop"


def plain_print(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
