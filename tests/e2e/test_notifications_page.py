"""The page of notifications in a real browser, in both languages, with a real mail server and a real webhook on the other side."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from functools import partial

import pytest
from opened import commit, finding, open_sqlite
from playwright.sync_api import expect
from receivers import Hook, Mailbox
from servers import eventually
from test_console import PASSWORD, photograph, serving
from window import window

from api import notifications
from api.app import create_app
from api.passwords import hash_password
from api.state import state_of
from rules.desk.tuning import Tuning
from rules.lists.known import Lists
from soc.backtest.jobs import Jobs
from soc.model.account import Account, Role
from soc.model.org import EVERYTHING
from soc.model.policy import PolicyKind
from soc.service import notify
from soc.service.process import now_ms
from soc.settings import Notify, Settings
from soc.store.anomalies import SqliteAnomalies
from soc.store.levels import SqliteLevels
from soc.store.unusual import SqliteUnusual

pytestmark = pytest.mark.server

LAN = Account("lan", Role.ADMIN, EVERYTHING)
SAID = {
    "vi": {
        "page": "Thông báo",
        "made": "Đã tạo quy tắc thông báo.",
        "secret": "Khóa bí mật",
        "test": "Gửi thử",
        "arrived": "Tin thử đã đến nơi:",
        "lost": "Tin thử không đến nơi:",
        "answered": "127.0.0.1 trả lời",
        "retry": "Gửi lại",
        "take over": "Tiếp quản",
        "delivered": "Mọi thông báo đã được gửi hoặc đang được gửi.",
    },
    "en": {
        "page": "Notifications",
        "made": "The route is in place.",
        "secret": "shown this once",
        "test": "Send a test",
        "arrived": "The test arrived:",
        "lost": "The test did not arrive:",
        "answered": "127.0.0.1 answered",
        "retry": "Try again",
        "take over": "Take over",
        "delivered": "Everything has been delivered, or is on its way.",
    },
}


@pytest.fixture
def receivers():
    mailbox, hook = Mailbox(), Hook()
    mailbox.start()
    hook.start()
    yield mailbox, hook
    mailbox.stop()
    hook.stop()


@pytest.fixture
def office(tmp_path, receivers):
    """The address of a console whose notifications go out, and the store behind it."""
    opened = open_sqlite(tmp_path)
    opened.stores.accounts.put(LAN, hash_password(PASSWORD), by="test")
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": receivers[0].port, "smtp_security": "none"}
    settings = Settings(notify=Notify(**smtp, sender="soc@example.vn", allowed_networks=["127.0.0.0/8"]))
    senders, writer = notify.senders(settings), notify.writer(settings)
    ready = threading.Event()
    ready.set()
    state = state_of(
        opened.stores,
        clock=now_ms,
        cookie_secure=False,
        jobs=Jobs(tmp_path / "jobs", (), {}),
        tuning=Tuning,
        lists_dir=tmp_path / "lists",
        known_lists=Lists,
        levels=SqliteLevels(tmp_path / "anomaly.db"),
        anomalies=SqliteAnomalies(tmp_path),
        unusual=SqliteUnusual(tmp_path / "anomaly.db"),
        send_test=partial(notify.send_test, senders, writer),
    )
    with serving(create_app(state)) as address, notify.notifying(opened.stores, senders, writer, ready):
        yield address, opened


@pytest.fixture(params=["vi", "en"])
def page(request, office):
    with window(office[0], request.param) as page:
        yield page, SAID[request.param]


def add(page, channel, name, to):
    form = page.locator("#add")
    form.locator("select[name=channel]").select_option(channel)
    form.locator("input[name=name]").fill(name)
    form.locator("input[name=to]").fill(to)
    form.locator("button").click()


def test_routes_are_made_tried_and_what_failed_is_tried_again(page, office, receivers, make_event):
    (page, said), (_, opened), (mailbox, hook) = page, office, receivers
    page.goto("/")
    page.fill("input[name=name]", "lan")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.main")
    page.click("header a[href='/notifications']")
    expect(page.locator("h1")).to_have_text(said["page"])

    add(page, "email", "Trực ban", "lan@example.vn minh@example.vn")
    expect(page.locator("[role=status]")).to_contain_text(said["made"])
    add(page, "webhook", "Zalo", hook.url)
    expect(page.locator("[role=status]")).to_contain_text(said["secret"])
    hook.secret = page.locator("[role=status] code").inner_text()
    photograph(page, "notifications")

    mail, chat = (
        page.locator("#routes tbody tr", has_text="Trực ban"),
        page.locator("#routes tbody tr", has_text="Zalo"),
    )
    mail.get_by_role("button", name=said["test"]).click()
    expect(page.locator("[role=status]")).to_contain_text(said["arrived"])
    assert [letter["To"] for letter in mailbox.mails] == ["lan@example.vn, minh@example.vn"]
    page.wait_for_timeout(5100)  # between two tests
    hook.answer = (500, {})
    chat.get_by_role("button", name=said["test"]).click()
    expect(page.locator("[role=status]")).to_contain_text(said["lost"])
    expect(page.locator("[role=status]")).to_contain_text(f"{said['answered']} 500")

    hook.answer = (410, {})
    mailbox.refuse["minh@example.vn"] = "450 greylisted"
    now = now_ms()
    [alert] = commit(opened, [finding(make_event(now, "1"))], now=now)
    eventually(lambda: len(mailbox.mails) == 2, 20, "the mail")

    def listed():
        page.goto("/notifications")
        return page.locator("#failed tbody tr").count() == 2

    eventually(listed, 20, "both are listed")
    failed = page.locator("#failed tbody tr", has_text="Zalo")
    expect(failed).to_contain_text(f"{said['answered']} 410")
    expect(page.locator("#failed tbody tr", has_text="Trực ban")).to_contain_text("minh@example.vn: 450 greylisted")
    photograph(page, "notifications-failed")

    hook.answer = (200, {})
    mailbox.refuse.clear()
    failed.get_by_role("button", name=said["retry"]).click()
    expect(page.locator("#failed tbody tr")).to_have_count(1)
    page.locator("#failed").get_by_role("button", name=said["retry"]).click()
    expect(page.locator("#failed")).to_contain_text(said["delivered"])
    eventually(lambda: [a["id"] for data in hook.got for a in data["alerts"]] == [alert], 20, "the webhook has it")
    eventually(lambda: len(mailbox.mails) == 3, 20, "the mail goes to all once more")
    page.goto("/notifications")
    expect(page.locator("#failed")).to_contain_text(said["delivered"])
    assert hook.secret not in page.content()

    opened.stores.accounts.put(Account("minh", Role.ADMIN, EVERYTHING), None, by="test")
    gone = opened.stores.policies.get(PolicyKind.ROUTE, notifications.routes(opened.stores, LAN)[0].id)
    opened.stores.policies.put(replace(gone, version=gone.version + 1, by="minh"))
    opened.stores.accounts.put(Account("minh", Role.ADMIN, EVERYTHING, disabled=True), None, by="test")
    page.goto("/notifications")
    photograph(page, "notifications-taken-over")
    expect(page.locator("#routes .notice")).to_have_count(1)
    page.get_by_role("button", name=said["take over"]).click()
    expect(page.locator("#routes .notice")).to_have_count(0)
    assert not re.search(r"token=t", page.locator("#routes").inner_text()), (
        "the path of a webhook is for its form alone"
    )
