"""The events of an entity by the hour: seven days of them, whatever gaps, restarts and clocks there were."""

from __future__ import annotations

from collections import Counter

from habits import BUCKET_MS, DAY_MS, MONDAY_MS, office, profiles
from hypothesis import given
from hypothesis import strategies as st

from detector.entities.week import HOURS, Week
from soc.model.calendar import HOUR_MS

NOW = MONDAY_MS // HOUR_MS


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 70_000)), max_size=40), st.integers(0, 200))
def test_it_is_what_a_table_of_all_hours_says_of_the_last_seven_days(steps, later):
    """Over gaps of any length; an hour that is full is full."""
    week, table, hour = Week(), Counter[int](), NOW
    for gap, events in steps:
        hour += gap
        week.add(hour, events)
        table[hour] = min(table[hour] + events, 65_535)
        week = Week.of(week.dump())
    until = hour + later
    assert week.until(until, 0) == tuple(table[at] for at in range(until - HOURS + 1, until + 1))
    assert week.until(until, until - 5) == week.until(until, 0)[-6:], "what is not known is left out"


@given(st.integers(0, 400), st.integers(0, 400))
def test_hours_of_a_clock_that_was_ahead_never_were(before, ahead):
    week, known = Week(), Week()
    for at in range(0, before, 7):
        week.add(NOW + at, at + 1)
        known.add(NOW + at, at + 1)
    now = NOW + before
    week.add(now + 1 + ahead, 9)
    week.go_back_to(now)
    lost = max(now + 1 + ahead - HOURS + 1, 0)  # the hours before have made room
    assert week.until(now, lost) == known.until(now, lost)
    assert sum(week.until(now, 0)) <= sum(known.until(now, 0))
    week.add(now, 3)
    assert week.until(now, 0)[-1] == known.until(now, 0)[-1] + 3
    week.add(now - HOURS, 5)
    assert week.until(now + 1, 0)[-1] == 0, "what is too old is not taken for today"


def test_an_item_has_the_week_that_ends_with_it():
    watched, told = profiles(), Counter[int]()
    scan = [
        (MONDAY_MS + 8 * DAY_MS + 36_000_000 + at * 500, "u02", {"destination.ip": f"10.8.0.{at}"}) for at in range(90)
    ]
    items = []
    for ts, entity, fields in sorted([*office(9, people=12), *scan], key=lambda act: act[0]):
        items += watched.close(ts)
        watched.observe(ts, entity, fields)
        told[(ts - ts % BUCKET_MS) // HOUR_MS] += entity == "u02"
    items += watched.close(1 << 50)
    item = next(one for one in items if one.entity == "u02" and one.time > MONDAY_MS + 8 * DAY_MS + 36_000_000)
    hour = item.time // HOUR_MS
    assert len(item.week) == HOURS
    assert item.week[:-1] == tuple(told[at] for at in range(hour - HOURS + 1, hour))
    assert 90 <= item.week[-1] <= told[hour], "those of its own bucket are there, and none of later ones"
    first = items[0]
    assert len(first.week) == min(first.time // HOUR_MS - watched.began // HOUR_MS + 1, HOURS), (
        "before it began nothing is known"
    )


def test_after_a_clock_went_back_what_made_room_is_not_taken_for_silence():
    watched = profiles()
    for ts, entity, fields in office(3, people=3):
        watched.close(ts)
        watched.observe(ts, entity, fields)
    watched.close(MONDAY_MS + 3 * DAY_MS)
    watched.close(MONDAY_MS + 400 * DAY_MS)
    watched.go_back_to(MONDAY_MS + 3 * DAY_MS)
    assert watched.counted == MONDAY_MS + 3 * DAY_MS
    near = profiles()
    for ts, entity, fields in office(3, people=3):
        near.close(ts)
        near.observe(ts, entity, fields)
    near.close(MONDAY_MS + 5 * DAY_MS)
    near.go_back_to(MONDAY_MS + 3 * DAY_MS)
    assert near.counted == near.began, "two days have made room for nothing"
