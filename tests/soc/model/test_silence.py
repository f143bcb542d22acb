"""How a source is doing; five years of silence and none of noise."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from soc.errors import ConfigError
from soc.model.calendar import DAY_MS, MINUTE_MS, Calendar, midnight, public_holidays
from soc.model.silence import Expectation, Freshness, Schedule, outage_id, standing
from soc.model.source import Source, SourceHealth, Transport

NOW = 1_772_452_800_000  # 2026-03-02T12:00:00Z, a Monday
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SOURCE = Source("s", "s", "hungyen", "nginx.access", Transport.FILE)
OFFICE = Expectation(Schedule.OFFICE_HOURS)
CALENDAR = Calendar()


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


def state(received, event=None, expectation=OFFICE, now=NOW, source=SOURCE):
    health = SourceHealth("s", event, received, 1, 0, 0.0)
    return standing(source, health, expectation, CALENDAR, now).state


@pytest.mark.parametrize(
    ("received", "event", "expected"),
    [
        (NOW, NOW, Freshness.LIVE),
        (NOW - 15 * MINUTE_MS, NOW - 15 * MINUTE_MS, Freshness.LIVE),
        (NOW - 15 * MINUTE_MS - 1, NOW - 16 * MINUTE_MS, Freshness.SILENT),
        (NOW, NOW - 16 * MINUTE_MS, Freshness.LATE),
        (NOW, None, Freshness.LIVE),
        (None, None, Freshness.NEVER_SEEN),
    ],
)
def test_states_of_a_source_that_is_always_expected(received, event, expected):
    assert state(received, event, Expectation()) is expected


def test_a_source_that_is_switched_off_or_unknown_to_the_collector():
    off = Source("s", "s", "hungyen", "nginx.access", Transport.FILE, enabled=False)
    assert state(0, source=off) is Freshness.DISABLED
    assert standing(SOURCE, None, Expectation(), CALENDAR, NOW).state is Freshness.NEVER_SEEN


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        ("2026-03-03T11:20", "2026-03-03T13:05", Freshness.LIVE),  # lunch does not count
        ("2026-03-03T11:20", "2026-03-03T13:06", Freshness.SILENT),
        ("2026-03-06T16:50", "2026-03-09T07:35", Freshness.LIVE),  # nor does the weekend
        ("2026-03-06T16:50", "2026-03-09T07:36", Freshness.SILENT),
        ("2026-03-06T16:30", "2026-03-07T09:00", Freshness.SILENT),  # silent before it began
        ("2026-02-13T16:59", "2026-02-23T07:43", Freshness.LIVE),  # Tết
        ("2026-02-13T16:59", "2026-02-23T07:45", Freshness.SILENT),
    ],
)
def test_office_hours(last, now, expected):
    assert state(at(last), at(last), now=at(now)) is expected


def test_an_exemption_holds_to_the_end_of_its_day_and_the_limit_counts_from_there():
    exempt = Expectation(exempt_until=date(2026, 3, 3), reason="moving")
    last, end = at("2026-03-01T08:00"), at("2026-03-04T00:00")
    assert state(last, last, exempt, end - 1) is Freshness.EXEMPT
    assert state(last, last, exempt, end + 15 * MINUTE_MS) is Freshness.LIVE
    assert state(last, last, exempt, end + 15 * MINUTE_MS + 1) is Freshness.SILENT
    assert state(None, None, exempt, end - 1) is Freshness.EXEMPT
    assert state(None, None, exempt, end) is Freshness.NEVER_SEEN
    assert state(end - 5, end - 5, exempt, end - 1) is Freshness.LIVE, "it sends although it need not"
    silent = standing(SOURCE, SourceHealth("s", last, last, 1, 0, 0), exempt, CALENDAR, end - 1)
    assert silent.silent_at == end + 15 * MINUTE_MS


def test_an_exemption_to_the_last_day_that_can_be_said():
    for schedule in Schedule:
        exempt = Expectation.read("x", {"exempt_until": "2199-12-31", "schedule": schedule})
        assert state(NOW - DAY_MS * 30, None, exempt) is Freshness.EXEMPT


def days(first, last):
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        yield day
        day += timedelta(days=1)


def sends(day):
    """A commune's portal: a record every two minutes of office hours on each working day."""
    if CALENDAR.works(day):
        for opens, closes in CALENDAR.hours:
            yield from range(midnight(day) + opens * MINUTE_MS, midnight(day) + closes * MINUTE_MS, 2 * MINUTE_MS)


