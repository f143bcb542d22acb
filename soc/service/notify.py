"""Notifications of the settings: their channels, and the thread that sends."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import SystemRandom
from zoneinfo import ZoneInfo

import structlog

from soc.errors import ConfigError, NotFound
from soc.model.alert import Alert
from soc.model.org import EVERYTHING
from soc.model.policy import PolicyKind
from soc.model.rule import RuleDoc
from soc.notify.address import networks
from soc.notify.channel import Senders
from soc.notify.email import Mailer, Server
from soc.notify.message import Writer
from soc.notify.route import Channel, Route, route_of
from soc.notify.webhook import Webhooks
from soc.notify.worker import Notifier
from soc.service.process import now_ms
from soc.settings import Settings
from soc.store.base import AlertFilter, Stores

_LOOK_S = 1.0
_STOP_S = 5.0
log = structlog.get_logger("notify")


def senders(settings: Settings) -> Senders:
    """Connects to nothing. Raises `ConfigError`."""
    notify = settings.notify
    server = Server(
        notify.smtp_host,
        notify.smtp_port,
        notify.smtp_security,
        notify.sender,
        notify.smtp_user,
        notify.smtp_password.get_secret_value(),
        notify.smtp_ca_file,
        notify.timeout_s,
    )
    webhooks = Webhooks(networks(notify.allowed_networks), now_ms, timeout_s=notify.timeout_s)
    return {Channel.EMAIL: Mailer(server, now_ms), Channel.WEBHOOK: webhooks}


def writer(settings: Settings) -> Writer:
    serve = settings.serve
    host = f"[{serve.http_host}]" if ":" in serve.http_host else serve.http_host
    return Writer(serve.public_url or f"http://{host}:{serve.http_port}", ZoneInfo(settings.detect.zone))


def send_test(senders: Senders, writer: Writer, route: Route) -> str:
    """Send a test to the route now; returns what was answered. Raises `Undelivered`."""
    with senders[route.channel].open(route) as send:
        return send(writer.test(secrets.token_hex(12), route))


@contextmanager
def notifying(stores: Stores, senders: Senders, writer: Writer, ready: threading.Event) -> Iterator[None]:
    """Notifications go out for as long as the block runs, once the store is `ready` to be written."""
    stop = threading.Event()
    notifier = Notifier(StoreDesk(stores), stores.deliveries, senders, writer, now_ms, SystemRandom())

    def run() -> None:
        while not stop.is_set():
            if ready.wait(_LOOK_S):
                notifier.run(stop)

    thread = threading.Thread(target=run, name="notify", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_STOP_S)


class StoreDesk:
    """`soc.notify.worker.Desk` on the stores."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._routes: tuple[int, list[Route]] = (-1, [])

    def newest(self, cursor: str | None, limit: int) -> tuple[Sequence[Alert], str | None]:
        page = self._stores.alerts.list(AlertFilter(), EVERYTHING, cursor=cursor, limit=limit)
        return page.items, page.next

    def alert(self, alert_id: str) -> Alert:
        return self._stores.alerts.get(alert_id, EVERYTHING)

    def rule(self, rule_hash: str) -> RuleDoc | None:
        try:
            return self._stores.alerts.rule(rule_hash)
        except NotFound:
            return None

    def routes(self) -> Sequence[Route]:
        """Read again only when a policy has changed."""
        revision = self._stores.policies.revision()
        if revision != self._routes[0]:
            self._routes = (revision, list(self._read()))
        return self._routes[1]

    def _read(self) -> Iterator[Route]:
        for policy in self._stores.policies.list(PolicyKind.ROUTE):
            try:
                yield route_of(policy)
            except ConfigError as error:
                log.warning("a route is left out", reason=str(error))
