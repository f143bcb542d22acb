"""The level of a series, read from what is kept of it: as its own scorer has it."""

from __future__ import annotations

import math
import random
from zoneinfo import ZoneInfo

import pytest

from detector.level import level_of
from detector.series.definition import Direction, Measure, loads
from detector.series.meter import meter_of
from detector.track import Track
from soc.model.anomaly import Reading
from soc.model.calendar import DAY_MS

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
START = 1_767_200_400_000  # 2026-01-01T00:00:00+07:00
STEP = 600_000
(DEFINITION,) = loads(
    """
name: latency
system: lgsp
titles: {vi: a, en: a}
dataset: d
measure: mean
field: event.duration
bucket: 10m
""",
    "x.yml",
).by_name.values()


def followed(days: int, value, definition=DEFINITION):
    """A track over so many days, its snapshot of an hour before the end, and the readings since."""
    track, chance = Track(definition, meter_of(definition), ZONE), random.Random(3)
    readings, snapshot = [], None
    last = days * DAY_MS // STEP
    for n in range(last):
        ts = START + n * STEP
        actual = value(n * STEP / DAY_MS) * (1 + chance.gauss(0, 0.05))
        track.step(definition, ts, actual, 20.0, 0.0)
        if n == last - 7:
            snapshot = ts, track.dump()
        if n > last - 7:
            readings.append(Reading(ts, actual, 20.0, 0, 0, 0, 0.0, False))
    return track, snapshot, readings


def test_a_day_with_three_times_as_many_is_no_leak_of_a_share_of_few():
    """Buckets of one code or two, of which each is all or nothing: their share is what it was."""
    (arrival,) = loads(
        """
name: arrival
system: otp
titles: {vi: a, en: a}
dataset: d
where: event.action:submit
measure: conversion
hit: event.action:dlr
bucket: 30s
direction: low
""",
        "x.yml",
    ).by_name.values()
    track, chance, leaning = Track(arrival, meter_of(arrival), ZONE), random.Random(5), []
    for n in range(22 * 2880):
        day = n / 2880
        rate = max(math.sin(math.pi * (day % 1 - 0.25) / 0.5), 0.02) * (4.5 if 17 <= day < 18 else 1.5)
        codes = sum(chance.random() < rate / 12 for _ in range(12))
        came = sum(chance.random() < 0.95 for _ in range(codes))
        _, call = track.step(arrival, START + n * 30_000, came / codes if codes else None, codes, 0.0)
        assert call is None
        leaning.append(track.scorer.leaning)
    assert max(map(abs, leaning)) < 5  # beyond it is a leak


def test_a_new_level_that_has_come_to_stay_is_told_with_its_day():
    track, snapshot, readings = followed(20, lambda day: 100.0 if day < 14 else 300.0)
    level = level_of(DEFINITION, ZONE, START, snapshot, readings)
    assert level.since == track.scorer.level_since
    assert abs(level.since - (START + 14 * DAY_MS)) <= DAY_MS
    assert level.usual == pytest.approx(300, rel=0.1)
    steady, snapshot, readings = followed(20, lambda _: 100.0)
    level = level_of(DEFINITION, ZONE, START, snapshot, readings)
    assert (level.since, level.leaks) == (None, False)
    assert level.leaning == steady.scorer.leaning


def test_a_slow_leak_is_told():
    track, snapshot, readings = followed(17, lambda day: 100.0 * 1.1 ** max(0.0, day - 14))
    level = level_of(DEFINITION, ZONE, START, snapshot, readings)
    assert level.leaning == track.scorer.leaning
    assert level.leaks
    assert level.usual > level.before


@pytest.mark.parametrize("change", [{"measure": Measure.COUNT, "field": None}, {"direction": Direction.LOW}])
def test_what_nobody_is_called_about_is_no_leak(change):
    """Volumes come and go, and what gets slower is no fault where only the other side is watched."""
    definition = DEFINITION.model_copy(update=change)
    _, snapshot, readings = followed(17, lambda day: 100.0 * 1.1 ** max(0.0, day - 14), definition)
    level = level_of(definition, ZONE, START, snapshot, readings)
    assert level.leaning > 5
    assert not level.leaks


def test_of_what_is_not_kept_any_more_no_level_is_made_up():
    _, _, readings = followed(20, lambda _: 100.0)
    assert level_of(DEFINITION, ZONE, readings[0].ts - DAY_MS, None, readings * 100) is None


def test_what_is_not_known_is_not_told():
    _, snapshot, readings = followed(3, lambda _: 100.0)
    assert level_of(DEFINITION, ZONE, START, None, readings) is None, "an hour: it is learning"
    assert level_of(DEFINITION, ZONE, START, snapshot, []) is None
    assert level_of(DEFINITION, ZONE, START, (snapshot[0], b"xx" + snapshot[1][2:]), readings) is None, (
        "of another version"
    )
    assert level_of(DEFINITION, ZONE, START, snapshot, readings * 200) is None