def test_five_years_in_which_only_the_stopped_source_alarms():
    """Looked at each half hour: never an alarm while it works as its office does, on Tết or any other day; and one on each
    ordinary Tuesday that it stops on, within its limit and a minute."""
    last, alarms, tuesdays = midnight(date(2024, 1, 2)), [], 0
    for day in days("2024-01-02", "2028-12-31"):
        records = list(sends(day))
        for look in range(midnight(day), midnight(day) + DAY_MS, 30 * MINUTE_MS):
            while records and records[0] <= look:
                last = records.pop(0)
            if state(last, last, now=look) is not Freshness.LIVE:
                alarms.append(look)
        if day.weekday() == 1 and CALENDAR.works(day):
            stopped = midnight(day) + 9 * 60 * MINUTE_MS
            limit = OFFICE.limit_minutes * MINUTE_MS
            assert state(stopped, stopped, now=stopped + limit) is Freshness.LIVE, day
            assert state(stopped, stopped, now=stopped + limit + MINUTE_MS) is Freshness.SILENT, day
            tuesdays += 1
    assert alarms == []
    assert tuesdays > 240


@pytest.mark.parametrize("year", range(2024, 2029))
def test_a_source_that_stops_for_tet_alarms_only_when_work_begins_again(year):
    """From the last working evening on it sends nothing more: no alarm on any holiday, one on the first morning of work."""
    for holiday in sorted(public_holidays(year)):
        before = next(d for n in range(1, 15) if CALENDAR.works(d := holiday - timedelta(days=n)))
        after = next(d for n in range(1, 15) if CALENDAR.works(d := holiday + timedelta(days=n)))
        last = midnight(before) + 17 * 60 * MINUTE_MS
        for day in days(str(before + timedelta(days=1)), str(after - timedelta(days=1))):
            assert state(last, last, now=midnight(day) + 23 * 60 * MINUTE_MS) is Freshness.LIVE, day
        morning = midnight(after) + 7 * 60 * MINUTE_MS + 30 * MINUTE_MS
        assert state(last, last, now=morning + 15 * MINUTE_MS) is Freshness.LIVE
        assert state(last, last, now=morning + 16 * MINUTE_MS) is Freshness.SILENT


def test_an_expectation_comes_back_from_its_policy():
    for one in (Expectation(), Expectation(Schedule.OFFICE_HOURS, 90, date(2026, 12, 31), "chuyển máy chủ", "lgsp")):
        assert Expectation.read("x", one.body()) == one


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"schedule": "sometimes"}, "schedule is 'sometimes', and has to be one of always, office_hours"),
        ({"limit_minutes": 0}, "limit_minutes has to be a whole number from 1 to"),
        ({"limit_minutes": "15"}, "limit_minutes has to be"),
        ({"exempt_until": "31/12/2026"}, "exempt_until is '31/12/2026'"),
        ({"exempt_until": "9999-12-31"}, "has to be in the years 1900 to 2199"),
        ({"limit_minutes": True}, "limit_minutes has to be"),
        ({"system": "x"}, "system is 'x'"),
        ({"reason": "x" * 500}, "reason has 500 letters"),
        ({"limit": 5}, "limit is not known here"),
    ],
)
def test_an_expectation_that_cannot_be_read_says_where(body, said):
    with pytest.raises(ConfigError, match=r"^source portal: ") as raised:
        Expectation.read("source portal", body)
    assert said in str(raised.value)


def test_an_outage_has_one_name_whoever_notices_it():
    assert outage_id("s", NOW) == outage_id("s", NOW) != outage_id("s", NOW + 1)
    assert len({outage_id("s", 11), outage_id("s1", 1), outage_id("s", 1)}) == 3
