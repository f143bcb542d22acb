"""Why a rule fired on an event of an alert: through the API, and as a page."""

from __future__ import annotations

import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from servers import both_stores

from api.explain import Compiled, Unexplained
from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.desk.cases import MemoryState
from rules.desk.doc import doc_of
from rules.engine import Engine
from rules.load.folders import loads
from soc.model.event import Event, iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.policy import Policy, PolicyKind
from soc.model.source import Source, Transport
from soc.model.tuning import OrgSetting, RuleException, RuleSetting, exception_body, setting_body

EN = {"accept-language": "en"}
SQLI = """\
title: SQL in a request
id: 11111111-1111-4111-8111-111111111111
logsource: {category: webserver}
detection:
  sql: {url.query|contains: union select}
  friend: {user_agent.original: probe}
  condition: sql and not friend
"""
MANY = """\
title: Not found
name: missing
id: 22222222-2222-4222-8222-222222222222
logsource: {category: webserver}
detection:
  s: {http.response.status_code: 404}
  condition: s
---
title: Many not found
id: 33333333-3333-4333-8333-333333333333
correlation: {type: event_count, rules: [missing], group-by: [source.ip], timespan: 1m, condition: {gte: 3}}
"""
MANY_ID = "33333333-3333-4333-8333-333333333333"


def docs_of(text):
    """Rule id -> what is kept of it."""
    ruleset = loads(text)
    assert not ruleset.errors
    known = {rule.id: rule for rule in ruleset.rules}
    return {rule.id: doc_of(rule, known) for rule in ruleset.rules}


def event(org, ts, number, **fields):
    id_ = f"{ts:012x}{number:020x}"
    plain = {name.replace("__", "."): value for name, value in fields.items()}
    whole = {"@timestamp": iso(ts), "event.id": id_, "event.dataset": "nginx.access", "organization.id": org}
    return Event(id_, ts, org, "nginx.access", whole | {"source.ip": "203.0.113.9"} | plain)


def fire(world, doc, events, *, matched=None, keep=True):
    """The alert of these events, raised by that text; `keep`: they are stored."""
    org = events[0].org
    if keep:
        world.log.append(events)
    alert = alert_id(doc.id, org, "203.0.113.9", "2026-03-02")
    findings = [
        Finding(
            finding_id(alert, e.id), alert, doc.id, doc.hash, org, "source.ip", "203.0.113.9", e.ts, e.id,
            matched or {"url.query": e.fields.get("url.query")},
        )
        for e in events
    ]  # fmt: skip
    world.detections.commit(findings, {doc.hash: doc}, {}, {}, None, world.now)
    return alert


def lay_down(world, kind, id_, body):
    world.stores.policies.put(Policy(kind, id_, 1, body, "national", world.now, "because"))


@pytest.fixture
def sqli(world):
    """An alert of a rule that runs, of two events."""
    [doc] = docs_of(SQLI).values()
    world.detections.publish([doc], [])
    hostile = "a<script>alert(1)</script> " * 40
    events = [event("hungyen", world.now - 5000 + i, i, url__query=f"{hostile}' UNION SELECT {i}") for i in range(2)]
    return fire(world, doc, events), events, doc


@pytest.fixture
def many(world):
    """An alert of a correlation: four events within half a minute, and one that was not folded."""
    docs = docs_of(MANY)
    world.detections.publish(list(docs.values()), [])
    start = world.now - 600_000
    events = [
        event("hungyen", start + i * 10_000, i, http__response__status_code=404, event__original=f"GET /{i}.php")
        for i in range(4)
    ]
    matched = {"source.ip": "203.0.113.9", "govsoc.correlation.event_count": 4}
    return fire(world, docs[MANY_ID], events, matched=matched), events, docs


def ask(client, alert, event=None):
    answer = client.get(f"/api/v1/alerts/{alert}/explain", params={"event": event} if event else {})
    assert answer.status_code == 200, answer.text
    return answer.json()


def row(told, name):
    return next(part for part in told["parts"] if part["name"] == name)


