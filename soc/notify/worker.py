"""The notifier: new alerts become deliveries, and due deliveries become messages. One thread of the API process.

At least once: a delivery is claimed before it is sent and noted as sent afterwards. Whoever is killed between the two has it sent again
once the claim has run out; the message then carries the same id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Protocol

import structlog

from soc import telemetry
from soc.errors import NotFound, SocError
from soc.model.alert import Alert
from soc.model.delivery import Delivery
from soc.model.rule import RuleDoc
from soc.notify import plan
from soc.notify.channel import Send, Senders, Undelivered
from soc.notify.message import Told, Writer, message_id
from soc.notify.route import Route

_LOOK_S = 1.0
_OVERLAP_MS = 2 * plan.MINUTE  # an alert may become visible so long after it was raised
_CLAIM_MS = 5 * plan.MINUTE
_KEEP_MS = 30 * 24 * plan.HOUR
_TIDY_MS = plan.HOUR
_log = structlog.get_logger("notify")


class Outbox(Protocol):
    """What the notifier needs of `DeliveryStore`."""

    def add(self, deliveries: Sequence[Delivery]) -> int: ...

    def update(self, deliveries: Sequence[Delivery]) -> list[Delivery]: ...

    def waiting(self) -> Mapping[str, int]: ...

    def pending(self, route_id: str, limit: int = 500) -> list[Delivery]: ...

    def messages(self, route_id: str, since: int) -> int: ...

    def drop(self, before: int) -> int: ...


class Desk(Protocol):
    """What it needs to know of alerts and routes. Every method may raise `StoreUnavailable`."""

    def newest(self, cursor: str | None) -> tuple[Sequence[Alert], str | None]:
        """A page, most recently raised first, and where the next begins."""
        ...

    def alert(self, alert_id: str) -> Alert:
        """Raises `NotFound`."""
        ...

    def rule(self, rule_hash: str) -> RuleDoc | None: ...

    def routes(self) -> Sequence[Route]: ...


class Notifier:
    """`clock`: ms since 1970."""

    def __init__(
        self, desk: Desk, outbox: Outbox, senders: Senders, writer: Writer, clock: Callable[[], int], chance: Random
    ) -> None:
        self._desk = desk
        self._outbox = outbox
        self._senders = senders
        self._writer = writer
        self._clock = clock
        self._chance = chance
        self._seen: dict[str, int] = {}  # alerts of the last look: id -> raised at
        self._seen_until: int | None = None
        self._tidied_at: int | None = None
        self._said: dict[str, str] = {}  # route (or "" for the store) -> what was last said of it in the log

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. A failure is logged once, until it is another or has passed."""
        while not stop.wait(_LOOK_S):
            try:
                self.step()
                self._say("", None)
            except SocError as error:
                self._say("", str(error))
            except Exception:  # noqa: BLE001 - counted and logged: every notification lives on this thread
                telemetry.NOTIFIER_FAILURES.inc()
                _log.exception("notifying failed, trying again")

    def step(self) -> None:
        """Look once, and send what is due."""
        routes = {route.id: route for route in self._desk.routes()}
        self._make(list(routes.values()))
        waiting = self._outbox.waiting()
        telemetry.NOTIFICATIONS_PENDING.set(sum(waiting.values()))
        for route_id in waiting:
            self._send_all(route_id, routes.get(route_id))
        self._tidy()

    def _make(self, routes: Sequence[Route]) -> None:
        """Deliveries of the alerts since the last look; after a start, of the last day, which ids keep from being made twice."""
        now = self._clock()
        since = (now - plan.GIVE_UP_MS) if self._seen_until is None else self._seen_until - _OVERLAP_MS
        seen, cursor = dict[str, int](), None
        fresh: list[Alert] = []
        while True:
            alerts, cursor = self._desk.newest(cursor)
            recent = [alert for alert in alerts if alert.raised_at >= since]
            seen |= {alert.id: alert.raised_at for alert in recent}
            fresh += [alert for alert in recent if alert.id not in self._seen]
            if cursor is None or len(recent) < len(alerts):
                break
        self._outbox.add([delivery for alert in reversed(fresh) for delivery in plan.made(alert, routes, now)])
        latest = max(seen.values(), default=since)
        self._seen_until = max(latest, self._seen_until or 0)
        self._seen = {id_: at for id_, at in (self._seen | seen).items() if at >= self._seen_until - _OVERLAP_MS}

    def _send_all(self, route_id: str, route: Route | None) -> None:
        now, pending = self._clock(), self._outbox.pending(route_id)
        if route is None or not route.enabled:
            why = "the route has been withdrawn" if route is None else "the route is switched off"
            self._outbox.update(plan.failed(pending, why))
            return
        groups = plan.messages(pending, route, self._outbox.messages(route_id, now - plan.HOUR), now)
        with self._senders[route.channel].open(route) as send:
            while groups:
                group = groups.pop(0)
                mine = self._outbox.update(plan.claimed(group, self._clock() + _CLAIM_MS))
                if mine and not self._send(route, mine, send):
                    # The server is away: what would follow fares as this one, and is not tried one by one.
                    rest = [delivery for group in groups for delivery in group]
                    self._put_off(mine + self._outbox.update(plan.claimed(rest, self._clock() + _CLAIM_MS)), route)
                    return

    def _send(self, route: Route, deliveries: list[Delivery], send: Send) -> bool:
        """One message; False when it should be tried again later, and the reason is in `_said`."""
        told = self._told(deliveries)
        if not told:
            self._outbox.update(plan.failed(deliveries, "the alert is no longer kept"))
            return True
        id_ = message_id(delivery.id for delivery in deliveries)
        if failure := self._failure(route, id_, told, send):
            self._say(route.id, str(failure), to=route.target)
            if failure.again:
                return False
            telemetry.NOTIFICATIONS.labels(str(route.channel), "failed").inc()
            self._outbox.update(plan.failed(deliveries, str(failure)))
            return True
        self._say(route.id, None, to=route.target)
        telemetry.NOTIFICATIONS.labels(str(route.channel), "sent").inc()
        self._outbox.update(plan.sent(deliveries, id_, self._clock()))
        return True

    def _failure(self, route: Route, id_: str, told: Sequence[Told], send: Send) -> Undelivered | None:
        """Send it; what was wrong, None where nothing was."""
        try:
            send(self._writer.alerts(id_, route, told))
        except Undelivered as failure:
            return failure
        except Exception as error:  # noqa: BLE001 - counted and logged: one message must not stop those of other routes
            telemetry.NOTIFIER_FAILURES.inc()
            _log.exception("a message could not be written or sent", route=route.id)
            return Undelivered(f"this is a fault of govsoc, its log says more: {type(error).__name__}", again=True)
        return None

    def _put_off(self, deliveries: list[Delivery], route: Route) -> None:
        telemetry.NOTIFICATIONS.labels(str(route.channel), "put off").inc()
        self._outbox.update(plan.put_off(deliveries, self._said[route.id], self._clock(), self._chance))

    def _told(self, deliveries: Sequence[Delivery]) -> list[Told]:
        told: list[Told] = []
        for delivery in deliveries:
            try:
                alert = self._desk.alert(delivery.alert_id)
            except NotFound:
                continue
            told.append((alert, self._desk.rule(alert.rule_hash)))
        return told

    def _tidy(self) -> None:
        now = self._clock()
        if self._tidied_at is None or now - self._tidied_at >= _TIDY_MS:
            self._outbox.drop(now - _KEEP_MS)
            self._tidied_at = now

    def _say(self, what: str, reason: str | None, to: str = "the store") -> None:
        """A line when something begins to fail, fails in another way, or works again."""
        if reason == self._said.get(what):
            return
        if reason is None:
            del self._said[what]
            _log.info("notifications go out again", to=to)
        else:
            self._said[what] = reason
            _log.warning("notifications do not go out", to=to, reason=reason)
