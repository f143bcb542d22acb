"""Waiting for a server that cannot do something now: longer each time, and saying why without filling the log."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import structlog

from soc.errors import SocError

log = structlog.get_logger("elasticsearch")

_FIRST_S = 0.25
_LONGEST_S = 10.0
_SAY_AGAIN_S = 60.0


class Patience:
    """One thing that is tried until it is done. `jitter`: a number from 0 to 1, so that many writers do not come back at once."""

    def __init__(self, what: str, jitter: Callable[[], float] = random.random) -> None:
        self._what = what
        self._jitter = jitter
        self._pause_s = _FIRST_S
        self._stuck_at: float | None = None
        self._began_at = 0.0
        self._said = ""
        self._said_at = 0.0

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
        now = time.monotonic()
        if self._stuck_at is None:
            self._stuck_at = now
        if not self._said:
            self._began_at = now
        if str(reason) != self._said or now - self._said_at >= _SAY_AGAIN_S:
            log.warning(f"{self._what} has to wait, trying again", reason=str(reason))
            self._said, self._said_at = str(reason), now
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, _LONGEST_S)
        return pause_s * (0.5 + 0.5 * self._jitter())

    def done(self) -> None:
        if self._said:
            log.info(f"{self._what} goes on", waited_s=round(time.monotonic() - self._began_at, 1))
        self.progress()
        self._said = ""
