"""Lists of indicators through the API: pasted, read page by page, taken out again; what is wrong is said."""

from __future__ import annotations

import pytest
from servers import both_stores

from rules.desk.doc import doc_of
from rules.load.folders import loads
from soc.model.policy import PolicyKind

LINE = b'192.0.2.1 - - [02/Mar/2026:18:59:58 +0700] "GET / HTTP/1.1" 200 5 "-" "x"\n'
ASKING = """\
title: Listed
id: 5a4b1c5e-6f0e-4b0e-9b7e-1d2f3a4b5c6d
logsource: {category: webserver}
detection: {s: {source.ip|expand: '%bad%'}, condition: s}
"""
PASTED = {"type": "ip", "text": "192.0.2.1\nfoo\n198.51.100.0/24 # seen\n", "reason": "scans", "days": 7}


@pytest.fixture
def national(client_of):
    return client_of("national")


@both_stores
def test_a_list_from_its_first_entry_to_its_end(national, world):
    made = national.post("/api/v1/lists/bad/entries", json=PASTED | {"source": "https://example.vn/x"}).json()
    assert (made["entries"], made["added"], made["refused"]) == (2, 2, 1)
    assert made["refused_lines"] == [{"line": 2, "reason": "it is neither an address nor a CIDR block"}]
    added = national.post(
        "/api/v1/lists/bad/entries", json={"type": "ip", "text": "2001:db8::1", "reason": "seen"}
    ).json()
    assert (added["entries"], added["first_added"]) == (3, ["2001:db8::1"])
    [listed] = national.get("/api/v1/lists").json()["items"]
    assert (listed["name"], listed["entries"], listed["version"], listed["by"]) == ("bad", 3, 2, "national")
    assert listed["source"] == "https://example.vn/x"
    taken = national.post("/api/v1/lists/bad/remove", json={"entries": ["192.0.2.1"], "reason": "clean"}).json()
    assert taken["first_removed"] == ["192.0.2.1"]
    assert national.get("/api/v1/lists/bad").json()["entries"] == 2
    assert national.post("/api/v1/lists/bad/remove", json={"reason": "over"}).status_code == 200
    assert national.get("/api/v1/lists/bad").status_code == 404
    assert len(world.stores.policies.history(PolicyKind.LIST, "bad")) == 4
    assert [one.action for one in world.stores.audit.list(by="national").items][:2] == ["list.remove", "list.change"]


def test_entries_come_page_by_page(national):
    text = "\n".join(f"192.0.2.{n}" for n in range(100))
    national.post("/api/v1/lists/bad/entries", json=PASTED | {"text": text})
    found, cursor = [], None
    while True:
        page = national.get("/api/v1/lists/bad/entries", params={"limit": 30, "cursor": cursor}).json()
        found += [one["value"] for one in page["items"]]
        if not (cursor := page["next"]):
            break
    assert found == sorted(text.split("\n"))
    some = national.get("/api/v1/lists/bad/entries", params={"starting": "192.0.2.9"}).json()["items"]
    assert [one["value"] for one in some] == ["192.0.2.9", *(f"192.0.2.9{n}" for n in range(10))]
    assert some[0]["until"].startswith("2026-03-")


def test_lines_are_tried_with_what_is_on_the_lists_now(national, world):
    doc = doc_of(*loads(ASKING).rules, {})
    world.detections.publish([doc], [])

    def titles(org):
        found = national.post("/api/v1/sources/preview", params={"org": org}, content=LINE).json()
        return [match["titles"]["en"] for match in found["matches"]]

    assert titles("hungyen") == []
    national.post("/api/v1/lists/bad/entries", json=PASTED | {"org": "hungyen"})
    assert titles("hungyen") == ["Listed"]
    assert titles("hanoi") == []
    national.post("/api/v1/lists/bad/remove", json={"org": "hungyen", "reason": "over"})
    assert titles("hungyen") == []


def test_what_would_change_is_said_and_changes_nothing(national):
    national.post("/api/v1/lists/bad/entries", json=PASTED)
    told = national.post(
        "/api/v1/lists/bad/entries", json=PASTED | {"text": "10.1.1.1", "replace": True, "dry_run": True}
    )
    assert (told.json()["added"], told.json()["removed"]) == (1, 2)
    assert national.get("/api/v1/lists/bad").json()["entries"] == 2


@pytest.mark.parametrize(
    ("name", "change", "status", "said"),
    [
        ("bad", {"text": "foo"}, 422, "no entry of type ip in it; line 1: it is neither"),
        ("bad", {"type": "hash"}, 422, "no entry of type hash"),
        ("no-name", {}, 422, "a list is named by"),
        ("bad", {"text": ""}, 422, ""),
        ("bad", {"format": "stix", "text": "{"}, 422, "no JSON"),
        ("bad", {"text": "x" * ((1 << 20) + 1)}, 413, ""),
        ("bad", {"days": 9999}, 422, ""),
    ],
)
def test_what_cannot_be_is_refused(national, name, change, status, said):
    answer = national.post(f"/api/v1/lists/{name}/entries", json=PASTED | change)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


def test_half_a_character_is_no_entry(national):
    content = b'{"type": "text", "text": "a\\ud800", "reason": "x"}'
    assert national.post("/api/v1/lists/bad/entries", content=content).status_code == 422


def test_a_list_keeps_its_type_and_is_whose_it_is(national, client_of):
    assert national.post("/api/v1/lists/bad/entries", json=PASTED).status_code == 200
    other = {"type": "domain", "text": "evil.vn", "reason": "x"}
    assert "is of type ip" in national.post("/api/v1/lists/bad/entries", json=other).text
    assert client_of("admin").post("/api/v1/lists/bad/entries", json=PASTED).status_code == 403
    own = client_of("admin").post("/api/v1/lists/bad/entries", json=other | {"org": "hungyen"})
    assert own.status_code == 200
    assert {one["org"] for one in client_of("admin").get("/api/v1/lists").json()["items"]} == {"", "hungyen"}
    assert [one["org"] for one in client_of("outsider").get("/api/v1/lists").json()["items"]] == [""]
    assert client_of("outsider").get("/api/v1/lists/bad/entries", params={"org": "hungyen"}).status_code == 404