@both_stores
def test_each_part_says_what_it_saw_and_where(client_of, sqli):
    alert, events, doc = sqli
    told = ask(client_of("viewer"), alert, events[1].id)
    assert (told["event_id"], told["rule_hash"], told["text"]) == (events[1].id, doc.hash, "then")
    assert (told["changed"], told["runs"], told["fires_now"], told["unexplained"]) == (False, True, None, None)
    shape = [(part["depth"], part["part"], part["name"], part["holds"]) for part in told["parts"]]
    assert shape == [
        (0, "rule", "SQL in a request", True),
        (1, "log_source", "", True),
        (1, "all", "", True),
        (2, "search", "sql", True),
        (3, "check", "url.query", True),
        (2, "not", "", True),
        (3, "search", "friend", False),
        (4, "check", "user_agent.original", False),
    ]
    check = row(told, "url.query")
    assert (check["verb"], check["wanted"], check["seen"]["match"]) == ("contains", "union select", "UNION SELECT")
    assert check["seen"]["after"] == " 1"
    assert check["seen"]["length"] == len(events[1].fields["url.query"])
    assert len(check["seen"]["before"]) < 100
    assert row(told, "user_agent.original")["seen"]["absent"]


def test_without_an_event_it_is_the_first_of_the_alert(client_of, sqli):
    alert, events, _ = sqli
    assert ask(client_of("viewer"), alert)["event_id"] == events[0].id


@both_stores
def test_what_is_not_of_the_alert_or_not_ones_own_is_not_there(client_of, world, sqli):
    alert, events, doc = sqli
    theirs = event("ninhbinh", world.now, 9, url__query="union select")
    their_alert = fire(world, doc, [theirs])
    elsewhere = world.events["hungyen"][0].id  # of the same organisation, and of another alert
    client = client_of("viewer")
    for asked_alert, asked_event in (
        (alert, elsewhere),
        (alert, theirs.id),
        (alert, "f" * 32),
        (their_alert, theirs.id),
        (their_alert, events[0].id),
        ("f" * 24, events[0].id),
    ):
        for path in (f"/api/v1/alerts/{asked_alert}/explain", f"/alerts/{asked_alert}/explain"):
            answer = client.get(path, params={"event": asked_event})
            assert answer.status_code == 404, (path, asked_event)
            assert "union select" not in answer.text
    assert client.get(f"/api/v1/alerts/{alert}/explain?event=x").status_code == 422


def test_masked_data_is_masked_for_every_role(client_of, world):
    [doc] = docs_of(SQLI).values()
    world.detections.publish([doc], [])
    line = (
        b'203.0.113.9 - - [02/Mar/2026:18:59:00 +0700] "GET /?phone=0912345678&q=union+select HTTP/1.1" 200 5 "-" "x"'
    )
    source = Source("hungyen-portal", "Portal", "hungyen", "nginx.access", Transport.FILE, zone="Asia/Ho_Chi_Minh")
    masked = to_event(Record(line, "0"), source, Masker(world.keys.key("hungyen")), world.now)
    assert not masked.dead
    alert = fire(world, doc, [masked])
    for role in ("viewer", "analyst", "admin", "national"):
        told = ask(client_of(role), alert)
        shown = row(told, "url.query")["seen"]
        assert shown["before"] + shown["match"] + shown["after"] == masked.fields["url.query"]
        for path in (f"/api/v1/alerts/{alert}/explain", f"/alerts/{alert}/explain"):
            assert "0912345678" not in client_of(role).get(path).text


def test_a_text_that_has_changed_since_is_said_and_the_old_one_is_explained(client_of, world, sqli):
    alert, _, _ = sqli
    [other] = docs_of(SQLI.replace("union select", "drop table")).values()
    world.detections.publish([other], [])
    told = ask(client_of("viewer"), alert)
    assert (told["text"], told["changed"], told["fires_now"]) == ("then", True, False)
    assert row(told, "url.query")["wanted"] == "union select"
    assert (
        "By the text of now it would not fire." in client_of("viewer").get(f"/alerts/{alert}/explain", headers=EN).text
    )
    [other] = docs_of(SQLI.replace("union select", "union")).values()
    world.detections.publish([other], [])
    assert ask(client_of("viewer"), alert)["fires_now"] is True
    world.detections.publish([], [])
    told = ask(client_of("viewer"), alert)
    assert (told["text"], told["changed"], told["runs"]) == ("then", False, False)


