"""How busy the province is: the Vietnamese calendar, and counts that are more uneven than chance alone makes them."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from statistics import mean, pvariance

import pytest

from soc.simulator import Rates, World
from soc.simulator.calendar import CITIZENS, DESKS, SLOT_MS, SYSTEMS, busy, day_kind, strain, usual
from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS, ZONE


def at(*when: int) -> int:
    return int(datetime(*when, tzinfo=ZONE).timestamp() * 1000)


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 3, 2), "workday"),
        (date(2026, 3, 1), "weekend"),
        (date(2026, 2, 15), "tet"),
        (date(2026, 2, 17), "tet"),
        (date(2026, 2, 23), "workday"),
        (date(2027, 2, 6), "tet"),
        (date(2026, 4, 27), "holiday"),  # Hung Kings, on a Sunday that year
        (date(2026, 5, 1), "holiday"),
        (date(2026, 9, 2), "holiday"),
        (date(2026, 8, 31), "holiday"),  # a bridge day ...
        (date(2026, 8, 22), "makeup"),  # ... for which this Saturday is worked
    ],
)
def test_kinds_of_days(day, kind):
    assert day_kind(day) == kind


def test_desks_keep_office_hours_and_lunch():
    open_ = [hour for hour in range(24) if usual(DESKS, at(2026, 3, 3, hour, 45)) > 0.5]
    assert open_ == [7, 8, 9, 10, 13, 14, 15, 16]
    assert not any(usual(DESKS, at(2026, 3, 1, hour)) for hour in range(24))  # a Sunday
    assert usual(DESKS, at(2026, 8, 22, 9)) > 1  # a Saturday that is worked


def test_tet_is_quiet_and_its_neighbourhood_is_not_ordinary():
    ordinary, before, tet, after = (
        usual(CITIZENS, at(*day, 9)) for day in ((2026, 3, 11), (2026, 2, 12), (2026, 2, 18), (2026, 2, 25))
    )
    assert tet < 0.2 * ordinary
    assert tet < before < ordinary
    assert tet < after < ordinary


def test_a_deadline_day_is_busier():
    assert usual(SYSTEMS, at(2026, 3, 20, 9)) > 1.15 * usual(SYSTEMS, at(2026, 3, 13, 9))
    assert usual(SYSTEMS, at(2026, 3, 31, 9)) > 1.15 * usual(SYSTEMS, at(2026, 3, 24, 9))


def test_traffic_grows_slowly():
    growth = usual(CITIZENS, at(2026, 11, 11, 9)) / usual(CITIZENS, at(2026, 3, 11, 9))
    assert 1.1 < growth < 1.3


def test_answers_take_longer_when_many_ask():
    assert strain(at(2026, 3, 3, 9)) > 1.1 * strain(at(2026, 3, 3, 2))


def test_chance_is_a_function_of_seed_name_and_time():
    slot = at(2026, 3, 3, 9) // SLOT_MS
    assert busy(1, "visits", CITIZENS, slot) == busy(1, "visits", CITIZENS, slot)
    others = {
        busy(2, "visits", CITIZENS, slot),
        busy(1, "sign_ins", CITIZENS, slot),
        busy(1, "visits", CITIZENS, slot + 1),
    }
    assert busy(1, "visits", CITIZENS, slot) not in others


def test_weeks_differ_but_keep_their_level():
    slots = range(at(2026, 3, 2) // SLOT_MS, at(2026, 3, 30) // SLOT_MS)
    ratios = [busy(7, "visits", CITIZENS, slot) / usual(CITIZENS, slot * SLOT_MS) for slot in slots]
    assert 0.9 < mean(ratios) < 1.1
    weeks = [mean(ratios[i : i + len(ratios) // 4]) for i in range(0, len(ratios), len(ratios) // 4)]
    assert max(weeks) - min(weeks) > 0.01


def test_counts_are_overdispersed():
    """The variance of counts an hour is several times their mean: Poisson's would be the same."""
    start = at(2026, 3, 2)
    world = World(3, start, Rates(0, 0, 0, 600, 0, 0, 0, 0))
    counts: Counter[int] = Counter((entry.at - start) // HOUR_MS for entry in world.entries(start + 12 * DAY_MS))
    nine = [counts[24 * day + 9] for day in range(12) if day_kind(date(2026, 3, 2) + timedelta(days=day)) == "workday"]
    assert pvariance(nine) > 3 * mean(nine)


def test_desks_are_closed_on_a_holiday():
    start = at(2026, 9, 2)
    assert not list(World(4, start, Rates(0, 0, 0, 0, 220, 0, 0, 0)).entries(start + DAY_MS - 10 * MINUTE_MS))
