"""An alert about an officer in a real browser, in both languages: the plot, closing as benign, where that is listed, calling again."""

from __future__ import annotations

import pytest
from console_of import console_of
from observing import NO_SERIES, append, watching
from officers import CURIOUS, lookups
from opened import open_sqlite
from playwright.sync_api import expect
from streams import START
from test_console import PASSWORD, photograph
from window import window

from api.passwords import hash_password
from soc.model.account import Account, Role
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import PolicyKind
from soc.service.handover import take
from soc.store.anomalies import anomalies_file
from soc.store.detections import SqliteDetections
from soc.store.unusual import SqliteUnusual

pytestmark = pytest.mark.server

LAN = Account("lan", Role.ANALYST, Scope(frozenset({"hungyen"})))
SAID = {
    "vi": {"plot": "Sự kiện mỗi giờ, bảy ngày", "harmless": "Không cảnh báo với: "},
    "en": {"plot": "Events of each hour, seven days", "harmless": "No alert for: "},
}


@pytest.fixture
def office(tmp_path):
    """The address of a console over six days of an office that an observer has seen, the store, and an item of the curious one."""
    opened = open_sqlite(tmp_path)
    opened.stores.accounts.put(LAN, hash_password(PASSWORD), by="test")
    append(tmp_path, list(lookups(6, 1, curious_on=4)))
    with watching(tmp_path, NO_SERIES) as (observer, _):
        observer.drain()
    detections = SqliteDetections(tmp_path)
    take(tmp_path, lambda found, docs: detections.commit(found, docs, {}, {}, None, START))
    detections.close()
    found = SqliteUnusual(anomalies_file(tmp_path)).ranked(EVERYTHING, START, START + (1 << 40)).items
    with console_of(tmp_path, opened.stores) as address:
        yield address, opened.stores, next(one for one in found if one.entity == CURIOUS)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_what_an_officer_did_is_seen_found_harmless_and_called_again(office, language):
    (address, stores, item), said = office, SAID[language]
    with window(address, language) as page:
        page.goto("/")
        page.fill("input[name=name]", "lan")
        page.fill("input[name=password]", PASSWORD)
        page.click("button.main")
        page.goto(f"/alerts/{item.alert}")
        plot = page.locator("#behaving svg.plot").first
        expect(plot).to_be_visible()
        expect(plot.locator("title")).to_have_text(said["plot"])
        expect(plot.locator("rect.off")).to_have_count(1)
        photograph(page, f"entity-alert-{language}", full_page=True)
        page.check("input[name=verdict][value=benign]")
        page.click("button[name=action][value=close]")
        expect(page.locator("#behaving")).to_contain_text(said["harmless"])
        page.click("#behaving a[href$='#harmless']")
        listed = page.locator("#harmless")
        expect(listed).to_contain_text(CURIOUS)
        photograph(page, f"entity-harmless-{language}", full_page=True)
        listed.locator("input[name=reason]").fill("đã hỏi lại")
        listed.locator("button").click()
        expect(page.locator("#crowds")).to_be_visible()
        expect(listed).to_have_count(0)
    assert stores.policies.list(PolicyKind.HARMLESS) == []
