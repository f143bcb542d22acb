"""What kind of day it is in Viet Nam: which habits of the week hold, and whether Tết is near."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from soc.model.calendar import Calendar

TET_BEFORE, TET_AFTER = 10, 10  # days around the first of the lunar year in which it is told by the distance to it
TET_DAYS = TET_BEFORE + TET_AFTER + 1
_FRIDAY, _SUNDAY = 4, 6
_FIRST_YEAR, _LAST_YEAR = 1990, 2100  # of the lunar calendar in the library


class Day(NamedTuple):
    """`weekday` (0 is Monday) whose habits hold: a Saturday that is worked is a Friday, a holiday a Sunday. `holiday`: a day off
    that is no weekend. `tet`: 0 to TET_DAYS - 1 within the window, else -1."""

    weekday: int
    holiday: bool
    tet: int


@lru_cache(maxsize=4096)
def day_of(ordinal: int) -> Day:
    """`ordinal`: of the local date, as `date.toordinal`."""
    day = date.fromordinal(ordinal)
    weekday = day.weekday()
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        return Day(weekday, False, -1)
    works = Calendar().works(day)
    holiday = not works and weekday < _FRIDAY + 1
    if works and weekday > _FRIDAY:
        weekday = _FRIDAY
    return Day(_SUNDAY if holiday else weekday, holiday, _tet(day))


def _tet(day: date) -> int:
    distance = min((day.toordinal() - first for first in _new_years(day.year)), key=abs, default=999)
    return distance + TET_BEFORE if -TET_BEFORE <= distance <= TET_AFTER else -1


@lru_cache(maxsize=64)
def _new_years(year: int) -> tuple[int, ...]:
    """First days of the lunar year in a year."""
    from holidays.countries.vietnam import Vietnam  # takes 0.2 s, and few commands ask for a calendar

    law = Vietnam(years=year)  # type: ignore[no-untyped-call]
    return tuple(day.toordinal() for day in law.get_named("Lunar New Year", lookup="exact") if day.year == year)
