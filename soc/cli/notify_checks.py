"""What `soc doctor` finds about notifications."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from api.notifications import orphans, routes
from soc.cli.check import Check
from soc.cli.context import shown
from soc.model.account import Account, Role
from soc.model.delivery import DeliveryState
from soc.model.org import EVERYTHING
from soc.notify.route import Channel, Route
from soc.settings import Settings
from soc.store.base import Stores

_NAME = "notifications"
_MOST = 1000  # counted
_ALL = Account("doctor", Role.ADMIN, EVERYTHING)


def notify_checks(settings: Settings, stores: Stores) -> Iterator[Check]:
    known = routes(stores, _ALL)
    waiting = stores.deliveries.waiting()
    on = [route for route in known if route.enabled]
    found = f"{len(known)} routes, {len(on)} of them on; {sum(waiting.values())} deliveries wait"
    yield Check(_NAME, "ok", found if known else "no routes: nobody is told of alerts but who looks")
    if any(route.channel is Channel.EMAIL for route in on) and not settings.notify.smtp_host:
        yield Check(_NAME, "bad", "a route goes by mail, and no mail server is set", "set notify.smtp_host")
    yield from _failing(stores, [route for route in on if route.id in waiting])
    yield from _undeliverable(stores)
    gone = orphans(stores, known)
    for route in known:
        if route.id in gone:
            found = f"{_title(route)}: {shown(route.by)}, who laid it down, is gone or may no longer see all of it"
            yield Check(_NAME, "warn", found, "the console's Notifications page: take it over, or withdraw it")


def _failing(stores: Stores, waiting: Sequence[Route]) -> Iterator[Check]:
    """Routes whose last try failed: what waits longest was in it."""
    for route in waiting:
        tried = [delivery for delivery in stores.deliveries.pending(route.id) if delivery.attempts]
        if tried:
            found = f"{_title(route)} to {shown(route.target)}: {len(tried)} wait, the last try said: {shown(tried[0].error)}"
            yield Check(_NAME, "warn", found, f"it is tried again for a day; soc notify test {route.id}")


def _undeliverable(stores: Stores) -> Iterator[Check]:
    failed = stores.deliveries.list(DeliveryState.FAILED, EVERYTHING, limit=_MOST).items
    if failed:
        number = f"{len(failed)} or more" if len(failed) == _MOST else str(len(failed))
        found = f"{number} could not be delivered in the last 30 days, the newest: {shown(failed[0].error)}"
        yield Check(_NAME, "warn", found, "soc notify failed; then soc notify retry ID")


def _title(route: Route) -> str:
    return f"route {route.id} ({shown(route.name)})"
