"""What goes when: pure decisions."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.errors import ConfigError
from soc.model.delivery import Delivery, DeliveryState
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.notify import plan
from soc.notify.route import Channel, Route, body_of, check, covers, route_of

NOW = 1_772_452_800_000
ROUTE = Route("r", "On duty", Channel.EMAIL, ("a@b.vn",), per_hour=5)


def delivery(n=0, **changed):
    return replace(
        Delivery(f"d{n:03}", "r", f"a{n}", "H42", "raised", NOW + n, NOW + n, NOW + plan.GIVE_UP_MS), **changed
    )


@given(
    number=st.integers(0, 40),
    sent=st.integers(0, 12),
    per_hour=st.integers(1, 10),
    digest=st.sampled_from([0, 10]),
    later=st.integers(0, 60),
)
def test_never_more_messages_than_wished_each_delivery_in_one_and_the_oldest_first(
    number, sent, per_hour, digest, later
):
    pending = [delivery(n) for n in range(number)]
    route = replace(ROUTE, per_hour=per_hour, digest_minutes=digest)
    messages = plan.messages(pending, route, sent, NOW + later)
    told = [d for message in messages for d in message]
    assert len(messages) <= max(per_hour - sent, 0)
    assert told == pending[: len(told)]
    if sent < per_hour and not digest:
        assert told == [d for d in pending if d.next_at <= NOW + later], "nothing that is due stays behind"


def test_a_route_rests_after_a_failure_until_that_one_is_due():
    failed = delivery(0, attempts=2, next_at=NOW + 100)
    assert plan.messages([failed, delivery(1)], ROUTE, 0, NOW + 99) == []
    assert plan.messages([failed, delivery(1)], ROUTE, 0, NOW + 100) == [[failed], [delivery(1)]]


def test_what_somebody_else_is_sending_is_left_alone():
    taken = delivery(0, claimed_until=NOW + 100)
    assert plan.messages([taken, delivery(1)], ROUTE, 0, NOW + 50) == [[delivery(1)]]
    assert plan.messages([taken, delivery(1)], ROUTE, 0, NOW + 100) == [[taken], [delivery(1)]]


def test_what_was_in_a_message_goes_in_the_same_one_and_first():
    begun = [delivery(0, message="m"), delivery(1, message="m")]
    other = [delivery(2, message="o"), delivery(3), delivery(4)]
    assert plan.messages(begun + other, ROUTE, 0, NOW + 9) == [begun, other[:1], [other[1]], [other[2]]]
    assert plan.messages(begun + other, ROUTE, 2, NOW + 9) == [begun, other[:1], other[1:]]
    assert plan.messages(begun + other, ROUTE, 4, NOW + 9) == [begun]
    digest = replace(ROUTE, digest_minutes=5)
    assert plan.messages(begun + other, digest, 0, NOW + 9) == [begun, other[:1], other[1:]]
    claimed = plan.claimed([*begun, delivery(3)], NOW + 9, "new")
    assert [d.message for d in claimed] == ["m", "m", "new"]


def test_pauses_double_up_to_ten_minutes_and_differ():
    chance = Random(7)
    for tries, expected_s in enumerate((30, 60, 120, 240, 480, 600, 600)):
        pauses = [plan.pause_ms(tries, chance) for _ in range(50)]
        assert expected_s * 800 <= min(pauses) < max(pauses) <= expected_s * 1200
    assert plan.pause_ms(10_000, chance) <= 720_000


def test_put_off_until_a_day_has_passed():
    young, old = delivery(0), delivery(1, give_up_at=NOW + 1)
    [later, failed] = plan.put_off([young, old], "away", NOW, Random(1))
    assert (later.state, later.attempts, later.error) == (DeliveryState.PENDING, 1, "away")
    assert (failed.state, failed.error) == (DeliveryState.FAILED, "away")
    again = plan.again(failed, NOW + 5)
    assert (again.state, again.next_at, again.attempts) == (DeliveryState.PENDING, NOW + 5, 0)


@pytest.mark.parametrize(
    ("pattern", "org", "yes"),
    [("H42", "H42", True), ("H42", "H42.01", False), ("H42.*", "H42", True), ("H42.*", "H42.01.005", True), ("H42.*", "H421", False)],
)  # fmt: skip
def test_patterns_of_organisations(pattern, org, yes):
    assert covers(pattern, org) is yes


def test_a_pattern_is_inside_no_scope_but_all():
    mine = Scope(frozenset({"H42", "H42.01"}))
    for orgs, inside in (
        (("H42",), True),
        (("H42", "H42.01"), True),
        (("H42.*",), False),
        ((), False),
        (("H30",), False),
    ):
        assert replace(ROUTE, orgs=orgs).inside(mine) is inside
        assert replace(ROUTE, orgs=orgs).inside(Scope(None))


def test_a_route_comes_back_from_its_policy_as_it_was():
    for route in (
        ROUTE,
        Route("h", "Zalo", Channel.WEBHOOK, url="https://x.vn/", orgs=("H42.*",), secret="s", since=5),
    ):
        check(route)
        policy = Policy(PolicyKind.ROUTE, route.id, 3, body_of(route), "lan", NOW)
        assert route_of(policy) == replace(route, version=3, by="lan")
        newer = replace(policy, body={**policy.body, "new": 1})
        assert route_of(newer) == replace(route, version=3, by="lan"), "what a newer govsoc adds is left alone"


@pytest.mark.parametrize("body", [None, {}, {"channel": "pigeon", "name": "x"}, {"channel": "email"}])
def test_a_policy_that_is_no_route_says_so(body):
    with pytest.raises(ConfigError, match="newer govsoc"):
        route_of(Policy(PolicyKind.ROUTE, "r", 1, body, "lan", NOW))
