"""Profiles: what is shown, what is not, and what is kept."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from habits import BUCKET_MS, DAY_MS, MONDAY_MS, WHAT, Act, office, profiles, usual

from detector.entities.bounds import Bounds
from detector.entities.budget import Budget
from detector.entities.item import Item, Kind
from detector.entities.profile import MAX_DISTINCT
from detector.entities.profiles import Profiles
from soc.errors import ConfigError

TUESDAY = MONDAY_MS + 8 * DAY_MS  # of the second week
TEN = TUESDAY + 10 * 3_600_000


def run(watched: Profiles, acts: list[Act], end: int = 1 << 50) -> list[Item]:
    """In order of time, each bucket closed when the next begins."""
    items: list[Item] = []
    for ts, entity, fields in sorted(acts, key=lambda act: act[0]):
        items += watched.close(ts)
        watched.observe(ts, entity, fields)
    return items + watched.close(end)


@pytest.fixture(scope="module")
def calm() -> list[Act]:
    return list(office(9))


@pytest.fixture(scope="module")
def shown(calm) -> Callable[[list[Act]], list[Item]]:
    """What is shown from that Tuesday on of the office and these acts; what was before is learned once, and gone on from."""
    watched = profiles()
    run(watched, [act for act in calm if act[0] < TUESDAY], TUESDAY)
    known = watched.dump()

    def goes_on(acts: list[Act]) -> list[Item]:
        again = profiles()
        again.load(known)
        return run(again, [*(act for act in calm if act[0] >= TUESDAY), *acts])

    return goes_on


def on(items: list[Item], entity: str) -> list[Item]:
    return [item for item in items if item.entity == entity and item.time >= TUESDAY]


def test_many_reads_are_shown_with_the_feature_that_was_injected(shown):
    chance = random.Random(5)
    reads = [
        (TEN + step * 5000, "u03", {**usual(chance, 3), "event.action": "read", "govsoc.lgsp.subject": f"d{step}"})
        for step in range(150)
    ]
    item, *more = on(shown(reads), "u03")
    assert len(more) <= 1
    assert item.time == TEN + BUCKET_MS - 1
    assert "distinct govsoc.lgsp.subject" in [why.feature for why in item.why[:3]]
    many = next(why for why in item.why if why.kind is Kind.DISTINCT)
    assert many.actual >= 150 > 10 > many.expected
    assert 0.5 <= item.score < 1


def test_a_value_that_nobody_had_is_shown(shown):
    tool = [(TEN, "u04", {"event.action": "dump", "destination.ip": "45.1.2.3"})]
    found = on(shown(tool), "u04")
    assert {("rare event.action", "dump"), ("rare destination.ip", "45.1.2.3")} <= {
        (why.feature, why.value) for why in found[0].why
    }


@pytest.mark.long
def test_what_is_new_for_me_and_common_among_my_peers_is_less_than_what_is_new_for_all(calm):
    def surprise(address: str) -> float:
        watched = profiles(per_day=1000)
        watched.budget.choose = lambda items, time, learning=False: list(items)  # type: ignore[method-assign]
        watched.news.show = lambda item: None  # type: ignore[method-assign]
        items = on(run(watched, [*calm, (TEN, "u00", {"event.action": "read", "destination.ip": address})]), "u00")
        [found] = [why for item in items for why in item.why if why.value == address] or [None]
        return found.surprise if found is not None else 0.0

    assert surprise("10.0.0.7") < surprise("45.1.2.3") / 2


def test_night_is_an_unusual_hour(shown):
    night = [(TUESDAY + 2 * 3_600_000 + step * 1000, "u07", usual(random.Random(step), 7)) for step in range(20)]
    found = on(shown(night), "u07")
    assert "hour" in [why.feature for why in found[0].why[:3]]


def test_a_calm_week_shows_little_and_never_more_than_the_budget():
    items = run(profiles(per_day=4), list(office(12, seed=3)))
    days = [(item.time // DAY_MS) for item in items]
    assert all(days.count(day) <= 4 for day in days)
    second_week = [day for day in days if day >= MONDAY_MS // DAY_MS + 7]
    assert len(second_week) <= 4 * 5 * 0.8


def test_one_incident_is_not_shown_forty_times(shown):
    scan = [
        (TEN + step * 20_000, "u09", {"event.action": "scan", "destination.ip": f"10.9.{step % 9}.{step % 250}"})
        for step in range(900)  # five hours
    ]
    assert 1 <= len(on(shown(scan), "u09")) <= 4


def test_new_software_of_many_is_not_shown_for_each(shown):
    rollout = [
        (TEN + person * 900_000 // 2, f"u{person:02d}", {"event.action": "new-software", "destination.ip": "10.0.0.1"})
        for person in range(12)
    ]
    named = [item for item in shown(rollout) if "new-software" in [why.value for why in item.why[:1]]]
    assert 1 <= len(named) <= 3


def test_another_step_of_the_same_episode_is_shown_again(shown):
    scan = [
        (TEN + step * 2000, "u09", {"event.action": "scan", "destination.ip": f"10.9.{step % 9}.{step}"})
        for step in range(200)
    ]
    later = [(TEN + 3 * BUCKET_MS, "u09", {"event.action": "dump-of-passwords"})]
    first, *again = on(shown(scan + later), "u09")
    assert again
    assert again[-1].since == first.since
    assert "dump-of-passwords" in [why.value for item in again for why in item.why]


def test_nothing_is_shown_while_too_little_is_known():
    watched = profiles()
    acts = [(MONDAY_MS + step * 60_000, f"u{step % 5}", {"event.action": "read"}) for step in range(120)]
    assert run(watched, [*acts, (MONDAY_MS + 7_300_000, "u1", {"event.action": "dump"})]) == []
    assert watched.learning


def test_the_first_day_already_shows_what_stands_out_by_its_peers():
    acts = [act for act in office(1) if act[0] < MONDAY_MS + 17 * 3_600_000]
    scan = [
        (MONDAY_MS + 15 * 3_600_000 + step * 1000, "u09", {"event.action": "scan", "destination.ip": f"10.9.1.{step}"})
        for step in range(200)
    ]
    assert any(item.entity == "u09" for item in run(profiles(), acts + scan))


@pytest.mark.long
def test_the_order_of_events_in_a_bucket_does_not_matter(calm):
    acts = list(calm)
    random.Random(2).shuffle(acts)
    by_bucket = sorted(acts, key=lambda act: act[0] // BUCKET_MS)
    watched, other = profiles(), profiles()
    expected = run(watched, calm)
    items: list[Item] = []
    for ts, entity, fields in by_bucket:
        items += other.close(ts - ts % BUCKET_MS)
        other.observe(ts, entity, fields)
    items += other.close(1 << 50)
    assert [(item.time, item.entity) for item in items] == [(item.time, item.entity) for item in expected]


def test_late_events_are_counted_and_left_out():
    watched = profiles()
    watched.observe(TEN, "u1", {"event.action": "read"})
    watched.close(TEN + BUCKET_MS)
    watched.observe(TEN, "u1", {"event.action": "read"})
    assert watched.late == 1


def test_entities_are_bounded_and_the_rest_is_counted():
    watched = profiles(bounds=Bounds(entities=50))
    for step in range(5000):
        watched.observe(TEN, f"u{step}", {"event.action": "read"})
    watched.close(TEN + BUCKET_MS)
    assert len(watched.entities) == 50
    assert watched.other == 4950


def test_who_was_silent_for_longest_makes_room():
    watched = profiles(bounds=Bounds(entities=50))
    for step in range(500):
        ts = TEN + step * 3_600_000
        watched.close(ts)
        watched.observe(ts, f"u{step}", {"event.action": "read"})
    watched.close(1 << 50)
    assert len(watched.entities) <= 50
    assert "u499" in watched.entities
    assert watched.other == 0


def test_values_are_bounded():
    bounds = Bounds(entities=10, values=8, shared=100)
    watched = profiles(bounds=bounds)
    for step in range(3000):
        watched.observe(TEN + step * 1000, "u1", {"event.action": f"a{step}"})
        watched.close(TEN + step * 1000)
    watched.close(1 << 50)
    assert len(watched.entities["u1"].values[0]) <= 8
    assert len(watched.peers.values[0]) <= 100


def test_values_of_all_entities_together_are_bounded_and_it_is_said():
    watched = profiles(bounds=Bounds(entities=100, values=16, cells=300, held=1000))
    for hour in range(5):
        for step in range(20_000):
            watched.observe(TEN + hour * 3_600_000, f"u{step % 100}", {"event.action": f"a{hour}-{step}"})
        assert watched.held <= 1000
        watched.close(TEN + hour * 3_600_000 + BUCKET_MS)
    assert watched.held == 0
    assert (
        watched.cells
        == sum(len(values) for one in watched.entities.values() for values in one.values)
        <= 300 + 100 * 10
    )
    assert watched.squeezed == 5
    assert watched.entities["u1"].habits.sums[1][1] / 5 == pytest.approx(
        200, rel=0.1
    )  # distinct values are still known


def test_more_distinct_values_than_are_counted_one_by_one_are_estimated():
    watched = profiles()
    for step in range(20_000):
        watched.observe(TEN, "u1", {"event.action": f"a{step}"})
    activity = watched.open[TEN]["u1"]
    assert len(activity.counts[0]) == MAX_DISTINCT
    assert activity.distinct(0) == pytest.approx(20_000, rel=0.1)


def test_the_day_counts_what_was_only_estimated_in_a_bucket():
    watched = profiles(bounds=Bounds(held=700))
    for step in range(5000):
        watched.observe(TEN, "u1", {"event.action": f"a{step}"})
    for step in range(1000):
        watched.observe(TEN, "u2", {"event.action": f"b{step}"})  # there is no room left for half of them
    watched.close(TEN + BUCKET_MS)
    seen = {name: one.today.distinct[0] for name, one in watched.entities.items()}
    assert seen == {"u1": pytest.approx(5000, rel=0.15), "u2": pytest.approx(1000, rel=0.15)}
    for step in range(5000, 6000):
        watched.observe(TEN + BUCKET_MS, "u1", {"event.action": f"a{step}"})
    watched.close(TEN + 2 * BUCKET_MS)
    assert watched.entities["u1"].today.distinct[0] == pytest.approx(6000, rel=0.15)


def test_turning_over_values_does_not_make_them_known_by_others():
    watched = profiles(bounds=Bounds(values=8))
    for step in range(300 * 4):
        ts = TEN + step * 60_000
        watched.close(ts)
        watched.observe(ts, "u0", {"event.action": f"v{step % 40}"})
    for person in range(1, 20):
        watched.observe(ts, f"u{person}", {"event.action": "read"})
    watched.close(1 << 50)
    known = watched.entities["u0"].values[0]
    for value, those in watched.peers.values[0].items():
        assert those[3] == (19 if value == "read" else value in known)


def test_an_entity_that_made_room_knows_nothing_any_more():
    watched = profiles(bounds=Bounds(entities=5))
    for step in range(40):
        ts = TEN + step * 3_600_000
        watched.close(ts)
        watched.observe(ts, f"u{step}", {"event.action": "read"})
    watched.close(1 << 50)
    assert watched.peers.values[0]["read"][3] == len(watched.entities)


def test_where_the_new_is_always_new_to_everybody_it_is_no_reason(calm):
    items = run(profiles(per_day=1000), calm)  # each reads citizens whom nobody has read before
    assert not [why for item in items for why in item.why if why.feature == "rare govsoc.lgsp.subject"]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (["b", "a", "b"], ["a", "b"]),
        ([], []),
        ([{"x": 1}, "a", None], ["a"]),
        ({"x": 1}, []),
        (None, []),
        ("", []),
        (True, ["true"]),
        (3.5, ["3.5"]),
        (404, ["404"]),
    ],
)
def test_values_of_every_kind(value, kept):
    watched = profiles()
    watched.observe(TEN, "u1", {"event.action": value})
    assert sorted(watched.open[TEN]["u1"].counts[0]) == kept


def test_huge_texts_are_kept_short_and_apart():
    watched = profiles()
    for text in ("x" * 10_000_000, "x" * 10_000_000 + "y"):
        watched.observe(TEN, "u" + text, {"event.action": text})
    assert len(watched.open[TEN]) == 2
    assert all(len(entity) <= 160 for entity in watched.open[TEN])
    assert all(len(value) <= 160 for one in watched.open[TEN].values() for value in one.counts[0])


@pytest.mark.parametrize(("what", "bucket_ms"), [((), BUCKET_MS), (WHAT, 1000), (tuple("abc") * 20, BUCKET_MS)])
def test_what_cannot_be_is_refused(what, bucket_ms):
    with pytest.raises(ConfigError):
        Profiles("user.id", what, Budget(10), bucket_ms=bucket_ms)
