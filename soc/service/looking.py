"""Looking again and again whether something has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter

from soc.complaint import Complaint

_STOP_S = 5.0


def keep_looking(
    look: Callable[[], None],
    every_s: float,
    complaint: Complaint,
    stop: threading.Event,
    failures: Counter | None = None,
) -> None:
    """`look` at once and then every so often, until told to stop. Nothing that it raises ends that: the process would never hear of a
    change again. It is counted in `failures`, and said."""
    while not stop.is_set():
        try:
            look()
        except Exception as error:  # noqa: BLE001 - it is said
            if failures is not None:
                failures.inc()
            complaint.failed(error)
        else:
            complaint.over()
        stop.wait(every_s)


@contextmanager
def looking(
    name: str, look: Callable[[], None], every_s: float, complaint: Complaint, failures: Counter | None = None
) -> Iterator[None]:
    """While the block runs, a thread keeps looking, at first after `every_s`: who begins has just looked."""
    stop = threading.Event()

    def keep() -> None:
        if not stop.wait(every_s):
            keep_looking(look, every_s, complaint, stop, failures)

    thread = threading.Thread(target=keep, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_STOP_S)
