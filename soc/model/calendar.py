"""Working time in Viet Nam: office hours on working days, with weekends, Tết and the other public holidays left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from soc.model.body import Body

if TYPE_CHECKING:
    from holidays import HolidayBase

MINUTE_MS = 60_000
HOUR_MS, DAY_MS = 60 * MINUTE_MS, 1440 * MINUTE_MS
ZONE_MS = 420 * MINUTE_MS  # Viet Nam is at +07:00, and has had no summer time since 1975
OFFICE_HOURS = ((7 * 60 + 30, 11 * 60 + 30), (13 * 60, 17 * 60))

_EPOCH = date(1970, 1, 1).toordinal()
_HORIZON_DAYS = 800
_HOURS = re.compile(r"([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)")


def midnight(day: date) -> int:
    """The instant (ms since 1970) at which a day begins in Viet Nam."""
    return (day.toordinal() - _EPOCH) * DAY_MS - ZONE_MS


def day_of(ms: int) -> date:
    """The day in Viet Nam that an instant lies in."""
    return date.fromordinal(_EPOCH + (ms + ZONE_MS) // DAY_MS)


@lru_cache(maxsize=64)
def public_holidays(year: int) -> frozenset[date]:
    """By law, with the days off in place of those that fall on a weekend, and the exchanged days as far as they are announced."""
    return frozenset(_law(year))


@lru_cache(maxsize=64)
def exchanged(year: int) -> frozenset[date]:
    """Saturdays and Sundays on which people work for a day off before or after, as far as they are announced."""
    return frozenset(_law(year - 1, year, year + 1).weekend_workdays)


def _law(*years: int) -> HolidayBase:
    from holidays.countries.vietnam import Vietnam  # takes 0.2 s, and few commands ask for a calendar

    return Vietnam(years=years)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Calendar:
    """`hours`: from and to in minutes of the day, in their order. `off` and `working` are what an administrator adds; they win
    over what the law says, as exchanged days are announced late."""

    hours: tuple[tuple[int, int], ...] = OFFICE_HOURS
    off: frozenset[date] = frozenset()
    working: frozenset[date] = frozenset()

    @classmethod
    def read(cls, where: str, fields: Mapping[str, object]) -> Calendar:
        """From a policy's body: `hours` such as `["07:30-11:30"]`, `off` and `working` as days. Raises `ConfigError`."""
        body = Body(where, fields)
        body.only("hours", "off", "working")
        hours: list[tuple[int, int]] = []
        for text in body.texts("hours"):
            found = _HOURS.fullmatch(text)
            opens, closes = (
                (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
            )
            if not (hours[-1][1] if hours else 0) <= opens < closes <= 1440:
                body.refuse("hours", f"has {text!r}: write for example 07:30-11:30, one after the other")
            hours.append((opens, closes))
        off, working = body.days("off"), body.days("working")
        if both := off & working:
            body.refuse("working", f"has {min(both)}, which is also a day off")
        return cls(tuple(hours) or OFFICE_HOURS, off, working)

    def body(self) -> Mapping[str, list[str]]:
        """As it is kept in a policy."""
        hours = [f"{a // 60:02d}:{a % 60:02d}-{b // 60:02d}:{b % 60:02d}" for a, b in self.hours]
        return {"hours": hours, "off": sorted(map(str, self.off)), "working": sorted(map(str, self.working))}

    def works(self, day: date) -> bool:
        if day in self.working or day in self.off:
            return day in self.working
        if day.weekday() >= 5:
            return day in exchanged(day.year)
        return day not in public_holidays(day.year)

    def after(self, start: int, span: int) -> int | None:
        """The instant at which `span` ms of working time have passed since `start`; None when that is years away."""
        for opens, closes in self._spans(start, start + _HORIZON_DAYS * DAY_MS):
            if closes - opens >= span:
                return opens + span
            span -= closes - opens
        return None

    def between(self, since: int, until: int) -> int:
        """Ms of working time between two instants (ms since 1970)."""
        return sum(closes - opens for opens, closes in self._spans(since, until))

    def _spans(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """The stretches of working time between two instants, in their order."""
        for number in range((since + ZONE_MS) // DAY_MS, (until + ZONE_MS) // DAY_MS + 1):
            day = date.fromordinal(_EPOCH + number)
            if not self.works(day):
                continue
            begins = midnight(day)
            for opens, closes in self.hours:
                first, last = max(since, begins + opens * MINUTE_MS), min(until, begins + closes * MINUTE_MS)
                if first < last:
                    yield first, last
