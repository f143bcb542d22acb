"""The week that a backtest foretells, against the week that then comes: stored events, four weeks seen, seven days held out."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest

from rules.load.folders import loads
from soc.buffer.sqlite import EventLog
from soc.model.event import Event, event_id, iso
from soc.model.org import EVERYTHING
from soc.service.backtest import open_backtest
from soc.settings import Settings
from soc.store.sqlite import events_dir

RULE = """
title: Everything with SELECT
id: 8a5dd60a-1b43-4d0a-9e9b-2f0e4b3f54aa
logsource: {category: webserver}
detection: {selection: {url.query|contains: SELECT}, condition: selection}
level: low
"""
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = datetime(2026, 3, 2, tzinfo=ZONE)
SEEN, AHEAD = 28, 7
BY_WEEKDAY = {"alike": (60,) * 7, "quiet weekends": (80, 80, 80, 80, 80, 15, 15)}  # alerts a day, on average
SEEDS = range(6)


def poisson(rng: random.Random, mean: float) -> int:
    """By the waiting times between them."""
    count, at = 0, rng.expovariate(1.0)
    while at < mean:
        count, at = count + 1, at + rng.expovariate(1.0)
    return count


def attacks(rng: random.Random, means: tuple[int, ...]) -> list[Event]:
    """Each address attacks on one day, at some time of it, with one to three requests: one alert. Nothing of it is the rule's to know."""
    found = []
    for day in range(SEEN + AHEAD):
        for number in range(poisson(rng, means[day % 7])):
            began = int((MONDAY + timedelta(days=day)).timestamp() * 1000) + rng.randrange(86_000_000)
            for request in range(rng.randint(1, 3)):
                at = began + request * 1000
                id_ = event_id(at, "portal", f"{day}/{number}/{request}", "line")
                fields = {
                    "@timestamp": iso(at), "event.id": id_, "event.dataset": "nginx.access", "organization.id": "hungyen",
                    "govsoc.source.id": "portal", "source.ip": f"10.{day}.{number // 250}.{number % 250}",
                    "url.query": "id=1 UNION SELECT 1",
                }  # fmt: skip
                found.append(Event(id_, at, "hungyen", "nginx.access", fields))
    return sorted(found, key=lambda event: event.ts)


def backtest(settings: Settings, days: int, asked: int):
    """As it is asked for at the local midnight after so many days."""
    clock = int((MONDAY + timedelta(days=asked)).timestamp() * 1000)
    with open_backtest(settings, loads(RULE, "rule"), EVERYTHING, days, lambda: clock) as running:
        for _ in running.test.run():
            pass
        [outcome] = running.outcomes()
        running.forget()
        return outcome


@pytest.mark.parametrize("kind", BY_WEEKDAY)
@pytest.mark.long
def test_a_stationary_week_is_foretold_within_a_fifth(tmp_path, kind):
    """Of every seed, and half of that on average; of alerts that are rarer, chance alone moves a week by more."""
    errors, inside = [], 0
    for seed in SEEDS:
        settings = Settings(data_dir=tmp_path / str(seed))
        log = EventLog(events_dir(settings.data_dir))
        log.append(attacks(random.Random(seed), BY_WEEKDAY[kind]))
        log.close()
        told = backtest(settings, SEEN, SEEN).forecast
        after = backtest(settings, AHEAD, SEEN + AHEAD).by_day
        assert len(after) == AHEAD, "older events are stored, so the first of these days is whole"
        came = sum(after.values())
        assert told.days_seen == SEEN - 1, "nobody knows whether the first was stored from its midnight on"
        errors.append(abs(told.expected - came) / came)
        inside += told.low <= came <= told.high
    assert max(errors) <= 0.2, errors
    assert fmean(errors) <= 0.1, errors
    assert inside >= len(SEEDS) - 2, "nine times out of ten"
