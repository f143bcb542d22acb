"""Waiting for a server that cannot do something now: longer each time, and saying why without filling the log."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import structlog

from soc.complaint import Complaint
from soc.errors import SocError

log = structlog.get_logger("elasticsearch")

_FIRST_S = 0.25
_LONGEST_S = 10.0


class Patience:
    """One thing that is tried until it is done. `jitter`: a number from 0 to 1, so that many writers do not come back at once."""

    def __init__(self, what: str, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._pause_s = _FIRST_S
        self._stuck_at: float | None = None
        self._complaint = Complaint(log, f"{what} has to wait, trying again", f"{what} goes on")

    @property
    def stuck_s(self) -> float:
        """Seconds since it first failed without any progress in between."""
        return 0.0 if self._stuck_at is None else time.monotonic() - self._stuck_at

    def progress(self) -> None:
        """A part of it went through: the next pause is short again."""
        self._pause_s = _FIRST_S
        self._stuck_at = None

    def failed(self, reason: SocError) -> float:
        """It failed: the seconds to wait before the next try. Says why at first, when the reason changes, and once a minute."""
        if self._stuck_at is None:
            self._stuck_at = time.monotonic()
        self._complaint.failed(reason)
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, _LONGEST_S)
        return pause_s * (0.5 + 0.5 * self._jitter())

    def done(self) -> None:
        self._complaint.over()
        self.progress()
