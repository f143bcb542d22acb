"""Who behaves unusually, over HTTP: the ranked list of a day, its reasons, and the page of the alert."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unusual_made import AT, HOSTILE, noticed, unusual

from api.entities import similar
from soc.buffer.database import Database
from soc.model.finding import Finding, finding_id
from soc.model.rule import RuleDoc
from soc.model.unusual import FIELD
from soc.store.anomalies import SCHEMA

HOUR, DAY = 3_600_000, 86_400_000
RULE = RuleDoc("people-officers", "hash-officers", "An officer looks up unlike before", "high", "name: officers")


@pytest.fixture
def there(anomaly_db, world):
    """Two of today and one of yesterday in Hưng Yên, one in Ninh Bình."""
    items = [
        unusual("hungyen", entity="canbo.a", score=0.6),
        unusual("hungyen", entity="canbo.b", score=0.9, at=AT - HOUR),
        unusual("hungyen", entity="canbo.c", score=0.7, at=AT - DAY),
        unusual("ninhbinh"),
    ]
    noticed(anomaly_db, items, beyond=9)
    return items


@pytest.fixture
def alert(world, there):
    """Of the first of them, as the detector makes it."""
    one = there[0]
    finding = Finding(
        finding_id(one.alert, one.id), one.alert, RULE.id, RULE.hash, one.org, one.field, one.entity, one.at, one.id,
        {f"{FIELD}what": "officers canbo.a", f"{FIELD}reasons_vi": ["71 công dân"]},
    )  # fmt: skip
    world.detections.commit([finding], {RULE.hash: RULE}, {}, {}, None, AT)
    return one.alert


def names(answer):
    assert answer.status_code == 200, answer.text
    return [one["entity"] for one in answer.json()["items"]]


def test_a_day_ranked_with_its_reasons(client_of, there):
    client = client_of("viewer")
    assert names(client.get("/api/v1/entities")) == ["canbo.b", "canbo.a"], "today, the highest score first"
    assert names(client.get("/api/v1/entities", params={"day": "2026-03-01"})) == ["canbo.c"]
    assert names(client.get("/api/v1/entities", params={"day": "2026-02-01"})) == []
    first = client.get("/api/v1/entities").json()["items"][0]
    why = first["why"][0]
    assert (why["feature"], why["expected"], why["actual"], why["peers"]) == (
        "distinct govsoc.lgsp.subject",
        12.0,
        71.0,
        9.1,
    )
    assert why["text"]["vi"].startswith("71 công dân")
    assert client.get("/api/v1/events", params={"q": first["query"]}).status_code == 200, "the API takes the search"


def test_a_day_is_that_of_viet_nam(client_of, anomaly_db):
    late = 1_772_470_800_000  # 2026-03-03T00:00 in Viet Nam
    noticed(
        anomaly_db,
        [unusual("hungyen", entity="before", at=late - 1), unusual("hungyen", entity="after", at=late, score=0.7)],
    )
    client = client_of("viewer")
    assert names(client.get("/api/v1/entities", params={"day": "2026-03-02"})) == ["before"]
    assert names(client.get("/api/v1/entities", params={"day": "2026-03-03"})) == ["after"]


def test_pages_of_the_list(client_of, there):
    client = client_of("viewer")
    first = client.get("/api/v1/entities", params={"limit": 1}).json()
    rest = client.get("/api/v1/entities", params={"limit": 1, "cursor": first["next"]}).json()
    assert [one["entity"] for one in (*first["items"], *rest["items"])] == ["canbo.b", "canbo.a"]
    assert rest["next"] is None


def test_each_organisation_sees_its_own(client_of, signed_in, there):
    assert names(client_of("outsider").get("/api/v1/entities")) == ["canbo.ninhbinh"]
    assert names(client_of("outsider").get("/api/v1/entities", params={"org": "hungyen"})) == []
    assert set(names(client_of("national").get("/api/v1/entities"))) == {"canbo.a", "canbo.b", "canbo.ninhbinh"}
    assert names(client_of("national").get("/api/v1/entities", params={"org": "ninhbinh"})) == ["canbo.ninhbinh"]
    page = signed_in("outsider").get("/entities").text
    assert "canbo.ninhbinh" in page
    assert "canbo.a" not in page
    assert "hungyen" not in page.partition("<main")[2]


def test_counts_say_what_had_no_room_to_who_sees_all(client_of, there):
    counted = client_of("viewer").get("/api/v1/entities/counts").json()["items"]
    assert [(one["org"], one["entities"], one["late"]) for one in counted] == [("hungyen", 12, 3)]
    counted = client_of("national").get("/api/v1/entities/counts").json()["items"]
    assert [(one["org"], one["other"]) for one in counted] == [("", 9), ("hungyen", 0), ("ninhbinh", 0)]


def test_the_page_of_a_day(signed_in, there):
    browser = signed_in("analyst")
    page = browser.get("/entities", headers={"accept-language": "vi"}).text
    assert page.index("canbo.b") < page.index("canbo.a")
    assert "71 công dân khác nhau" in page
    assert HOSTILE not in page
    assert "/events?q=event.dataset" in page
    assert " style=" not in page, "the policy forbids it"
    english = browser.get("/entities?day=2026-03-01", headers={"accept-language": "en"}).text
    assert "71 different citizens" in english
    assert "canbo.c" in english
    assert "day=2026-03-02" in english, "the day after"


def test_the_page_of_its_alert_shows_the_contributions(signed_in, client_of, alert):
    page = signed_in("analyst").get(f"/alerts/{alert}", headers={"accept-language": "vi"}).text
    assert 'id="behaving"' in page
    assert "71 công dân khác nhau" in page
    assert "/events?q=event.dataset" in page
    assert HOSTILE not in page
    assert f"{FIELD}reasons_vi" not in page.partition('id="events"')[0], "said once, in words"
    assert signed_in("analyst").get(f"/alerts/{alert}/explain").status_code == 200
    assert signed_in("outsider").get(f"/alerts/{alert}").status_code == 404
    closed = client_of("analyst").patch(
        f"/api/v1/alerts/{alert}", json={"version": 0, "status": "closed", "verdict": "benign"}
    )
    assert closed.status_code == 200


def test_before_the_observer_has_written_anything_there_is_nobody(client_of, signed_in):
    assert names(client_of("viewer").get("/api/v1/entities")) == []
    assert signed_in("viewer").get("/entities").status_code == 200


@pytest.mark.parametrize("query", ["day=2026-3-2", "day=x", "day=9999-12-31", "day=20260302", "cursor=%F0", "limit=0"])
def test_what_is_no_day_is_refused(client_of, query):
    assert client_of("viewer").get(f"/api/v1/entities?{query}").status_code in (400, 422)


def test_one_with_its_week_and_what_is_like_it(client_of, world, anomaly_db, alert, there):
    hour = unusual("hungyen", entity="canbo.a", at=AT - 3 * DAY)
    hour = replace(hour, reasons=(replace(hour.reasons[0], feature="hour", kind="hour"),))
    before = [
        hour,
        unusual("hungyen", entity="canbo.a", at=AT - 4 * DAY, surprise=2.0),
        unusual("hungyen", entity="canbo.d", at=AT - 5 * DAY),
        *(unusual("hungyen", entity=f"canbo.{n}", at=AT - 6 * DAY, surprise=30.0 + n) for n in range(9)),
        replace(unusual("hungyen", entity="canbo.a", at=AT - 2 * DAY), people="consumers"),
    ]
    noticed(anomaly_db, before)
    client_of("analyst").patch(f"/api/v1/alerts/{alert}", json={"version": 0, "status": "closed", "verdict": "benign"})
    found = client_of("viewer").get(f"/api/v1/entities/{there[0].id}").json()
    assert found["week"]["counts"] == [0] * 150 + [20] * 17 + [84]
    assert (found["week"]["hours"][0], found["week"]["hours"][-1]) == (
        "2026-02-23T13:00:00.000Z",
        "2026-03-02T12:00:00.000Z",
    )
    likest = [(one["entity"], one["time"][:10]) for one in found["similar"]]
    assert likest[:3] == [("canbo.b", "2026-03-02"), ("canbo.c", "2026-03-01"), ("canbo.d", "2026-02-25")], (
        "alike to the last"
    )
    assert len(likest) == 5
    assert ("canbo.a", "2026-02-26") in likest, "the same entity is preferred, though it was less alike"
    assert all(one["likeness"] >= 0.3 for one in found["similar"]), "nothing that has nothing in common"
    assert found["said"][0]["alert"] == alert
    later = unusual("hungyen", entity="canbo.z", at=AT + DAY)
    noticed(anomaly_db, [later])
    (same,) = [
        one
        for one in client_of("viewer").get(f"/api/v1/entities/{later.id}").json()["similar"]
        if one["alert"] == alert
    ]
    assert same["verdict"] == "benign", "what people thought of it then"
    assert client_of("viewer").get(f"/api/v1/entities/{'f' * 32}").status_code == 404


def test_likeness_is_that_of_reasons(there):
    one = there[0]
    ((_, alike),) = similar(one, [there[1]])
    assert alike == pytest.approx(1.0)
    assert similar(one, [one]) == []
    bare = replace(there[1], reasons=())
    assert similar(one, [bare]) == similar(replace(one, reasons=()), [there[1]]) == []
    assert similar(one, [replace(one, at=one.at - HOUR)]) == [], "of the same episode"
    assert similar(there[1], [one]) == [], "it came later"


@pytest.mark.parametrize(
    ("language", "title"), [("vi", "Sự kiện mỗi giờ, bảy ngày"), ("en", "Events of each hour, seven days")]
)
def test_the_alert_has_a_plot_and_what_is_like_it(signed_in, alert, there, language, title):
    page = signed_in("analyst").get(f"/alerts/{alert}", headers={"accept-language": language}).text
    assert f"<title>{title}</title>" in page
    assert page.count('class="bars"') == page.count('class="off"') == 1
    assert page.count('class="day"') == 7, "the midnights of Viet Nam"
    assert f'href="/alerts/{there[1].alert}"' in page
    assert " style=" not in page
    assert "ninhbinh" not in page.partition("<main")[2]


def test_what_was_kept_before_there_were_weeks_is_shown_without(signed_in, anomaly_db, alert, there):
    with Database(anomaly_db, SCHEMA).write() as db:
        db.execute("UPDATE unusual SET body = json_remove(body, '$.week', '$.harmless')")
    page = signed_in("analyst").get(f"/alerts/{alert}").text
    assert "71 " in page
    assert 'class="bars"' not in page
