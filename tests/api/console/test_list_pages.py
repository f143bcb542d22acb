"""The pages of lists: an administrator pastes entries, everybody reads them, in both languages."""

from __future__ import annotations

import pytest

PASTED = {"name": "bad", "type": "ip", "text": "192.0.2.1\n<b>\n198.51.100.0/24", "reason": "scans", "days": "7"}
EN, VI = {"accept-language": "en"}, {"accept-language": "vi"}


@pytest.fixture
def page(signed_in):
    return signed_in("national")


def test_entries_are_pasted_and_what_is_none_is_named(page):
    answer = page.post("/lists", data=PASTED, headers=VI)
    assert answer.status_code == 200
    assert "đã thêm 2 mục" in answer.text
    assert "Dòng 2: không phải địa chỉ IP, cũng không phải dải CIDR" in answer.text
    listed = page.get("/lists", headers=EN).text
    assert 'href="/lists/bad"' in listed
    one = page.get("/lists/bad", headers=EN).text
    assert "198.51.100.0/24" in one
    assert "scans" in one
    assert "2 entries" in one
    assert "192.0.2.1" not in page.get("/lists/bad?starting=198", headers=EN).text


def test_an_entry_and_a_list_are_removed(page):
    page.post("/lists", data=PASTED)
    gone = page.post("/lists/bad/remove", data={"entry": "192.0.2.1", "reason": "clean"}, follow_redirects=False)
    assert (gone.status_code, gone.headers["location"]) == (303, "/lists/bad?org=")
    assert "192.0.2.1" not in page.get("/lists/bad").text
    again = page.post("/lists/bad/remove", data={"entry": "192.0.2.1", "reason": "clean"}, headers=VI)
    assert (again.status_code, "192.0.2.1 không có trong danh sách" in again.text) == (422, True)
    assert (
        page.post("/lists/bad/remove", data={"reason": "over"}, follow_redirects=False).headers["location"] == "/lists"
    )
    assert page.get("/lists/bad").status_code == 404


def test_what_is_wrong_is_said_and_what_was_typed_stays(page):
    answer = page.post("/lists", data=PASTED | {"text": "<b>foo"}, headers=VI)
    assert answer.status_code == 422
    assert "không có mục nào thuộc loại ip; dòng 1: không phải địa chỉ IP" in answer.text
    assert "&lt;b&gt;foo</textarea>" in answer.text


def test_whoever_only_reads_has_no_form_and_sees_nothing_of_others(page, signed_in):
    page.post("/lists", data=PASTED | {"org": "hungyen"})
    viewer, outsider = signed_in("viewer"), signed_in("outsider")
    assert 'id="paste"' not in viewer.get("/lists").text
    assert "192.0.2.1" in viewer.get("/lists/bad?org=hungyen").text
    assert viewer.post("/lists", data=PASTED).status_code == 403
    assert "/lists/bad" not in outsider.get("/lists").text
    for path in ("/lists/bad", "/lists/bad?org=hungyen"):
        assert outsider.get(path).status_code == 404
    assert outsider.post("/lists/bad/remove", data={"org": "hungyen", "reason": "x"}).status_code == 404
