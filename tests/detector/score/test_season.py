"""The habit of a series by the hours of the week and the days of Viet Nam's calendar."""

from __future__ import annotations

import math
import random
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from detector.score import Kind, Scorer
from detector.score.day import TET_BEFORE, day_of
from detector.score.season import Season

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
STEP_MS = 600_000


def _day(text: str) -> tuple[int, bool, int]:
    return tuple(day_of(date.fromisoformat(text).toordinal()))


def test_days_are_what_the_law_makes_of_them() -> None:
    assert _day("2026-11-26") == (3, False, -1)
    assert _day("2026-09-02") == (6, True, -1)  # National Day, a Wednesday
    assert _day("2025-04-26") == (4, False, -1)  # a Saturday worked for 2 May
    assert _day("2025-05-02") == (6, True, -1)
    assert _day("2026-02-17") == (6, True, TET_BEFORE)  # the first of the lunar year
    assert _day("2026-02-12")[2] == TET_BEFORE - 5
    assert _day("9999-12-31") == (4, False, -1)


def _usage(at: datetime) -> float:
    """Of an office: half of it on days off."""
    works = day_of(at.toordinal()).weekday < 5
    return (1.0 if works else 0.5) * (100 + 60 * math.sin((at.hour + at.minute / 60 - 6) * math.pi / 12))


def _run(start: str, days: int) -> dict[date, list[tuple[bool, float]]]:
    """By day, of each value whether it alarms, and how far what is usual is off, as a share of what it should be."""
    scorer, chance = Scorer(600, Kind.GAUGE, VIETNAM, 4), random.Random(1)
    judged: dict[date, list[tuple[bool, float]]] = {}
    begin = int(datetime.fromisoformat(start).replace(tzinfo=VIETNAM).timestamp() * 1000)
    for n in range(days * 144):
        ts_ms = begin + n * STEP_MS
        at = datetime.fromtimestamp(ts_ms / 1000, VIETNAM)
        anomaly = scorer.step(ts_ms, _usage(at) + chance.gauss(0, 2)).anomaly
        judged.setdefault(at.date(), []).append((anomaly, abs(scorer.usual(ts_ms) / _usage(at) - 1)))
    return judged


@pytest.mark.parametrize(
    ("start", "days", "off", "quiet"),
    [
        ("2026-01-05", 50, 0.2, ["2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20"]),  # Tết
        ("2026-03-30", 35, 0.2, ["2026-04-30", "2026-05-01"]),
        ("2025-03-31", 35, 0.1, ["2025-04-26", "2025-05-02"]),  # a Saturday that is worked, and the Friday for it
        ("2026-03-02", 28, 0.4, ["2026-03-21", "2026-03-22", "2026-03-28", "2026-03-29"]),  # weekends
    ],
)
def test_days_off_do_not_alarm_and_are_expected(start: str, days: int, off: float, quiet: list[str]) -> None:
    """At most one half hour of them all; and what is usual is off by this share of what comes, on each of these days. Taken for workdays
    (or the Saturday for a day off) it would be by 0.24 at the least. Weekends are known by then in part only."""
    judged = _run(start, days)
    half_hours = 0
    for day in quiet:
        alarms, errors = zip(*judged[date.fromisoformat(day)], strict=True)
        half_hours += sum(any(alarms[k : k + 3]) for k in range(0, 144, 3))
        assert sum(errors) / len(errors) < off, day
    assert half_hours <= 2


def _slots(text: str) -> range:
    start = int(datetime.fromisoformat(text).replace(tzinfo=VIETNAM).timestamp()) * 1000 // STEP_MS
    return range(start, start + 144)


def _wider(season: Season, text: str) -> set[float]:
    return {season.around(slot)[-1] for slot in _slots(text)}


@pytest.mark.parametrize(
    ("first", "second", "third", "others"),
    [
        ("2024-02-03", "2025-01-22", "2026-02-10", ("2026-02-07", "2026-02-11")),  # seven days before Tết
        ("2024-02-20", "2025-02-08", "2026-02-27", ("2026-02-07", "2026-02-26")),  # the last of them, ten days after it
        ("2025-04-30", "2025-05-01", "2025-09-02", ("2026-02-17",)),  # any holiday but that which is Tết, too
    ],
)
def test_the_band_of_a_day_of_feast_is_wider_until_it_was_seen_twice(
    first: str, second: str, third: str, others: tuple[str, ...]
) -> None:
    season = Season(VIETNAM, 600)
    assert _wider(season, "2026-03-10") == {1.0}, "a day as any"
    for seen in (first, second):
        assert _wider(season, seen) == {2.0}
        for slot in _slots(seen):
            season.learn(slot, 0.0, 1.0, 1.0)
    assert _wider(season, third) == {1.0}
    assert {wider for other in others for wider in _wider(season, other)} == {2.0}


@pytest.mark.parametrize("step_s", [600, 1800, 3600])
def test_the_week_is_known_after_ten_weeks_however_coarse_the_buckets(step_s: int) -> None:
    """Weekends at a fifth. An hour of the week is visited by as many buckets as lie in it."""
    scorer, chance = Scorer(step_s, Kind.COUNT, VIETNAM, 4.0), random.Random(1)
    start = int(datetime(2025, 3, 3, tzinfo=VIETNAM).timestamp()) * 1000
    errors = []
    for n in range(70 * 86_400 // step_s):
        ts = start + n * step_s * 1000
        mean = 1000 if n * step_s // 86_400 % 7 < 5 else 200
        scorer.step(ts, max(chance.gauss(mean, mean**0.5), 0))
        if n * step_s >= 63 * 86_400:
            errors.append(abs(scorer.usual(ts) - mean) / mean)
    assert sum(errors) / len(errors) < 0.35


def test_what_the_days_before_tet_are_like_is_known_from_the_year_before() -> None:
    """Half as much again, from ten days before on: the first two of them, which nothing leads to expect but the last Tết."""
    scorer, chance = Scorer(1800, Kind.GAUGE, VIETNAM, 4), random.Random(1)
    start, errors = int(datetime(2025, 1, 6, tzinfo=VIETNAM).timestamp()) * 1000, []
    for n in range(412 * 48):
        ts = start + n * 1_800_000
        tet = day_of(datetime.fromtimestamp(ts / 1000, VIETNAM).toordinal()).tet
        mean = 150 if 0 <= tet < TET_BEFORE else 100
        scorer.step(ts, mean + chance.gauss(0, 3))
        if n > 390 * 48 and 0 <= tet < 2:
            errors.append(abs(scorer.usual(ts) - mean) / mean)
    assert len(errors) == 96
    assert sum(errors) / len(errors) < 0.1
