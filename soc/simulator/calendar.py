"""How busy a province is: days of the Vietnamese calendar, hours of people and machines, growth and chance.

Counts of visitors are more uneven than those of raindrops (Poisson's): each day, week and ten minutes are a little busier or quieter
than they should be. All of it is a function of the seed and the time, so it does not matter where a simulation begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from random import Random

from soc.simulator.line import DAY_MS, HOUR_MS, MINUTE_MS, ZONE

SLOT_MS = 10 * MINUTE_MS  # the rate of sessions is the same within a slot
_GROWTH_A_WEEK = 1.005
_EPOCH_MS = int(datetime(2026, 1, 1, tzinfo=ZONE).timestamp() * 1000)  # growth is counted from here
# Mondays bring what waited, Fridays less.
_WEEKDAYS = (1.12, 1.03, 1.0, 0.98, 0.94, 1.0, 0.9)
_DEADLINE = 1.25
# Days before and after the first of Tết, beside the days off themselves: what is urgent is done before, little starts after.
_AROUND_TET = {
    -9: 0.95,
    -8: 0.9,
    -7: 0.85,
    -6: 0.8,
    -5: 0.7,
    -4: 0.6,
    -3: 0.5,
    -2: 0.35,
    5: 0.5,
    6: 0.6,
    7: 0.7,
    8: 0.8,
    9: 0.85,
    10: 0.9,
}


@dataclass(frozen=True, slots=True)
class Habit:
    """`hours`: how busy each local half hour is against the mean of a working day. `kinds`: how busy each other kind of day is.

    `unrest`: standard deviation of a slot around what its day and hour make likely.
    """

    hours: tuple[float, ...]
    kinds: dict[str, float]
    unrest: float


def _habit(hours: tuple[float, ...], kinds: dict[str, float], unrest: float) -> Habit:
    mean = sum(hours) / len(hours)
    return Habit(tuple(hour / mean for hour in hours), kinds, unrest)


def _smooth(hours: tuple[float, ...]) -> tuple[float, ...]:
    """Half hours of hours, without steps."""
    return tuple(
        value
        for i, hour in enumerate(hours)
        for value in ((3 * hour + hours[i - 1]) / 4, (3 * hour + hours[(i + 1) % 24]) / 4)
    )


_DAYTIME = _smooth((
    0.15, 0.1, 0.08, 0.07, 0.08, 0.2, 0.6, 1.3, 2.4, 2.6, 2.4, 1.6, 0.9, 1.5, 2.2, 2.1, 1.9, 1.3, 0.9, 0.9, 1.0, 0.9, 0.6, 0.3,
))  # fmt: skip
# Desks are open from 7:30 to 11:30 and from 13:00 to 17:00.
_OFFICE = tuple(
    1.0 if 15 <= half < 23 or 26 <= half < 34 else 0.15 if half in (14, 23, 25, 34) else 0.0 for half in range(48)
)
CITIZENS = _habit(_DAYTIME, {"weekend": 0.4, "holiday": 0.3, "tet": 0.12, "makeup": 0.8}, 0.1)
DESKS = _habit(_OFFICE, {"weekend": 0.0, "holiday": 0.0, "tet": 0.0, "makeup": 0.85}, 0.08)
SYSTEMS = _habit(
    _smooth(tuple(0.5 + hour for hour in _DAYTIME[::2])),
    {"weekend": 0.5, "holiday": 0.4, "tet": 0.2, "makeup": 0.9},
    0.08,
)
MACHINES = _habit((1.0,) * 48, {}, 0.0)


@lru_cache(maxsize=16)
def _off(year: int) -> tuple[frozenset[date], frozenset[date], date | None]:
    """Holidays of a year, Saturdays that are worked instead of a bridge day, and the first of Tết."""
    import holidays  # here, since most who import the simulator write no lines

    table = holidays.country_holidays("VN", years=year, language="en_US")
    first = next((day for day, name in table.items() if name == "Lunar New Year"), None)
    return frozenset(table), frozenset(day for day in table.weekend_workdays if day.year == year), first


@lru_cache(maxsize=1024)
def day_kind(day: date) -> str:
    """workday, weekend, holiday, tet (days off around the first of Tết) or makeup (a Saturday that is worked)."""
    off, makeup, first = _off(day.year)
    if first and -2 <= (day - first).days <= 4:
        return "tet"
    if day in off:
        return "holiday"
    return "makeup" if day in makeup else "weekend" if day.weekday() >= 5 else "workday"


@lru_cache(maxsize=1024)
def _is_deadline(day: date) -> bool:
    """Reports and payments are due on the 20th and on the last two workdays of a month."""
    if day_kind(day) not in ("workday", "makeup"):
        return False
    left = (day + timedelta(days=n) for n in range(1, 12))
    return day.day == 20 or sum(1 for later in left if later.month == day.month and day_kind(later) == "workday") < 2


def usual(habit: Habit, at: int) -> float:
    """How busy it is at `at` (ms) without chance, against the mean of a working day."""
    local = datetime.fromtimestamp(at / 1000, ZONE)
    busy = habit.hours[local.hour * 2 + local.minute // 30]
    if habit is MACHINES:
        return busy
    day = local.date()
    kind, (_, _, first) = day_kind(day), _off(day.year)
    busy *= habit.kinds.get(kind, 1.0) * _WEEKDAYS[day.weekday()]
    if first and kind != "tet":
        busy *= _AROUND_TET.get((day - first).days, 1.0)
    if _is_deadline(day):
        busy *= _DEADLINE
    weeks = (at - _EPOCH_MS) / (7 * DAY_MS)
    return busy * float(_GROWTH_A_WEEK ** min(max(weeks, -300.0), 300.0))


def busy(seed: int, name: str, habit: Habit, slot: int) -> float:
    """How busy the slot (number since 1970) is for the sessions of this name, with chance: mean 1 over a working day."""
    at = slot * SLOT_MS
    likely = usual(habit, at)
    if not likely or not habit.unrest:
        return likely
    local_day = (at + 7 * HOUR_MS) // DAY_MS
    return (
        likely
        * _chance(seed, "all", local_day, 0.05)
        * _chance(seed, name, local_day, 0.04)
        * _chance(seed, f"{name}/week", (local_day + 3) // 7, 0.04)
        * Random(f"{seed}/{name}/{slot}").lognormvariate(0, habit.unrest)
    )


@lru_cache(maxsize=256)
def _chance(seed: int, name: str, number: int, deviation: float) -> float:
    return Random(f"{seed}/chance/{name}/{number}").lognormvariate(0, deviation)


def strain(at: int) -> float:
    """How much longer an answer takes because of all the others who ask: 1 at night."""
    return _strain(at // SLOT_MS)


@lru_cache(maxsize=256)
def _strain(slot: int) -> float:
    return 1 + 0.12 * usual(SYSTEMS, slot * SLOT_MS)
