"""Series and anomalies over HTTP: what is shown, what people say of them, and how that is taken back."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from detector.series.definition import Definition
from detector.series.meter import meter_of
from detector.track import Track
from soc.model.anomaly import FIELD, Anomaly, Board, Progress, Series, pack
from soc.model.event import iso
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc
from soc.store.cursor import encode
from soc.store.progress import write_anomalies

NOW = 1_772_452_800_000
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
RULE = RuleDoc("anomaly-otp-delivery", "hash-anomaly", "Codes not delivered", "high", "name: otp-delivery")
HUNGYEN = Scope(frozenset({"hungyen"}))


@pytest.fixture
def mine(world):
    return world.anomalies.list(HUNGYEN)[0]


@pytest.fixture
def alert(world, mine):
    """The anomaly's own alert, as the detector makes it; returns its id."""
    id_ = alert_id(RULE.id, "hungyen", "viettel", "episode 1")
    event = f"{mine.since:012x}" + "0" * 20
    matched = {f"{FIELD}series": mine.series, f"{FIELD}what": "otp-delivery viettel", f"{FIELD}actual": 0.4}
    finding = Finding(
        finding_id(id_, event),
        id_,
        RULE.id,
        RULE.hash,
        "hungyen",
        "govsoc.otp.carrier",
        "viettel",
        mine.since,
        event,
        matched,
    )
    world.detections.commit([finding], {RULE.hash: RULE}, {}, {}, None, NOW)
    moved = world.anomalies.list(HUNGYEN)[0]
    with world.anomalies._db.write() as db:
        db.execute("UPDATE anomaly SET alert = ? WHERE id = ?", (id_, moved.id))
    return id_


def test_an_anomaly_says_what_was_and_what_was_expected(client_of, mine):
    client = client_of("viewer")
    listed = client.get("/api/v1/anomalies").json()["items"]
    assert [one["id"] for one in listed] == [mine.id]
    shown = client.get(f"/api/v1/anomalies/{mine.id}").json()
    assert (shown["actual"], shown["expected"]) == (0.4, 0.02)
    assert shown["of_series"]["group"] == {"govsoc.otp.carrier": "viettel"}
    assert shown["query"].startswith(
        'event.dataset:"otp.gateway" AND organization.id:"hungyen" AND (govsoc.otp.event:dlr) AND govsoc.otp.carrier:"viettel"'
    )
    assert len(shown["readings"]) > 60
    found = client.get("/api/v1/events", params={"q": shown["query"]})
    assert found.status_code == 200, "the search is one that the API takes"


def test_the_most_alike_are_of_the_past_and_of_other_alerts(client_of, world, mine, monkeypatch):
    monkeypatch.setattr("api.anomalies._LOOKED_AT", 6)
    day = 86_400_000

    def other(days: float, alert: str, **changed) -> Anomaly:
        since = mine.since + int(days * day)
        return replace(mine, since=since, until=since + 600_000, alert=alert, **changed)

    near, far = other(-2, "a" * 32), other(-1, "b" * 32, actual=0.04)
    same_alert = [other(-0.1, mine.alert), other(0.1, mine.alert)]
    later = [other(days, "c" * 32) for days in range(1, 9)]
    with world.anomalies._db.write() as db:
        write_anomalies(db, [near, far, *same_alert, *later])
    found = client_of("viewer").get(f"/api/v1/anomalies/{mine.id}").json()
    assert [one["id"] for one in found["similar"]] == [near.id, far.id]
    assert found["similar"][0]["alert"] == "a" * 32


def test_series_and_what_had_no_room(client_of, mine):
    client = client_of("viewer")
    (series,) = client.get("/api/v1/series").json()["items"]
    assert (series["id"], series["other"], series["unit"]) == (mine.series, False, "share")
    assert series["last"]["value"] == pytest.approx(0.02)
    one = client.get(f"/api/v1/series/{mine.series}", params={"hours": 1}).json()
    assert len(one["readings"]) == 60
    assert client.get("/api/v1/series", params={"definition": "none-such"}).json()["items"] == []
    (counts,) = client.get("/api/v1/series/counts").json()["items"]
    assert (counts["series"], counts["beyond"], counts["late"]) == (1, 7, 2)


