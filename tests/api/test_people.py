"""Finding a person: the tokens of the number in each organisation that one may see, and a note of who looked."""

from __future__ import annotations

import pytest

from api.people import MOST_ORGS
from soc.model.event import Event, event_id
from soc.model.org import EVERYTHING
from soc.model.source import Source, Transport

NUMBERS = ("0912345678", "+84 912 345 678", "0912.345.678", " 84912345678 ")


@pytest.fixture
def tokens(world):
    """Of one number, and an event with it, in both organisations."""
    found = {}
    for org in ("hungyen", "ninhbinh"):
        found[org] = world.keys.masker(org).token("phone", NUMBERS[0])
        id_ = event_id(world.now - 1000, f"{org}-portal", "person", org)
        line = f"otp sent to {found[org]}"
        fields = {"event.id": id_, "event.original": line, "event.dataset": "otp.gateway", "organization.id": org}
        world.log.append([Event(id_, world.now - 1000, org, "otp.gateway", fields)])
    return found


@pytest.mark.parametrize("number", NUMBERS)
def test_every_spelling_gives_the_tokens_of_all_organisations(client_of, tokens, number):
    answer = client_of("national").post("/api/v1/events/person", json={"number": number})
    assert set(answer.json()["q"].split(" OR ")) == set(tokens.values())


def test_the_expression_finds_the_lines(client_of, tokens):
    client = client_of("national")
    q = client.post("/api/v1/events/person", json={"number": NUMBERS[0]}).json()["q"]
    found = client.get("/api/v1/events", params={"q": q}).json()["items"]
    assert {item["org"] for item in found} == {"hungyen", "ninhbinh"}


def test_one_organisation_only_and_none_that_is_not_ones_own(client_of, tokens):
    def ask(who, org=None):
        return client_of(who).post("/api/v1/events/person", json={"number": NUMBERS[0], "org": org})

    assert ask("analyst").json()["q"] == ask("national", "hungyen").json()["q"] == tokens["hungyen"]
    assert ask("analyst", "ninhbinh").status_code == ask("national", "nowhere").status_code == 422


@pytest.mark.parametrize(("number", "kind"), [("001203004567", "cccd"), ("123456789", "cmnd")])
def test_citizen_ids(client_of, world, number, kind):
    token = world.keys.masker("hungyen").token(kind, number)
    assert client_of("analyst").post("/api/v1/events/person", json={"number": number}).json()["q"] == token


@pytest.mark.parametrize("number", ["12345678", "sqlmap-0912345678", "0912345678 0987654321", "x" * 40])
def test_what_is_no_number_is_refused_and_not_repeated(client_of, number):
    answer = client_of("analyst").post("/api/v1/events/person", json={"number": number})
    assert answer.status_code == 422
    assert number not in answer.text


def test_who_looked_is_written_down_and_the_number_is_not(client_of, world, tokens):
    client_of("analyst").post("/api/v1/events/person", json={"number": NUMBERS[0]})
    [entry] = [entry for entry in world.stores.audit.list(limit=100).items if entry.action == "search.person"]
    assert (entry.by, tokens["hungyen"] in entry.detail) == ("analyst", True)
    assert "912" not in entry.detail


def test_where_the_key_is_not_here_nothing_is_not_found_but_not_searched(client_of, world):
    answer = client_of("analyst").post("/api/v1/events/person", json={"number": NUMBERS[0]})
    assert answer.status_code == 422
    assert "the masking keys of hungyen are not on this machine" in answer.json()["detail"]
    assert world.keys.token("hungyen", "phone", NUMBERS[0]) is None, "and no key is made"
    assert "search.person" in {entry.action for entry in world.stores.audit.list(limit=100).items}


def test_which_organisations_were_searched_is_said(client_of, signed_in, world):
    world.keys.key("hungyen")
    answer = client_of("national").post("/api/v1/events/person", json={"number": NUMBERS[0]}).json()
    assert (answer["searched"], answer["keyless"]) == (["hungyen"], ["ninhbinh"])
    browser, english = signed_in("national"), {"accept-language": "en"}
    place = browser.post("/events/person", data={"number": NUMBERS[0]}).headers["location"]
    page = browser.get(place, headers=english).text
    assert "in the lines of these organisations: hungyen." in page
    assert "not on this machine: ninhbinh." in page
    mine = signed_in("analyst").get(place, headers=english).text
    assert "ninhbinh" not in mine, "whoever gets the address sees what is theirs"
    assert signed_in("analyst").get("/events?q=x&person=ninhbinh", headers=english).status_code == 422


def test_all_organisations_that_may_be_searched_together_fit_into_a_search(client_of, world):
    for n in range(MOST_ORGS - 2):
        org = f"org{n}"
        world.stores.sources.add(Source(org, org, org, "nginx.access", Transport.PUSH), None, by="test")
    for source in world.stores.sources.list(EVERYTHING):
        world.keys.key(source.org)
    client = client_of("national")
    answer = client.post("/api/v1/events/person", json={"number": NUMBERS[0]}).json()
    assert len(answer["searched"]) == MOST_ORGS
    assert client.get("/api/v1/events", params={"q": answer["q"]}).status_code == 200
    world.stores.sources.add(Source("one-more", "x", "x", "nginx.access", Transport.PUSH), None, by="test")
    refused = client.post("/api/v1/events/person", json={"number": NUMBERS[0]})
    assert f"{MOST_ORGS} at most" in refused.json()["detail"]


def test_a_key_that_is_cut_is_said_without_its_path(client_of, world):
    world.keys.directory.mkdir(exist_ok=True)
    (world.keys.directory / "hungyen.key").write_bytes(b"short")
    answer = client_of("analyst").post("/api/v1/events/person", json={"number": NUMBERS[0]})
    assert answer.status_code == 422
    assert "the masking key of hungyen is unusable" in answer.json()["detail"]
    assert str(world.keys.directory) not in answer.text


def test_the_page_leads_to_a_search_without_the_number(signed_in, tokens):
    browser = signed_in("analyst")
    answer = browser.post("/events/person", data={"number": NUMBERS[1]})
    assert answer.status_code == 303
    assert "912" not in answer.headers["location"]
    page = browser.get(answer.headers["location"])
    assert tokens["hungyen"] in page.text
    refused = browser.post("/events/person", data={"number": "12345678"}, headers={"accept-language": "en"})
    assert refused.status_code == 422
    assert "with all its digits" in refused.text


def test_who_types_the_number_into_the_search_is_shown_the_way(signed_in):
    hint = "This looks like the number of a person"
    page = signed_in("analyst").get("/events", params={"q": NUMBERS[0]}, headers={"accept-language": "en"})
    assert hint in page.text
    assert hint not in signed_in("analyst").get("/events?q=sqlmap", headers={"accept-language": "en"}).text
