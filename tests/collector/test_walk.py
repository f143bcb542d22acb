"""Who walks through citizen ids is told, without an id."""

from __future__ import annotations

import json

import pytest

from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from collector.walk import CitizenId, Walks
from soc.model.source import Source, Transport

FIRST = 1203004567  # 001 203 004567
LGSP = Source("lgsp", "lgsp", "hungyen", "lgsp.gateway", Transport.FILE)
PORTAL = Source("portal", "portal", "hungyen", "nginx.access", Transport.FILE)


def lengths(*numbers: int, walks: Walks | None = None, account: str = "lan") -> list[int]:
    walks = walks or Walks()
    return [walks.follow(account, CitizenId("cccd", number)) for number in numbers]


def test_ids_in_a_row_are_counted():
    assert lengths(5, 6, 7, 8) == [1, 2, 3, 4]
    assert lengths(8, 7, 6) == [1, 2, 3]
    assert lengths(10, 13, 20, 30) == [1, 2, 3, 4], "who skips some"


def test_ids_anywhere_are_no_walk():
    assert lengths(5, 500_000, 17_000, 90_000) == [1] * 4
    assert lengths(5, 16, 27) == [1] * 3
    assert lengths(5, 6, 5, 6) == [1, 2, 1, 2], "to and fro"


def test_the_same_id_again_neither_ends_nor_lengthens_a_walk():
    assert lengths(5, 6, 6, 6, 7) == [1, 2, 2, 2, 3]


def test_ordinary_work_in_between_ends_no_walk_but_much_of_it_does():
    assert lengths(5, 900_000, 6, 700_000, 100_000, 7) == [1, 1, 2, 1, 1, 3]
    assert lengths(5, 6, 900_000, 800_000, 700_000, 600_000, 7)[-1] == 1


def test_what_is_delivered_again_neither_ends_nor_splits_a_walk():
    walks = Walks()
    assert lengths(*range(1, 101), walks=walks)[-1] == 100
    lengths(*range(91, 101), walks=walks)
    assert lengths(*range(101, 111), walks=walks) == [*range(101, 111)]


def test_what_is_held_of_an_account_is_as_much_whatever_its_name():
    walks = Walks()
    walks.follow("A" * 20_000, CitizenId("cccd", 1))
    assert all(isinstance(key, int) for key in walks._heads)


def test_each_account_walks_alone_and_two_kinds_of_ids_are_no_row():
    walks = Walks()
    for number in range(10):
        assert walks.follow("lan" if number % 2 else "minh", CitizenId("cccd", 100 * number)) == 1
    assert walks.follow("mai", CitizenId("cccd", 123_456_789)) == 1
    assert walks.follow("mai", CitizenId("cmnd", 123_456_790)) == 1


def test_accounts_are_bounded_and_who_asks_stays():
    walks = Walks(most=3)
    for number in range(50):
        assert lengths(number, walks=walks) == [number + 1]
        walks.follow(f"other-{number}", CitizenId("cccd", 1))
    assert len(walks._heads) == 3
    lengths(1, walks=walks, account="x")
    lengths(1, walks=walks, account="y")
    lengths(1, walks=walks, account="z")
    assert lengths(50, walks=walks) == [1], "forgotten"


def lookup(number: int, user: str | None = "lan", **more: object) -> Record:
    call = {
        "time": "2026-03-02T09:00:00+07:00",
        "api": "dan-cu",
        "status": 200,
        "subject": f"{number:012d}",
        "client_ip": "10.0.0.7",
    }
    call |= {"user": user} if user else {}
    return Record(json.dumps(call | more).encode(), str(number))


def walked(records, source: Source = LGSP, masker: Masker | None = None) -> list[object]:
    masker = masker or Masker(bytes(32))
    return [to_event(one, source, masker, 0).fields.get("govsoc.subject.walk") for one in records]


def test_an_event_tells_from_the_third_on():
    assert walked(lookup(FIRST + n) for n in range(5)) == [None, None, 3, 4, 5]


def test_no_id_leaves_the_collector():
    masker = Masker(bytes(32))
    for n in range(20):
        event = to_event(lookup(FIRST + n), LGSP, masker, 0)
        assert f"{FIRST + n}" not in json.dumps(event.fields)
    assert "4567" not in repr(masker.mask(f"cccd={FIRST:012d}"))


def test_the_id_event_and_all_other_fields_are_as_without_a_walk():
    alone = to_event(lookup(FIRST + 4), LGSP, Masker(bytes(32)), 0)
    masker = Masker(bytes(32))
    *_, last = [to_event(lookup(FIRST + n), LGSP, masker, 0) for n in range(5)]
    assert last.id == alone.id
    assert last.fields == {**alone.fields, "govsoc.subject.walk": 5}


def test_two_officers_that_share_an_address_are_two_and_programs_go_by_their_address():
    both = [lookup(FIRST + n, "lan" if n % 16 else "minh") for n in range(0, 80, 8)]
    assert walked(both) == [None] * 10
    assert walked(lookup(FIRST + n, None) for n in range(4)) == [None, None, 3, 4]


@pytest.mark.parametrize("position", ["user", "note"])
def test_who_signs_in_with_an_id_walks_by_those_that_are_asked_for(position):
    own = "001099000001"
    records = [lookup(FIRST + n, **{position: own}) for n in range(4)]
    assert walked(records) == [None, None, 3, 4]
    assert walked([lookup(FIRST, **{position: own})] * 4) == [None] * 4


def request(n: int, address: str = "203.0.113.9", user: str = "-") -> Record:
    line = f'{address} - {user} [02/Mar/2026:09:00:00 +0700] "GET /tra-cuu?cccd={FIRST + n:012d} HTTP/1.1" 200 612 "-" "curl/8.5"'
    return Record(line.encode(), str(n))


def test_at_the_portal_by_address():
    assert walked((request(n) for n in range(4)), PORTAL) == [None, None, 3, 4]
    assert walked((request(n, f"203.0.113.{n}") for n in range(4)), PORTAL) == [None] * 4


def test_another_name_each_time_hides_no_walk_at_the_portal_and_wipes_nobody_elses():
    masker = Masker(bytes(32))
    assert walked((lookup(FIRST + n) for n in range(4)), masker=masker)[-1] == 4
    names = [request(n, user=f"u{n}") for n in range(5_001)]
    assert walked(names[:4], PORTAL, masker) == [None, None, 3, 4]
    walked(names[4:], PORTAL, masker)
    assert walked([lookup(FIRST + 4)], masker=masker) == [5]
    own = "001099000001"
    assert walked([request(n, user=own) for n in range(90, 94)], PORTAL) == [None, None, 3, 4], (
        "its own id is not asked for"
    )


def test_organisations_do_not_share_walks():
    here, there = Masker(bytes(32)), Masker(bytes(range(32)))
    assert [walked([lookup(FIRST + n)], LGSP, there if n % 2 else here) for n in range(4)] == [[None]] * 4
