"""The notifier: new alerts become deliveries, and due deliveries become messages. One thread of the API process.

At least once: a delivery is claimed before it is sent and noted as sent afterwards. Whoever is killed between the two has it sent again
once the claim has run out, in the same message under the same id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Protocol

import structlog

from soc import telemetry
from soc.complaint import Complaint
from soc.errors import NotFound, SocError
from soc.model.alert import Alert
from soc.model.delivery import Delivery
from soc.model.rule import RuleDoc
from soc.notify import plan
from soc.notify.channel import Send, Senders, Undelivered
from soc.notify.message import Told, Writer
from soc.notify.news import News
from soc.notify.route import Route

_LOOK_S = 1.0
_CLAIM_MS = 5 * plan.MINUTE
_KEEP_MS = 30 * 24 * plan.HOUR  # longer than `news.MISSED_MS`: what a start looks at again is known
_TIDY_MS = plan.HOUR
# What one route may send before the others have their turn: it begins no message later than that, and each ends by the channel's bound.
_ROUND_MESSAGES = 10
_ROUND_MS = 10_000
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

    def newest(self, cursor: str | None, limit: int) -> tuple[Sequence[Alert], str | None]:
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
        self._news = News(desk.newest)
        self._known: dict[str, int] = {}  # routes: id -> version
        self._tidied_at: int | None = None
        self._complaints: dict[str, Complaint] = {}  # by route
        for channel in senders:
            for outcome in ("sent", "put off", "failed"):  # born at 0: the first of them is an increase, too
                telemetry.NOTIFICATIONS.labels(str(channel), outcome)

    def run(self, stop: threading.Event) -> None:
        """Until told to stop, whatever a look meets."""
        complaint = Complaint(_log, "notifications have to wait, trying again", "notifications go on")
        while not stop.wait(_LOOK_S):
            try:
                self.step()
                complaint.over()
            except Exception as error:  # noqa: BLE001 - counted and logged: every notification lives on this thread
                if not isinstance(error, SocError):
                    telemetry.NOTIFIER_FAILURES.inc()
                complaint.failed(error)

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
        now = self._clock()
        # A route may have been laid down while alerts were looked at for the others.
        if new := [route.since for route in routes if self._known.get(route.id) != route.version]:
            self._news.again(min(new))
        self._known = {route.id: route.version for route in routes}

        def tell(alerts: Sequence[Alert]) -> None:
            self._outbox.add([delivery for alert in alerts for delivery in plan.made(alert, routes, now)])

        self._news.look(now, min((route.since for route in routes if route.enabled), default=now), tell)

    def _send_all(self, route_id: str, route: Route | None) -> None:
        now, pending = self._clock(), self._outbox.pending(route_id)
        if route is None or not route.enabled:
            why = "the route has been withdrawn" if route is None else "the route is switched off"
            self._outbox.update(plan.failed(pending, why))
            self._complaints.pop(route_id, None)
            return
        groups = plan.messages(pending, route, self._outbox.messages(route_id, now - plan.HOUR), now)
        messages = 0
        with self._senders[route.channel].open(route) as send:
            while groups and messages < _ROUND_MESSAGES and self._clock() - now < _ROUND_MS:
                mine = self._claimed(groups.pop(0))
                if mine and (failure := self._send(route, mine, send)):
                    # The server is away: what would follow fares as this one, and is not tried one by one.
                    rest = [delivery for group in groups for delivery in group]
                    self._put_off(mine + self._outbox.update(self._claims(rest)), route, str(failure))
                    return
                messages += bool(mine)

    def _claimed(self, group: Sequence[Delivery]) -> list[Delivery]:
        """Those of a message that are ours to send. Whoever has the first goes on to the others: where two could share a message that
        was begun, both would send parts of it under one id."""
        id_ = f"{self._chance.getrandbits(96):024x}"
        first = self._outbox.update(self._claims(group[:1], id_))
        return first + self._outbox.update(self._claims(group[1:], id_)) if first else []

    def _claims(self, deliveries: Sequence[Delivery], message: str = "") -> list[Delivery]:
        return plan.claimed(deliveries, self._clock() + _CLAIM_MS, message)

    def _send(self, route: Route, deliveries: list[Delivery], send: Send) -> Undelivered | None:
        """One message; what was wrong when it should be tried again later."""
        told = self._told(deliveries)
        if not told:
            self._outbox.update(plan.failed(deliveries, "the alert is no longer kept"))
            return None
        failure = self._failure(route, deliveries[0].message, told, send)
        if failure and failure.again:
            return failure
        taken = failure is None or failure.partly
        telemetry.NOTIFICATIONS.labels(str(route.channel), "sent" if taken else "failed").inc()
        now = self._clock()
        if failure:
            self._outbox.update(plan.failed(deliveries, str(failure), now if failure.partly else None))
        else:
            self._outbox.update(plan.sent(deliveries, now))
        return None

    def _failure(self, route: Route, id_: str, told: Sequence[Told], send: Send) -> Undelivered | None:
        """Send it; what was wrong, None where nothing was."""
        complaint = self._complaints.setdefault(route.id, _complaint(route))
        try:
            send(self._writer.alerts(id_, route, told))
        except Undelivered as failure:
            complaint.failed(failure)
            return failure
        except Exception as error:  # noqa: BLE001 - counted and logged: one message must not stop those of other routes
            telemetry.NOTIFIER_FAILURES.inc()
            complaint.failed(error)
            return Undelivered(f"this is a fault of govsoc, its log says more: {type(error).__name__}", again=True)
        complaint.over()
        return None

    def _put_off(self, deliveries: list[Delivery], route: Route, reason: str) -> None:
        telemetry.NOTIFICATIONS.labels(str(route.channel), "put off").inc()
        self._outbox.update(plan.put_off(deliveries, reason, self._clock(), self._chance))

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


def _complaint(route: Route) -> Complaint:
    log = _log.bind(route=route.id, to=route.target)
    return Complaint(log, "notifications do not go out", "notifications go out again")
