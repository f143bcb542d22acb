"""Working time in Viet Nam."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.errors import ConfigError
from soc.model.calendar import MINUTE_MS, Calendar, day_of, exchanged, midnight, public_holidays

HOUR = 60 * MINUTE_MS
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
# The first day of the lunar year, as the State announced it or the almanac has it.
TET = ("2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06", "2028-01-26", "2029-02-13", "2030-02-02")


def at(text: str) -> int:
    """Ms since 1970 of a time in Viet Nam."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


@pytest.mark.parametrize("first", [date.fromisoformat(day) for day in TET])
def test_lunar_tet_is_off_from_its_eve_to_the_third_day(first):
    assert [Calendar().works(first + timedelta(days=n)) for n in range(-1, 4)] == [False] * 5


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2024-02-07", True),
        ("2024-02-08", False),  # in place of Saturday, the first day of Tết
        ("2024-02-14", False),  # in place of Sunday, the second
        ("2024-02-15", True),
        ("2024-04-18", False),  # the Hùng Kings
        ("2024-04-29", False),  # exchanged ...
        ("2024-05-04", True),  # ... for this Saturday
        ("2024-05-11", False),
        ("2025-04-30", False),
        ("2025-05-02", False),
        ("2025-09-02", False),
        ("2026-04-27", False),  # in place of Sunday, the Hùng Kings
        ("2026-08-22", True),  # exchanged for the 31st
        ("2026-03-03", True),
        ("2027-01-01", False),
    ],
)
def test_days(day, works):
    assert Calendar().works(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2026-03-03T07:30", "2026-03-03T17:00", 8),
        ("2026-03-03T00:00", "2026-03-04T00:00", 8),
        ("2026-03-03T11:00", "2026-03-03T13:30", 1),  # over lunch
        ("2026-03-06T16:00", "2026-03-09T08:30", 2),  # over a weekend
        ("2026-02-13T17:00", "2026-02-23T07:30", 0),  # Tết
        ("2026-03-03T18:00", "2026-03-03T23:00", 0),
        ("2026-03-03T09:00", "2026-03-03T08:00", 0),
    ],
)
def test_working_time_between(since, until, hours):
    assert Calendar().between(at(since), at(until)) == hours * HOUR


def test_the_zone_is_that_of_viet_nam():
    assert midnight(date(2026, 3, 3)) == at("2026-03-03T00:00")
    assert [day_of(at(t)) for t in ("2026-03-03T00:00", "2026-03-02T23:59:59.999")] == [
        date(2026, 3, 3),
        date(2026, 3, 2),
    ]


@given(st.integers(at("2024-01-01"), at("2030-12-31")), st.integers(1, 40 * HOUR))
def test_after_is_the_first_instant_by_which_so_much_time_has_passed(since, span):
    calendar = Calendar()
    end = calendar.after(since, span)
    assert calendar.between(since, end) == span
    assert calendar.between(since, end - 1) == span - 1


def test_a_calendar_without_working_time_has_no_end():
    off = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(1200))
    assert Calendar(off=off).after(at("2026-03-03T08:00"), 1) is None


def test_what_an_administrator_adds_wins():
    calendar = Calendar.read(
        "x", {"hours": ["08:00-12:00"], "off": ["2026-03-03"], "working": ["2026-03-07", "2026-02-17"]}
    )
    assert [calendar.works(date(2026, *d)) for d in ((3, 3), (3, 7), (2, 17), (3, 8))] == [False, True, True, False]
    assert calendar.between(at("2026-03-02T00:00"), at("2026-03-09T00:00")) == 5 * 4 * HOUR
    assert Calendar.read("x", calendar.body()) == calendar
    assert Calendar.read("x", {}) == Calendar()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"hours": ["8-12"]}, "hours has '8-12'"),
        ({"hours": ["13:00-12:00"]}, "hours has"),
        ({"hours": ["08:00-12:00", "11:00-13:00"]}, "one after the other"),
        ({"hours": ["08:00-29:00"]}, "hours has"),
        ({"hours": "08:00-12:00"}, "hours has to be a list"),
        ({"off": ["tomorrow"]}, "off is 'tomorrow'"),
        ({"off": ["2026-03-03"], "working": ["2026-03-03"]}, "2026-03-03"),
        ({"of": []}, "of is not known"),
    ],
)
def test_a_calendar_that_cannot_be_read_says_where(body, said):
    with pytest.raises(ConfigError, match=r"^the calendar: ") as raised:
        Calendar.read("the calendar", body)
    assert said in str(raised.value)


def test_holidays_are_sets_of_days():
    assert date(2026, 11, 24) in public_holidays(2026)
    assert date(2026, 8, 22) in exchanged(2026)
