"""Backtests of series through the API and the console: a process of their own does the work, over what the account may see."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from jobs_done import wait

from api.series_backtests import written
from detector.series.definition import load, loads
from soc.backtest.jobs import Job, Kind, new_id
from soc.backtest.series import Lack, Lacking, SeriesOutcome, plain
from soc.model.event import Event, event_id, iso
from soc.model.org import EVERYTHING

ENGLISH, VIETNAMESE = {"accept-language": "en"}, {"accept-language": "vi"}
MINUTE = 60_000
START = (int(time.time()) // 86_400 - 2) * 86_400_000  # the day before yesterday: a day to learn, and one to be off
TEXT = """
name: delivery
system: otp
titles: {vi: "Không đến", en: "Not delivered"}
dataset: otp.gateway
measure: ratio
hit: event.outcome:failure
unit: share
direction: high
"""
PATH = "/api/v1/series/backtests"


@pytest.fixture
def events(world):
    """Of both organisations; in Hưng Yên most messages are lost for half an hour."""
    chance = random.Random(1)
    for org in ("hungyen", "ninhbinh"):
        lost, batch = range(1500, 1530) if org == "hungyen" else (), []
        for minute in range(1600):
            for number in range(12):
                at = START + minute * MINUTE + number * 5000
                id_ = event_id(at, org, str(number), "line")
                failed = chance.random() < (0.7 if minute in lost else 0.02)
                fields = {
                    "@timestamp": iso(at), "event.id": id_, "event.dataset": "otp.gateway", "organization.id": org,
                    "event.outcome": "failure" if failed else "success",
                }  # fmt: skip
                batch.append(Event(id_, at, org, "otp.gateway", fields))
        world.log.append(batch)
    world.log.close()


def test_whom_it_would_have_called_about_among_what_the_account_may_see(client_of, signed_in, events, world):
    admin, national = client_of("admin"), client_of("national")
    answer = admin.post(PATH, json={"text": TEXT, "days": 5})
    assert answer.status_code == 202, answer.text
    assert answer.json()["definitions"] == "delivery"
    assert national.post(PATH, json={"text": TEXT}).status_code == 429, "one at a time"
    assert national.post("/api/v1/backtests", json={"rule_id": "web-sqli"}).status_code == 429, "of whatever kind"
    report = wait(admin, PATH, answer.json()["id"])
    found = report["outcome"]
    assert (report["orgs"], found["events"], found["series"], found["cut"]) == (["hungyen"], 1600 * 12, 1, None)
    (alert,) = found["alerts"]
    assert (alert["definition"], alert["org"], alert["series"]) == ("delivery", "hungyen", 1)
    assert iso(START + 1495 * MINUTE) < alert["since"] < iso(START + 1505 * MINUTE)
    assert alert["actual"] > 0.4 > alert["expected"]
    assert (found["began"], found["reached"]) == (iso(START), iso(START + 1599 * MINUTE + 55_000))
    (drawn,) = found["plots"]
    assert drawn["off"] == [{"since": alert["since"], "until": alert["until"]}]
    assert {point["learning"] for point in drawn["readings"]} == {True, False}
    assert not any(place.name != "jobs" for place in (world.keys.directory.parent / "backtests").glob("*"))
    page = signed_in("admin").get(f"/series/backtests/{report['id']}", headers=ENGLISH).text
    assert "Not delivered" in page
    assert '<rect class="off"' in page
    assert "hx-trigger" not in page
    assert "Không đến" in signed_in("viewer").get(f"/series/backtests/{report['id']}", headers=VIETNAMESE).text
    (entry,) = [one for one in world.stores.audit.list(limit=100).items if one.action == "backtest.start"]
    assert (entry.by, entry.target, entry.detail) == ("admin", report["id"], "series delivery")


def test_only_who_may_see_all_that_went_into_it_sees_it(client_of, signed_in, jobs):
    job = Job(new_id(), "national", 5, None, 3, text=TEXT, kind=Kind.SERIES, about="delivery")
    jobs.ended(job, [])
    assert client_of("national").get(f"{PATH}/{job.id}").status_code == 200
    for who in ("admin", "outsider"):
        client = client_of(who)
        assert client.get(f"{PATH}/{job.id}").status_code == 404
        assert client.post(f"{PATH}/{job.id}/stop").status_code == 404
        assert client.post(f"{PATH}/{job.id}/resume").status_code == 404
        assert job.id not in client.get(PATH).text
        assert signed_in(who).get(f"/series/backtests/{job.id}").status_code == 404
        assert job.id not in signed_in(who).get("/series/backtests").text


def test_definitions_that_found_nothing_are_named(client_of, signed_in, jobs):
    lacking = (
        Lacking("no-dataset", Lack.EVENT),
        Lacking("no-group", Lack.GROUP, "carier"),
        Lacking("no-number", Lack.VALUE, "user.id"),
        Lacking("too-few", Lack.VALUE),
        Lacking("no-join", Lack.JOIN, "user.idd"),
        Lacking("no-hit", Lack.HIT, "", 1200),
        Lacking("no-answer", Lack.HIT, "url.path", 1300),
    )
    found = SeriesOutcome(1, 2, 1, 2, None, 9, (), 3, 0, 0, 0, 0, 0, {}, (), (), lacking)
    job = Job(new_id(), "admin", 5, ("hungyen",), 3, text=TEXT, kind=Kind.SERIES, about="no-dataset")
    jobs.ended(job, [plain(found)])
    told = client_of("admin").get(f"{PATH}/{job.id}").json()["outcome"]["lacking"]
    assert [(one["definition"], one["lack"], one["field"]) for one in told] == [
        ("no-dataset", "event", ""), ("no-group", "group", "carier"), ("no-number", "value", "user.id"),
        ("too-few", "value", ""), ("no-join", "join", "user.idd"), ("no-hit", "hit", ""), ("no-answer", "hit", "url.path"),
    ]  # fmt: skip
    assert [one["events"] for one in told if one["events"]] == [1200, 1300]
    page = signed_in("admin").get(f"/series/backtests/{job.id}", headers=ENGLISH).text
    assert "<code>no-dataset</code>: no event is of it: check dataset and where." in page
    assert "no event has the field by which it groups: <code>carier</code>" in page
    assert "that there are enough: <code>user.id</code>" in page
    assert "there were too few events for one." in page
    assert "no event that where finds has the field by which it joins: <code>user.idd</code>" in page
    assert "<code>no-hit</code>: of 1200 events none is a hit: right if there was none yet; else check hit" in page
    assert "else check hit and the field by which it joins: <code>url.path</code>" in page
    page = signed_in("admin").get(f"/series/backtests/{job.id}", headers=VIETNAMESE).text
    assert "không sự kiện nào có trường dùng để nhóm: <code>carier</code>" in page
    assert "không có sự kiện nào khớp với hit" in page
    before = plain(found)
    del before["lacking"]  # as what is older has it
    job = replace(job, id=new_id())
    jobs.ended(job, [before])
    assert client_of("admin").get(f"{PATH}/{job.id}").json()["outcome"]["lacking"] == []
    assert signed_in("admin").get(f"/series/backtests/{job.id}").status_code == 200


def test_those_of_rules_and_of_series_are_not_mixed_up(client_of, signed_in, world):
    client = client_of("admin")
    assert client.get(f"{PATH}/{world.job}").status_code == 404
    assert client.get(f"/api/v1/backtests/{world.series_job}").status_code == 404
    assert [one["id"] for one in client.get(PATH).json()["items"]] == [world.series_job]
    assert [one["id"] for one in client.get("/api/v1/backtests").json()["items"]] == [world.job]
    assert world.series_job not in signed_in("admin").get("/backtests").text


WRONG = """name: delivery
system: otp
titles: {en: "Not delivered"}
dataset: otp.gateway
measure: share
where: "event.outcome:("
colour: red
"""


def test_everything_that_is_wrong_is_told_with_line_and_field(client_of, signed_in):
    admin = client_of("admin")
    told = admin.post("/api/v1/series/check", json={"text": WRONG}).json()
    assert told["definitions"] == []
    assert [(one["line"], one["field"]) for one in told["faults"]] == [
        (3, "titles.vi"), (5, "measure"), (6, "where"), (7, "colour"),
    ]  # fmt: skip
    fine = admin.post("/api/v1/series/check", json={"text": TEXT}).json()
    assert fine == {"definitions": ["delivery"], "faults": []}
    browser = signed_in("admin")
    page = browser.post("/series/backtests/check", data={"text": WRONG}, headers=VIETNAMESE).text
    assert "dòng 7: <code>colour</code>: không có trường này" in page
    fine = browser.post("/series/backtests/check", data={"text": TEXT}, headers=ENGLISH).text
    assert "Nothing is wrong with delivery" in fine
    tried = browser.post("/series/backtests", data={"text": WRONG + "# <b>"}, headers=ENGLISH)
    assert tried.status_code == 422
    assert "line 5: <code>measure</code>" in tried.text
    assert "# &lt;b&gt;" in tried.text, "what was written is kept"


def test_too_many_definitions_are_told_while_they_are_written(signed_in):
    text = "---".join(TEXT.replace("delivery", f"delivery{n}") for n in range(21))
    told = signed_in("admin").post("/series/backtests/check", data={"text": text}, headers=ENGLISH)
    assert told.status_code == 200, "the browser shows no other answer"
    assert "at most 20" in told.text


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"text": ""}, "there is no definition in it"),
        ({"text": "{"}, "is not valid YAML"),
        ({"text": "a: &a [1]\nb: *a"}, "aliases"),
        ({"text": TEXT, "days": 0}, ""),
        ({"text": TEXT, "days": 367}, ""),
        ({"text": "x" * 50_000}, ""),
        ({"text": "---".join(TEXT.replace("delivery", f"delivery{n}") for n in range(21))}, "at most 20"),
        ({"text": TEXT + "group_by: [a, b, c, d, e]\n"}, "group_by"),
        ({"text": TEXT.replace("event.outcome:failure", "a:" + "*a" * 2000)}, "hit"),
        ({}, ""),
    ],
)
def test_what_cannot_be_tried_is_refused_at_once(client_of, body, reason):
    answer = client_of("admin").post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert reason in answer.json()["detail"]


def test_the_page_is_for_administrators_to_ask_and_begins_with_what_runs(client_of, signed_in):
    assert client_of("analyst").post(PATH, json={"text": TEXT}).status_code == 403
    assert client_of("analyst").post("/series/backtests", data={"text": TEXT}).status_code == 403
    page = signed_in("admin").get("/series/backtests?definition=otp-delivery").text
    assert "hit: event.outcome:failure" in page
    assert "hx-post" in page
    assert "<textarea" not in signed_in("viewer").get("/series/backtests").text
    assert 'href="/series/backtests?definition=otp-delivery"' in signed_in("admin").get("/anomalies").text
    assert 'href="/series/backtests?definition=otp-delivery"' not in signed_in("viewer").get("/anomalies").text


def test_how_long_nobody_is_called_is_what_definitions_learn_for(signed_in):
    page = signed_in("admin").get("/series/backtests", headers=ENGLISH).text
    assert "volumes 14, means by load 21, other measures 1." in page


def test_it_is_stopped_and_goes_on_from_the_page(signed_in, client_of, events):
    browser = signed_in("admin")
    place = browser.post("/series/backtests", data={"text": TEXT, "days": 5}).headers["location"]
    assert browser.post(f"{place}/stop").headers["location"] == place
    job_id = place.rpartition("/")[2]
    assert client_of("admin").get(f"{PATH}/{job_id}").json()["state"] in ("stopped", "done")
    assert browser.post(f"{place}/fly").status_code == 422
    assert browser.post(f"{place}/resume").status_code == 303
    assert len(wait(client_of("admin"), PATH, job_id)["outcome"]["alerts"]) == 1


def test_who_sees_no_organisation_starts_nothing(jobs):
    from soc.errors import ConfigError
    from soc.model.org import Scope

    with pytest.raises(ConfigError, match="nothing to try it on"):
        jobs.start(Scope(frozenset()), by="x", at=1, days=3, text=TEXT, kind=Kind.SERIES)
    assert {job.by for job in jobs.recent(EVERYTHING, Kind.SERIES)} == {"admin"}


def test_what_runs_is_shown_as_people_write_it_and_means_the_same():
    for definition in load().by_name.values():
        text = written(definition)
        (again,) = loads(text, "x").by_name.values()
        assert again.model_copy(update={"path": ""}) == definition.model_copy(update={"path": ""})
        assert "\\u" not in text
        assert "runbook:\n  vi: |\n" in text or "runbook" not in text
