"""From an alert to an incident and back, on the pages."""

from __future__ import annotations

import pytest

from soc.model.org import EVERYTHING

ENGLISH = {"accept-language": "en"}


@pytest.fixture
def browser(signed_in):
    return signed_in("analyst")


@pytest.fixture
def scans(world):
    return [world.fire("hungyen", 1, f"198.51.100.{n}") for n in range(3)]


def members(world, incident):
    from soc.store.base import AlertFilter

    return {alert.id for alert in world.stores.alerts.list(AlertFilter(incident=incident), EVERYTHING).items}


def opened(browser, *alerts, **more):
    answer = browser.post("/incidents", data={"alert": list(alerts)} | more)
    assert answer.status_code == 303
    return answer.headers["location"].rpartition("/")[2]


def test_an_alert_shows_others_about_the_same_and_they_become_an_incident(browser, world, scans):
    page = browser.get(f"/alerts/{scans[0]}", headers=ENGLISH).text
    assert "About the same" in page
    incident = opened(browser, *scans[:2], title="Quét từ <198.51.100>")
    assert members(world, incident) == set(scans[:2])
    shown = browser.get(f"/incidents/{incident}", headers=ENGLISH).text
    assert "Quét từ &lt;198.51.100&gt;" in shown
    assert scans[0] in shown
    assert f"/incidents/{incident}" in browser.get(f"/alerts/{scans[0]}", headers=ENGLISH).text
    assert f"/incidents/{incident}" in browser.get("/incidents", headers=ENGLISH).text


def test_an_alert_joins_splits_off_and_leaves(browser, world, scans):
    incident = opened(browser, scans[0])
    assert opened(browser, scans[1], incident=incident) == incident
    split = browser.post(f"/incidents/{incident}", data={"action": "split", "alert": scans[1], "title": "Riêng"})
    other = split.headers["location"].rpartition("/")[2]
    assert (members(world, incident), members(world, other)) == ({scans[0]}, {scans[1]})
    browser.post(f"/incidents/{incident}", data={"action": "merge", "other": other})
    assert members(world, incident) == set(scans[:2])
    assert "went over to another incident" in browser.get(f"/incidents/{other}", headers=ENGLISH).text
    browser.post(f"/incidents/{incident}", data={"action": "remove", "alert": scans[0]})
    assert members(world, incident) == {scans[1]}


def test_closing_needs_a_verdict_and_closes_the_alerts(browser, world, scans):
    incident = opened(browser, *scans)
    refused = browser.post(f"/incidents/{incident}", data={"action": "close", "comment": "kept"}, headers=ENGLISH)
    assert refused.status_code == 422
    assert "closing needs a verdict" in refused.text
    assert "kept" in refused.text
    browser.post(f"/incidents/{incident}", data={"action": "close", "verdict": "true_positive"})
    assert {world.stores.alerts.get(id_, EVERYTHING).triage.verdict for id_ in scans} == {"true_positive"}
    assert f"/incidents/{incident}" in browser.get("/incidents?status=closed", headers=ENGLISH).text


def test_who_changed_it_meanwhile_is_said(browser, world, scans):
    incident = opened(browser, *scans)
    browser.post(f"/incidents/{incident}", data={"action": "rename", "title": "Tên mới", "version": 1})
    late = browser.post(f"/incidents/{incident}", data={"action": "take", "version": 1}, headers=ENGLISH)
    assert late.status_code == 409
    assert "changed this incident meanwhile" in late.text


def test_a_snooze_from_the_page_needs_a_reason_and_hides_the_alert(browser, world):
    place = f"/alerts/{world.alerts['hungyen']}/triage"
    soon = {"action": "snooze", "until": "2026-03-03T09:00"}
    assert "needs a reason" in browser.post(place, data=soon, headers=ENGLISH).text
    assert browser.post(place, data=soon | {"reason": "chờ xã"}).status_code == 303
    assert world.alerts["hungyen"] not in browser.get("/alerts").text
    assert browser.post(place, data={"action": "wake"}).status_code == 303
    assert world.alerts["hungyen"] in browser.get("/alerts").text


def test_both_languages(browser, scans):
    incident = opened(browser, *scans)
    for language, word in (("vi", "Sự cố an toàn"), ("en", "Incidents")):
        assert word in browser.get(f"/incidents/{incident}", headers={"accept-language": language}).text
