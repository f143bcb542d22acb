"""A thread that looks again and again whether something has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from soc.complaint import Complaint

_STOP_S = 5.0


@contextmanager
def looking(name: str, look: Callable[[], None], every_s: float, complaint: Complaint) -> Iterator[None]:
    """While the block runs, `look` is called every so often. Nothing that it raises ends that: the process would never hear of a change
    again."""
    stop = threading.Event()

    def keep() -> None:
        while not stop.wait(every_s):
            try:
                look()
            except Exception as error:  # noqa: BLE001 - it is said
                complaint.failed(error)
            else:
                complaint.over()

    thread = threading.Thread(target=keep, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_STOP_S)
