"""Surges through the API: declared, seen, ended, by whom they are of; and what the detector reads of them."""

from __future__ import annotations

import pytest
from servers import both_stores

from api.surges import MAX_OPEN
from soc.model.calendar import DAY_MS
from soc.model.policy import Policy, PolicyKind
from soc.service.levels import KnownSurges

WANTED = {
    "name": "Tuyển sinh lớp 6",
    "since": "2026-03-02T18:00:00+07:00",  # an hour before the clock of the tests
    "until": "2026-03-09T18:00:00+07:00",
    "factor": 5,
    "orgs": ["hungyen"],
    "systems": ["portal"],
    "reason": "công văn 12",
}


def expected(policies):
    """As the observer knows them."""
    known = KnownSurges(policies)
    known.load()
    return known


@pytest.fixture
def admin(client_of):
    return client_of("admin")


@both_stores
def test_a_surge_from_its_declaration_to_its_end(admin, world):
    made = admin.post("/api/v1/surges", json=WANTED)
    assert made.status_code == 201
    assert (made.json()["active"], made.json()["factor"], made.json()["by"]) == (True, 5, "admin")
    surges = expected(world.stores.policies)
    assert surges.active("hungyen", "portal", world.now) == 5
    assert surges.active("hungyen", "portal", world.now, "mot-cua") == 5
    for org, system, at in (("ninhbinh", "portal", 0), ("hungyen", "otp", 0), ("hungyen", "portal", 8 * DAY_MS)):
        assert surges.active(org, system, world.now + at) is None
    world.now += 60_000
    path = f"/api/v1/surges/{made.json()['id']}"
    assert admin.post(f"{path}/end", json={"reason": "over early"}).status_code == 204
    ended = admin.get(path).json()
    assert (ended["over"], ended["reason"]) == (True, "over early")
    assert expected(world.stores.policies).active("hungyen", "portal", world.now) is None
    assert expected(world.stores.policies).active("hungyen", "portal", world.now - 1) == 5, "what was, stays"
    assert admin.post(f"{path}/end", json={"reason": "again"}).status_code == 422
    history = world.stores.policies.history(PolicyKind.SURGE, ended["id"])
    assert [one.reason for one in history] == ["công văn 12", "over early"]
    assert [one.action for one in world.stores.audit.list(by="admin").items] == ["surge.end", "surge.declare"]


def test_one_that_has_not_begun_is_withdrawn(admin):
    made = admin.post("/api/v1/surges", json=WANTED | {"since": "2026-03-05T00:00:00+07:00"}).json()
    assert (made["active"], made["over"]) == (False, False)
    assert admin.post(f"/api/v1/surges/{made['id']}/end", json={"reason": "rain"}).status_code == 204
    assert admin.get(f"/api/v1/surges/{made['id']}").status_code == 404
    assert admin.get("/api/v1/surges").json()["items"] == []


def test_hours_and_services(admin, world):
    wanted = WANTED | {"hours": "07:00-11:30", "services": ["hotich"], "until": "2026-03-20T00:00:00+07:00"}
    assert admin.post("/api/v1/surges", json=wanted).json()["hours"] == "07:00-11:30"
    surges = expected(world.stores.policies)
    noon = 1_772_514_000_000  # 2026-03-03 12:00 in Viet Nam
    assert surges.active("hungyen", "portal", noon) is None
    assert surges.active("hungyen", "portal", noon - 3_600_000, "hotich") == 5
    assert surges.active("hungyen", "portal", noon - 3_600_000, "datdai") is None


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"until": "2026-03-01T00:00:00+07:00"}, 422, "it has to end after it begins, and at most 62 days later"),
        ({"since": "1960-03-01T00:00:00Z"}, 422, "of the years 1970 to 2247"),
        ({"since": "2026-01-01T00:00:00Z", "until": "2026-01-09T00:00:00Z"}, 422, "over already"),
        ({"until": "2027-03-09T18:00:00+07:00"}, 422, "62 days later"),
        ({"factor": 0}, 422, ""),
        ({"factor": 1e9}, 422, ""),
        ({"systems": ["fax"]}, 422, "there is no system 'fax': choose one of portal"),
        ({"services": ["x" * 150]}, 422, "1 to 128 letters"),
        ({"hours": "25:00-26:00"}, 422, "the hours are '25:00-26:00'"),
        ({"hours": "11:00-07:00"}, 422, "the hours are"),
        ({"hours": "22:00-02:00"}, 422, "for a night declare two"),
        ({"reason": "  "}, 422, ""),
        ({"orgs": ["hungyen"] * 200}, 422, ""),
        ({"orgs": []}, 403, "everybody's"),
        ({"orgs": ["hungyen", "ninhbinh"]}, 403, "not one of yours"),
        ({"reason": ""}, 422, ""),
        ({"more": 1}, 422, ""),
    ],
)
def test_what_cannot_be_is_refused(admin, change, status, said):
    answer = admin.post("/api/v1/surges", json=WANTED | change)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