def test_what_is_harmless_is_listed_and_can_be_taken_back(client_of, mine):
    analyst = client_of("analyst")
    said = analyst.post(f"/api/v1/anomalies/{mine.id}/harmless", json={"reason": "a new carrier gateway"})
    assert said.status_code == 201
    assert said.json()["strength"] == pytest.approx(3.3)
    again = analyst.post(f"/api/v1/anomalies/{mine.id}/harmless", json={"reason": "x"})
    assert again.status_code == 422
    (one,) = client_of("viewer").get("/api/v1/harmless").json()["items"]
    assert (one["by"], one["reason"], one["series"]) == ("analyst", "a new carrier gateway", mine.series)
    assert client_of("outsider").get("/api/v1/harmless").json()["items"] == []
    assert client_of("outsider").post(f"/api/v1/series/{mine.series}/withdraw", json={"reason": "x"}).status_code == 404
    assert analyst.post(f"/api/v1/series/{mine.series}/withdraw", json={"reason": "it is not"}).status_code == 204
    assert client_of("viewer").get("/api/v1/harmless").json()["items"] == []
    assert analyst.post(f"/api/v1/series/{mine.series}/withdraw", json={"reason": "x"}).status_code == 404


def test_an_administrator_has_a_series_learn_anew(client_of, world, mine):
    assert client_of("analyst").post(f"/api/v1/series/{mine.series}/reset", json={"reason": "x"}).status_code == 403
    assert client_of("outsider").post(f"/api/v1/series/{mine.series}/reset", json={"reason": "x"}).status_code == 404
    assert world.anomalies.asked() == []
    assert client_of("admin").post(f"/api/v1/series/{mine.series}/reset", json={"reason": "moved"}).status_code == 202
    assert world.anomalies.asked() == [mine.series] == world.anomalies.asked(), "until it is done"
    world.anomalies.reset_done([mine.series])
    assert world.anomalies.asked() == []
    assert [one.detail for one in world.stores.audit.list(action="series.reset").items] == ["moved"]


def test_an_alert_closed_as_benign_says_that_it_is_harmless(client_of, alert, mine):
    analyst = client_of("analyst")
    closed = analyst.patch(f"/api/v1/alerts/{alert}", json={"version": 0, "status": "closed", "verdict": "benign"})
    assert closed.status_code == 200
    (one,) = analyst.get("/api/v1/harmless").json()["items"]
    assert (one["series"], one["alert"], one["by"]) == (mine.series, alert, "analyst")
    assert alert in one["reason"]


def test_an_exception_is_made_from_the_alert_of_an_anomaly(client_of, alert):
    """The observer's rules are not among those that the detector runs: their alerts are what is known of them."""
    admin = client_of("admin")
    wanted = {
        "rule_id": RULE.id, "orgs": ["hungyen"], "condition": 'govsoc.anomaly.what:"otp-delivery viettel"',
        "reason": "maintenance of the carrier", "created_from": alert,
    }  # fmt: skip
    made = admin.post("/api/v1/exceptions", json=wanted)
    assert made.status_code == 201, made.text
    assert admin.post("/api/v1/exceptions", json=wanted | {"created_from": None}).status_code == 404
    assert client_of("outsider").post("/api/v1/exceptions", json=wanted | {"orgs": ["ninhbinh"]}).status_code == 404
    closed = {"version": 0, "status": "closed", "verdict": "true_positive"}
    assert client_of("analyst").patch(f"/api/v1/alerts/{alert}", json=closed).status_code == 200
    again = admin.post("/api/v1/exceptions", json=wanted)
    assert again.status_code == 422
    assert "1 of them confirmed true" in again.json()["detail"]


