"""The page of one source: switching it, and when its silence is an alarm."""

from __future__ import annotations

import pytest

from api.standing import expect
from soc.model.policy import PolicyKind
from soc.model.source import Source, Transport

EN, VI = {"accept-language": "en"}, {"accept-language": "vi"}
FORM = {"version": "0", "schedule": "office_hours", "limit": "60", "exempt_until": "2026-03-31", "reason": "moving"}
PAGE = "/sources/hungyen-portal"


def laid_down(world):
    return world.stores.policies.history(PolicyKind.SILENCE, "hungyen-portal")


def test_what_is_switched_on_again_takes_over_nothing_and_says_so(client_of, world):
    for org in ("hungyen", "ninhbinh"):
        source = Source(f"srv-{org}", f"Server {org}", org, "syslog", Transport.SYSLOG, ("10.1.2.3",))
        world.stores.sources.add(source, None, by="test")
    client = client_of("admin")
    client.post("/sources/srv-hungyen/enabled", data={"enabled": "false"})
    answer = client.post("/sources/srv-hungyen/enabled", data={"enabled": "true"}, headers=EN)
    assert answer.status_code == 409
    assert "already a sender of another organisation" in answer.text
    assert "ninhbinh" not in answer.text
    assert "Switched off" in client.get("/sources/srv-hungyen", headers=EN).text


def test_an_administrator_says_when_silence_is_an_alarm_and_the_history_keeps_it(client_of, world):
    client = client_of("admin")
    answer = client.post(f"{PAGE}/expectation", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}#silence")
    text = client.get(PAGE, headers=EN).text
    assert "every 60 minutes in office hours · not until after 2026-03-31: moving" in text
    assert "+ limit_minutes: 60" in text
    assert '<input type="hidden" name="version" value="1">' in text
    assert "60 phút" in client.get(PAGE, headers=VI).text
    again = FORM | {"version": "1", "schedule": "always", "exempt_until": "", "limit": "15"}
    assert client.post(f"{PAGE}/expectation", data=again).status_code == 303
    assert [(one.version, one.by, dict(one.body)) for one in laid_down(world)] == [
        (
            1,
            "admin",
            {"schedule": "office_hours", "limit_minutes": 60, "exempt_until": "2026-03-31", "reason": "moving"},
        ),
        (2, "admin", {"schedule": "always", "limit_minutes": 15}),
    ]


def test_the_system_of_a_source_stays_what_it_was(client_of, world):
    expect(world.stores.policies, "hungyen-portal", {"system": "motcua"}, by="test", now=0)
    client_of("admin").post(f"{PAGE}/expectation", data=FORM | {"version": "1"})
    assert laid_down(world)[-1].body["system"] == "motcua"


@pytest.mark.parametrize(
    ("changes", "said", "vietnamese"),
    [
        ({"limit": "0"}, "from 1 to 44640", "số phút nguyên"),
        ({"limit": "44641"}, "from 1 to 44640", "số phút nguyên"),
        ({"limit": "1.5"}, "from 1 to 44640", "số phút nguyên"),
        ({"limit": ""}, "from 1 to 44640", "số phút nguyên"),
        ({"limit": "²"}, "from 1 to 44640", "số phút nguyên"),
        ({"exempt_until": "31/12/2026"}, "a date such as", "một ngày như"),
        ({"exempt_until": "2100-01-01"}, "a date such as", "một ngày như"),
        ({"exempt_until": "2026-03-01"}, "has passed already", "đã qua"),
        ({"reason": " "}, "Say why", "lý do"),
    ],
)
def test_what_makes_no_sense_comes_back_with_the_form(client_of, world, changes, said, vietnamese):
    client = client_of("admin")
    given = FORM | {"limit": "77", "reason": "<b>move</b>"} | changes
    for headers, words in ((EN, said), (VI, vietnamese)):
        answer = client.post(f"{PAGE}/expectation", data=given, headers=headers)
        assert answer.status_code == 422
        assert words in answer.text
        assert f'name="limit" value="{given["limit"]}"' in answer.text
        assert "<b>move" not in answer.text
    assert laid_down(world) == []


def test_who_changed_it_meanwhile_is_said_and_nothing_is_lost(client_of, world):
    client = client_of("admin")
    client.post(f"{PAGE}/expectation", data=FORM)
    answer = client.post(f"{PAGE}/expectation", data=FORM | {"limit": "5"}, headers=EN)
    assert answer.status_code == 409
    assert "Somebody else has changed it meanwhile" in answer.text
    assert 'name="limit" value="5"' in answer.text
    assert len(laid_down(world)) == 1


def test_what_is_saved_without_a_change_does_not_stand_in_the_way_of_the_next(client_of, world):
    client = client_of("admin")
    for version in range(3):
        assert f'name="version" value="{version}"' in client.get(PAGE, headers=EN).text
        answer = client.post(f"{PAGE}/expectation", data=FORM | {"version": str(version)})
        assert answer.status_code == 303


def test_who_may_not_change_it_sees_it_and_no_form(client_of, world):
    client_of("admin").post(f"{PAGE}/expectation", data=FORM)
    text = client_of("viewer").get(PAGE, headers=EN).text
    assert "every 60 minutes" in text
    assert f"{PAGE}/expectation" not in text


def test_an_exemption_that_is_over_is_not_offered_again(client_of, world):
    client_of("admin").post(f"{PAGE}/expectation", data=FORM)
    world.now += 40 * 86_400_000
    text = client_of("admin").get(PAGE, headers=EN).text
    assert 'name="exempt_until" value=""' in text
    assert "not until after" not in text


def test_what_stands_for_our_address_is_said_where_it_is_not_known(client_of, pushed):
    client, said = client_of("viewer"), "GOVSOC stands for the address of this machine"
    assert said in client.get(f"/sources/{pushed}", headers=EN | {"host": "127.0.0.1:8080"}).text
    assert said not in client.get(f"/sources/{pushed}", headers=EN | {"host": "soc.hungyen.gov.vn"}).text
    assert said not in client.get(PAGE, headers=EN | {"host": "127.0.0.1:8080"}).text  # a file is read here
