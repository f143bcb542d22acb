"""Stages, overrides and exceptions through the API: who may, what it would have hidden, what is refused, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.tuning import exceptions, preview
from api.tuning.budget import days_in
from api.tuning.history import revisions
from api.tuning.ratio import ratio, wilson
from rules.desk.tuning import Tuning
from soc.backtest.jobs import Job, new_id
from soc.model.alert import Decision, Status, Verdict
from soc.model.asked import Asked, Bounds
from soc.model.finding import alert_id_in_test
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc, Stage
from soc.model.tuning import OUTSIDE, Hidden, setting_of

NOW = 1_772_452_800_000  # of the country of these tests
RULE = "web-sqli"
EXCEPTIONS, SETTING = "/api/v1/exceptions", f"/api/v1/rules/{RULE}/setting"
DAY = 86_400_000
NOTHING = {"threshold": None, "timespan_s": None, "only": None}


def proposal(condition="source.ip:203.0.113.7", **more):
    return {"rule_id": RULE, "condition": condition, "orgs": ["hungyen"], "reason": "our scanner"} | more


def setting(version=0, stage="live", **more):
    return {"version": version, "stage": stage, "reason": "why not"} | more


def closed(world, verdict, org="hungyen"):
    world.stores.triage.change(
        world.alerts[org], Decision(status=Status.CLOSED, verdict=verdict), by="analyst", now=NOW
    )


@pytest.fixture
def rule(world):
    return world.stores.alerts.running()[0][0]


# Preview


def test_the_preview_counts_events_and_alerts_and_names_those_confirmed_true(client_of, world):
    world.fire("hungyen", 4, "198.51.100.5")
    client = client_of("admin")
    seen = client.post(f"{EXCEPTIONS}/preview", json=proposal()).json()
    assert (seen["examined"], seen["events"], seen["alerts"], seen["confirmed"]) == (29, 25, 1, [])
    closed(world, Verdict.TRUE_POSITIVE)
    seen = client.post(f"{EXCEPTIONS}/preview", json=proposal()).json()
    assert seen["confirmed"] == [world.alerts["hungyen"]]
    assert seen["complete"] is True


def test_an_alert_that_keeps_events_is_touched_not_hidden(client_of, world):
    closed(world, Verdict.TRUE_POSITIVE)
    query = 'url.query:"id=3 UNION SELECT 1" OR url.query:"id=4 UNION SELECT 1"'
    seen = client_of("admin").post(f"{EXCEPTIONS}/preview", json=proposal(query)).json()
    assert (seen["events"], seen["alerts"], seen["touched"], seen["confirmed"]) == (2, 0, 1, [])


def test_the_preview_keeps_to_the_organisations_and_the_days(client_of, world):
    everywhere = client_of("national").post(f"{EXCEPTIONS}/preview", json=proposal(orgs=[])).json()
    assert (everywhere["events"], everywhere["alerts"]) == (50, 2)
    world.now = NOW + 31 * DAY
    assert client_of("national").post(f"{EXCEPTIONS}/preview", json=proposal(orgs=[])).json()["examined"] == 0


def test_a_correlation_is_asked_what_it_groups_by_and_its_base_rule_by_its_events(client_of, world, rule):
    base = replace(rule, id="base", hash="h-base", silent=True)
    rule = replace(rule, bases=("base",), group_by=("source.ip",), at_least=20)
    rule = replace(rule, asked=Asked("event_count", "gte", 20, 600, 1))
    world.detections.publish([base, rule], [])
    client = client_of("admin")
    refused = client.post(f"{EXCEPTIONS}/preview", json=proposal('url.query:"id=1"'))
    assert refused.status_code == 422
    assert "by source.ip" in refused.json()["detail"]
    assert "base" in refused.json()["detail"]
    world.fire(
        "hungyen", 30, "198.51.100.5", counted={"source.ip": "198.51.100.5", "govsoc.correlation.event_count": 30}
    )
    grouped = client.post(f"{EXCEPTIONS}/preview", json=proposal("source.ip:198.51.100.5")).json()
    assert (grouped["events"], grouped["alerts"]) == (30, 1)
    some = " OR ".join(f'url.query:"id={n} UNION SELECT 1"' for n in range(8))  # of 25 and of 30: 17 and 22 are left
    single = client.post(f"{EXCEPTIONS}/preview", json=proposal(some) | {"rule_id": "base"}).json()
    assert (single["events"], single["alerts"], single["touched"]) == (16, 1, 2)
    for version, (threshold, lost) in enumerate([(17, 0), (23, 2)]):
        own = {"hungyen": {"threshold": threshold}}
        assert client.put(SETTING, json=setting(version, orgs=own)).status_code == 200
        single = client.post(f"{EXCEPTIONS}/preview", json=proposal(some) | {"rule_id": "base"}).json()
        assert single["alerts"] == lost, "by the threshold that holds there"


def test_findings_whose_events_are_gone_are_said_and_not_judged(client_of, world, monkeypatch):
    monkeypatch.setattr(world.stores.events, "many", lambda ids, scope: [], raising=True)
    seen = (
        client_of("admin")
        .post(f"{EXCEPTIONS}/preview", json=proposal("NOT url.path:/x AND source.ip:203.0.113.7"))
        .json()
    )
    assert (seen["gone"], seen["events"], seen["alerts"]) == (25, 0, 0)


# Exceptions


def test_hiding_what_was_confirmed_true_needs_a_reason(client_of, world):
    closed(world, Verdict.TRUE_POSITIVE)
    client = client_of("admin")
    refused = client.post(EXCEPTIONS, json=proposal())
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:govsoc:problem:needs-reason")
    assert "25 events and 1 alerts in 30 days, 1 of them confirmed true" in refused.json()["detail"]
    assert world.alerts["hungyen"] in refused.json()["detail"]
    made = client.post(EXCEPTIONS, json=proposal(confirm_reason="it was the yearly exercise"))
    assert made.status_code == 201
    entry = world.stores.audit.list(limit=1).items[0]
    assert (entry.by, entry.action, entry.target) == ("admin", "exception.create", made.json()["id"])
    assert "yearly exercise" in entry.detail


def test_an_exception_is_made_changed_and_withdrawn_with_its_history(client_of, world):
    client = client_of("admin")
    alert = world.alerts["hungyen"]
    made = client.post(EXCEPTIONS, json=proposal(expires_at="2026-03-03T00:00:00Z", created_from=alert)).json()
    assert (made["version"], made["owner"], made["created_from"], made["over"]) == (1, "admin", alert, False)
    path = f"{EXCEPTIONS}/{made['id']}"
    changed = client.put(path, json=proposal("source.ip:203.0.113.8", version=1, why="it moved"))
    assert changed.status_code == 200
    assert client.put(path, json=proposal(version=1, why="at once")).status_code == 409
    assert client.put(path, json=proposal(version=2, why="x", rule_id="other")).status_code == 422
    assert client.post(f"{path}/withdraw", json={"version": 2, "reason": "scanner sold"}).status_code == 204
    assert client.get(path).status_code == 404
    assert path.rpartition("/")[2] not in client.get(EXCEPTIONS).text
    first, second, third = client.get(f"{path}/history").json()["items"]
    assert [(r["version"], r["by"], r["withdrawn"]) for r in (first, second, third)] == [
        (1, "admin", False), (2, "admin", False), (3, "admin", True),
    ]  # fmt: skip
    assert {line["field"]: (line["old"], line["new"]) for line in second["lines"]} == {
        "condition": ("source.ip:203.0.113.7", "source.ip:203.0.113.8"),
        "expires_at": ("2026-03-03T00:00:00.000Z", None),
        "created_from": (alert, None),
    }
    assert "- condition: source.ip:203.0.113.7\n+ condition: source.ip:203.0.113.8" in second["diff"]
    assert third["reason"] == "scanner sold"
    actions = [entry.action for entry in world.stores.audit.list(limit=3).items]
    assert actions == ["exception.withdraw", "exception.change", "exception.create"]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"condition": "*"}, 400), ({"condition": "scanner"}, 400), ({"condition": "(" * 300}, 400), ({"condition": "a" * 2001}, 422),
        ({"condition": "user.name:x OR *"}, 400), ({"condition": " OR ".join(["a:b"] * 201)}, 400), ({"rule_id": "nothing"}, 404),
        ({"reason": ""}, 422), ({"expires_at": "2026-03-02T11:59:59Z"}, 422), ({"owner": "nobody"}, 422), ({"orgs": []}, 403),
        ({"orgs": ["hungyen", "ninhbinh"]}, 403), ({"created_from": "0" * 24}, 404), ({"extra": 1}, 422), ({"orgs": ["x"] * 501}, 422),
        ({"expires_at": "2026-03-03"}, 422),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_and_changes_nothing(client_of, world, wrong, status):
    before = world.stores.policies.revision()
    for path in (EXCEPTIONS, f"{EXCEPTIONS}/preview"):
        answer = client_of("admin").post(path, json=proposal() | wrong)
        assert answer.status_code == status, answer.text
        assert answer.json()["detail"]
    assert world.stores.policies.revision() == before


def test_an_alert_of_another_organisation_or_rule_is_no_reason(client_of, world, rule):
    theirs = client_of("admin").post(EXCEPTIONS, json=proposal(created_from=world.alerts["ninhbinh"]))
    assert theirs.status_code == 404
    world.detections.publish([rule, replace(rule, id="other", hash="h")], [])
    other = client_of("admin").post(EXCEPTIONS, json=proposal(created_from=world.alerts["hungyen"], rule_id="other"))
    assert other.status_code == 422


def test_what_holds_for_others_too_is_seen_by_its_part_and_changed_by_who_sees_all(client_of, world):
    national = client_of("national")
    both = national.post(EXCEPTIONS, json=proposal(orgs=["hungyen", "ninhbinh"])).json()["id"]
    everywhere = national.post(EXCEPTIONS, json=proposal("source.ip:192.0.2.1", orgs=[])).json()["id"]
    client = client_of("admin")
    seen = {item["id"]: item["orgs"] for item in client.get(EXCEPTIONS).json()["items"]}
    assert seen == {both: ["hungyen"], everywhere: [], "x-1": ["hungyen"], "y-1": ["hungyen"]}
    assert "ninhbinh" not in client.get(f"{EXCEPTIONS}/{both}/history").text
    for id_ in (both, everywhere):
        assert client.put(f"{EXCEPTIONS}/{id_}", json=proposal(version=1, why="mine")).status_code == 403
        assert client.post(f"{EXCEPTIONS}/{id_}/withdraw", json={"version": 1, "reason": "no"}).status_code == 403
    moved = national.put(
        f"{EXCEPTIONS}/{both}", json=proposal("user.name:secret", orgs=["ninhbinh"], version=1, why="theirs")
    )
    assert moved.status_code == 200
    assert client.get(f"{EXCEPTIONS}/{both}").status_code == 404
    kept = client.get(f"{EXCEPTIONS}/{both}/history")
    assert "secret" not in kept.text
    assert len(kept.json()["items"]) == 2, "made, and gone for us"


def test_what_could_not_be_looked_at_needs_a_reason_as_well(client_of, world, monkeypatch):
    monkeypatch.setattr(preview, "MOST_FINDINGS", 20)
    monkeypatch.setattr(preview, "_PAGE", 10)
    client = client_of("admin")
    refused = client.post(EXCEPTIONS, json=proposal())
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:govsoc:problem:needs-reason")
    assert "only the first 20 findings could be looked at" in refused.json()["detail"]
    assert client.post(EXCEPTIONS, json=proposal(confirm_reason="it is our scanner")).status_code == 201


def test_what_one_organisation_lays_down_takes_no_room_from_another(client_of, world, monkeypatch):
    """Each of the two has two already."""
    monkeypatch.setattr(exceptions, "MAX_OF_RULE", 3)
    ours, theirs = client_of("admin"), client_of("outsider")
    assert ours.post(EXCEPTIONS, json=proposal()).status_code == 201
    full = ours.post(EXCEPTIONS, json=proposal("source.ip:192.0.2.1"))
    assert full.status_code == 422
    assert "3 exceptions of this rule" in full.json()["detail"]
    assert "for hungyen" in full.json()["detail"]
    assert theirs.post(EXCEPTIONS, json=proposal(orgs=["ninhbinh"])).status_code == 201
    national = client_of("national")
    made = national.post(EXCEPTIONS, json=proposal(orgs=[])).json()
    both = {"orgs": ["hungyen", "ninhbinh"], "version": 1, "why": "only these"}
    assert national.put(f"{EXCEPTIONS}/{made['id']}", json=proposal() | both).status_code == 422, (
        "full by a change, too"
    )
    kept = proposal("source.ip:192.0.2.7", version=1, why="it moved")
    assert ours.put(f"{EXCEPTIONS}/x-1", json=kept).status_code == 200, "one that is there may change"
    monkeypatch.setattr(exceptions, "MAX_OF_RULE", 200)
    monkeypatch.setattr(exceptions, "MAX_OF_ORG", 3)
    assert ours.post(EXCEPTIONS, json=proposal("source.ip:192.0.2.1")).status_code == 422


def test_who_answers_for_it_is_no_way_to_ask_for_names(client_of, world):
    client = client_of("admin")
    said = {
        owner: client.post(EXCEPTIONS, json=proposal(owner=owner)).json()["detail"] for owner in ("nobody", "outsider")
    }
    assert said["nobody"].replace("nobody", "outsider") == said["outsider"]
    assert client.post(EXCEPTIONS, json=proposal(owner="viewer")).status_code == 422
    assert client.post(EXCEPTIONS, json=proposal(owner="analyst")).status_code == 201
    everywhere = client_of("national").post(EXCEPTIONS, json=proposal(orgs=[], owner="admin"))
    assert (everywhere.status_code, "all organisations" in everywhere.json()["detail"]) == (422, True)


# Settings


def test_a_rule_goes_to_test_and_its_alerts_out_of_the_queue(client_of, world):
    client = client_of("national")
    assert client.put(SETTING, json=setting(stage="test")).json()["version"] == 1
    assert client.put(SETTING, json=setting(stage="live")).status_code == 409
    assert client.get("/api/v1/rules").json()["items"][0]["stage"] == "test"
    detail = client.get(f"/api/v1/rules/{RULE}").json()
    assert [line["field"] for line in detail["history"][0]["lines"]] == ["stage"]
    entry = world.stores.audit.list(limit=1).items[0]
    assert (entry.action, entry.target) == ("rule.setting", RULE)


def test_who_administers_some_organisations_sets_what_these_have(client_of, world):
    admin, outsider, national = client_of("admin"), client_of("outsider"), client_of("national")
    assert admin.put(SETTING, json=setting(stage="test")).status_code == 403
    assert admin.put(SETTING, json=setting(level="low")).status_code == 403
    assert admin.put(SETTING, json=setting(orgs={"ninhbinh": {"enabled": False}})).status_code == 403
    assert admin.put(SETTING, json=setting(orgs={"hungyen": {"enabled": False}})).status_code == 200
    seen = outsider.get(f"/api/v1/rules/{RULE}").json()
    assert (seen["setting"]["orgs"], seen["history"]) == ({}, [])
    assert outsider.put(SETTING, json=setting(1, orgs={"ninhbinh": {"level": "low"}})).status_code == 200
    whole = national.get(f"/api/v1/rules/{RULE}").json()["setting"]
    assert whole["orgs"] == {
        "hungyen": {"enabled": False, "level": None, **NOTHING},
        "ninhbinh": {"enabled": True, "level": "low", **NOTHING},
    }
    assert admin.put(SETTING, json=setting(2)).json()["orgs"] == {}
    assert national.get(f"/api/v1/rules/{RULE}").json()["setting"]["orgs"].keys() == {"ninhbinh"}
    assert "ninhbinh" not in admin.get(f"/api/v1/rules/{RULE}").text


@pytest.mark.parametrize(
    ("days", "alerts", "seen"),
    [(2, 119, None), (2, 121, "60.5 alerts a day (121 in 2.0 days in test)"), (30, 421, "(421 in 7.0 days in test)")],
)
def test_going_live_over_the_analysts_budget_needs_a_reason(client_of, world, days, alerts, seen):
    """A day of test is worth a day, not a seventh of one."""
    client = client_of("national")
    assert client.put(SETTING, json=setting(stage="test")).status_code == 200
    world.now += days * DAY
    for n in range(alerts):
        fire_in_test(world, n)
    assert client.get(f"/api/v1/rules/{RULE}").json()["test_days"] == min(days, 7)
    answer = client.put(SETTING, json=setting(1))
    if seen is None:
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:govsoc:problem:needs-reason")
    assert seen in answer.json()["detail"]
    assert "and the budget is 60 a day" in answer.json()["detail"]
    assert client.put(SETTING, json=setting(1, confirm_reason="an attack is going on")).status_code == 200
    assert "an attack is going on" in client.get(f"/api/v1/rules/{RULE}/history").json()["items"][-1]["reason"]


def test_the_days_in_a_stage_are_those_of_the_week_before():
    past = [(NOW - 20 * DAY, Stage.TEST), (NOW - 6 * DAY, Stage.DRAFT), (NOW - 2 * DAY, Stage.TEST)]
    assert [days_in(stage, past, NOW) for stage in (Stage.TEST, Stage.DRAFT, Stage.LIVE)] == [3, 4, 0]
    assert days_in(Stage.LIVE, [], NOW) == 7
    assert days_in(Stage.LIVE, [(NOW - DAY // 2, Stage.TEST)], NOW) == 6.5


def backtested(jobs, a_day=1, at=NOW - DAY, **other):
    """A backtest that has ended; `other`: what is different from a good one of the rule of these tests."""
    job = Job(new_id(), "lan", at, other.pop("orgs", None), 30, RULE)
    by_day = {f"2026-02-{day:02}": a_day for day in range(1, 11)}
    outcome = {"made_of": ["hash-sqli"], "by_day": by_day, "noisy_since": None, "broken": None}
    jobs.ended(job, [outcome | other])


@pytest.mark.parametrize("stage", ["draft", "test"])
def test_what_nobody_knows_anything_of_goes_live_with_a_reason_or_a_backtest(client_of, world, jobs, stage):
    client = client_of("national")
    assert client.put(SETTING, json=setting(stage=stage)).status_code == 200
    world.now += DAY - 1 if stage == "test" else 30 * DAY
    backtested(jobs, orgs=("hungyen",))
    backtested(jobs, made_of=["an older text"])
    backtested(jobs, noisy_since=NOW)
    refused = client.put(SETTING, json=setting(1))
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:govsoc:problem:needs-reason")
    assert "Run a backtest first" in refused.json()["detail"]
    backtested(jobs, 70, at=NOW)
    refused = client.put(SETTING, json=setting(1)).json()["detail"]
    assert "add 70.0 alerts a day (by the backtest of 2026-03-02 over 10 whole days)" in refused
    backtested(jobs, 2, at=NOW + 1)
    assert client.put(SETTING, json=setting(1)).status_code == 200


def test_a_rule_that_has_been_live_for_a_day_counts_with_that_day(client_of, world, jobs):
    """Else many could go live on one day, each too young to be seen."""
    client = client_of("national")
    client.put(SETTING, json=setting(stage="draft"))
    world.now += 10 * DAY
    client.put(SETTING, json=setting(1, confirm_reason="try it"))
    world.now += DAY
    for n in range(61):
        world.fire("hungyen", 1, f"198.51.100.{n}")
    other = replace(world.stores.alerts.running()[0][0], id="other", hash="hash-other")
    world.detections.publish([*world.stores.alerts.running()[0], other], [])
    backtested(jobs, 0, made_of=["hash-other"])
    path = "/api/v1/rules/other/setting"
    assert client.put(path, json=setting(stage="draft")).status_code == 200
    refused = client.put(path, json=setting(1))
    assert "to 61.0, and the budget is 60 a day" in refused.json()["detail"]


def fire_in_test(world, n):
    alert = alert_id_in_test(f"{n:024x}")
    event = world.events["hungyen"][0]
    found = world.stores.alerts.findings(world.alerts["hungyen"], EVERYTHING, limit=1).items[0]
    tested = replace(found, id=f"{n:024x}", alert_id=alert, event_id=event.id, stage=Stage.TEST)
    world.detections.commit(
        [tested], {found.rule_hash: world.stores.alerts.rule(found.rule_hash)}, {}, {}, None, world.now - n
    )
    return alert


def test_alerts_in_test_are_only_where_they_are_asked_for(client_of, world):
    alert = fire_in_test(world, 1)
    client = client_of("viewer")
    assert alert not in client.get("/api/v1/alerts").text
    assert alert not in client.get("/alerts?status=all").text
    [item] = client.get("/api/v1/alerts?stage=test").json()["items"]
    assert (item["id"], item["stage"]) == (alert, "test")
    assert client.get(f"/api/v1/rules/{RULE}").json()["tested"] == 1
    assert client.get("/api/v1/rules").json()["items"][0]["alerts"] == 1


def test_what_exceptions_hid_is_told_inside_the_scope(client_of, world):
    rows = [Hidden(RULE, "x-1", org, "2026-03-02", n) for org, n in (("hungyen", 5), ("ninhbinh", 7))]
    old = Hidden(RULE, "x-1", "hungyen", "2026-01-01", 9)
    world.detections.commit([], {}, {}, {}, None, NOW, [*rows, old])
    hidden = client_of("viewer").get(f"/api/v1/rules/{RULE}").json()["hidden"]
    assert hidden == [{"exception_id": "x-1", "org": "hungyen", "day": "2026-03-02", "events": 5}]


# Ratio


def test_too_few_verdicts_are_no_ratio_and_enough_have_an_interval():
    few = ratio({Verdict.FALSE_POSITIVE: 5, Verdict.BENIGN: 4})
    assert (few.closed, few.share, few.low) == (9, None, None)
    enough = ratio({Verdict.FALSE_POSITIVE: 5, Verdict.TRUE_POSITIVE: 5})
    assert enough.share == 0.5
    assert (round(enough.low, 4), round(enough.high, 4)) == (0.2366, 0.7634)  # as published for 5 of 10
    assert wilson(0, 10)[0] == 0.0
    assert round(wilson(0, 10)[1], 4) == 0.2775
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_the_ratio_is_of_what_one_may_see(client_of, world):
    for n in range(10):
        alert = world.fire("hungyen", 1, f"198.51.100.{n}")
        verdict = Verdict.FALSE_POSITIVE if n < 8 else Verdict.TRUE_POSITIVE
        world.stores.triage.change(alert, Decision(status=Status.CLOSED, verdict=verdict), by="x", now=NOW)
    mine = client_of("viewer").get("/api/v1/rules").json()["items"][0]["ratio"]
    assert (mine["closed"], mine["share"]) == (10, 0.8)
    theirs = client_of("outsider").get("/api/v1/rules").json()["items"][0]["ratio"]
    assert (theirs["closed"], theirs["share"]) == (0, None)


def test_a_body_of_a_newer_version_is_left_out_and_said(client_of, world):
    for kind, id_ in ((PolicyKind.RULE, RULE), (PolicyKind.EXCEPTION, "x-new")):
        world.stores.policies.put(Policy(kind, id_, 1, {"what": "is this"}, "x", NOW))
    client = client_of("national")
    assert client.get("/api/v1/rules").json()["items"][0]["stage"] == "live"
    assert "x-new" not in client.get(EXCEPTIONS).text
    assert client.get(f"{EXCEPTIONS}/x-new").status_code == 422
    detail = client.get(f"/api/v1/rules/{RULE}").json()
    assert (detail["stage"], detail["setting"]["version"]) == ("live", 1)
    assert client.put(SETTING, json=setting(1, stage="test")).status_code == 200
    assert client.get(f"{EXCEPTIONS}/x-new/history").status_code == 200


def test_revisions_show_of_a_rule_only_what_is_about_the_scope():
    bodies = [
        {"stage": "live", "level": None, "orgs": {}},
        {"stage": "live", "level": None, "orgs": {"ninhbinh": {"enabled": False, "level": None}}},
        {"stage": "test", "level": "low", "orgs": {"ninhbinh": {"enabled": False}, "H42.01": {"enabled": True, "level": "high"}}},
        None,
    ]  # fmt: skip
    policies = [Policy(PolicyKind.RULE, "r", n + 1, body, "x", n) for n, body in enumerate(bodies)]
    ours = revisions(policies, Scope(frozenset({"H42.01"})))
    assert [one.version for one in ours] == [1, 3, 4]
    assert {line.field for line in ours[1].lines} == {"stage", "level", "orgs.H42.01.enabled", "orgs.H42.01.level"}
    assert [one.version for one in revisions(policies, EVERYTHING)] == [1, 2, 3, 4]


def test_a_rule_that_does_not_run_cannot_be_set(client_of):
    assert client_of("national").put("/api/v1/rules/nothing/setting", json=setting()).status_code == 404


def test_old_rule_texts_have_no_bases():
    assert RuleDoc("r", "h", "t", "low", "").bases == ()


def test_what_could_not_be_read_back_is_refused_and_nothing_changes(client_of, world):
    """Such a setting would count for nothing, and the rule be live for everybody."""
    client = client_of("national")
    setting = {"version": 0, "stage": "test", "reason": "quiet", "orgs": {"": {"enabled": False}}}
    assert client.put("/api/v1/rules/web-sqli/setting", json=setting).status_code == 422
    many = {f"x.{n}": {"enabled": False} for n in range(501)}
    assert client.put("/api/v1/rules/web-sqli/setting", json=setting | {"orgs": many}).status_code == 422
    exception = {"rule_id": "web-sqli", "condition": "source.ip:192.0.2.9", "orgs": [""], "reason": "scanner"}
    assert client.post("/api/v1/exceptions", json=exception).status_code == 422
    assert world.stores.policies.list(PolicyKind.RULE) == []


# Thresholds, windows, and what narrows a rule


@pytest.fixture
def counting(world, rule):
    """The rule counts what another finds, by address: 20 in 10 minutes."""
    asked = Asked("event_count", "gte", 20, 600, 1)
    rule = replace(rule, bases=("base",), group_by=("source.ip",), at_least=20, asked=asked)
    world.detections.publish([replace(rule, id="base", hash="b", bases=(), group_by=(), asked=None), rule], [])
    return rule


def test_a_threshold_and_a_window_are_laid_down_everywhere_and_for_one_organisation(client_of, world, counting):
    national, admin, outsider = client_of("national"), client_of("admin"), client_of("outsider")
    assert national.get(f"/api/v1/rules/{RULE}").json()["asked"] == {
        "type": "event_count", "compares": "gte", "threshold": 20, "timespan_s": 600,
    }  # fmt: skip
    assert national.put(SETTING, json=setting(threshold=30)).status_code == 200
    own = {"hungyen": {"threshold": 5, "timespan_s": 3600}}
    assert admin.put(SETTING, json=setting(1, threshold=30, orgs=own)).status_code == 200
    assert admin.put(SETTING, json=setting(2, threshold=31, orgs=own)).status_code == 403, "it is everybody's"
    assert admin.put(SETTING, json=setting(2, threshold=30, orgs={"ninhbinh": {"threshold": 1}})).status_code == 403
    assert admin.put(SETTING, json=setting(1, threshold=30)).status_code == 409
    policy = world.stores.policies.get(PolicyKind.RULE, RULE)
    assert Tuning([setting_of(RULE, policy.body)]).bounds == {RULE: {"": Bounds(30, None), "hungyen": Bounds(5, 3600)}}
    theirs = outsider.get(f"/api/v1/rules/{RULE}")
    assert theirs.json()["setting"]["orgs"] == {}
    assert "hungyen" not in theirs.text
    entry = world.stores.audit.list(limit=1).items[0]
    assert "orgs.hungyen.threshold - -> 5" in entry.detail
    assert "the window is longer (hungyen)" in entry.detail


@pytest.mark.parametrize(
    ("asked", "wrong", "why"),
    [
        (("event_count", "gte", 20, 600, 1), {"threshold": 2.5}, "whole number of 0 to 10000"),
        (("event_count", "gte", 20, 600, 1), {"threshold": 10_001}, "whole number of 0 to 10000"),
        (("event_count", "gte", 20, 600, 1), {"timespan_s": 32 * 86_400}, "31 days"),
        (("event_count", "", 0, 600, 1), {"threshold": 5}, "no single number"),
        (("temporal", "gte", 3, 600, 3), {"threshold": 4}, "whole number of 0 to 3"),
        (("value_sum", "gt", 3, 600, 1), {"threshold": 1e23}, "at most"),
        (("absence", "", 0, 600, 2), {"threshold": 1}, "no single number"),
        (None, {"threshold": 5}, "single events"),
        (None, {"timespan_s": 60}, "single events"),
    ],
)  # fmt: skip
def test_what_a_rule_does_not_take_is_refused_with_the_reason(client_of, world, counting, asked, wrong, why):
    changed = replace(counting, asked=Asked(*asked) if asked else None)
    world.detections.publish([changed], [])
    before = world.stores.policies.revision()
    client = client_of("national")
    for body in (setting(**wrong), setting(orgs={"hungyen": wrong})):
        answer = client.put(SETTING, json=body)
        assert (answer.status_code, why in answer.json()["detail"]) == (422, True), answer.text
    assert world.stores.policies.revision() == before


def test_what_others_have_does_not_stand_in_the_way_once_the_rule_has_changed(client_of, world, counting):
    own = {"ninhbinh": {"threshold": 5}}
    assert client_of("outsider").put(SETTING, json=setting(orgs=own)).status_code == 200
    world.detections.publish([replace(counting, asked=Asked("absence", "", 0, 600, 2))], [])
    ours = {"hungyen": {"timespan_s": 60}}
    assert client_of("admin").put(SETTING, json=setting(1, orgs=ours)).status_code == 200


def test_what_narrows_a_rule_asks_fields_and_of_a_correlation_what_it_groups_by(client_of, world, rule):
    client = client_of("national")
    laid = {"hungyen": {"only": "NOT source.ip:10.0.0.0/8"}}
    assert client.put(SETTING, json=setting(orgs=laid)).status_code == 200
    assert client.put(SETTING, json=setting(1, only="word")).status_code == 400
    assert client.put(SETTING, json=setting(1, only="url.path:[")).status_code == 400
    world.detections.commit([], {}, {}, {}, None, NOW, [Hidden(RULE, OUTSIDE, "hungyen", "2026-03-02", 7)])
    [hidden] = [one for one in client.get(f"/api/v1/rules/{RULE}").json()["hidden"] if one["exception_id"] == OUTSIDE]
    assert hidden["events"] == 7
    world.detections.publish([replace(rule, bases=("base",), group_by=("source.ip",))], [])
    refused = client.put(SETTING, json=setting(1, only="url.path:x"))
    assert (refused.status_code, "narrow base" in refused.json()["detail"]) == (422, True)
    assert client.put(SETTING, json=setting(1, only="source.ip:10.0.0.0/8")).status_code == 200


def test_a_backtest_with_other_bounds_says_nothing_of_the_rule_as_it_is(jobs):
    tried = Job(new_id(), "cli:lan", NOW, None, 7, RULE, threshold=50)
    jobs.ended(tried, [{"made_of": ["h"]}])
    assert jobs.latest(["h"]) is None
    jobs.ended(Job(new_id(), "cli:lan", NOW, None, 7, RULE), [{"made_of": ["h"]}])
    assert jobs.latest(["h"]) is not None