def test_one_for_several_shows_each_only_its_own(client_of, world):
    made = client_of("national").post("/api/v1/surges", json=WANTED | {"orgs": ["hungyen", "ninhbinh"]}).json()
    everybody = client_of("national").post("/api/v1/surges", json=WANTED | {"orgs": []}).json()
    seen = {one["id"]: one["orgs"] for one in client_of("outsider").get("/api/v1/surges").json()["items"]}
    assert seen == {made["id"]: ["ninhbinh"], everybody["id"]: []}
    for id_ in seen:
        assert client_of("outsider").post(f"/api/v1/surges/{id_}/end", json={"reason": "x"}).status_code == 403
    assert expected(world.stores.policies).active("hanoi", "portal", world.now) == 5


def test_so_many_of_one_organisation_and_none_of_others_in_their_room(client_of, world):
    for number in range(MAX_OPEN):
        answer = client_of("admin").post("/api/v1/surges", json=WANTED | {"name": f"{number}"})
        assert answer.status_code == 201
    full = client_of("admin").post("/api/v1/surges", json=WANTED)
    assert (full.status_code, "50 surges of hungyen that are not over" in full.text) == (422, True)
    others = WANTED | {"orgs": ["ninhbinh"]}
    assert client_of("outsider").post("/api/v1/surges", json=others).status_code == 201
    both = WANTED | {"orgs": ["hungyen", "ninhbinh"]}
    assert client_of("national").post("/api/v1/surges", json=both).status_code == 422
    for _ in range(MAX_OPEN):
        assert client_of("national").post("/api/v1/surges", json=WANTED | {"orgs": []}).status_code == 201
    assert "of all organisations" in client_of("national").post("/api/v1/surges", json=WANTED | {"orgs": []}).text
    assert expected(world.stores.policies).active("hungyen", "portal", world.now) == 5


def test_only_what_may_be_ended_has_a_button(client_of):
    """Of one that is also of others only one's own organisations are shown, but ending it is not up to one of them."""
    both = client_of("national").post("/api/v1/surges", json=WANTED | {"orgs": ["hungyen", "ninhbinh"]}).json()["id"]
    own = client_of("admin").post("/api/v1/surges", json=WANTED).json()["id"]
    page = client_of("admin").get("/services/surges").text
    assert f"/services/surges/{own}/end" in page
    assert f"/services/surges/{both}/end" not in page
    assert f"/services/surges/{both}/end" in client_of("national").get("/services/surges").text


def test_what_is_refused_on_the_page_is_a_sentence_in_its_language(client_of):
    typed = {"name": "x", "since": "2026-03-03T00:00", "until": "2026-03-03T00:00", "reason": "y", "factor": 2}
    said = {
        "vi": "đợt này phải kết thúc sau khi bắt đầu, và muộn nhất 62 ngày sau đó</p>",
        "en": "That cannot be done: it has to end after it begins, and at most 62 days later</p>",
    }
    for language, text in said.items():
        answer = client_of("admin").post(
            "/services/surges", data=typed | {"orgs": "hungyen"}, headers={"accept-language": language}
        )
        assert (answer.status_code, text in answer.text) == (422, True)


def test_an_end_on_the_page_needs_a_reason(client_of):
    own = client_of("admin").post("/api/v1/surges", json=WANTED).json()["id"]
    answer = client_of("admin").post(f"/services/surges/{own}/end", data={"reason": "   "})
    assert (answer.status_code, "hãy nêu lý do" in answer.text or "say why" in answer.text) == (422, True)
    assert not client_of("admin").get(f"/api/v1/surges/{own}").json()["over"]


def test_one_that_cannot_be_read_hides_no_other(admin, world):
    admin.post("/api/v1/surges", json=WANTED)
    world.stores.policies.put(Policy(PolicyKind.SURGE, "new", 1, {"of": "a newer govsoc"}, "x", 0))
    assert len(admin.get("/api/v1/surges").json()["items"]) == 1


def test_one_is_declared_though_a_definition_is_of_another_version(admin, state):
    state.anomalies.publish({"portal-requests": {"measure": "of a newer govsoc"}}, [])
    assert admin.post("/api/v1/surges", json=WANTED | {"services": ["no-such-service"]}).status_code == 201


def test_rules_do_not_know_of_surges(admin, world, client_of):
    """Security detection stays on: what the detector judges findings with is the same, whatever is declared."""
    from soc.service.tuning import read_tuning

    before = read_tuning(world.stores.policies, None)
    admin.post("/api/v1/surges", json=WANTED)
    after = read_tuning(world.stores.policies, None)
    assert (before.drafts, before.bounds) == (after.drafts, after.bounds)
    assert world.stores.policies.list(PolicyKind.EXCEPTION) != []


def test_what_nobody_has_heard_of_is_told_in_the_answer_and_on_the_page(client_of):
    admin = client_of("admin")
    made = admin.post("/api/v1/surges", json=WANTED | {"services": ["no-such-service"]}).json()
    doubt = "no volume of no-such-service is watched yet: check that it is spelled as in the logs"
    assert made["doubts"] == [doubt]
    assert [one["doubts"] for one in admin.get("/api/v1/surges").json()["items"]] == [[doubt]]
    assert doubt in admin.get("/services/surges", headers={"accept-language": "en"}).text
    assert "chưa theo dõi lượng nào của no-such-service" in admin.get("/services/surges").text
    assert admin.post("/api/v1/surges", json=WANTED).json()["doubts"] == []