def test_pages_of_anomalies(signed_in, alert, mine):
    browser = signed_in("analyst")
    page = browser.get(f"/alerts/{alert}", headers={"accept-language": "en"}).text
    assert '<svg class="plot"' in page
    assert "40%" in page
    assert "What was unusual" in page
    assert browser.get(f"/alerts/{alert}/explain").status_code == 200
    for path in ("/anomalies", f"/anomalies/{mine.id}", "/series", f"/series/{mine.series}?hours=192"):
        answer = browser.get(path, headers={"accept-language": "vi"})
        assert answer.status_code == 200, path
        assert "Tin nhắn OTP không đến" in answer.text, path
        assert " style=" not in answer.text, "the policy forbids it"
    assert browser.post(f"/anomalies/{mine.id}/harmless", data={"reason": "biết rồi"}).status_code == 303
    assert "biết rồi" in browser.get("/anomalies").text
    assert (
        browser.post(f"/series/{mine.series}/withdraw", data={"reason": "x", "back": "//evil"}).headers["location"]
        == "/"
    )


def test_faults_of_definitions_are_for_administrators(signed_in):
    assert "no such measure" in signed_in("admin").get("/anomalies").text
    assert "no such measure" not in signed_in("viewer").get("/anomalies").text


@pytest.mark.parametrize("page", ["/api/v1/series", "/api/v1/anomalies", "/series", "/anomalies"])
def test_a_page_after_what_is_gone_or_of_others_is_refused_and_not_the_first_one_again(
    client_of, signed_in, mine, page
):
    client = client_of("viewer") if page.startswith("/api") else signed_in("viewer")
    answer = client.get(page, params={"cursor": encode(0, "0123456789abcdef0123")}, headers={"accept-language": "en"})
    assert answer.status_code == 400
    assert "begin with the first page" in answer.text
    cursor = encode(0, mine.series if "series" in page else mine.id)
    other = client_of("outsider") if page.startswith("/api") else signed_in("outsider")
    assert client.get(page, params={"cursor": cursor}).status_code == 200
    assert other.get(page, params={"cursor": cursor}).status_code == 400


@pytest.mark.parametrize(
    "path", ["/api/v1/anomalies?cursor=x", "/api/v1/series?cursor=%F0", "/api/v1/series/x", "/api/v1/anomalies/0"]
)
def test_what_is_no_address_is_refused(client_of, path):
    assert client_of("viewer").get(path).status_code in (400, 422)


def test_an_anomaly_outlives_its_series(client_of, signed_in, world, alert, mine):
    with world.anomalies._db.write() as db:
        db.execute("DELETE FROM series WHERE id = ?", (mine.series,))
    shown = client_of("viewer").get(f"/api/v1/anomalies/{mine.id}").json()
    assert (shown["actual"], shown["of_series"], shown["readings"], shown["query"]) == (0.4, None, [], "")
    assert client_of("outsider").get(f"/api/v1/anomalies/{mine.id}").status_code == 404
    browser = signed_in("analyst")
    for path in (f"/anomalies/{mine.id}", f"/alerts/{alert}"):
        page = browser.get(path, headers={"accept-language": "en"}).text
        assert "40%" in page, path
        assert "Its series is gone" in page, path
    assert "Tin nhắn OTP không đến" in browser.get("/anomalies", headers={"accept-language": "vi"}).text


def test_the_list_says_what_goes_on_and_how_far_off_it_is(signed_in, world, mine):
    browser = signed_in("viewer")
    world.now = mine.until + 60_000
    page = browser.get("/anomalies", headers={"accept-language": "en"}).text
    assert "going on" in page
    assert "How far off" in page
    world.now = mine.until + 2 * 3_600_000
    assert "going on" not in browser.get("/anomalies", headers={"accept-language": "en"}).text


def test_a_series_that_began_with_what_its_parts_had_learned_says_so(signed_in, world, mine):
    ended = {
        "code": "thaibinh", "name": "Thái Bình", "kind": "province", "valid_to": "2026-03-01", "successor": "hungyen",
    }  # fmt: skip
    world.stores.policies.put(Policy(PolicyKind.ORGANISATION, "thaibinh", 1, ended, "lan", NOW, "merged"))
    board, series = mine.definition, mine.series
    learning = {"learning": True}
    for kept in (learning, {"learning": False}):
        _last_reading(world, board, **kept)
        page = signed_in("viewer").get(f"/series/{series}", headers={"accept-language": "en"}).text
        assert "thaibinh" not in page, "shares have no sum"
    with world.anomalies._db.write() as db:
        (doc,) = db.execute("SELECT doc FROM running").fetchone()
        db.execute("UPDATE running SET doc = ?", (doc.replace('"measure":"ratio"', '"measure":"count"'),))
    _last_reading(world, board, learning=True)
    assert "thaibinh" in signed_in("viewer").get(f"/series/{series}").text
    _last_reading(world, board, learning=False)
    assert "thaibinh" not in signed_in("viewer").get(f"/series/{series}").text


