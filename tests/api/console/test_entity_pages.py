"""What the pages say of who behaves unusually: all reasons, all that is harmless of an entity and of no other, and calling again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unusual_made import AT, noticed, raised, unusual

from api.console import entities
from soc.model.harmless import HarmlessEntity, Limit
from soc.model.policy import Policy, PolicyKind
from soc.model.unusual import Reason

LANGUAGES = pytest.mark.parametrize("language", ["vi", "en"])


def many(number):
    """Reasons by as many values of one field."""
    return tuple(
        Reason("rare source.ip", "rare", "source.ip", f"192.0.2.{n}", 0.0, 1.0, 0.0, 9.0 - n / 10, {"vi": f"lạ {n}.", "en": f"odd {n}."})
        for n in range(number)
    )  # fmt: skip


@pytest.fixture
def items(world, anomaly_db):
    """Of three organisations' entities, two of one; each with its alert."""
    items = [unusual("hungyen", entity="canbo.a"), unusual("hungyen", entity="canbo.b"), unusual("ninhbinh")]
    items[0] = replace(items[0], reasons=many(9), score=0.87)
    noticed(anomaly_db, items)
    raised(world.detections, items)
    return items


def say(world, one, number=0, limits=None, reason="", people=""):
    """That somebody said so of it; returns the id."""
    limits = limits or (Limit("distinct", "govsoc.lgsp.subject", "", 9.3, 78.0),)
    said = HarmlessEntity(
        f"{number:032x}", people or one.people, one.org, one.field, one.entity, one.alert, tuple(limits)
    )
    reason = reason or f"lý do {number} của {one.entity}"
    world.stores.policies.put(Policy(PolicyKind.HARMLESS, said.id, 1, said.body(), "tuan", AT + number, reason))
    return said.id


