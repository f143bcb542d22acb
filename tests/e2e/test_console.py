"""The console in a real browser: an analyst's ten minutes, from signing in to closing an alert."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from elastic import empty
from indexed import IndexedLog
from playwright.sync_api import sync_playwright
from servers import eventually, need

from api.app import create_app
from api.passwords import hash_password
from api.state import state_of
from rules.desk.tuning import Tuning
from rules.lists.known import Lists
from soc.backtest.jobs import Jobs
from soc.buffer.sqlite import EventLog
from soc.model.account import Account, Role
from soc.model.alert import Decision, Status, Verdict
from soc.model.event import Event, event_id, iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import EVERYTHING
from soc.model.rule import RuleDoc, RuleFault
from soc.model.source import Source, SourceHealth, Transport
from soc.store.anomalies import SqliteAnomalies
from soc.store.detections import SqliteDetections
from soc.store.elastic import open as elastic
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.levels import SqliteLevels
from soc.store.sqlite import events_dir, open_stores
from soc.store.unusual import SqliteUnusual

pytestmark = pytest.mark.server

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "mật khẩu để thử"
HOSTILE = "Mozilla/5.0 <script>document.title='owned'</script>"
MINUTE = 60_000
# What tests provoke on purpose: a form that is refused, and a line that is cut.
EXPECTED = re.compile("status of 422|ERR_INTERNET_DISCONNECTED|ERR_INCOMPLETE_CHUNKED|^htmx:").search
_PROBLEM = "/var/log/auth.log: permission denied; add the user govsoc to the group adm"
SQLI = RuleDoc(
    id="b0d9b7a2-6f0e-4d1c-9b51-6c1f2f0e7a11",
    hash="sqli-1",
    title="SQL injection in a portal request",
    level="high",
    text="title: SQL injection in a portal request\nid: b0d9b7a2-6f0e-4d1c-9b51-6c1f2f0e7a11\n"
    "logsource:\n  category: webserver\ndetection:\n  selection:\n    url.query|contains: 'UNION SELECT'\n"
    "  condition: selection\nlevel: high\n",
    path="rules/content/portal/sqli.yml",
    titles={"en": "SQL injection in a portal request", "vi": "Tấn công SQL injection vào cổng dịch vụ công"},
    description="The query string of a request holds SQL keywords that no page of a portal sends.",
    tags=("attack.initial_access", "attack.t1190"),
    runbook={
        "vi": "1. Xem **địa chỉ nguồn** có phải máy quét được phép không.\n2. Lọc mã trả về: "
        "`http.response.status_code:200`.\n3. Nếu có trả về dữ liệu, **chặn địa chỉ** "
        "và báo đơn vị vận hành cổng.\n\n- Giữ nguyên nhật ký để làm chứng cứ.",
        "en": "1. Is the **source address** a scanner that was announced?\n2. Look at the answers: "
        "`http.response.status_code:200`.\n3. Where data came back, **block the address** "
        "and call who runs the portal.\n\n- Keep the logs as evidence.",
    },
    falsepositives=("A security test that was announced",),
)
SSH = RuleDoc(
    id="ssh-brute-force",
    hash="ssh-1",
    title="SSH brute force",
    level="medium",
    text="title: SSH brute force\n",
    path="rules/content/ioc/ssh.yml",
    titles={"en": "SSH brute force", "vi": "Dò mật khẩu SSH"},
    tags=("attack.credential_access", "attack.t1110.001"),
)
OTP = replace(
    SSH, id="otp-outage", hash="otp-1", title="OTP messages fail at one carrier", level="critical", tags=(),
    titles={"en": "OTP messages fail at one carrier", "vi": "Tin nhắn OTP lỗi ở một nhà mạng"},
)  # fmt: skip


def events_of(org: str, ip: str, number: int, last: int) -> list[Event]:
    made = []
    for i in range(number):
        ts, source = last - (number - i) * 1500, f"{org}-cong-dvc"
        query = f"ma={1000 + i}' UNION SELECT ten,so FROM ho_so--"
        line = f'{ip} - - [{iso(ts)}] "GET /tra-cuu?{query} HTTP/1.1" 200 {512 + i} "-" "{HOSTILE}"'
        id_ = event_id(ts, source, f"{ip}-{i}", line)
        fields = {
            "@timestamp": iso(ts), "event.id": id_, "event.dataset": "nginx.access", "event.original": line,
            "organization.id": org, "govsoc.source.id": source, "source.ip": ip, "url.path": "/tra-cuu", "url.query": query,
            "http.request.method": "GET", "http.response.status_code": 200, "http.response.body.bytes": 512 + i,
            "user_agent.original": HOSTILE,
        }  # fmt: skip
        made.append(Event(id_, ts, org, "nginx.access", fields))
    return made


def fire(detections, rule, org, ip, events, now, *fields):
    alert = alert_id(rule.id, org, ip, "today")
    findings = [
        Finding(
            finding_id(alert, e.id),
            alert,
            rule.id,
            rule.hash,
            org,
            "source.ip",
            ip,
            e.ts,
            e.id,
            {f: e.fields[f] for f in fields},
        )
        for e in events
    ]
    detections.commit(findings, {rule.hash: rule}, {}, {}, None, now)
    return alert


@pytest.fixture(scope="module", params=["sqlite", "elasticsearch"])
def opened(request, tmp_path_factory):
    """Stores, detections and event log of a store of each kind."""
    folder = tmp_path_factory.mktemp("province")
    if request.param == "sqlite":
        yield open_stores(folder), SqliteDetections(folder), EventLog(events_dir(folder), min_free_bytes=0)
        return
    server = request.getfixturevalue("elastic_server")
    empty(server)
    with connect(server.url) as client:
        setup.install(client)
        log = IndexedLog(events_dir(folder), client)
        yield elastic.open_stores(client), elastic.open_detections(client, folder), log


@pytest.fixture(scope="module")
def province(opened, tmp_path_factory):
    """Three organisations, and the address of their console."""
    stores, detections, log = opened
    now = time.time_ns() // 1_000_000
    stores.accounts.put(Account("lan", Role.ANALYST, EVERYTHING), hash_password(PASSWORD), by="test")
    rows = [
        (SSH, "ninhbinh", "192.0.2.44", 12, now - 50 * MINUTE, ("source.ip",)),
        (SQLI, "hungyen", "203.0.113.7", 42, now - 3 * MINUTE, ("url.query",)),
        (OTP, "hungyen", "viettel", 7, now - MINUTE, ("url.path",)),
    ]
    alerts = {}
    for rule, org, ip, number, last, fields in rows:
        events = events_of(org, ip, number, last)
        log.append(events)
        alerts[rule.id] = fire(detections, rule, org, ip, events, last, *fields)
    dead = event_id(0, "hungyen-cong-dvc", "99", "???")
    log.append([Event(dead, 0, "hungyen", "nginx.access", {
        "event.id": dead, "event.kind": "pipeline_error", "event.dataset": "nginx.access", "organization.id": "hungyen",
        "govsoc.source.id": "hungyen-cong-dvc", "error.message": "not a line of nginx.access", "event.original": "???",
    })])  # fmt: skip
    detections.publish([SQLI, SSH, OTP], [RuleFault("no such modifier: `contain`", "rules/content/lgsp/quota.yml", 14)])
    for id_, name, org, type_, transport, where in (
        ("hungyen-cong-dvc", "Cổng dịch vụ công Hưng Yên", "hungyen", "nginx.access", Transport.FILE, ("/var/log/nginx/access.log",)),
        ("hungyen-otp", "Cổng OTP", "hungyen", "otp.gateway", Transport.PUSH, ()),
        ("ninhbinh-ssh", "Máy chủ trục", "ninhbinh", "syslog", Transport.SYSLOG, ("198.51.100.0/24",)),
        ("ninhbinh-lgsp", "Trục LGSP", "ninhbinh", "lgsp.gateway", Transport.FILE, ("/srv/lgsp/*.json",)),
    ):  # fmt: skip
        stores.sources.add(Source(id_, name, org, type_, transport, where, created_at=now), None, by="test")
    stores.health.report([
        SourceHealth("hungyen-cong-dvc", now - 2000, now - 1000, 48_213, 1, 12.5),
        SourceHealth("hungyen-otp", now - 40 * MINUTE, now - 40 * MINUTE, 1_024, 0, 0.0),
        SourceHealth("ninhbinh-ssh", now - 90 * MINUTE, now - 1000, 99, 0, 0.4, _PROBLEM),
    ])  # fmt: skip
    log.close()
    jobs = Jobs(tmp_path_factory.mktemp("jobs"), (), {})
    with serving(
        create_app(
            state_of(
                stores,
                clock=lambda: time.time_ns() // 1_000_000,
                cookie_secure=False,
                jobs=jobs,
                tuning=Tuning,
                lists_dir=tmp_path_factory.mktemp("lists"),
                known_lists=Lists,
                levels=SqliteLevels(tmp_path_factory.mktemp("observed") / "anomaly.db"),
                anomalies=SqliteAnomalies(tmp_path_factory.mktemp("anomalies")),
                unusual=SqliteUnusual(tmp_path_factory.mktemp("unusual") / "anomaly.db"),
            )
        )
    ) as address:
        yield address, alerts, stores


@contextmanager
def serving(app):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="module")
def browser():
    need("chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, province):
    """A browser window that fails the test on any script error, blocked resource or request to elsewhere."""
    address = province[0]
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800}, locale="vi-VN")
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: wrong.append(said.text) if said.type == "error" and not EXPECTED(said.text) else None
    )
    page.on("request", lambda request: None if request.url.startswith(address) else wrong.append(request.url))
    yield page
    context.close()
    assert wrong == []


def photograph(page, name: str, **options) -> None:
    if folder := os.environ.get("SOC_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", **options)


def sign_in(page) -> None:
    page.goto("/")
    page.fill("input[name=name]", "lan")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#queue")
    page.wait_for_load_state()  # the queue is seen before its scripts have run


def test_from_signing_in_to_a_closed_alert(page, province):
    alert = province[1][SQLI.id]
    page.goto("/")
    photograph(page, "sign-in")
    sign_in(page)
    titles = page.locator("#queue a.open").all_inner_texts()
    assert titles == [
        "Tin nhắn OTP lỗi ở một nhà mạng",
        "Tấn công SQL injection vào cổng dịch vụ công",
        "Dò mật khẩu SSH",
    ]
    photograph(page, "queue")
    page.click("text=Tấn công SQL injection")
    page.wait_for_url(f"**/alerts/{alert}")
    assert "UNION SELECT" in page.locator("#events .raw mark").first.inner_text()
    assert page.locator("#runbook strong").first.inner_text() == "địa chỉ nguồn"
    assert page.locator("#events details.event").count() == 20
    photograph(page, "alert")
    page.click("#events summary >> nth=0")
    assert page.locator("#events .hit mark").first.is_visible()
    page.click("#events details[open] summary >> text=Vì sao luật này phát cảnh báo?")
    page.wait_for_selector("#events .explained .tree")
    assert page.locator("#events .explained mark").all_inner_texts() == ["UNION SELECT"]
    photograph(page, "alert-explained", full_page=True)
    page.click("#events details[open] >> text=Các sự kiện lân cận")
    page.wait_for_selector("#events .around .this")
    photograph(page, "alert-event", full_page=True)
    page.click("#events >> text=Thêm sự kiện")
    page.wait_for_selector("#events >> text=Các sự kiện đầu")
    page.click("text=Tiếp nhận")
    page.wait_for_selector(".status.acknowledged")
    page.fill("textarea[name=comment]", "Đã gọi đơn vị: đợt kiểm thử có thông báo.")
    page.click("button[value=close]")  # no verdict yet: the page says so and keeps the comment
    page.wait_for_selector("[role=alert]")
    assert page.input_value("textarea[name=comment]").startswith("Đã gọi")
    page.check("input[value=benign]")
    page.click("button[value=close]")
    page.wait_for_selector(".status.closed")
    history = page.locator("#history").inner_text()
    assert "lan" in history
    assert "Hợp lệ" in history
    assert "đợt kiểm thử có thông báo" in history
    photograph(page, "alert-closed", full_page=True)
    triage = province[2].alerts.get(alert, EVERYTHING).triage
    assert (triage.status, triage.verdict, triage.assignee) == (Status.CLOSED, Verdict.BENIGN, "lan")
    assert page.title() != "owned"


def chosen(page) -> str:
    """The alert of the row that has the focus; while the queue is drawn anew none has."""
    return page.locator("tr:focus-within").get_attribute("data-id")


def test_the_queue_by_keyboard_and_live(page, province):
    _, alerts, stores = province
    sign_in(page)
    page.click(".tabs >> text=Tất cả")
    page.wait_for_url("**status=all**")
    with page.expect_response("**/api/v1/alerts/stream"):
        page.reload()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    second = chosen(page)
    page.wait_for_timeout(4000)  # the feed's first look
    stores.triage.change(alerts["otp-outage"], Decision(status=Status.ACKNOWLEDGED, assignee="minh"), by="minh", now=1)
    page.wait_for_selector(f"tr[data-id='{alerts['otp-outage']}'] >> text=minh")
    assert chosen(page) == second  # the row that was chosen still is
    page.goto("/alerts")
    page.keyboard.press("j")
    assert chosen(page) == alerts["ssh-brute-force"]
    page.keyboard.press("a")
    page.wait_for_selector(".empty.good")
    assert stores.alerts.get(alerts["ssh-brute-force"], EVERYTHING).triage.assignee == "lan"
    page.goto("/alerts?status=all")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts/*")
    page.keyboard.press("u")
    page.wait_for_url("**/alerts")


def test_an_old_queue_does_not_look_like_a_quiet_one(page):
    sign_in(page)
    page.context.set_offline(True)
    page.evaluate("htmx.trigger('#queue', 'refresh')")
    page.wait_for_selector("#stale:visible")
    page.context.set_offline(False)
    page.evaluate("htmx.trigger('#queue', 'refresh')")
    page.wait_for_selector("#stale", state="hidden")


def test_filtering_as_you_type(page):
    sign_in(page)
    page.goto("/alerts?status=all")
    page.type("#text", "tan cong")
    page.wait_for_url("**text=tan%20cong**")
    assert page.locator("#queue a.open").all_inner_texts() == ["Tấn công SQL injection vào cổng dịch vụ công"]


def test_the_language_both_ways(page):
    sign_in(page)
    page.goto("/alerts?status=all")
    page.click("text=English")
    page.wait_for_selector("h1:text-is('Alerts')")
    assert "status=all" in page.url
    assert "SQL injection in a portal request" in page.content()
    photograph(page, "queue-en")
    page.click("text=Tiếng Việt")
    page.wait_for_selector("h1:text-is('Cảnh báo')")


def test_sources_rules_and_events(page):
    sign_in(page)
    page.click("nav >> text=Nguồn nhật ký")
    rows = page.locator("table.sources tbody tr")
    rows.first.wait_for()  # reading all of them does not wait for the page

    def by_name() -> dict[str, str]:
        return {row.split("\t")[1].split("\n")[0].strip(): row for row in rows.all_inner_texts() if "\t" in row}

    # The page renews itself every ten seconds: what is read in that moment lacks rows.
    eventually(lambda: "Cổng dịch vụ công Hưng Yên nginx.access" in by_name() and len(by_name()) == rows.count())
    states = by_name()
    assert "Đang nhận" in states["Cổng dịch vụ công Hưng Yên nginx.access"]
    assert "Im lặng" in states["Cổng OTP otp.gateway"]
    assert "Trễ" in states["Máy chủ trục syslog"]
    assert "Chưa từng thấy" in states["Trục LGSP lgsp.gateway"]
    photograph(page, "sources")
    page.click("nav >> text=Độ phủ")
    cell = page.locator("#coverage a.silent")
    photograph(page, "coverage")
    cell.first.click()
    page.wait_for_url("**/sources?org=*")
    assert "Cổng OTP" in page.locator("table.sources").inner_text()
    page.click("text=Hiện mọi nguồn")
    page.click("td[data-label='Không phân tích được'] a")
    page.wait_for_selector("#found")
    assert page.locator("#found details").count() == 1
    page.click("nav >> text=Luật phát hiện")
    assert "lgsp/quota.yml" in page.locator("#faults").inner_text()
    photograph(page, "rules")
    page.click("nav >> text=Sự kiện")
    page.fill("#text", "source.ip:203.0.113.0/24 AND union")
    page.press("#text", "Enter")
    page.wait_for_selector("#found details")
    photograph(page, "events")


@pytest.mark.parametrize(("width", "height", "scheme"), [(390, 844, "light"), (1280, 800, "dark")])
def test_on_a_phone_and_at_night(page, province, width, height, scheme):
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    sign_in(page)
    for path in (
        "/alerts?status=all",
        f"/alerts/{province[1][SQLI.id]}",
        f"/alerts/{province[1][SQLI.id]}/explain",
        "/sources",
        "/coverage",
        "/rules",
        "/events",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        photograph(page, f"{scheme}-{width}{path.split('?')[0].replace('/', '-')[:9]}")