def _last_reading(world, definition, *, learning):
    row = pack(0.02, 50.0, 0.02, 0.0, 0.1, 0.1, learning)
    with world.anomalies._db.write() as db:
        ts = db.execute(
            "SELECT max(ts) FROM bucket WHERE definition = ? AND org = 'hungyen'", (definition,)
        ).fetchone()[0]
        db.execute(
            "UPDATE bucket SET readings = ? WHERE definition = ? AND org = 'hungyen' AND ts = ?", (row, definition, ts)
        )


@pytest.fixture
def moved(world, mine):
    """The series as it is kept after 14 days at 2 % and six at 6 %; returns its scorer's day of the new level."""
    definition = Definition.model_validate(world.anomalies.running()[0]["otp-delivery"])
    track, chance, begins = Track(definition, meter_of(definition), ZONE), random.Random(2), NOW - 7_200_000
    for minute in range(20 * 1440, 0, -1):
        ts, usual = begins - minute * 60_000, 0.02 if minute > 6 * 1440 else 0.06
        track.step(definition, ts, max(usual + chance.gauss(0, 0.01), 0.0), 400.0, 0.0)
    progress = Progress({}, {}, {}, {(mine.series, begins - 60_000): track.dump()}, {}, [], [], [], {})
    world.anomalies.commit(progress)
    assert track.scorer.level_since is not None
    return track.scorer.level_since


def test_a_new_level_and_a_slow_leak_are_told_in_both_languages(client_of, signed_in, mine, moved):
    series = f"/series/{mine.series}"
    told = client_of("viewer").get(f"/api/v1{series}").json()["level"]
    assert told["since"] == iso(moved)[:10]
    assert 0.01 < told["usual"] < 0.08
    browser = signed_in("viewer")
    day = told["since"]
    english = browser.get(f"{series}?hours=192", headers={"accept-language": "en"}).text
    assert f"is taken as usual, since <strong>{day}</strong>" in english
    vietnamese = browser.get(series, headers={"accept-language": "vi"}).text
    assert f"được coi là bình thường, từ <strong>{'/'.join(reversed(day.split('-')))}</strong>" in vietnamese
    assert client_of("outsider").get(f"/api/v1{series}").status_code == 404


def test_what_is_not_known_of_a_level_is_left_out(client_of, signed_in, mine):
    assert client_of("viewer").get(f"/api/v1/series/{mine.series}").json()["level"] is None
    assert 'id="level"' not in signed_in("viewer").get(f"/series/{mine.series}").text


def test_the_list_is_narrowed_and_says_what_has_become_of_the_alerts(client_of, signed_in, alert, mine):
    client = client_of("national")
    assert len(client.get("/api/v1/anomalies").json()["items"]) == 2
    for where in ({"org": "hungyen"}, {"org": "hungyen", "definition": "otp-delivery"}):
        assert [one["org"] for one in client.get("/api/v1/anomalies", params=where).json()["items"]] == ["hungyen"]
    assert client.get("/api/v1/anomalies", params={"definition": "none-such"}).json()["items"] == []
    assert client_of("outsider").get("/api/v1/anomalies", params={"org": "hungyen"}).json()["items"] == []
    browser = signed_in("analyst")
    page = browser.get("/anomalies?definition=otp-delivery&org=hungyen", headers={"accept-language": "en"}).text
    assert f'href="/anomalies/{mine.id}"' in page
    assert f'<a href="/alerts/{alert}"><span class="status new">New</span></a>' in page
    assert f'href="/anomalies/{mine.id}"' not in browser.get("/anomalies?definition=none-such").text
    closed = {"version": 0, "status": "closed", "verdict": "benign"}
    assert client_of("analyst").patch(f"/api/v1/alerts/{alert}", json=closed).status_code == 200
    for path in ("/anomalies", f"/anomalies/{mine.id}", f"/series/{mine.series}"):
        assert "Closed · Benign" in browser.get(path, headers={"accept-language": "en"}).text, path


