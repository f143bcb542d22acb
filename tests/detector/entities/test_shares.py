"""Shares: of a hundred calls three fail, and one day forty."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import exp, lgamma, log

import pytest
from habits import BUCKET_MS, DAY_MS, MONDAY_MS, Act
from hypothesis import given
from hypothesis import strategies as st

from detector.entities.budget import Budget
from detector.entities.item import Item, Kind, Why
from detector.entities.learn import Learner
from detector.entities.profile import Activity
from detector.entities.profiles import Profiles
from detector.entities.share import above, plain, shared
from detector.entities.surprise import Raw
from detector.people.words import worded

WHAT = ("govsoc.lgsp.service_code", "event.outcome")
WHY = Why(Kind.SHARE, "event.outcome", "failure", 0.031, 0.96, 0.02, 8.0, 50)
TUESDAY = MONDAY_MS + 8 * DAY_MS
TEN = TUESDAY + 10 * 3_600_000
FIELD = "govsoc.lgsp.consumer"


def exact(part: int, whole: int, expected: float, known: float) -> float:
    """The tail of a beta-binomial, nats."""

    def beta(one: float, other: float) -> float:
        return lgamma(one) + lgamma(other) - lgamma(one + other)

    def choose(some: int) -> float:
        return lgamma(whole + 1) - lgamma(some + 1) - lgamma(whole - some + 1)

    right, wrong = known * expected, known * (1 - expected)
    logs = [
        choose(some) + beta(some + right, whole - some + wrong) - beta(right, wrong) for some in range(part, whole + 1)
    ]
    return -log(sum(map(exp, logs)))


@pytest.mark.parametrize(
    ("part", "whole", "expected", "known"),
    [
        (20, 50, 0.03, 50),
        (6, 7, 0.03, 50),
        (20, 20, 0.03, 50),
        (400, 1000, 0.03, 50),
        (12, 50, 0.1, 50),
        (300, 2000, 0.1, 1e9),
    ],
)
def test_it_is_a_little_less_than_the_exact_tail_of_a_beta_binomial(part, whole, expected, known):
    tail = exact(part, whole, expected, known)
    assert tail - 4 < above(part, whole, expected, known) < tail


def test_where_the_share_is_known_for_sure_it_is_the_rate_of_the_binomial():
    rate = 2000 * (0.15 * log(0.15 / 0.1) + 0.85 * log(0.85 / 0.9))
    assert above(300, 2000, 0.1, 1e9) == pytest.approx(rate, rel=1e-3)


def test_of_very_many_events_it_is_the_rate_of_what_is_known():
    rate = 50 * (0.03 * log(0.03 / 0.4) + 0.97 * log(0.97 / 0.6))
    assert above(400_000_000, 1_000_000_000, 0.03, 50) == pytest.approx(rate, rel=1e-3)


def test_a_share_that_is_no_greater_than_expected_is_nothing():
    assert above(3, 100, 0.03, 50) == above(0, 9, 0.5, 5) == 0


@given(st.integers(1, 10**15), st.floats(1e-9, 0.5), st.floats(1, 1e6), st.floats(0, 1), st.floats(0, 1))
def test_it_is_finite_and_grows_with_the_part(whole, expected, known, one, other):
    less, more = sorted((int(one * whole), int(other * whole)))
    surprises = [above(part, whole, expected, known) for part in (less, more)]
    assert surprises[0] <= surprises[1] + 1e-9 * (1 + surprises[1] + known)
    assert -1e-6 * known <= surprises[0]
    assert surprises[1] < float("inf")


def consumers(days: int = 9, seed: int = 1) -> list[Act]:
    """Some call ten times as much in one quarter of an hour as in the next, and always some three in a hundred calls fail."""
    chance = random.Random(seed)
    acts: list[Act] = []
    for day in range(days):
        for consumer in range(8) if day % 7 < 5 else ():
            for slot in range(36):
                start = MONDAY_MS + day * DAY_MS + 8 * 3_600_000 + slot * BUCKET_MS
                acts += calls(chance, f"c{consumer}", start, int(40 * chance.lognormvariate(0, 1)), 0.03)
    return acts


def calls(chance: random.Random, consumer: str, start: int, many: int, failing: float) -> list[Act]:
    return [
        (
            start + chance.randrange(BUCKET_MS),
            consumer,
            {
                "govsoc.lgsp.service_code": f"s{chance.randrange(4)}",
                "event.outcome": "failure" if chance.random() < failing else "success",
            },
        )
        for _ in range(many)
    ]


def run(watched: Profiles, acts: list[Act], end: int = 1 << 50) -> list[Item]:
    items: list[Item] = []
    for ts, entity, fields in sorted(acts, key=lambda act: act[0]):
        items += watched.close(ts)
        watched.observe(ts, entity, fields)
    return items + watched.close(end)


def profiles() -> Profiles:
    return Profiles(FIELD, WHAT, Budget(10), bucket_ms=BUCKET_MS)


@pytest.fixture(scope="module")
def known() -> bytes:
    watched = profiles()
    run(watched, [act for act in consumers() if act[0] < TUESDAY], TUESDAY)
    return watched.dump()


@pytest.fixture(scope="module")
def reasons(known) -> Callable[[list[Act]], list[Why]]:
    """The first reasons of what is shown of the consumer `c3`, whose calls of that quarter of an hour are these."""

    def found(acts: list[Act]) -> list[Why]:
        watched = profiles()
        watched.load(known)
        others = [
            act for act in consumers() if act[0] >= TUESDAY and not (act[1] == "c3" and TEN <= act[0] < TEN + BUCKET_MS)
        ]
        items = run(watched, others + acts, TEN + BUCKET_MS)
        return [
            why for item in items if item.entity == "c3" and item.time == TEN + BUCKET_MS - 1 for why in item.why[:3]
        ]

    return found


def test_as_many_calls_as_always_of_which_forty_in_a_hundred_fail(reasons):
    [share] = [why for why in reasons(calls(random.Random(7), "c3", TEN, 45, 0.4)) if why.kind is Kind.SHARE]
    assert (share.feature, share.value, share.of) == ("share event.outcome=failure", "failure", 45)
    assert share.expected == pytest.approx(0.03, abs=0.01)
    assert share.peers == pytest.approx(0.03, abs=0.01)
    assert share.actual > 0.3


@pytest.mark.parametrize("many", [7, 20])
def test_as_many_failures_as_in_a_busy_hour_and_nothing_else(reasons, many):
    found = reasons(calls(random.Random(7), "c3", TEN, many, 1.0))
    assert found[0].feature == "share event.outcome=failure"


@pytest.mark.parametrize(("many", "failing"), [(45, 0.03), (450, 0.03), (5, 1.0)])
def test_no_share_is_told_of_what_is_usual_or_of_few(reasons, many, failing):
    assert not [why for why in reasons(calls(random.Random(7), "c3", TEN, many, failing)) if why.kind is Kind.SHARE]


@pytest.fixture(scope="module")
def raws(known) -> Callable[[int, int], list[Raw]]:
    """What surprises, before it is calibrated, where so many of so many calls of the consumer `c3` fail."""
    watched = profiles()
    watched.load(known)

    def found(part: int, whole: int) -> list[Raw]:
        activity = Activity(len(WHAT), TEN)
        activity.events, activity.counts[1] = whole, {"failure": part, "success": whole - part}
        near = Learner(watched, TEN).near(watched.peers, 1.0)
        return shared(watched.entities["c3"], near, activity, 0)

    return found


def test_of_three_events_no_share_is_told(raws):
    assert raws(3, 20) == []
    [share] = raws(4, 20)
    assert (share.value, share.actual, share.of) == ("failure", 0.2, 20)


def test_a_long_history_makes_no_share_certain(raws):
    """It was ten thousand calls, and surprises as if it had been fifty."""
    [share] = raws(20, 50)
    assert share.surprise == pytest.approx(above(20, 50, share.expected, 50), rel=1e-3)
    assert share.surprise < above(20, 50, share.expected, 10_000) / 1.5


def test_fields_without_a_usual_value_have_no_shares(known):
    watched = profiles()
    watched.load(known)
    assert plain(watched.peers) == [WHAT.index("event.outcome")]


def test_a_restart_changes_no_share(known):
    undisturbed, restarted = profiles(), profiles()
    undisturbed.load(known)
    restarted.load(known)
    assert restarted.dump() == known
    acts = sorted(calls(random.Random(7), "c3", TEN, 45, 0.4), key=lambda act: act[0])
    expected = run(undisturbed, acts)
    run(restarted, acts[:20], TEN)
    again = profiles()
    again.load(restarted.dump())
    assert run(again, acts[20:]) == expected
    assert "share event.outcome=failure" in [why.feature for item in expected for why in item.why]
    assert again.dump() == undisturbed.dump()


def test_words():
    assert worded(WHY, 15, "en") == "48 of 50 events (96 %) have event.outcome = failure (usual 3.1 %, others 2.0 %)"
    assert (
        worded(WHY, 15, "vi") == "48 trong 50 sự kiện (96 %) có event.outcome = failure (thường 3,1 %, nơi khác 2,0 %)"
    )
