"""Tuning on pages: the form from an alert with its numbers, the rule's page, refusals that keep what was typed; in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from api.console.tuning import suggested
from api.tuning import preview
from soc.model.alert import Decision, Status, Verdict
from soc.model.asked import Asked
from soc.model.finding import Finding
from soc.model.org import EVERYTHING
from soc.model.tuning import Hidden
from soc.query.parse import parse

NOW = 1_772_452_800_000
EN = {"accept-language": "en"}
RULE = "/rules/web-sqli"
HOSTILE = "<script>alert('xss')</script>"


def close(world, verdict):
    world.stores.triage.change(
        world.alerts["hungyen"], Decision(status=Status.CLOSED, verdict=verdict), by="x", now=NOW
    )


def test_the_form_is_filled_in_from_what_matched_with_the_numbers(signed_in, world):
    client, path = signed_in("admin"), f"/alerts/{world.alerts['hungyen']}"
    assert f"{path}/exception" in client.get(path).text
    text = client.get(f"{path}/exception", headers=EN).text
    assert "source.ip:&#34;203.0.113.7&#34; AND url.query:&#34;id=0 UNION SELECT 1&#34;" in text
    assert HOSTILE not in text
    preview = text[text.index('id="preview"') :]
    assert re.findall(r"<dd>(\d+)</dd>", preview) == ["1", "0", "0", "1"]
    wider = client.post(
        f"{path}/exception",
        data={"action": "preview", "condition": "source.ip:203.0.113.7", "orgs": "hungyen"},
        headers=EN,
    )
    assert re.findall(r"<dd>(\d+)</dd>", wider.text[wider.text.index('id="preview"') :]) == ["25", "1", "0", "1"]
    vietnamese = client.get(f"{path}/exception").text
    assert "Trong 30 ngày qua" in vietnamese
    assert "Tạo ngoại lệ" in vietnamese


def test_an_exception_is_saved_shown_and_withdrawn(signed_in, world):
    client, path = signed_in("admin"), f"/alerts/{world.alerts['hungyen']}/exception"
    form = {"action": "save", "condition": "source.ip:203.0.113.7", "orgs": "hungyen", "days": 7}
    unsaid = client.post(path, data=form, headers=EN)
    assert unsaid.status_code == 422
    assert "say why" in unsaid.text
    saved = client.post(path, data=form | {"reason": "our <scanner>"}, headers=EN)
    assert (saved.status_code, saved.headers["location"]) == (303, f"{RULE}#exceptions")
    [made] = [one for one in client.get("/api/v1/exceptions").json()["items"] if one["created_from"]]
    assert made["created_from"] == world.alerts["hungyen"]
    world.detections.commit([], {}, {}, {}, None, NOW, [Hidden("web-sqli", made["id"], "hungyen", "2026-03-02", 1234)])
    page = client.get(RULE, headers=EN).text
    assert "our &lt;scanner&gt; · admin" in page
    assert "1,234" in page
    assert "09/03/2026" in client.get(RULE).text
    gone = client.post(f"/exceptions/{made['id']}/withdraw", data={"version": made["version"], "reason": "sold"})
    assert gone.headers["location"] == f"{RULE}#exceptions"
    assert made["id"] not in client.get(RULE, headers=EN).text
    assert client.post(f"/exceptions/{made['id']}/withdraw", data={"version": 2, "reason": "again"}).status_code == 404
    kept = client.get(f"/exceptions/{made['id']}", headers=EN).text
    assert "- condition: source.ip:203.0.113.7" in kept
    assert "withdrawn" in kept
    assert "đã thu hồi" in client.get(f"/exceptions/{made['id']}").text
    assert signed_in("outsider").get(f"/exceptions/{made['id']}").status_code == 404


def test_true_alerts_ask_for_one_more_reason(signed_in, world):
    close(world, Verdict.TRUE_POSITIVE)
    client, path = signed_in("admin"), f"/alerts/{world.alerts['hungyen']}/exception"
    form = {"action": "save", "condition": "source.ip:203.0.113.7", "orgs": "hungyen", "reason": "typed at 3 a.m."}
    refused = client.post(path, data=form, headers=EN)
    assert refused.status_code == 422
    assert "1 of them confirmed true" in refused.text
    assert "typed at 3 a.m.</textarea>" in refused.text
    assert 'name="confirm"' in refused.text
    assert client.post(path, data=form | {"confirm": "an exercise"}).status_code == 303


def test_too_much_to_look_at_asks_for_one_more_reason_before_it_is_saved(signed_in, world, monkeypatch):
    monkeypatch.setattr(preview, "MOST_FINDINGS", 20)
    monkeypatch.setattr(preview, "_PAGE", 10)
    client, path = signed_in("admin"), f"/alerts/{world.alerts['hungyen']}/exception"
    form = {"condition": "source.ip:203.0.113.7", "orgs": "hungyen", "reason": "x"}
    looked = client.post(path, data=form | {"action": "preview"}, headers=EN).text
    assert "Only the first 20 findings were looked at." in looked
    assert 'name="confirm"' in looked
    assert client.post(path, data=form | {"action": "save"}).status_code == 422
    assert client.post(path, data=form | {"action": "save", "confirm": "ours"}).status_code == 303


@pytest.mark.parametrize(("form", "status"), [
    ({"condition": "*"}, 400), ({"condition": "(" * 900}, 400), ({"orgs": ""}, 403), ({"orgs": "hungyen ninhbinh"}, 403),
    ({"condition": "x" * 2001}, 422), ({"days": -1}, 422), ({"condition": "<script>x"}, 400),
])  # fmt: skip
def test_what_is_wrong_comes_back_with_the_form(signed_in, world, form, status):
    client, path = signed_in("admin"), f"/alerts/{world.alerts['hungyen']}/exception"
    before = world.stores.policies.revision()
    answer = client.post(
        path, data={"action": "save", "condition": "source.ip:203.0.113.7", "orgs": "hungyen", "reason": "x"} | form
    )
    assert answer.status_code == status
    assert "<script>x" not in answer.text
    assert world.stores.policies.revision() == before


def test_stage_and_overrides_on_the_rules_page(signed_in, world):
    national, admin = signed_in("national"), signed_in("admin")
    assert 'name="stage"' not in admin.get(RULE).text
    moved = national.post(
        f"{RULE}/setting", data={"version": 0, "stage": "test", "level": "low", "reason": "too noisy"}
    )
    assert moved.headers["location"] == f"{RULE}#tuning"
    own = admin.post(f"{RULE}/setting", data={"version": 1, "org": "hungyen", "level": "critical", "reason": "ours"})
    assert own.status_code == 303
    page = national.get(RULE, headers=EN).text
    assert "In test" in page
    assert "+ orgs.hungyen.enabled: no" in page
    assert "- stage: live\n+ stage: test" in page
    assert "too noisy" in page
    assert "Thử nghiệm" in national.get("/rules").text
    stale = admin.post(
        f"{RULE}/setting", data={"version": 1, "org": "hungyen", "enabled": "true", "reason": "x"}, headers=EN
    )
    assert stale.status_code == 409
    assert "changed rule web-sqli meanwhile" in stale.text
    theirs = admin.post(f"{RULE}/setting", data={"version": 2, "org": "ninhbinh", "reason": "x"})
    assert theirs.status_code == 403
    assert admin.post(f"{RULE}/setting", data={"version": 2, "org": "hungyen", "reason": " "}).status_code == 422


def test_viewers_and_analysts_see_how_a_rule_is_tuned_and_no_forms(signed_in):
    for name in ("viewer", "analyst"):
        page = signed_in(name).get(RULE, headers=EN).text
        assert "scanner of hungyen" in page
        assert "ninhbinh" not in page
        assert "/withdraw" not in page
        assert "/setting" not in page


def test_the_ratio_is_shown_with_its_interval_or_as_too_few(signed_in, world):
    client = signed_in("viewer")
    assert "too few verdicts" in client.get("/rules", headers=EN).text
    for n in range(10):
        alert = world.fire("hungyen", 1, f"198.51.100.{n}")
        world.stores.triage.change(
            alert,
            Decision(status=Status.CLOSED, verdict=Verdict.FALSE_POSITIVE if n < 5 else Verdict.BENIGN),
            by="x",
            now=NOW,
        )
    for path in ("/rules", RULE):
        text = client.get(path, headers=EN).text
        assert "50 %" in text
        assert "24–76 %" in text


@pytest.mark.parametrize("value", ['a "quoted" \\ path', "x:y (z) AND", "*", "đường dẫn"])
def test_what_is_suggested_finds_what_it_is_made_from(world, value):
    alert = world.stores.alerts.get(world.alerts["hungyen"], EVERYTHING)
    matched = {"url.path": value, "govsoc.correlation.event_count": 7, "empty": "", "list": ["a"], "flag": True}
    finding = Finding("f", alert.id, "web-sqli", "h", "hungyen", "source.ip", "203.0.113.7", NOW, "e", matched)
    from soc.query.evaluate import matches

    query = parse(suggested(alert, finding))
    assert matches(query, {"source.ip": "203.0.113.7", "url.path": value})
    assert not matches(query, {"source.ip": "203.0.113.8", "url.path": value})
    assert not matches(query, {"source.ip": "203.0.113.7", "url.path": "other"})


def test_threshold_window_and_what_narrows_the_rule_on_its_page(signed_in, world):
    rule = world.stores.alerts.running()[0][0]
    client = signed_in("national")
    assert 'name="threshold"' not in client.get(RULE).text, "it looks at single events"
    assert 'name="only"' in client.get(RULE).text
    asked = Asked("event_count", "gte", 20, 600, 1)
    world.detections.publish([replace(rule, bases=("base",), group_by=("source.ip",), asked=asked)], [])
    page = client.get(RULE, headers=EN).text
    assert "event_count gte 20, 10m" in page
    assert "events that the shorter one had forgotten do not count any more" in page
    form = {"version": 0, "threshold": "30", "timespan": "2h", "only": "NOT source.ip:10.0.0.0/8", "reason": "x"}
    assert client.post(f"{RULE}/setting", data=form).status_code == 303
    own = {"version": 1, "org": "hungyen", "enabled": "true", "threshold": "5", "reason": "x"}
    assert client.post(f"{RULE}/setting", data=own).status_code == 303
    page = client.get(RULE, headers=EN).text
    assert 'name="threshold" value="30"' in page
    assert 'name="timespan" value="2h"' in page
    assert "<td>hungyen</td><td>on</td>" in page
    wrong = client.post(f"{RULE}/setting", data=form | {"version": 2, "timespan": "<b>"}, headers=EN)
    assert wrong.status_code == 422
    assert "a window is a number with a unit" in wrong.text
    assert 'name="timespan" value="&lt;b&gt;"' in wrong.text
    vi = client.post(
        f"{RULE}/setting", data=form | {"version": 2, "threshold": "0.5"}, headers={"accept-language": "vi"}
    )
    assert "ngưỡng của luật này (event_count) là một số nguyên từ 0 đến 10000" in vi.text


def test_an_exception_has_the_owner_that_the_form_names(signed_in, world):
    client, path = signed_in("admin"), f"/alerts/{world.alerts['hungyen']}/exception"
    assert 'name="owner" value="admin"' in client.get(path).text
    form = {"action": "save", "condition": "source.ip:203.0.113.77", "orgs": "hungyen", "reason": "ours"}
    assert client.post(path, data=form | {"owner": "analyst"}).status_code == 303
    assert "ours · analyst" in client.get(RULE).text
    refused = client.post(path, data=form | {"owner": "nobody"})
    assert refused.status_code == 422
    assert 'name="owner" value="nobody"' in refused.text


def test_the_numbers_of_what_exceptions_hide_renew_themselves(signed_in):
    page = signed_in("viewer").get(RULE).text
    [asked] = re.findall(r'hx-swap="none" hx-select-oob="([^"]*)"', page)
    cells = re.findall(r'<td class="n" id="(hidden-[^"]*)">', page)
    assert cells
    assert asked.split(",") == [f"#{cell}" for cell in cells]
