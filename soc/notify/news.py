"""News: the alerts that nobody has looked at yet, each handed on once, however late it became visible.

An alert may be seen some time after the moment at which it says that it was raised: the store was away, or the clock of another machine is
late. So each look goes back a little, and one now and then goes back a day. The first one goes back over what was raised while nobody ran;
what of that was looked at before, the ids of deliveries tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from soc.model.alert import Alert

_MINUTE = 60_000
_DAY = 24 * 60 * _MINUTE
_OVERLAP_MS = 2 * _MINUTE
_LATE_MS = _DAY
_LATE_LOOK_MS = 5 * _MINUTE
MISSED_MS = 29 * _DAY
_PAGE, _LONG_PAGE = 50, 500


class Newest(Protocol):
    def __call__(self, cursor: str | None, limit: int) -> tuple[Sequence[Alert], str | None]:
        """A page, most recently raised first, and where the next begins."""
        ...


class News:
    def __init__(self, newest: Newest) -> None:
        self._newest = newest
        self._seen: dict[str, int] = {}  # alerts of the last day: id -> raised at
        self._looked_at: int | None = None
        self._looked_far_at = 0

    def look(self, now: int, oldest: int, tell: Callable[[list[Alert]], None]) -> None:
        """Hand what is new to `tell`, page by page; nothing raised before `oldest` (ms) is of interest.

        What `tell` raises ends the look, and the next one begins where this one began.
        """
        far = self._looked_at is None or now - self._looked_far_at >= _LATE_LOOK_MS
        since = max(self._since(now, far=far), oldest)
        cursor = None
        while True:
            alerts, cursor = self._newest(cursor, _LONG_PAGE if far else _PAGE)
            recent = [alert for alert in alerts if alert.raised_at >= since]
            tell([alert for alert in recent if alert.id not in self._seen])
            self._seen |= {alert.id: alert.raised_at for alert in recent}
            if cursor is None or len(recent) < len(alerts):
                break
        self._looked_at = now
        if far:
            self._looked_far_at = now
            self._seen = {id_: at for id_, at in self._seen.items() if at >= now - _LATE_MS}

    def again(self, since: int) -> None:
        """Hand on once more what was raised since then (ms): it is looked at for somebody new."""
        self._seen = {id_: at for id_, at in self._seen.items() if at < since}
        self._looked_far_at = 0

    def _since(self, now: int, *, far: bool) -> int:
        """By our own clock: one that is ahead elsewhere must hide nothing."""
        if self._looked_at is None:
            return now - MISSED_MS
        last = min(self._looked_at, now) - _OVERLAP_MS
        return min(last, now - _LATE_MS) if far else last
