"""Live alerts: one task looks at the store each second, however many people watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from soc.errors import Busy, SocError
from soc.model.alert import Alert
from soc.model.org import Scope

# What a watcher who reads too slowly gets instead of the alerts that did not fit: load the list again.
Change = Alert | None
_log = structlog.get_logger()


class Feed:
    """Tells watchers which of the newest alerts are new or changed. Everything runs on the event loop, except `look`.

    `look`: the newest alerts of every organisation; may block, so it runs in a thread.
    """

    def __init__(
        self, look: Callable[[], Sequence[Alert]], *, interval_s: float = 1.0, watchers: int = 200, backlog: int = 256
    ) -> None:
        self._look = look
        self._interval_s = interval_s
        self._limit = watchers
        self._backlog = backlog
        self._watchers: dict[asyncio.Queue[Change], Scope] = {}
        self._known: dict[str, tuple[int, int, int]] | None = None

    def check_room(self) -> None:
        """Raises `Busy` when too many watch already."""
        if len(self._watchers) >= self._limit:
            raise Busy("too many live views are open: close some, or reload by hand", retry_after_s=30)

    @contextmanager
    def watch(self, scope: Scope) -> Iterator[asyncio.Queue[Change]]:
        """A queue of changes inside the scope."""
        queue: asyncio.Queue[Change] = asyncio.Queue(self._backlog)
        self._watchers[queue] = scope
        try:
            yield queue
        finally:
            del self._watchers[queue]

    async def run(self) -> None:
        """For ever, until cancelled. Looks at nothing while nobody watches."""
        while True:
            await asyncio.sleep(self._interval_s)
            if not self._watchers:
                self._known = None
                continue
            try:
                self._tell(await asyncio.to_thread(self._look))
            except SocError as error:
                _log.warning("live alerts: the store did not answer", reason=str(error))

    def _tell(self, alerts: Sequence[Alert]) -> None:
        now = {alert.id: (alert.count, alert.last_seen, alert.triage.version) for alert in alerts}
        known, self._known = self._known, now
        if known is None:  # the first look: watchers have just loaded what there is
            return
        for alert in reversed(alerts):  # oldest first
            if known.get(alert.id) != now[alert.id]:
                for queue, scope in self._watchers.items():
                    if scope.allows(alert.org):
                        _put(queue, alert)


def _put(queue: asyncio.Queue[Change], alert: Alert) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
    else:
        queue.put_nowait(alert)
