"""Backtests through the API and the console: a process of their own does the work, and only who may see it all sees what came of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import orjson
import pytest
from jobs_done import wait

from soc.backtest.jobs import Job, Jobs, Kind, new_id
from soc.model.event import Event, event_id, iso
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import Stage
from soc.model.tuning import OrgSetting, RuleException, RuleSetting, exception_body, setting_body

RULE = """
title: Everything with SELECT
id: 8a5dd60a-1b43-4d0a-9e9b-2f0e4b3f54aa
logsource: {category: webserver}
detection: {selection: {url.query|contains: SELECT}, condition: selection}
level: low
"""
PATH = "/api/v1/backtests"
NOON_YESTERDAY = (int(time.time()) // 86_400 * 86_400 - 43_200) * 1000


@pytest.fixture
def events(world):
    """Yesterday's, of both organisations."""
    for org, count in (("hungyen", 3), ("ninhbinh", 5)):
        for number in range(count):
            at = NOON_YESTERDAY + number * 1000
            id_ = event_id(at, org, str(number), "line")
            fields = {
                "@timestamp": iso(at), "event.id": id_, "event.dataset": "nginx.access", "organization.id": org,
                "source.ip": f"203.0.113.{number}", "url.query": "id=1 UNION SELECT 1",
            }  # fmt: skip
            world.log.append([Event(id_, at, org, "nginx.access", fields)])
    world.log.close()


def test_of_a_new_rule_over_what_the_account_may_see(client_of, events, world):
    client = client_of("admin")
    answer = client.post("/api/v1/backtests", json={"text": RULE, "days": 3})
    assert answer.status_code == 202
    report = wait(client, PATH, answer.json()["id"])
    [outcome] = report["outcomes"]
    assert report["orgs"] == ["hungyen"]
    assert (outcome["title"], outcome["alerts"], outcome["events"], outcome["fresh"]) == (
        "Everything with SELECT",
        3,
        3,
        3,
    )
    day = datetime.fromtimestamp(NOON_YESTERDAY / 1000 + 7 * 3600, UTC).strftime("%Y-%m-%d")
    assert outcome["by_day"].get(day, 3) == 3
    assert [entity["value"] for entity in outcome["entities"]] == ["203.0.113.0", "203.0.113.1", "203.0.113.2"]
    [entry] = [entry for entry in world.stores.audit.list(limit=100).items if entry.action == "backtest.start"]
    assert (entry.by, entry.target) == ("admin", report["id"])
    assert [item["id"] for item in client.get("/api/v1/backtests").json()["items"]] == [report["id"], world.job]


