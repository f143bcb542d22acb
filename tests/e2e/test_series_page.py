"""Trying a definition of series in a real browser, in both languages: from a fault that is told while it is written to the plot."""

from __future__ import annotations

import pytest
from console_of import console_of
from opened import open_sqlite
from playwright.sync_api import expect
from streams import DELIVERY, LOST, MINUTE, receipts
from test_console import PASSWORD, photograph
from window import window

from api.passwords import hash_password
from detector.explain import rule_of
from detector.series.definition import loads
from soc.buffer.sqlite import EventLog
from soc.model.account import Account, Role
from soc.model.finding import Finding
from soc.model.org import EVERYTHING, Scope
from soc.service.observer import Watching
from soc.service.process import now_ms
from soc.settings import Settings
from soc.store.anomalies import SqliteAnomalies
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir

pytestmark = pytest.mark.server

LAN = Account("lan", Role.ADMIN, Scope(frozenset({"hungyen"})))
OWN = DELIVERY.lstrip()
SHOWN = """\
name: delivery
system: otp
titles:
  vi: Không đến
  en: Not delivered
dataset: otp.gateway
where: govsoc.otp.event:dlr
group_by:
- govsoc.otp.carrier
measure: ratio
hit: event.outcome:failure
unit: share
direction: high
"""
SAID = {
    "vi": {
        "fault": "dòng 7: measure: phải là",
        "good": "Không có lỗi: delivery",
        "off": "Không đến · viettel",
        "gone": "Ngoại lệ này đã được rút.",
    },
    "en": {
        "fault": "line 7: measure: Input should be",
        "good": "Nothing is wrong with delivery",
        "off": "Not delivered · viettel",
        "gone": "It is withdrawn.",
    },
}


@pytest.fixture
def office(tmp_path):
    """The address of a console over 26 hours of receipts that an observer has seen, and the alert that it raised."""
    opened = open_sqlite(tmp_path)
    opened.stores.accounts.put(LAN, hash_password(PASSWORD), by="test")
    log = EventLog(events_dir(tmp_path), min_free_bytes=0)
    log.append(list(receipts(1560, 15, 1, LOST, start=now_ms() // MINUTE * MINUTE - 1600 * MINUTE)))
    settings, definitions = Settings(data_dir=tmp_path), loads(OWN, "own.yml")
    kept = SqliteAnomalies(tmp_path)
    Watching(settings, log, kept, definitions).drain()
    log.close()
    (anomaly,) = kept.list(EVERYTHING)
    rule = rule_of(definitions.by_name["delivery"])
    about = (
        "hungyen",
        "govsoc.otp.carrier",
        "viettel",
        anomaly.since,
        "e",
        {"govsoc.anomaly.what": "delivery viettel"},
    )
    finding = Finding("f", anomaly.alert, rule.id, rule.hash, *about)
    SqliteDetections(tmp_path).commit([finding], {rule.hash: rule}, {}, {}, None, now_ms())
    with console_of(tmp_path, opened.stores) as address:
        yield address, anomaly
    kept.close()


@pytest.fixture(params=["vi", "en"])
def page(request, office):
    with window(office[0], request.param) as page:
        page.goto("/")
        page.fill("input[name=name]", "lan")
        page.fill("input[name=password]", PASSWORD)
        page.click("button.main")
        yield page, SAID[request.param]


def test_a_definition_is_changed_tried_and_seen(page):
    page, said = page
    page.click("header a[href='/anomalies']")
    page.click("a[href='/series/backtests?definition=delivery']")
    text = page.locator("textarea[name=text]")
    expect(text).to_have_value(SHOWN)
    page.wait_for_load_state("load")  # what is typed before the scripts have begun is checked with the next letter only
    text.fill(OWN.replace("measure: ratio", "measure: ratoi"))
    expect(page.locator("#said")).to_contain_text(said["fault"])
    text.fill(OWN)
    expect(page.locator("#said")).to_contain_text(said["good"])
    page.fill("input[name=days]", "5")
    page.locator("form.paste button.main").click()
    expect(page.locator("#outcome")).to_be_visible(timeout=120_000)
    expect(page.locator("#called tbody tr")).to_have_count(1)
    expect(page.locator("#called")).to_contain_text(said["off"])
    expect(page.locator("svg.plot")).to_have_count(5)
    expect(page.locator("svg.plot").first.locator("rect.off")).to_have_count(1)
    photograph(page, f"series-tried-{page.locator('html').get_attribute('lang')}")


def test_an_exception_is_made_from_the_alert_of_an_anomaly_and_withdrawn(page, office):
    (page, said), (_, anomaly) = page, office
    page.goto(f"/alerts/{anomaly.alert}")
    page.click(f"a[href='/alerts/{anomaly.alert}/exception']")
    expect(page.locator("textarea[name=condition]")).to_have_value('govsoc.anomaly.what:"delivery viettel"')
    page.fill("textarea[name=reason]", "bảo trì của nhà mạng")
    page.click("button[value=save]")
    expect(page.locator("#now")).to_contain_text("bảo trì của nhà mạng")
    page.fill("#now input[name=reason]", "đã xong")
    page.click("#now button")
    expect(page.locator("main")).to_contain_text(said["gone"])
