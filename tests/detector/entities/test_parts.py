"""The parts alone: cells, tails, budget, choice of fields, words."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from habits import DAY_MS, MONDAY_MS, office, profiles
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.entities import age
from detector.entities.budget import Budget
from detector.entities.cell import above, add, mean
from detector.entities.choose import MOST, chosen
from detector.entities.item import Item, Kind, Why
from detector.entities.peers import regroup
from detector.entities.profile import Habits
from detector.entities.profiles import Profiles
from detector.entities.tail import Tails

WHY = Why(Kind.DISTINCT, "govsoc.lgsp.subject", "", 12.0, 71.0, 9.0, 8.0)
ITEM = Item(MONDAY_MS, MONDAY_MS, "user.id", "a", 0.0, 10.0, 5, (WHY,))


def cell(counts, weight=1.0):
    made = [0.0, 0.0, 0.0]
    for count in counts:
        add(made, count, weight)
    return made


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 10**15), min_size=1), st.lists(st.integers(0, 10**15), min_size=1), st.integers(0, 10**15)
)
def test_surprise_is_finite_and_grows_with_the_count(own, peers, count):
    one, _ = above(count, cell(own), cell(peers), 1.0)
    more, expected = above(count * 2 + 10, cell(own), cell(peers), 1.0)
    assert 0 <= one <= more < float("inf")
    assert expected >= 0


def test_own_history_outweighs_the_peers():
    busy = cell([100] * 50)
    assert above(110, busy, cell([5] * 500), 1.0)[0] == 0
    assert above(110, cell([5] * 50), cell([100] * 500), 1.0)[0] > 5
    assert above(110, cell([]), cell([100] * 500), 1.0)[0] == 0


def test_old_buckets_weigh_less():
    changed = cell([100] * 10)
    for _ in range(10):
        add(changed, 4, 2.0**10)
    assert mean(changed) == pytest.approx(4, rel=0.1)


def test_a_feature_that_always_surprises_is_worth_nothing():
    noisy, quiet = 0, 1
    tails = Tails(2)
    for _ in range(1000):
        tails.add([(noisy, 8.0)], 1, 1.0)
    tails.ready(1.0)
    assert tails.level(noisy, 8.0) < 0.01
    assert tails.level(quiet, 8.0) > 7
    assert tails.level(quiet, 9.0) > tails.level(quiet, 8.0)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), max_size=200))
def test_levels_are_monotone(surprises):
    tails = Tails(1)
    tails.add([(0, surprise) for surprise in surprises], len(surprises), 1.0)
    tails.ready(1.0)
    levels = [tails.level(0, at / 4) for at in range(300)]
    assert levels == sorted(levels)


def test_the_budget_is_never_exceeded_and_rises_with_what_is_spent():
    budget, chance = Budget(5), random.Random(1)
    shown: dict[int, list[Item]] = {}
    for bucket in range(96 * 12):
        time = MONDAY_MS + bucket * 900_000
        items = [replace(ITEM, entity=f"e{at}", strength=chance.expovariate(0.5) + 3) for at in range(20)]
        shown.setdefault(time // DAY_MS, []).extend(budget.choose(items, time))
    assert max(map(len, shown.values())) <= 5
    later = [len(items) for day, items in shown.items() if day >= MONDAY_MS // DAY_MS + 3]
    assert 0.5 <= sum(later) / len(later) <= 4.5


def test_a_day_of_attack_does_not_blind_the_next():
    budget = Budget(10)
    for day in range(6):
        for at in range(30):
            strength = 50.0 if day == 4 else 6 + at / 10
            time = MONDAY_MS + day * DAY_MS + at * 900_000
            budget.choose([replace(ITEM, entity=f"e{at}", strength=strength)], time)
    assert budget.choose([replace(ITEM, entity="new", strength=12.0)], MONDAY_MS + 6 * DAY_MS)


def test_fields_are_chosen_by_how_they_behave():
    chance = random.Random(1)
    sample = []
    for step in range(2000):
        person = chance.randrange(40)
        sample.append(
            (
                f"u{person}",
                {
                    "@timestamp": str(step),
                    "user.id": f"u{person}",
                    "user.name": f"name{person}",
                    "event.id": f"{step:x}",
                    "session": f"s{step}",
                    "kind": "event",
                    "event.action": chance.choice(("read", "write")),
                    "event.code": None,
                    "destination.ip": f"10.0.0.{person % 7 + chance.randrange(2)}",
                    "destination.host": None,
                    "bytes": chance.random(),
                    "rare": "x" if step == 7 else None,
                },
            )
        )
        fields = sample[-1][1]
        fields["event.code"] = {"read": 1, "write": 2}[fields["event.action"]]
        fields["destination.host"] = "host-" + fields["destination.ip"]
    found = chosen(sample)
    assert len(set(found) & {"event.action", "event.code"}) == 1
    assert len(set(found) & {"destination.ip", "destination.host"}) == 1
    assert not set(found) & {"@timestamp", "event.id", "session", "kind", "bytes", "rare", "user.id"}


def test_a_document_of_ten_thousand_fields_is_bounded():
    sample = [(f"u{row % 3}", {f"f{at}": row % 5 for at in range(10_000)}) for row in range(20)]
    assert len(chosen(sample)) <= MOST


@pytest.fixture
def learned() -> Profiles:
    watched = profiles()
    for ts, entity, fields in office(2):
        watched.close(ts)
        watched.observe(ts, entity, fields)
    watched.close(1 << 50)
    return watched


def numbers(habits: Habits) -> dict[str, list[float]]:
    """All that is kept, by name."""
    kept = {name: getattr(habits, name) for name in Habits.__slots__}
    return {
        name: [it] if isinstance(it, float) else [n for one in it for n in (one if isinstance(one, list) else [one])]
        for name, it in kept.items()
    }


def test_all_that_is_a_habit_grows_old_alike(learned):
    """What does not is as much as all the past: of a share the whole, say, and the part of it nothing."""
    every = [learned.peers.habits, *(profile.habits for profile in learned.entities.values())]
    before = [numbers(habits) for habits in every]
    learned.base = learned.day - 10
    assert age.grow(learned, learned.day + 382)
    assert learned.base == learned.day - 10
    assert age.grow(learned, learned.day + 390)
    assert learned.base == learned.day + 382
    assert [numbers(habits) for habits in every] == [
        {name: [number / 2**28 for number in those] for name, those in one.items()} for one in before
    ]


def test_a_group_of_peers_has_all_the_habits_of_its_members(learned):
    groups = regroup(learned.entities, len(learned.what), 1.0)
    assert len(groups) == 2
    for at, group in enumerate(groups):
        members = [numbers(one.habits) for one in learned.entities.values() if one.group == at]
        assert group.entities == len(members) >= 5
        assert members[0]["totals"][0] > 0
        for name, those in numbers(group.habits).items():
            assert those == pytest.approx([sum(column) for column in zip(*(one[name] for one in members), strict=True)])


def test_a_reason_has_a_name():
    assert WHY.feature == "distinct govsoc.lgsp.subject"
