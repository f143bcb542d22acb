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


def test_what_a_filter_finds_becomes_an_incident(browser, world, scans):
    page = browser.get("/alerts/bulk?text=198.51.100", headers=ENGLISH).text
    together = page.partition('id="together"')[2].partition("</form>")[0]
    assert "3 of them are in no incident" in together
    found = [id_ for id_ in scans if f'name="alert" value="{id_}"' in together]
    assert found == scans
    incident = opened(browser, *found)
    assert f'href="/incidents/{incident}"' in browser.get("/alerts").text, "the queue says which are in one"
    assert 'id="together"' not in browser.get("/alerts/bulk?text=198.51.100").text


def test_an_incident_is_given_to_somebody_and_the_queue_shows_what_is_mine(browser, world, scans):
    incident = opened(browser, *scans)
    page = browser.get(f"/incidents/{incident}").text
    assert '<option value="admin">' in page
    assert '<option value="viewer">' not in page, "could not work on it"
    assert '<option value="outsider">' not in page
    given = browser.post(f"/incidents/{incident}", data={"action": "assign", "assignee": "admin", "version": 1})
    assert given.status_code == 303
    assert world.stores.incidents.get(incident, EVERYTHING).assignee == "admin"
    browser.post(f"/alerts/{scans[0]}/triage", data={"action": "take"})
    mine = browser.get("/alerts?status=all&assignee=analyst").text
    assert (scans[0] in mine, scans[1] in mine) == (True, False)


def test_enter_in_a_field_decides_nothing(browser, world, scans):
    """Without scripts it presses the first button of the form."""
    for place in (f"/alerts/{scans[0]}", "/alerts/bulk", f"/incidents/{opened(browser, *scans)}"):
        [form] = [form for form in browser.get(place).text.split("<form")[1:] if 'name="comment"' in form]
        first = form.partition("<button")[2].partition(">")[0]
        assert 'value="comment"' in first
    browser.post(f"/alerts/{scans[0]}/triage", data={"action": "comment", "assignee": "admin"})
    triage = world.stores.alerts.get(scans[0], EVERYTHING).triage
    assert (triage.status, triage.assignee) == ("new", None)


def test_what_a_snooze_says_is_kept_where_it_is_refused(browser, scans):
    form = {"action": "snooze", "until": "2026-03-01T09:00", "reason": "chờ xã trả lời", "comment": "đã gọi"}
    refused = browser.post(f"/alerts/{scans[0]}/triage", data=form)
    assert refused.status_code == 422
    assert all(kept in refused.text for kept in form.values() if kept != "snooze")
    endless = browser.post("/alerts/bulk?text=198.51.100", data=form | {"until": "", "expected": "3"})
    assert endless.status_code == 422
    assert "chờ xã trả lời" in endless.text
    assert 'value="2026-03-03T08:00"' in browser.get(f"/alerts/{scans[0]}").text, "the next morning, to begin with"


def test_both_languages(browser, scans):
    incident = opened(browser, *scans)
    for language, word in (("vi", "Sự cố an toàn"), ("en", "Incidents")):
        assert word in browser.get(f"/incidents/{incident}", headers={"accept-language": language}).text
