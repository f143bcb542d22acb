"""What somebody said is harmless of an entity: what it covers, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unusual_made import unusual

from soc.errors import ConfigError
from soc.model.harmless import (
    MOST_LIMITS,
    NOTABLE,
    HarmlessEntity,
    HarmlessSeries,
    Said,
    behaviour,
    covering,
    harmless_of,
)
from soc.model.policy import BODY_BYTES, Policy, PolicyKind
from soc.model.unusual import Reason, Unusual

KINDS = ("events", "distinct", "rare", "hour")


def reason(kind: str, value: str, surprise: float, actual: float = 90.0) -> Reason:
    return Reason(f"{kind} f", kind, "f", value, 1.0, actual, 2.0, surprise, {})


REASONS = st.lists(
    st.builds(reason, st.sampled_from(KINDS), st.sampled_from(["", "a", "b"]), st.floats(0.7, 30)),
    min_size=1,
    max_size=8,
    unique_by=lambda one: (one.kind, one.value),
)


def item(*reasons: Reason) -> Unusual:
    return replace(unusual("hungyen"), reasons=reasons)


def said(*items: Unusual, by: str = "lan", at: int = 1) -> Said[HarmlessEntity]:
    return Said(behaviour(f"{at:044x}", "a" * 24, items), 1, by, at, "known")


@given(REASONS, st.floats(0.1, 1.09))
def test_the_same_again_is_covered_and_up_to_a_tenth_more(reasons, factor):
    again = item(
        *(replace(one, actual=one.actual * factor, surprise=one.surprise * min(factor, 1.09)) for one in reasons)
    )
    assert [one.by for one in covering(again, [said(item(*reasons))])] == ["lan"]


@given(REASONS, st.data())
def test_more_than_a_tenth_more_or_another_thing_is_not(reasons, data):
    strong = [one for one in reasons if one.surprise >= NOTABLE] or [max(reasons, key=lambda one: one.surprise)]
    one = data.draw(st.sampled_from(strong))
    others = [it for it in reasons if it is not one]
    known = [said(item(*reasons))]
    more = replace(one, surprise=one.surprise * 1.11, actual=one.actual * 1.3)
    assert covering(item(*others, more), known) == ()
    assert covering(item(*others, replace(one, value="another")), known) == ()
    assert covering(item(*others, replace(one, field="another")), known) == ()
    assert covering(item(one, reason("travel", "private, 203.0.0.0/16", NOTABLE)), known) == ()
    weaker = item(one, reason("travel", "private, 203.0.0.0/16", NOTABLE * 0.99))
    assert covering(weaker, known) != () or one.surprise < NOTABLE


def test_as_many_of_what_is_counted_are_covered_however_surprising():
    """What is harmless is learned, too: in nats it would be ever more."""
    known = [said(item(reason("distinct", "", 9.0, 500)))]
    assert covering(item(reason("distinct", "", 20.0, 550)), known)
    assert not covering(item(reason("distinct", "", 9.0, 551)), known)
    few = [said(item(reason("distinct", "", 9.0, 9)))]
    assert covering(item(reason("distinct", "", 9.0, 15)), few), "as many more as chance makes of nine"
    assert not covering(item(reason("distinct", "", 9.0, 16)), few)


def test_a_share_is_covered_up_to_a_tenth_more():
    known = [said(item(reason("share", "failure", 9.0, 0.4)))]
    assert covering(item(reason("share", "failure", 20.0, 0.44)), known)
    assert not covering(item(reason("share", "failure", 9.0, 0.45)), known)


def test_what_is_weak_alone_is_not_passed_over_where_there_is_much_of_it():
    known = [said(item(reason("events", "", 6.1)))]
    weak = [reason("rare", value, 4.4) for value in "abcde"]
    assert covering(item(reason("events", "", 6.1), *weak[:2]), known)
    assert not covering(item(reason("events", "", 6.1), *weak[:3]), known)


def test_nothing_said_covers_nothing_and_weak_reasons_alone_are_not_passed_over():
    weak = item(reason("events", "", 4.0), reason("rare", "a", 3.9))
    assert covering(weak, []) == ()
    assert covering(weak, [said(item(reason("hour", "03:00", 9.0)))]) == ()
    assert covering(weak, [said(weak)]) != ()


def test_two_who_said_it_of_two_things_cover_both_and_the_latest_is_named():
    first, second = reason("events", "", 9.0), reason("rare", "a", 9.0)
    lan, an = said(item(first), by="lan"), said(item(second), by="an", at=2)
    assert covering(item(first, second), [lan]) == ()
    assert {one.by for one in covering(item(first, second), [an, lan])} == {"lan", "an"}
    assert [one.by for one in covering(item(first), [said(item(first), by="an", at=2), lan])] == ["an"]


def test_of_many_items_each_thing_counts_with_the_most():
    known = behaviour(
        "a" * 44, "", [item(reason("events", "", 5.0)), item(reason("events", "", 8.0), reason("rare", "a", 6.0))]
    )
    limits = {(one.kind, one.value): (one.surprise, one.most) for one in known.limits}
    assert limits == {("events", ""): (8.8, 108), ("rare", "a"): (6.6, 0)}
    assert known.includes(behaviour("a" * 44, "", [item(reason("events", "", 5.0))]))
    assert not known.includes(behaviour("a" * 44, "", [item(reason("events", "", 5.0, 200))]))
    assert not known.includes(behaviour("a" * 44, "", [item(reason("rare", "a", 9.0))]))
    assert not known.includes(replace(known, entity="another"))


@given(REASONS)
def test_it_is_kept_as_it_is(reasons):
    known = said(item(*reasons)).harmless
    body = orjson.loads(orjson.dumps(known.body()))
    assert harmless_of(Policy(PolicyKind.HARMLESS, known.id, 1, body, "lan", 1)) == known


def test_what_is_harmless_is_named_as_reasons_are():
    count = Reason("event.outcome=failure", "count", "event.outcome", "failure", 1.0, 90.0, 2.0, 9.0, {})
    share = Reason("share event.outcome=failure", "share", "event.outcome", "failure", 0.1, 0.4, 0.1, 8.0, {})
    known = said(item(count, share, reason("rare", "a", 6.0))).harmless
    named = "event.outcome=failure up to 108, share event.outcome=failure up to 0.44, rare f a"
    assert str(known) == f"officers canbo.hungyen, {named}"


def test_however_much_surprised_a_policy_has_room_for_it():
    values = [f"{n:03d}" + "\x00" * 157 for n in range(100)]
    known = behaviour("a" * 44, "a" * 24, [item(*(reason("rare", value, 5.0) for value in values))])
    assert 10 < len(known.limits) <= MOST_LIMITS
    assert len(orjson.dumps(known.body())) < BODY_BYTES
    assert len(str(known)) < 2000


@pytest.mark.parametrize(
    "limits",
    [
        *(None, "all", [["rare", "f", "a"]], [["rare", "f", "a", 9]], [["rare", "f", "a", "9", 0]]),
        *([["rare", "f", "a", -1, 0]], [["rare", "f", "a", 1, -1]], [[1, "f", "a", 9, 0]]),
    ],
)
def test_what_says_something_else_is_refused(limits):
    body = said(item(reason("events", "", 5.0))).harmless.body() | {"limits": limits}
    with pytest.raises(ConfigError, match="limits are lists"):
        harmless_of(Policy(PolicyKind.HARMLESS, "a" * 44, 1, body, "lan", 1))


def test_what_was_said_of_a_series_in_other_units_says_nothing():
    one = HarmlessSeries("s", "otp-delivery", "hungyen", 8.8, "a")
    body = dict(one.body())
    assert harmless_of(Policy(PolicyKind.HARMLESS, one.id, 1, body, "lan", 1)) == one
    del body["scale"]
    with pytest.raises(ConfigError, match="say it again"):
        harmless_of(Policy(PolicyKind.HARMLESS, one.id, 1, body, "lan", 1))
