"""Clocks that are wrong, from the first event on, for one event or for many; and logs of many years."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from habits import BUCKET_MS, DAY_MS, MONDAY_MS, office, profiles

from detector.entities.budget import Budget
from detector.entities.stream import Stream, stream_of
from detector.entities.zone import ahead_ms
from soc.model.event import iso

IN_1970, IN_2099 = 3_600_000, 4_070_908_800_000


def stream(*names: str, per_day: int = 10) -> Stream:
    return stream_of(names or ("user.id",), ("event.action",), Budget(per_day), BUCKET_MS)


def event(ts: int, user: str = "a", **more: object) -> dict[str, object]:
    return {"@timestamp": iso(ts), "user": {"id": user}, "event": {"action": "read"}, **more}


def learned(watched: Stream) -> float:
    list(watched.end())
    known = watched._profiles[0]
    return sum(profile.habits.buckets for name, profile in known.entities.items() if name != "wrong")


@pytest.mark.parametrize("wrong", [IN_1970, IN_2099])
def test_a_first_event_with_a_wrong_clock_changes_nothing(wrong):
    watched, undisturbed = stream(), stream()
    watched.feed(event(wrong, "wrong"))
    for step in range(3000):
        for one in (watched, undisturbed):
            one.feed(event(MONDAY_MS + step * 60_000, f"u{step % 7}"))
    assert watched.jumped == 1
    assert watched._profiles[0].late == 0
    assert learned(watched) == learned(undisturbed)


@pytest.mark.parametrize("wrong", [IN_1970, MONDAY_MS + 9 * 365 * DAY_MS, IN_2099])
@pytest.mark.parametrize("after", [0, 500])
def test_ten_in_a_row_with_a_wrong_clock_do_not_end_the_log(wrong, after):
    watched = stream()
    for step in range(after + 5000):
        if step == after:
            for second in range(10):
                watched.feed(event(wrong + second * 1000, "wrong"))
        watched.feed(event(MONDAY_MS + step * 60_000, f"u{step % 7}"))
    # a bucket has 15 minutes and of each of the seven an event; up to a thousand events go by until the clock is believed to be back
    assert watched._profiles[0].late <= 1000 + 10
    assert 7 * 5000 / 15 * 0.75 < learned(watched) < 7 * (after + 5000) / 15 * 1.2


def test_after_a_clock_went_back_the_days_go_on_having_a_budget():
    budget = Budget(10)
    budget.choose([], IN_2099)
    budget.go_back_to(MONDAY_MS)
    for day in range(3):
        budget.choose([], MONDAY_MS + day * DAY_MS)
        assert budget._day == MONDAY_MS // DAY_MS + day


def test_what_is_older_than_a_year_is_learned_anew():
    watched = profiles()
    for start in (MONDAY_MS, MONDAY_MS + 500 * DAY_MS):
        for ts, entity, fields in office(1):
            watched.close(ts - MONDAY_MS + start)
            watched.observe(ts - MONDAY_MS + start, entity, fields)
        watched.close(start + DAY_MS)
    assert watched.began // DAY_MS == MONDAY_MS // DAY_MS + 500
    assert watched.peers.habits.buckets == sum(one.habits.buckets for one in watched.entities.values())


def test_habits_of_many_years_stay_numbers_and_fade_as_before():
    watched, moved = profiles(), 0
    base = -1
    for day in range(0, 40 * 365, 20):  # forty years, a bucket each twenty days
        ts = MONDAY_MS + day * DAY_MS
        watched.close(ts)
        watched.observe(ts, "u1", {"event.action": "read"})
        moved += base != watched.base
        base = watched.base
    watched.close(1 << 50)
    assert moved > 30
    habits = watched.entities["u1"].habits
    half = 0.5 ** (20 / 14)
    weight = 2.0 ** ((watched.day - watched.base) / 14)
    assert habits.buckets / weight == pytest.approx(1 / (1 - half))
    assert watched.tails.total / 2.0 ** ((watched.day - watched.base) / 4) == pytest.approx(1 / (1 - 0.5**5))


def test_two_kinds_never_show_more_than_the_budget_of_a_day():
    watched = stream("user.id", "source.ip", per_day=3)
    days: dict[int, int] = {}
    step, ts = 0, MONDAY_MS
    while ts < MONDAY_MS + 6 * DAY_MS:
        # an hour's lull after midnight leaves several buckets of both kinds to be closed at once
        ts += 3_600_000 if ts % DAY_MS // 1000 > 86_340 or ts % DAY_MS < 60_000 else 20_000
        step += 1
        odd = {"event": {"action": f"odd{step}"}} if step % 97 == 0 else {}
        for item in watched.feed(event(ts, f"u{step % 40}", source={"ip": f"10.0.0.{step % 30}"}, **odd)):
            days[item.time // DAY_MS] = days.get(item.time // DAY_MS, 0) + 1
    assert days
    assert max(days.values()) <= 3


def test_buckets_are_closed_in_order_of_time_not_of_kinds(monkeypatch):
    watched = stream("user.id", "source.ip")
    for ts in (MONDAY_MS, MONDAY_MS + BUCKET_MS):
        watched.feed(event(ts, source={"ip": "10.0.0.1"}))
    closed = []
    for profiles_ in watched._profiles:
        monkeypatch.setattr(
            profiles_, "_close", lambda start, _, name=profiles_.field: closed.append((start, name)) or []
        )
    watched._due = 1 << 60
    watched.feed(event(MONDAY_MS + BUCKET_MS + 1))
    list(watched.end())
    assert [start for start, _ in closed] == sorted(start for start, _ in closed)
    assert len(closed) == 4


@pytest.mark.parametrize("ts", [0, IN_1970, MONDAY_MS, IN_2099, 10**15])
def test_a_wrong_clock_does_not_move_the_day(ts):
    assert ahead_ms(ts, ZoneInfo("Asia/Ho_Chi_Minh")) == 7 * 3_600_000  # it was eight before 1975