def alert_page(browser, one, language="en"):
    answer = browser.get(f"/alerts/{one.alert}", headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.text


def behaving(page):
    """That section of the page of an alert."""
    return page.partition('id="behaving"')[2].partition("</section>")[0]


@LANGUAGES
@pytest.mark.parametrize("path", ["/alerts/{}", "/entities"])
def test_every_reason_is_on_the_page(signed_in, items, language, path):
    page = signed_in("viewer").get(path.format(items[0].alert), headers={"accept-language": language}).text
    at = [page.index({"vi": f"lạ {n}.", "en": f"odd {n}."}[language]) for n in range(9)]
    more = page.index({"vi": "<summary>3 lý do khác</summary>", "en": "<summary>3 more reasons</summary>"}[language])
    assert at == sorted(at)
    assert at[5] < more < at[6]
    table = page[more : at[8]].partition("<thead>")[2].partition("</thead>")[0]
    assert table == page[: at[0]].rpartition("<thead>")[2].partition("</thead>")[0], "under the same columns"


def test_as_many_as_are_shown_are_all(signed_in, items, anomaly_db, world):
    few = replace(items[1], reasons=many(6))
    noticed(anomaly_db, [few])
    say(world, few, limits=[Limit("rare", "source.ip", f"192.0.2.{n}", 9.0, 0.0) for n in range(6)])
    section = behaving(alert_page(signed_in("viewer"), few))
    assert "odd 5." in section
    assert "192.0.2.4; source.ip = 192.0.2.5" in section
    assert "<details>" not in section


@LANGUAGES
def test_every_limit_is_on_the_page_in_words(signed_in, items, world, language):
    limits = [
        Limit("distinct", "govsoc.lgsp.subject", "", 12.0, 78.0),
        Limit("share", "event.outcome", "failure", 11.0, 0.44),
        Limit("hour", "", "03:00", 10.0, 0.0),
        *(Limit("rare", "source.ip", f"203.0.113.{n}", 9.0, 0.0) for n in range(6)),
        Limit("of-tomorrow", "a.field", "<i>", 8.0, 3.0),
    ]
    say(world, items[0], limits=limits)
    first = {
        "vi": "Không cảnh báo với: tối đa 78 công dân khác nhau; tỷ lệ event.outcome = failure tối đa 44 %; hoạt động lúc khoảng 03:00; ",
        "en": "No alert for: up to 78 different citizens; share of event.outcome = failure up to 44 %; active around 03:00; ",
    }[language] + "source.ip = 203.0.113.0;"
    browser = signed_in("viewer")
    listed = browser.get("/entities", headers={"accept-language": language}).text.partition('id="harmless"')[2]
    for text in (behaving(alert_page(browser, items[0], language)), listed):
        assert first in text
        shown, _, rest = text.partition(first)[2].partition(
            {"vi": "<summary>4 điều khác</summary>", "en": "<summary>4 more things</summary>"}[language]
        )
        assert "203.0.113.2" in shown
        assert "203.0.113.3" not in shown
        assert all(f"<li>source.ip = 203.0.113.{n}</li>" in rest for n in (3, 4, 5))
        assert "of-tomorrow a.field &lt;i&gt;" in rest
        assert "nat" not in shown.partition("tuan")[0]


@LANGUAGES
def test_of_a_verdict_it_is_said_in_the_language(signed_in, items, world, language):
    say(world, items[0], reason=f"verdict on alert {items[0].alert}: benign")
    own = f"verdict on alert {items[1].alert}: benign"  # of another one: nobody's words are changed
    say(world, items[0], 1, reason=own)
    section = behaving(alert_page(signed_in("viewer"), items[0], language))
    said = {"vi": f"kết luận về cảnh báo {items[0].alert}: hợp lệ", "en": f"verdict on alert {items[0].alert}: benign"}
    assert said[language] in section
    assert own in section


def test_an_alert_says_what_is_harmless_of_its_own_entity_alone(signed_in, items, world):
    say(world, items[0])
    say(world, items[1], 1)
    say(world, replace(items[0], org="ninhbinh"), 2)
    say(world, items[0], 3, people="consumers")
    mine, others = (behaving(alert_page(signed_in("national"), one)) for one in items[:2])
    assert "lý do 0" in mine
    assert "lý do 1" in others
    assert [mine.count("/withdraw"), others.count("/withdraw")] == [1, 1]
    assert not any(f"lý do {n}" in mine for n in (1, 2, 3))


def test_an_alert_shows_the_latest_ten_and_where_all_are(signed_in, items, world):
    for number in range(12):
        say(world, items[0], number)
    section = behaving(alert_page(signed_in("analyst"), items[0]))
    assert section.count("/withdraw") == 10
    assert section.index("lý do 11") < section.index("lý do 2 ")
    assert "lý do 1 " not in section
    assert "The latest 10 / 12" in section
    assert 'href="/entities?org=hungyen#harmless"' in section


def test_it_is_called_again_on_the_page_of_the_alert(signed_in, items, world):
    id_ = say(world, items[0])
    browser = signed_in("analyst")
    section = behaving(alert_page(browser, items[0]))
    back = f"/alerts/{items[0].alert}#behaving"
    assert f'action="/entities/harmless/{id_}/withdraw"' in section
    assert f'<input type="hidden" name="back" value="{back}">' in section
    assert 'name="reason"' in section
    seen = behaving(alert_page(signed_in("viewer"), items[0]))
    assert "lý do 0" in seen
    assert "<form" not in seen, "who only looks may not"
    done = browser.post(f"/entities/harmless/{id_}/withdraw", data={"reason": "xem lại", "back": back})
    assert (done.status_code, done.headers["location"]) == (303, back)
    assert "lý do 0" not in behaving(alert_page(browser, items[0]))
    assert world.stores.policies.list(PolicyKind.HARMLESS) == []


def test_nobody_is_sent_elsewhere(signed_in, items, world):
    id_ = say(world, items[0])
    done = signed_in("analyst").post(
        f"/entities/harmless/{id_}/withdraw", data={"reason": "x", "back": "https://evil.example/"}
    )
    assert (done.status_code, done.headers["location"]) == (303, "/")


@LANGUAGES
def test_the_page_of_the_alert_says_the_score(signed_in, items, language):
    section = behaving(alert_page(signed_in("viewer"), items[0], language))
    assert {"vi": "Điểm 0,87", "en": "Score 0.87"}[language] in section


def test_what_is_harmless_of_one_organisation(signed_in, items, world):
    say(world, items[0])
    say(world, items[2], 2)
    browser = signed_in("national")

    def listed(query):
        return browser.get(f"/entities{query}").text.partition('id="harmless"')[2]

    assert all(f"lý do {n}" in listed("") for n in (0, 2))
    assert "lý do 0" not in listed("?org=ninhbinh")
    assert "lý do 2" in listed("?org=ninhbinh")
    assert 'name="back" value="/entities?org=ninhbinh#harmless"' in listed("?org=ninhbinh")
    assert listed("?org=nowhere") == ""
    assert "lý do 2" not in signed_in("viewer").get("/entities?org=ninhbinh").text, "of their own alone"


def test_nothing_is_left_out_unsaid(signed_in, items, world, monkeypatch):
    for number in range(150):
        say(world, items[0], number)
    browser = signed_in("analyst")
    page = browser.get("/entities", headers={"accept-language": "en"}).text.partition('id="harmless"')[2]
    assert page.count("/withdraw") == 150
    assert "The latest" not in page
    monkeypatch.setattr(entities, "_SAID", 3)
    page = browser.get("/entities", headers={"accept-language": "en"}).text.partition('id="harmless"')[2]
    assert "The latest 3 / 150" in page
    assert page.index("lý do 149") < page.index("lý do 147")
    assert "lý do 146" not in page