def test_where_the_old_text_does_not_compile_any_more_that_of_now_is_shown(client_of, world):
    [doc] = docs_of(SQLI).values()
    broken = replace(doc, hash="old", text="title: x\ndetection: 7\n")
    alert = fire(world, broken, [event("hungyen", world.now - 5000, 1, url__query="union select")])
    world.detections.publish([doc], [])
    told = ask(client_of("viewer"), alert)
    assert (told["text"], told["changed"], told["unexplained"]) == ("now", True, None)
    page = client_of("viewer").get(f"/alerts/{alert}/explain", headers=EN).text
    assert "this is by the text of now" in page
    world.detections.publish([broken], [])
    told = ask(client_of("viewer"), alert)
    assert (told["unexplained"], told["parts"]) == (Unexplained.BROKEN, [])
    assert told["fault"]
    assert "cannot be compiled any more" in client_of("viewer").get(f"/alerts/{alert}/explain", headers=EN).text


def test_an_event_that_retention_has_deleted_cannot_be_explained(client_of, world):
    [doc] = docs_of(SQLI).values()
    alert = fire(world, doc, [event("hungyen", world.now - 5000, 1, url__query="union select")], keep=False)
    assert ask(client_of("viewer"), alert)["unexplained"] == Unexplained.DELETED
    assert "Retention has deleted" in client_of("viewer").get(f"/alerts/{alert}/explain", headers=EN).text


def test_an_event_too_large_for_the_rule_is_refused_before_it_is_read(client_of, world, monkeypatch, sqli):
    monkeypatch.setattr("api.explain.MOST_CHARACTERS", 1000)
    told = ask(client_of("viewer"), sqli[0])
    assert (told["unexplained"], told["parts"]) == (Unexplained.TOO_LARGE, [])


@both_stores
def test_a_correlation_shows_its_group_its_window_and_what_it_counted(client_of, many):
    alert, events, docs = many
    told = ask(client_of("viewer"), alert, events[3].id)
    one = told["correlated"]
    assert one["group"] == {"source.ip": "203.0.113.9"}
    assert one["asked_then"] == one["asked_now"] == "event_count gte 3 within 60 s"
    assert one["counted_then"] == 4
    assert one["window"] == {
        "since": iso(events[3].ts - 60_000),
        "until": iso(events[3].ts),
        "counted": 4,
        "events": 4,
    }
    base = next(id_ for id_ in docs if id_ != MANY_ID)
    assert [(e["event_id"], e["bases"]) for e in one["events"]] == [(e.id, [base]) for e in events]
    assert [part["part"] for part in told["parts"][:3]] == ["correlation", "base", "rule"]
    first = ask(client_of("viewer"), alert, events[0].id)["correlated"]["window"]  # that of the first hit that holds it
    assert (first["until"], first["counted"]) == (iso(events[2].ts), 3)


def test_what_the_engine_raises_is_what_is_explained(client_of, world):
    """Every event that the engine folds: its tree holds, and its window comes to what the engine counted."""
    ruleset = loads(MANY)
    docs = docs_of(MANY)
    world.detections.publish(list(docs.values()), [])
    times = [0, 5, 12, 40, 80, 200, 205, 210, 400]  # the last one is in no window of a hit
    start = world.now - 3_600_000
    events = [event("hungyen", start + s * 1000, s, http__response__status_code=404) for s in times]
    world.log.append(events)
    engine = Engine(ruleset, ZoneInfo("Asia/Ho_Chi_Minh"))
    found = engine.correlate(engine.match(events), MemoryState())
    world.detections.commit(found, {docs[MANY_ID].hash: docs[MANY_ID]}, {}, {}, None, world.now)
    assert {finding.ts for finding in found} >= {one.ts for one in events[:4]}
    for finding in found:
        told = ask(client_of("viewer"), finding.alert_id, finding.event_id)
        assert told["parts"][0]["holds"]
        one = told["correlated"]
        assert one["whole"]
        assert one["window"]["counted"] >= 3
        if one["counted_then"] is not None and one["window"]["until"] == iso(finding.ts):
            assert one["window"]["counted"] == one["counted_then"]
    alone = events[-1]
    assert client_of("viewer").get(f"/api/v1/alerts/{found[0].alert_id}/explain?event={alone.id}").status_code == 404


def test_a_correlation_that_asks_for_more_by_now_says_both(client_of, world, many):
    alert, events, _ = many
    lay_down(
        world, PolicyKind.RULE, MANY_ID, setting_body(RuleSetting(MANY_ID, orgs={"hungyen": OrgSetting(threshold=9)}))
    )
    one = ask(client_of("viewer"), alert, events[3].id)["correlated"]
    assert (one["asked_then"], one["asked_now"]) == ("event_count gte 3 within 60 s", "event_count gte 9 within 60 s")
    assert one["window"] is None
    assert len(one["events"]) == 4
    page = client_of("viewer").get(f"/alerts/{alert}/explain", headers=EN).text
    assert "these events are no hit" in page


