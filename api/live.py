"""Live alerts: one task looks at the store each second, however many people watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from soc import telemetry
from soc.complaint import Complaint
from soc.errors import Busy, SocError
from soc.model.alert import Alert
from soc.model.org import Scope
from soc.store.base import Page

# None instead of alerts that did not fit into the queue or into one look: load the list again.
Change = Alert | None
_log = structlog.get_logger()


class Feed:
    """Tells watchers which of the newest alerts are new or changed. Everything runs on the event loop, except `look`.

    `look`: the newest alerts of every organisation, newest first; may block, so it runs in a thread.
    """

    def __init__(
        self, look: Callable[[], Page[Alert]], *, interval_s: float = 1.0, watchers: int = 200, backlog: int = 256
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
        complaint = Complaint(_log, "live alerts: the store did not answer, trying again", "live alerts go on")
        while True:
            await asyncio.sleep(self._interval_s)
            if not self._watchers:
                self._known = None
                continue
            try:
                self._tell(await asyncio.to_thread(self._look))
                complaint.over()
            except Exception as error:  # noqa: BLE001 - it is said, and every open console lives on this task
                if not isinstance(error, SocError):
                    telemetry.LIVE_FAILURES.inc()
                complaint.failed(error)

    def _tell(self, newest: Page[Alert]) -> None:
        alerts = newest.items
        now = {alert.id: (alert.count, alert.last_seen, alert.triage.version) for alert in alerts}
        known, self._known = self._known, now
        if known is None:  # the first look: watchers have just loaded what there is
            return
        if newest.next is not None and alerts[-1].id not in known:
            # Even the last of a full page is new, so more new ones may lie behind it, of any organisation.
            for queue in self._watchers:
                _put(queue, None)
            return
        for alert in reversed(alerts):  # oldest first
            if known.get(alert.id) != now[alert.id]:
                for queue, scope in self._watchers.items():
                    if scope.allows(alert.org):
                        _put(queue, alert)


def _put(queue: asyncio.Queue[Change], change: Change) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
    else:
        queue.put_nowait(change)
