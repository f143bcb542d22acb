"""The pages that connect a source, as they are sent: without JavaScript, escaped, in both languages."""

from __future__ import annotations

import re

import pytest
from texts import SQLI

from rules.load.folders import loads
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc
from soc.model.source import SourceHealth
from soc.model.tuning import RuleException, exception_body
from soc.store.collected import SqliteHealth, open_collected

EN = {"accept-language": "en"}
LINE = (
    '203.0.113.7 - - [02/Mar/2026:18:59:58 +0700] "GET /?sdt=0912345678 HTTP/1.1" 200 512 "-" '
    '"<script>alert(1)</script>{{7*7}}"\n'
)
NEW = {"name": "portal-2", "org": "hungyen", "type": "nginx.access", "transport": "push", "zone": "Asia/Ho_Chi_Minh"}


def preview(client, **sent):
    return client.post("/sources/new/preview", headers=EN, **sent)


def test_pasted_lines_become_a_preview_with_nothing_raw_in_it(client_of):
    answer = preview(client_of("admin"), data={"type": ""}, files={"file": LINE.encode() + b"no line of anything\n"})
    assert answer.status_code == 200
    text = answer.text
    assert "nginx: access log: 50 %" in text
    assert "no quoted request in the line" in text
    assert "source.ip" in text
    assert "phone number: 1" in text
    assert "0912345678" not in text
    assert "<script>alert" not in text
    assert "{{7*7}}" in text  # as text
    assert '<option value="nginx.access" selected>' in text  # of the form that enrols


def test_what_is_tuned_is_said_beside_each_rule(client_of, world):
    [rule] = loads(SQLI).rules
    world.detections.publish([RuleDoc(rule.id, rule.hash, rule.title, rule.level, rule.text)], [])
    body = exception_body(RuleException("x-9", "sqli", "source.ip:203.0.113.7", "scanner", "lan"))
    attack = {"file": LINE.replace("/?sdt", "/?id=1%20UNION%20SELECT&sdt").encode()}
    assert '<span class="tag">Live</span> SQL' in preview(client_of("analyst"), files=attack).text
    world.stores.policies.put(Policy(PolicyKind.EXCEPTION, "x-9", 1, body, "test", 0))
    text = preview(client_of("analyst"), files=attack).text
    assert 'Hidden by an exception <a href="/exceptions/x-9">x-9</a>' in text
    wrong = preview(client_of("analyst"), data={"org": "ninhbinh"}, files=attack)
    assert wrong.status_code == 404
    assert "not one of yours" in wrong.text


def test_an_empty_form_and_binary_are_answered_in_words(client_of):
    assert "no line of text" in preview(client_of("analyst"), files={"file": b""}).text
    assert "binary" in preview(client_of("analyst"), files={"file": bytes(range(256)) * 9}).text
    wrong = preview(client_of("analyst"), data={"zone": "Hanoi"}, files={"file": b"x"})
    assert wrong.status_code == 422
    assert "time zone" in wrong.text


def test_an_analyst_may_look_and_not_enrol(client_of):
    text = client_of("analyst").get("/sources/new", headers=EN).text
    assert 'action="/sources/new"' not in text
    assert "needs the role admin" in text
    assert 'href="/sources/new"' not in client_of("viewer").get("/sources").text
    assert 'href="/sources/new"' in client_of("analyst").get("/sources").text


def test_enrolling_shows_the_token_once_in_its_place(client_of, world):
    client = client_of("admin")
    answer = client.post("/sources/new", data=NEW, headers=EN)
    assert answer.status_code == 201
    token = re.search(r'<pre id="token">(.*?)</pre>', answer.text)[1]
    assert token.startswith("govsoc_src_portal-2~")
    assert f"Authorization: Bearer {token}" in answer.text.replace("&#39;", "'")
    assert answer.headers["cache-control"] == "no-store"
    assert token not in client.get("/sources/portal-2", headers=EN).text
    renewed = client.post("/sources/portal-2/token", data={"action": "renew"}, headers=EN)
    assert re.search(r'<pre id="token">(.*?)</pre>', renewed.text)[1] != token
    assert client.post("/sources/portal-2/token", data={"action": "revoke"}).status_code == 303


def test_what_cannot_be_enrolled_is_said_and_kept_in_the_form(client_of):
    answer = client_of("admin").post("/sources/new", data=NEW | {"name": "Portal X"}, headers=EN)
    assert answer.status_code == 422
    assert "no source name" in answer.text
    assert 'value="Portal X"' in answer.text
    taken = client_of("admin").post("/sources/new", data=NEW | {"name": "hungyen-portal"}, headers=EN)
    assert taken.status_code == 409


def test_the_page_of_a_source_turns_green(client_of, world, tmp_path, pushed):
    client = client_of("viewer")
    assert "Waiting for the first line" in client.get(f"/sources/{pushed}", headers=EN).text
    SqliteHealth(open_collected(tmp_path / "data")).report(
        [SourceHealth(pushed, world.now, world.now, 1, 0, 0.1, lag_ms=5)]
    )
    part = client.get(f"/sources/{pushed}/check", headers=EN).text
    assert "<html" not in part
    assert 'class="fresh live"' in part
    assert "Nothing is left to do." in part


@pytest.mark.parametrize(
    ("health", "vietnamese"),
    [
        ({"problem": "/var/log/x: permission denied"}, "báo có trục trặc"),
        ({"refused": 1, "last_refused": 1_772_452_799_000}, "sai"),
        ({"lag_ms": 7 * 3_600_000}, "múi giờ"),
        ({"lag_ms": -600_000}, "tương lai"),
        ({"lag_ms": 100_000_000}, "đã cũ"),
        ({"dead_rate": 1.0, "dead_reason": "the line is not JSON"}, "không đúng định dạng"),
    ],
)
def test_every_state_has_words_in_vietnamese(client_of, world, tmp_path, pushed, health, vietnamese):
    received = None if "refused" in health else world.now
    state = SourceHealth(pushed, received, received, 1, 0, 1.0, **health)
    SqliteHealth(open_collected(tmp_path / "data")).report([state])
    text = client_of("viewer").get(f"/sources/{pushed}", headers={"accept-language": "vi"}).text
    assert vietnamese in text


def test_a_source_is_switched_off_and_on(client_of, world, pushed):
    client = client_of("admin")
    assert client.post(f"/sources/{pushed}/enabled", data={"enabled": "false"}).status_code == 303
    assert "Switched off" in client.get(f"/sources/{pushed}", headers=EN).text
    assert client.post(f"/sources/{pushed}/enabled", data={"enabled": "true"}).status_code == 303
    assert "Waiting" in client.get(f"/sources/{pushed}", headers=EN).text