def test_more_events_than_are_looked_at_are_said(client_of, monkeypatch, many):
    monkeypatch.setattr("api.explain.MOST_EVENTS", 2)
    monkeypatch.setattr("api.explain._PAGE", 2)
    one = ask(client_of("viewer"), many[0])["correlated"]
    assert (one["whole"], one["window"], one["counted_then"]) == (False, None, 4)


@pytest.mark.parametrize("path", ["/api/v1/alerts/{}/explain", "/alerts/{}/explain"])
def test_an_exception_that_would_hide_it_now_is_named(client_of, world, sqli, path):
    alert, _, doc = sqli
    page = path.format(alert)
    assert "our scanner" not in client_of("viewer").get(page, headers=EN).text
    for id_, org, condition in (
        ("mine", "hungyen", "source.ip:203.0.113.9"),
        ("theirs", "ninhbinh", "url.query:*"),
    ):
        one = RuleException(id_, doc.id, condition, f"our scanner <{org}>", "lan", frozenset({org}))
        lay_down(world, PolicyKind.EXCEPTION, id_, exception_body(one))
    shown = client_of("viewer").get(page, headers=EN).text
    assert "source.ip:203.0.113.9" in shown
    assert "our scanner" in shown
    assert "ninhbinh" not in shown
    assert "<hungyen>" not in shown or path.startswith("/api")


def test_what_narrows_the_rule_and_what_switches_it_off_is_said(client_of, world, sqli):
    alert, _, doc = sqli
    own = OrgSetting(enabled=False, only='NOT source.ip:"203.0.113.9"')
    lay_down(world, PolicyKind.RULE, doc.id, setting_body(RuleSetting(doc.id, orgs={"hungyen": own})))
    [tuned] = ask(client_of("viewer"), alert)["tuned"]
    assert (tuned["only"], tuned["outside"], tuned["enabled"]) == ('NOT source.ip:"203.0.113.9"', True, False)
    page = client_of("viewer").get(f"/alerts/{alert}/explain", headers=EN).text
    assert "this event would be left out now" in page
    assert "switched off for this organisation" in page


def test_an_exception_of_what_a_correlation_counts_is_part_of_why(client_of, world, many):
    alert, _, docs = many
    base = next(id_ for id_ in docs if id_ != MANY_ID)
    one = RuleException("b", base, "source.ip:203.0.113.9", "our scanner", "lan", frozenset({"hungyen"}))
    lay_down(world, PolicyKind.EXCEPTION, "b", exception_body(one))
    tuned = {one["rule_id"]: one for one in ask(client_of("viewer"), alert)["tuned"]}
    assert tuned[base]["exception"]["reason"] == "our scanner"
    assert tuned[base]["base"]
    assert tuned[MANY_ID]["exception"] is None


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_page_marks_what_matched_and_escapes_everything(client_of, sqli, language):
    text = client_of("viewer").get(f"/alerts/{sqli[0]}/explain", headers={"accept-language": language}).text
    part = text[text.index('id="explained"') :]
    assert "<mark>UNION SELECT</mark>" in part
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in part
    words = {"vi": ("chứa", "sự kiện không có trường này"), "en": ("contains", "the event has no such field")}
    assert all(word in part for word in words[language])


def test_the_alerts_page_loads_it_where_somebody_asks(client_of, sqli):
    alert, events, _ = sqli
    text = client_of("viewer").get(f"/alerts/{alert}", headers=EN).text
    address = f"/alerts/{alert}/explain?event={events[0].id}"
    assert f'hx-get="{address}" hx-trigger="toggle once"' in text
    assert f'<a href="{address}">Why did this rule fire?' in text  # without scripts
    assert 'class="tree"' not in text
    assert "on" + "click" not in text
    assert re.search(r"style=", text) is None


def test_of_compiled_rules_the_last_few_are_kept():
    compiled = Compiled()
    docs = [docs_of(SQLI.replace("union", f"u{n}"))["11111111-1111-4111-8111-111111111111"] for n in range(3)]
    kept = [compiled.ruleset([doc]) for doc in docs]
    assert compiled.ruleset([docs[0]]) is kept[0]