def test_a_series_that_is_learning_says_when_it_is_ready(client_of, signed_in, world, mine):
    board = Board("otp-delivery", "hungyen")
    young = Series(board, ("mobifone",), 1, NOW - 600_000)
    learning = pack(None, 0.0, 0.0, 0.0, 0.0, 0.0, True)
    row = pack(0.02, 30.0, 0.02, 0.0, 0.1, 0.3, False) + learning
    world.anomalies.commit(Progress({}, {}, {(board, NOW): row}, {}, {}, [young], [], [], {}))
    told = client_of("viewer").get(f"/api/v1/series/{young.id}").json()
    assert told["ready"] == iso(NOW - 600_000 + 86_400_000)
    for path in ("/series", f"/series/{young.id}"):
        page = signed_in("viewer").get(path, headers={"accept-language": "vi"}).text
        assert 'đang học <span class="quiet">sẵn sàng ngày 03/03/2026</span>' in page, path
    assert '<td class="n">–</td><td class="n">–</td>' in signed_in("viewer").get("/series").text, (
        "nothing is expected yet"
    )


def test_closing_as_benign_says_what_it_means_to_the_series(signed_in, world, alert):
    english = {"accept-language": "en"}
    hint = "Its series may be as far off from now on without a call"
    browser = signed_in("analyst")
    assert hint in browser.get(f"/alerts/{alert}", headers=english).text
    assert hint in browser.get(f"/alerts/bulk?rule={RULE.id}", headers=english).text
    assert hint not in browser.get(f"/alerts/{world.fire('hungyen', 1, '198.51.100.1')}", headers=english).text
    assert f'href="/series?definition=otp-delivery">{RULE.id}</a>' in browser.get(f"/alerts/{alert}").text


def test_an_alert_shows_each_series_once_and_says_how_many_there_are(signed_in, world, alert, mine, monkeypatch):
    monkeypatch.setattr("api.console.anomalies._LISTED", 2)
    monkeypatch.setattr("api.console.anomalies._DRAWN", 1)
    earlier = [replace(mine, since=mine.since - n * 600_000, alert=alert) for n in (1, 2, 3)]
    earlier[1] = replace(earlier[1], series="c" * 24)
    world.anomalies.commit(Progress({}, {}, {}, {}, {}, [], [], earlier, {}))
    page = signed_in("viewer").get(f"/alerts/{alert}", headers={"accept-language": "en"}).text
    assert page.count('<svg class="plot"') == 1
    for one in (mine, *earlier[:2]):
        assert f'href="/anomalies/{one.id}"' in page
    assert "Also in this alert" in page
    assert "3 / 4" in page


def test_an_alert_of_hours_is_since_its_first_anomaly_and_so_is_its_search(signed_in, world, alert, mine):
    first = replace(mine, since=mine.since - 3_600_000, until=mine.since - 60_000, alert=alert)
    world.anomalies.commit(Progress({}, {}, {}, {}, {}, [], [], [first], {}))
    browser = signed_in("viewer")
    for page, since in ((f"/alerts/{alert}", first.since), (f"/anomalies/{mine.id}", mine.since)):
        page = browser.get(page, headers={"accept-language": "en"}).text
        said = page[page.index("Since <strong>") :]
        assert f"{datetime.fromtimestamp(since / 1000, ZONE):%H:%M:%S}" in said[:60]
        assert quote(f'@timestamp:["{iso(since)}"', safe="") in said


def test_an_alert_whose_anomalies_are_gone_leads_nowhere_that_is_not(signed_in, world, alert):
    with world.anomalies._db.write() as db:
        db.execute("DELETE FROM anomaly")
    page = signed_in("viewer").get(f"/alerts/{alert}").text
    assert f'href="/rules/{RULE.id}"' not in page
    assert "otp-delivery viettel" in page