def test_only_who_may_see_all_that_went_into_it_sees_it(client_of, events):
    job = client_of("national").post("/api/v1/backtests", json={"text": RULE, "days": 3}).json()["id"]
    assert wait(client_of("national"), PATH, job)["outcomes"][0]["alerts"] == 8
    for who in ("admin", "outsider"):
        client = client_of(who)
        assert client.get(f"/api/v1/backtests/{job}").status_code == 404
        assert client.post(f"/api/v1/backtests/{job}/stop").status_code == 404
        assert client.get(f"/backtests/{job}").status_code == 404
        assert job not in client.get("/api/v1/backtests").text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": "title: x"}, 422),
        ({"text": "{"}, 422),
        ({"text": ""}, 422),
        ({"rule_id": "nobody"}, 404),
        ({}, 422),
        ({"rule_id": "web-sqli", "text": RULE}, 422),
        ({"rule_id": "web-sqli", "days": 0}, 422),
        ({"text": "x" * 50_000}, 422),
    ],
)
def test_what_is_no_rule_is_refused_at_once(client_of, body, status):
    answer = client_of("admin").post("/api/v1/backtests", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_is_for_administrators_to_ask(client_of):
    assert client_of("analyst").post("/backtests", data={"rule_id": "web-sqli"}).status_code == 403
    assert client_of("admin").post("/backtests", data={"rule_id": "web-sqli"}).status_code == 303
    assert client_of("outsider").post("/backtests", data={"rule_id": "web-sqli"}).status_code == 429


def test_the_pages_show_the_way_from_the_text_to_the_figures(signed_in, client_of, events):
    browser = signed_in("admin")
    english = {"accept-language": "en"}
    assert 'name="text"' in browser.get("/backtests", headers=english).text
    refused = browser.post("/backtests", data={"text": "title: <b>x", "days": 3}, headers=english)
    assert refused.status_code == 422
    assert "title: &lt;b&gt;x" in refused.text
    place = browser.post("/backtests", data={"text": RULE, "days": 3}).headers["location"]
    wait(client_of("admin"), PATH, place.rpartition("/")[2])
    page = browser.get(place, headers=english).text
    assert "Everything with SELECT" in page
    assert "203.0.113.2" in page
    assert "hx-trigger" not in page
    assert "Luật lẽ ra đã sinh cảnh báo nào" in browser.get(place, headers={"accept-language": "vi"}).text


def test_what_exceptions_hide_and_the_level_that_people_set_are_in_the_figures(signed_in, client_of, events, world):
    id_ = "8a5dd60a-1b43-4d0a-9e9b-2f0e4b3f54aa"
    exception = RuleException("ours", id_, "source.ip:203.0.113.0", "our scanner", "lan", frozenset({"hungyen"}))
    setting = RuleSetting(id_, Stage.DRAFT, orgs={"hungyen": OrgSetting(level="critical")})
    world.stores.policies.put(Policy(PolicyKind.EXCEPTION, "ours", 1, exception_body(exception), "lan", 0))
    world.stores.policies.put(Policy(PolicyKind.RULE, id_, 1, setting_body(setting), "lan", 0))
    client = client_of("admin")
    [outcome] = wait(client, PATH, client.post("/api/v1/backtests", json={"text": RULE, "days": 3}).json()["id"])[
        "outcomes"
    ]
    assert (outcome["alerts"], outcome["hidden"], outcome["levels"]) == (2, {"ours": 1}, {"critical": 2})
    place = f"/backtests/{client.get('/api/v1/backtests').json()['items'][0]['id']}"
    page = signed_in("admin").get(place, headers={"accept-language": "en"}).text
    assert 'Hidden by exceptions</dt><dd>1 event <span class="quiet">(<a href="/exceptions/ours">' in page
    assert "By level" in page
    assert "Bị ngoại lệ ẩn" in signed_in("admin").get(place, headers={"accept-language": "vi"}).text


def test_one_of_an_older_version_is_still_shown(signed_in, client_of, jobs):
    old = {
        "rule_id": "web-sqli", "title": "Old", "level": "low", "events": 3, "alerts": 2, "by_day": {}, "forecast": None, "entities": [],
        "known": {}, "fresh": 2, "gone": 0, "gone_true": 0, "noisy_since": None, "broken": None,
    }  # fmt: skip
    job = Job(new_id(), "lan", 5, ("hungyen",), 3, "web-sqli")
    jobs.ended(job, [old])
    [outcome] = client_of("viewer").get(f"/api/v1/backtests/{job.id}").json()["outcomes"]
    assert (outcome["hidden"], outcome["levels"]) == ({}, {})
    assert signed_in("viewer").get(f"/backtests/{job.id}").status_code == 200


# Jobs by themselves: what a process leaves behind, whatever ends it.

SLOW = ("sh", "-c", 'echo "soc: starting" >&2; exec sleep 60')
BROKEN = ("sh", "-c", 'echo "soc: the disk is full" >&2; exit 2')


def test_one_at_a_time_and_a_stopped_one_goes_on(tmp_path):
    jobs = Jobs(tmp_path, SLOW, {})
    job = jobs.start(EVERYTHING, by="lan", at=5, days=3, text=RULE)
    assert jobs.get(job.id, EVERYTHING).state == "running"
    with pytest.raises(Exception, match="another backtest is running"):
        jobs.start(EVERYTHING, by="minh", at=6, days=3, text=RULE)
    jobs.stop(job.id, EVERYTHING)
    assert jobs.get(job.id, EVERYTHING).state == "stopped"
    jobs.resume(job.id, EVERYTHING)
    assert jobs.get(job.id, EVERYTHING).state == "running"
    jobs.close()
    assert Jobs(tmp_path, SLOW, {}).get(job.id, EVERYTHING).state == "stopped"


def test_those_of_one_organisation_do_not_push_out_those_of_another(tmp_path):
    jobs = Jobs(tmp_path, (), {})
    theirs = Job(new_id(), "minh", 0, ("ninhbinh",), 3, "r")
    jobs.ended(theirs, [])
    for at in range(1, 53):
        jobs.ended(Job(new_id(), "lan", at, ("hungyen",), 3, "r"), [])
    ours = jobs.recent(Scope(frozenset({"hungyen"})))
    assert [job.at for job in ours] == list(range(52, 2, -1))
    assert jobs.recent(Scope(frozenset({"ninhbinh"}))) == [theirs]
    for number in range(310):
        jobs.ended(Job(new_id(), "lan", number, (f"org{number % 6}",), 3, "r"), [])
    assert jobs.recent(Scope(frozenset({"ninhbinh"}))) == [theirs], "also when there are too many in all"
    assert len(jobs.recent(EVERYTHING)) == 300


def test_tries_of_series_do_not_push_out_those_of_rules(tmp_path):
    jobs = Jobs(tmp_path, (), {})
    rule = Job(new_id(), "minh", 0, None, 3, "r")
    jobs.ended(rule, [{"made_of": ["hash"]}])
    for at in range(1, 53):
        jobs.ended(Job(new_id(), "lan", at, None, 3, text="x", kind=Kind.SERIES), [])
    assert jobs.latest(["hash"]) == (rule, {"made_of": ["hash"]})
    assert len(jobs.recent(EVERYTHING, Kind.SERIES)) == 50


def test_one_that_fails_says_why(tmp_path):
    jobs = Jobs(tmp_path, BROKEN, {})
    job = jobs.start(Scope(frozenset({"x"})), by="lan", at=5, days=3, rule_id="r")
    for _ in range(2000):
        if (report := jobs.get(job.id, EVERYTHING)).state != "running":
            break
        time.sleep(0.05)
    jobs.close()
    assert (report.state, report.reason) == ("failed", "the disk is full")


def test_what_came_of_it_outlives_the_process_that_asked(tmp_path):
    jobs = Jobs(tmp_path, ("true",), {})
    job = jobs.start(EVERYTHING, by="lan", at=5, days=3, text=RULE)
    (tmp_path / job.id / "outcomes.json").write_bytes(orjson.dumps([]))
    assert Jobs(tmp_path, (), {}).get(job.id, EVERYTHING).state == "done"
    (tmp_path / job.id / "outcomes.json").write_bytes(orjson.dumps([{"much": 1}]))
    [brief] = Jobs(tmp_path, (), {}).reports(EVERYTHING)
    assert (brief.state, brief.outcomes) == ("done", ())
    for nonsense in ("..", "../x", "", "x/../y"):
        with pytest.raises(Exception, match="there is no backtest"):
            jobs.get(nonsense, EVERYTHING)
    jobs.close()
