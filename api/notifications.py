"""What may be laid down about notifications, and by whom. The API, the console and the command line all go through here.

An administrator of some organisations lays down routes of these alone, and of others does not learn that they exist. A route belongs to
its organisations and outlives the account that laid it down; that it has nobody who answers for it is shown, and any change takes it over.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Lock
from typing import Any

from api.errors import Refused
from soc.errors import Busy, ConfigError, Conflict, Forbidden, NotFound
from soc.model.account import Account, Role
from soc.model.delivery import Delivery, DeliveryState
from soc.model.policy import Policy, PolicyKind
from soc.notify.channel import Undelivered
from soc.notify.plan import again
from soc.notify.route import Channel, Route, body_of, check, route_of
from soc.store.base import AuditEntry, Page, Stores

# Each who may see some organisations has room of their own; who fills it can clear it. The other one keeps the notifier quick.
MOST_ROUTES = 100
MOST_IN_ALL = 5000
_TEST_PAUSE_MS = 5000
# What was raised so shortly before may not have been looked at by then.
_GRACE_MS = 10_000
# A change of these has the route tell of other alerts, or tell somebody else: it begins anew.
_ANEW = ("channel", "addresses", "url", "orgs", "level", "enabled")


def routes(stores: Stores, account: Account) -> list[Route]:
    """Those that the account may see, by id."""
    found = []
    for policy in stores.policies.list(PolicyKind.ROUTE):
        try:
            route = route_of(policy)
        except ConfigError:  # the notifier says so in the log
            continue
        if route.inside(account.scope):
            found.append(route)
    return found


def orphans(stores: Stores, some: Iterable[Route]) -> set[str]:
    """The ids of those that nobody answers for: the account that laid them down is gone, is off, or could not lay them down today."""
    known: dict[str, Account | None] = {}
    found = set()
    for route in some:
        if route.by not in known:
            known[route.by] = stores.accounts.get(route.by)
        maker = known[route.by]
        if maker is None or maker.disabled or maker.role is not Role.ADMIN or not route.inside(maker.scope):
            found.add(route.id)
    return found


def find(stores: Stores, account: Account, route_id: str) -> Route:
    """Raises `NotFound`, also for a route of others."""
    with suppress(ConfigError):  # one that cannot be read is as good as none
        policy = stores.policies.get(PolicyKind.ROUTE, route_id)
        if policy.body is not None and (route := route_of(policy)).inside(account.scope):
            return route
    raise NotFound(f"there is no route {route_id}")


def add(stores: Stores, account: Account, values: Mapping[str, Any], now: int) -> Route:
    """Lay down a new route with these fields; `orgs` left out or None: all that the account may see.

    The secret of a webhook is in what is returned: show it once. Raises `Refused` and `Forbidden`.
    """
    _room(stores, account)
    orgs = values.get("orgs")
    if orgs is None:
        orgs = tuple(sorted(account.scope.orgs or ()))
    channel = Channel(values["channel"])
    secret = secrets.token_urlsafe(32) if channel is Channel.WEBHOOK else ""
    fields = dict(values) | {"channel": channel, "orgs": tuple(orgs), "by": account.name}
    route = Route(id=secrets.token_hex(6), **fields, since=now - _GRACE_MS, secret=secret, version=1)
    _put(stores, account, route, "route.add", now)
    return route


def _room(stores: Stores, account: Account) -> None:
    if account.scope.orgs is not None and len(routes(stores, account)) >= MOST_ROUTES:
        raise Refused(f"there are {MOST_ROUTES} routes of your organisations, which is the most: withdraw one")
    if len(stores.policies.list(PolicyKind.ROUTE)) >= MOST_IN_ALL:
        raise Refused(
            f"there are {MOST_IN_ALL} routes in all, which is the most: whoever sees all has to withdraw some"
        )


def change(stores: Stores, account: Account, route_id: str, version: int, values: Mapping[str, Any], now: int) -> Route:
    """Change some fields, or none to take it over. `version`: of the route that was looked at.

    Raises `NotFound`, `Refused`, `Forbidden` and `Conflict`.
    """
    old = find(stores, account, route_id)
    new = replace(old, **values)
    if any(getattr(old, name) != getattr(new, name) for name in _ANEW):
        new = replace(new, since=now - _GRACE_MS)
    if new.channel is Channel.WEBHOOK and not new.secret:
        raise Refused("a route by mail cannot become a webhook, which has a secret: make a new route")
    route = replace(new, version=version + 1, by=account.name)
    _put(stores, account, route, "route.change", now)
    return route


def withdraw(stores: Stores, account: Account, route_id: str, version: int, now: int) -> None:
    """Raises `NotFound` and `Conflict`."""
    find(stores, account, route_id)
    _audit(stores, account, "route.withdraw", route_id, "", now)
    stores.policies.put(Policy(PolicyKind.ROUTE, route_id, version + 1, None, account.name, now))


def _put(stores: Stores, account: Account, route: Route, action: str, now: int) -> None:
    if not route.inside(account.scope):
        raise Forbidden("a route may tell only of your organisations: name each by its agency code")
    with _refusing():
        check(route)
        _audit(stores, account, action, route.id, f"{route.channel} to {route.target}", now)
        stores.policies.put(Policy(PolicyKind.ROUTE, route.id, route.version, body_of(route), account.name, now))


@contextmanager
def _refusing() -> Iterator[None]:
    """What is wrong with a route is wrong with what was asked for, not with our configuration."""
    try:
        yield
    except ConfigError as error:
        raise Refused(str(error)) from None


class Tests:
    """Sends tests of routes, now and then. `send`: to one route; returns what was answered, raises `Undelivered`. Blocks."""

    __test__ = False  # its name is no test's

    def __init__(self, send: Callable[[Route], str] | None) -> None:
        self._send = send
        self._last: dict[str, int] = {}
        self._lock = Lock()

    def run(self, stores: Stores, account: Account, route_id: str, now: int) -> tuple[bool, str]:
        """Whether it arrived, and what came of it in plain words. Raises `NotFound`, `Busy` and `Refused`."""
        route = find(stores, account, route_id)
        if self._send is None:
            raise Refused("this process sends no notifications")
        with self._lock:
            if now - self._last.get(account.name, 0) < _TEST_PAUSE_MS:
                raise Busy("one test at a time: wait some seconds", retry_after_s=_TEST_PAUSE_MS // 1000)
            self._last[account.name] = now
        _audit(stores, account, "route.test", route_id, f"{route.channel} to {route.target}", now)
        try:
            return True, self._send(route)
        except Undelivered as error:
            return False, str(error)


def deliveries(
    stores: Stores, account: Account, state: DeliveryState, *, cursor: str | None = None, limit: int = 50
) -> Page[Delivery]:
    """Newest first, of the routes and organisations that the account may see."""
    visible = None if account.scope.orgs is None else {route.id for route in routes(stores, account)}
    return stores.deliveries.list(state, account.scope, routes=visible, cursor=cursor, limit=limit)


def retry(stores: Stores, account: Account, delivery_id: str, now: int) -> Delivery:
    """Have it tried for one more day. Raises `NotFound`, `Refused` and `Conflict`."""
    delivery = stores.deliveries.get(delivery_id, account.scope)
    try:
        route = find(stores, account, delivery.route_id)
    except NotFound:
        if account.scope.orgs is None:
            raise Refused("its route has been withdrawn: there is nowhere to send it") from None
        raise NotFound(f"there is no delivery {delivery_id}") from None
    if delivery.state is not DeliveryState.FAILED:
        raise Refused(f"it is {delivery.state}: only what was given up can be tried again")
    if not route.enabled:
        raise Refused("its route is switched off: switch it on first")
    _audit(stores, account, "delivery.retry", delivery_id, "", now)
    written = stores.deliveries.update([again(delivery, now)])
    if not written:
        raise Conflict("somebody has just had it tried again: look at the list again")
    return written[0]


def _audit(stores: Stores, account: Account, action: str, target: str, detail: str, now: int) -> None:
    stores.audit.record(AuditEntry(now, account.name, action, target, detail))
