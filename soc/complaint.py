"""Saying that something fails which is tried again and again, without filling the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from soc.errors import SocError

_AGAIN_S = 60.0
_REASONS = 20


class Complaint:
    """What fails is said at first, for each new reason, and once a minute; and that it works again, if `goes_on` says so.

    `log`: a structlog logger. A failure that is not of `SocError` is a fault of ours: its first line has the trace.
    """

    def __init__(
        self, log: Any, what: str, goes_on: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._what = what
        self._goes_on = goes_on
        self._clock = clock
        self._began_at = 0.0
        self._said: dict[str, float] = {}

    def failed(self, error: Exception) -> None:
        foreseen = isinstance(error, SocError)
        reason = str(error) if foreseen else f"{type(error).__name__}: {error}"
        now = self._clock()
        if not self._said:
            self._began_at = now
        said_at = self._said.get(reason)
        if said_at is not None and now - said_at < _AGAIN_S:
            return
        self._log.warning(self._what, reason=reason, exc_info=said_at is None and not foreseen)
        if len(self._said) >= _REASONS:  # each differs in something, such as a number: no reason to keep them all
            self._said.clear()
        self._said[reason] = now

    def over(self) -> None:
        if self._said and self._goes_on:
            self._log.info(self._goes_on, waited_s=round(self._clock() - self._began_at, 1))
        self._said.clear()