def test_an_alert_of_service_levels_leads_to_the_services(signed_in, world):
    rule = RuleDoc("level-high-otp", "hash-level", "The budget burns", "high", "")
    finding = Finding("f", "e" * 24, rule.id, rule.hash, "hungyen", "organization.id", "hungyen", NOW, "0" * 32, {})
    world.detections.commit([finding], {rule.hash: rule}, {}, {}, None, NOW)
    page = signed_in("admin").get(f"/alerts/{'e' * 24}").text
    assert '<a href="/services">level-high-otp</a>' in page
    assert f"/alerts/{'e' * 24}/exception" not in page, "there is no rule that one could be made for"


def test_a_series_is_seen_as_it_was_earlier(client_of, signed_in, mine):
    path = f"/series/{mine.series}"
    wanted = {"hours": 1, "until": iso(NOW - 3_600_000)}
    before = client_of("viewer").get(f"/api/v1{path}", params=wanted).json()["readings"]
    assert (before[0]["time"], before[-1]["time"]) == (iso(NOW - 7_200_000), iso(NOW - 3_660_000))
    assert client_of("viewer").get(f"/api/v1{path}", params={"until": "2026-03-02T12:00:00"}).status_code == 422
    browser = signed_in("viewer")
    now = browser.get(f"{path}?hours=1").text
    assert f'href="{path}?hours=1&amp;until=2026-03-02T17%3A59"' in now
    assert 'rel="next"' not in now
    earlier = browser.get(f"{path}?hours=1&until=2026-03-02T17:59").text
    assert "17:00:00 02/03/2026 … 17:58:00 02/03/2026" in earlier
    assert f'href="{path}?hours=1&amp;until=2026-03-02T18%3A59"' in earlier
    assert browser.get(f"{path}?until=never").status_code == 422
    assert browser.get(f"{path}?until=9999-12-31T23:59").status_code == 200
    assert browser.get(f"{path}?until=0001-01-01T00:00").status_code in (200, 422)


def test_the_plot_marks_each_anomaly_of_its_time_however_many_came_later(signed_in, world, mine):
    since = NOW - 7_200_000
    later = [replace(mine, since=NOW + number, until=NOW + number, at=NOW) for number in range(25)]
    with world.anomalies._db.write() as db:
        write_anomalies(db, [replace(mine, since=since, until=since + 600_000, at=since), *later])
    page = signed_in("viewer").get(f"/series/{mine.series}?hours=1&until=2026-03-02T18:00").text
    assert page.count('class="off"') == 1


def test_a_series_that_learns_anew_names_no_day_that_is_over(client_of, signed_in, world):
    """As after an upgrade: it was born long ago, and what had been learned is of another version."""
    board = Board("otp-delivery", "hungyen")
    old = Series(board, ("mobifone",), 1, NOW - 100 * 86_400_000)
    row = pack(0.02, 30.0, 0.02, 0.0, 0.1, 0.3, False) + pack(0.02, 30.0, 0.02, 0.0, 0.1, 0.0, True)
    world.anomalies.commit(
        Progress({}, {}, {(board, NOW): row}, {(old.id, NOW - 60_000): b"T1"}, {}, [old], [], [], {})
    )
    assert client_of("viewer").get(f"/api/v1/series/{old.id}").json()["ready"] is None
    for path in ("/series", f"/series/{old.id}"):
        page = signed_in("viewer").get(path, headers={"accept-language": "en"}).text
        assert "learning" in page
        assert "ready on" not in page, path


def test_a_page_says_how_long_its_series_learns_and_the_empty_list_how_long_each_does(signed_in, world, mine):
    page = signed_in("admin").get(f"/series/{mine.series}", headers={"accept-language": "en"}).text
    assert "Until it has, it calls nobody. That takes: 1 day." in page
    with world.anomalies._db.write() as db:
        db.execute("DELETE FROM anomaly")
    page = signed_in("viewer").get("/anomalies", headers={"accept-language": "en"}).text
    assert "volumes 14, means by load 21, other measures 1." in page
