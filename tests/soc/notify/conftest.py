"""A notifier on a real embedded store, with real receivers on loopback and a clock that tests turn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from receivers import Hook, Mailbox

from soc.model.delivery import DeliveryState
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import EVERYTHING
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc
from soc.notify.address import networks
from soc.notify.email import Mailer, Server
from soc.notify.message import Writer
from soc.notify.route import Channel, Route, body_of, check
from soc.notify.webhook import Webhooks
from soc.notify.worker import Notifier
from soc.service.notify import StoreDesk
from soc.store.detections import SqliteDetections
from soc.store.sqlite import open_stores

NOW = 1_772_452_800_000
MINUTE = 60_000
LOOPBACK = networks(["127.0.0.0/8"])


@dataclass
class Office:
    folder: Path
    mailbox: Mailbox
    hook: Hook
    now: int = NOW
    allowed: tuple = LOOPBACK
    fired: int = 0
    started: int = 0

    def __post_init__(self) -> None:
        self.stores = open_stores(self.folder, self.clock)
        self.detections = SqliteDetections(self.folder)
        self.outbox = self.stores.deliveries

    def clock(self) -> int:
        return self.now

    def notifier(self) -> Notifier:
        """As a process makes that was just started."""
        senders = {
            Channel.EMAIL: Mailer(
                Server("127.0.0.1", self.mailbox.port, "none", "soc@hungyen.gov.vn", timeout_s=60), self.clock
            ),
            Channel.WEBHOOK: Webhooks(self.allowed, self.clock, timeout_s=60),
        }
        stores = open_stores(self.folder, self.clock)
        writer = Writer("https://soc.hungyen.gov.vn/", ZoneInfo("Asia/Ho_Chi_Minh"))
        self.started += 1  # each is as early or late as in a test that runs alone
        return Notifier(StoreDesk(stores), stores.deliveries, senders, writer, self.clock, Random(self.started))

    def mail_route(self, id_: str = "mail", **changed) -> Route:
        changed.setdefault("addresses", ("lan@hungyen.gov.vn", "minh@hungyen.gov.vn"))
        return self.lay_down(Route(id_, "Trực ban", Channel.EMAIL, **changed))

    def hook_route(self, id_: str = "hook", **changed) -> Route:
        changed.setdefault("url", self.hook.url)
        return self.lay_down(Route(id_, "Zalo", Channel.WEBHOOK, secret=self.hook.secret, **changed))

    def lay_down(self, route: Route) -> Route:
        check(route)
        known = self.stores.policies.history(PolicyKind.ROUTE, route.id)
        self.stores.policies.put(Policy(PolicyKind.ROUTE, route.id, len(known) + 1, body_of(route), "test", self.now))
        return route

    def fire(
        self,
        title: str = "SQL injection",
        level: str = "high",
        org: str = "H42",
        entity: str | None = None,
        at: int | None = None,
    ) -> str:
        """A new alert, which the store says was raised at `at`, or now."""
        now = self.now if at is None else at
        self.fired += 1
        entity = entity or f"203.0.113.{self.fired}"
        rule = RuleDoc(
            "web-sqli",
            f"hash-{title}-{level}",
            title,
            level,
            "",
            runbook={"vi": "1. Xem **địa chỉ**.\n2. Chặn.", "en": "Look."},
        )
        alert = alert_id(rule.id, org, entity, str(self.fired))
        event = f"{self.fired:032x}"
        finding = Finding(finding_id(alert, event), alert, rule.id, rule.hash, org, "source.ip", entity, now, event, {})
        self.detections.commit([finding], {rule.hash: rule}, {}, {}, None, now)
        return alert

    def states(self, route_id: str) -> list[str]:
        """The states of its deliveries, sorted."""
        pages = [self.outbox.list(state, EVERYTHING, routes={route_id}, limit=1000) for state in DeliveryState]
        return sorted(str(delivery.state) for page in pages for delivery in page.items)


@pytest.fixture
def office(tmp_path):
    mailbox, hook = Mailbox(), Hook("s3cret")
    mailbox.start()
    hook.start()
    yield Office(tmp_path, mailbox, hook)
    mailbox.stop()
    hook.stop()
