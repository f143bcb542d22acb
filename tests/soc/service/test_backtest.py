"""A backtest says what production would have raised: the same alerts, also when it was interrupted, and only what one may see."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.load import loads
from rules.tuning import Tuning
from soc.backtest import run
from soc.buffer.sqlite import EventLog
from soc.errors import ConfigError
from soc.model.alert import Decision, Status, Verdict
from soc.model.org import EVERYTHING, Scope
from soc.model.source import Source, Transport
from soc.service.backtest import choose, open_backtest
from soc.service.detector import build_pipeline
from soc.settings import Settings
from soc.simulator import FILES, Rates, World, schedule
from soc.store.base import AlertFilter
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, open_stores

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
EVENING = int(datetime(2026, 3, 2, 22, tzinfo=ZONE).timestamp() * 1000)
HOUR_MS = 3_600_000
END = EVENING + 4 * HOUR_MS
NOISY = """
title: Every request
id: 1c0d8c38-0d26-4d3c-9a35-1f7b1f8d3a55
logsource: {category: webserver}
detection: {selection: {http.request.method: GET}, condition: selection}
level: low
"""


def clock() -> int:
    return END + HOUR_MS


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    """An evening and the night after it, every kind of incident in it, of two organisations."""
    folder = tmp_path_factory.mktemp("history")
    log, masker = EventLog(events_dir(folder)), Masker(bytes(32))
    world = World(7, EVENING, Rates().times(0.2), schedule(EVENING, 600_000, 900_000))
    events = []
    for number, line in enumerate(world.lines(END)):
        org = ("hungyen", "ninhbinh")[line.stream == "linux.auth"]
        source = Source(line.stream, line.stream, org, line.stream, Transport.FILE)
        events.append(to_event(Record(line.text.encode(), str(number)), source, masker, line.at))
    assert {event.dataset for event in events} >= set(FILES) - {"syslog"}
    log.append(events)
    log.close()
    return folder


@pytest.fixture
def settings(history, tmp_path) -> Settings:
    """A data directory of its own over the same events."""
    events_dir(tmp_path).symlink_to(events_dir(history))
    return Settings(data_dir=tmp_path)


def raised_by(running) -> set[tuple[str, str, int, int, int]]:
    return {
        (alert.id, alert.entity, alert.count, alert.first_seen, alert.last_seen)
        for doc in running._docs
        for alert in running._of(running._raised, doc)
    }


def backtest(settings, scope=EVERYTHING, chosen=None, steps=None):
    """What it raised and its outcomes; after so many steps it is left as it is."""
    with open_backtest(settings, chosen or choose(settings, [], []), scope, 2, clock) as running:
        for number, _ in enumerate(running.test.run(), 1):
            if number == steps:
                return running.resumed, None
        outcomes = running.outcomes()
        return raised_by(running), outcomes


def in_production(settings) -> set[tuple[str, str, int, int, int]]:
    log, detections = EventLog(events_dir(settings.data_dir)), SqliteDetections(settings.data_dir)
    build_pipeline(settings, log, detections, Tuning).drain()
    detections.close()
    alerts = open_stores(settings.data_dir).alerts.list(AlertFilter(), EVERYTHING, limit=10_000).items
    return {(a.id, a.entity, a.count, a.first_seen, a.last_seen) for a in alerts}


def test_production_raises_the_same_alerts_afterwards(settings):
    raised, outcomes = backtest(settings)
    assert len(raised) > 20
    assert raised == in_production(settings)
    assert sum(outcome.alerts for outcome in outcomes) == len(raised)
    assert all(outcome.fresh == outcome.alerts for outcome in outcomes), "none was there before"


def test_an_interrupted_one_goes_on_where_it_was(settings, tmp_path, monkeypatch):
    expected, outcomes = backtest(settings)
    with open_backtest(settings, choose(settings, [], []), EVERYTHING, 2, clock) as running:
        running.forget()
    monkeypatch.setattr(run, "BATCH", 700)
    resumed, _ = backtest(settings, steps=2)
    assert not resumed
    resumed, _ = backtest(settings, steps=3)
    assert resumed
    again, same = backtest(settings)
    assert again == expected
    assert same == outcomes


def test_it_is_held_against_what_was_closed(settings):
    in_production(settings)
    stores = open_stores(settings.data_dir)
    first, second, *_ = stores.alerts.list(AlertFilter(), EVERYTHING, limit=100).items
    for alert, verdict in ((first, Verdict.TRUE_POSITIVE), (second, Verdict.FALSE_POSITIVE)):
        stores.triage.change(alert.id, Decision(status=Status.CLOSED, verdict=verdict), by="lan", now=1)
    _, outcomes = backtest(settings)
    assert sum(outcome.known.get("true_positive", 0) for outcome in outcomes) == 1
    assert sum(outcome.known.get("false_positive", 0) for outcome in outcomes) == 1
    assert all(outcome.fresh == outcome.gone == 0 for outcome in outcomes)


def test_a_scope_is_kept_to(settings):
    raised, _ = backtest(settings, Scope(frozenset({"ninhbinh"})))
    everything, _ = backtest(settings)
    in_production(settings)
    alerts = open_stores(settings.data_dir).alerts.list(AlertFilter(), EVERYTHING, limit=10_000).items
    assert {id_ for id_, *_ in raised} == {alert.id for alert in alerts if alert.org == "ninhbinh"}
    assert len(raised) < len(everything)


def test_a_rule_that_raises_far_too_much_is_given_up_and_said_so(settings, monkeypatch):
    monkeypatch.setattr(run, "MOST_FINDINGS", 50)
    raised, [outcome] = backtest(settings, chosen=loads(NOISY))
    assert (outcome.events, sum(count for _, _, count, _, _ in raised)) == (50, 50)
    assert EVENING <= outcome.noisy_since <= END


def test_a_rule_of_a_correlation_is_tried_with_what_it_is_made_of(settings):
    chosen = choose(settings, [], ["SSH Password Guessing from One Address"])
    assert len(chosen.rules) > 1
    raised, [outcome] = backtest(settings, chosen=chosen)
    assert outcome.alerts == len(raised) > 0


def test_who_asks_for_no_rule_is_told(settings):
    with pytest.raises(ConfigError, match="no rule"):
        choose(settings, [], ["nobody"])
    with (
        pytest.raises(ConfigError, match="no rule to try"),
        open_backtest(settings, loads("title: x"), EVERYTHING, 2, clock),
    ):
        pass
