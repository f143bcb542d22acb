"""A backtest says what production would have raised: the same alerts, also when it was interrupted, and only what one may see."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from indexed import IndexedLog

from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from rules.load.folders import loads
from soc.backtest import run
from soc.buffer.sqlite import EventLog
from soc.errors import ConfigError
from soc.model.alert import Decision, Status, Verdict
from soc.model.asked import Bounds
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import Stage
from soc.model.source import Source, Transport
from soc.model.tuning import OrgSetting, RuleException, RuleSetting, exception_body, setting_body
from soc.service.backtest import choose, open_backtest
from soc.service.detector import build_pipeline
from soc.service.stores import open_detections, open_stores
from soc.service.tuning import read_tuning
from soc.settings import Settings, Store
from soc.simulator import FILES, Rates, World, schedule
from soc.store.base import AlertFilter
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.history import SqliteHistory
from soc.store.sqlite import events_dir

pytestmark = pytest.mark.xdist_group("backtest")  # one worker: what they share takes long to make

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
def settings(history, compiled, tmp_path) -> Settings:
    """A data directory of its own over the same events."""
    (tmp_path / "cache").symlink_to(compiled)
    events_dir(tmp_path).symlink_to(events_dir(history))
    return Settings(data_dir=tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.server)])
def stored(request, history, compiled, tmp_path) -> Settings:
    """The same events, in either store."""
    if request.param == "sqlite":
        return request.getfixturevalue("settings")
    (tmp_path / "cache").symlink_to(compiled)
    url = request.getfixturevalue("elastic").url
    with connect(url) as client:
        setup.install(client)
        log = IndexedLog(events_dir(tmp_path), client)
        whole = SqliteHistory(EventLog(events_dir(history)), EVERYTHING, EVENING - HOUR_MS, END + HOUR_MS)
        log.append([stored.event for stored in whole.read({}, 100_000).events])
        log.close()
    return Settings(data_dir=tmp_path, store=Store(url=url))


def lay_down(settings, *laid: RuleSetting | RuleException, version: int = 1) -> None:
    policies = open_stores(settings).policies
    for one in laid:
        kind, id_, body = (
            (PolicyKind.RULE, one.rule_id, setting_body(one))
            if isinstance(one, RuleSetting)
            else (PolicyKind.EXCEPTION, one.id, exception_body(one))
        )
        policies.put(Policy(kind, id_, version, body, "lan", clock()))


def raised_by(running) -> set[tuple[str, str, str, int, int, int]]:
    return {
        (alert.id, alert.entity, alert.level, alert.count, alert.first_seen, alert.last_seen)
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


def in_production(settings) -> set[tuple[str, str, str, int, int, int]]:
    """The detector, with what is laid down, over the same events."""
    stores, log = open_stores(settings), EventLog(events_dir(settings.data_dir))
    tuning = read_tuning(stores.policies, ZONE)
    with open_detections(settings) as detections:
        build_pipeline(settings, log, detections, lambda: tuning).drain()
    if settings.store.url:
        with connect(settings.store.url) as client:
            client.indices.refresh(index="govsoc-*")
    alerts = stores.alerts.list(AlertFilter(), EVERYTHING, limit=1000).items
    return {(a.id, a.entity, a.level, a.count, a.first_seen, a.last_seen) for a in alerts}


@pytest.mark.long
def test_production_raises_the_same_alerts_afterwards(settings):
    raised, outcomes = backtest(settings)
    assert len(raised) > 20
    assert raised == in_production(settings)
    assert sum(outcome.alerts for outcome in outcomes) == len(raised)
    assert all(outcome.fresh == outcome.alerts for outcome in outcomes), "none was there before"


SQLI, TOOL = "e871e443-3e4a-4a4e-b3d7-f9374bc5473d", "d970b375-94b6-51a3-8168-08f7008b30b9"
LOG4SHELL, CARRIER = "1630e1b6-c86a-5fa3-818a-cd12dd55815d", "11f2a48f-8cf0-53b3-b6ee-98617351d921"
SSH = "105d16e4-c702-5586-b8d7-a21d5fc48165"


@pytest.mark.timeout(300)
@pytest.mark.long
def test_what_is_laid_down_now_holds_for_the_whole_history_as_it_will_in_production(stored):
    """Exceptions of a single rule and of a base rule, a level and a rule off for one organisation; stages do not matter."""
    [base] = choose(stored, [], [SSH]).get(SSH).correlation.rules
    stages = [RuleSetting(LOG4SHELL, Stage.DRAFT), RuleSetting(TOOL, Stage.TEST, "critical")]
    lay_down(
        stored,
        RuleException("ours", SQLI, "source.ip:192.0.2.61", "our scanner", "lan"),
        RuleException("theirs", SQLI, "source.ip:203.0.113.95", "theirs", "lan", frozenset({"ninhbinh"})),
        RuleException("jump", base, "source.ip:192.0.2.246", "jump host", "lan", frozenset({"ninhbinh"})),
        RuleException("over", LOG4SHELL, "source.ip:198.51.100.129", "was", "lan", expires_at=EVENING - 1),
        RuleSetting(CARRIER, orgs={"hungyen": OrgSetting(enabled=False)}),
        RuleSetting(SSH, orgs={"ninhbinh": OrgSetting(level="critical")}),
        *stages,
    )
    raised, outcomes = backtest(stored)
    of = {outcome.rule_id: outcome for outcome in outcomes}
    assert (of[SQLI].alerts, dict(of[SQLI].hidden)) == (1, {"ours": 160})
    assert of[SSH].alerts == 1
    assert of[SSH].hidden["jump"] >= 90
    assert (of[SSH].level, dict(of[SSH].levels)) == ("medium", {"critical": 1})
    assert (of[LOG4SHELL].alerts, dict(of[LOG4SHELL].hidden)) == (2, {})
    assert dict(of[TOOL].levels) == {"critical": 1}
    assert of[CARRIER].alerts == 0
    lay_down(stored, *(replace(one, stage=Stage.LIVE) for one in stages), version=2)
    assert raised == in_production(stored)


@pytest.mark.timeout(300)
@pytest.mark.long
def test_the_first_day_is_whole_where_older_events_are_stored(stored):
    def days(clock: int) -> list[str]:
        with open_backtest(stored, choose(stored, [], [SQLI]), EVERYTHING, 1, lambda: clock) as running:
            [outcome] = running.outcomes()
            return list(outcome.by_day)

    assert days(END + HOUR_MS) == [], "the evening is all there is of the second of March"
    assert days(END + 24 * HOUR_MS) == ["2026-03-03"]


@pytest.mark.timeout(300)
def test_other_bounds_are_tried_as_they_would_hold(settings):
    """And what narrows a rule holds as an exception does."""
    chosen = choose(settings, [], [SSH])

    def raised(bounds: Bounds | None = None) -> set:
        with open_backtest(settings, chosen, EVERYTHING, 2, clock, bounds) as running:
            for _ in running.test.run():
                pass
            [outcome] = [one for one in running.outcomes() if one.rule_id == SSH]
            running.forget()
            return {(entity.value, entity.events) for entity in outcome.entities}

    as_it_is, tried = raised(), raised(Bounds(20, 20))
    assert tried != as_it_is != set()
    lay_down(
        settings,
        RuleSetting(
            SSH, threshold=20, orgs={"ninhbinh": OrgSetting(timespan_s=20), "hungyen": OrgSetting(timespan_s=20)}
        ),
    )
    assert raised() == tried
    assert raised(Bounds(threshold=10_000)) == set(), "also where an organisation has its own"
    [base] = chosen.get(SSH).correlation.rules
    lay_down(settings, RuleSetting(base, only="source.ip:192.0.2.1"))
    assert raised() == set()
    with pytest.raises(ConfigError, match="name it alone"):
        raised_by_all(settings)
    with pytest.raises(ConfigError, match="whole number"):
        raised(Bounds(2.5))


def raised_by_all(settings):
    with open_backtest(settings, choose(settings, [], []), EVERYTHING, 2, clock, Bounds(5)):
        pass


@pytest.mark.long
def test_one_begins_again_when_what_is_laid_down_has_changed(settings, monkeypatch):
    monkeypatch.setattr(run, "BATCH", 700)
    backtest(settings, steps=2)
    lay_down(settings, RuleException("no-matter", "another rule", "source.ip:192.0.2.61", "x", "lan"))
    resumed, _ = backtest(settings, steps=3)
    assert resumed
    lay_down(settings, RuleException("matters", SQLI, "source.ip:192.0.2.61", "our scanner", "lan"))
    resumed, _ = backtest(settings, steps=2)
    assert not resumed


def test_what_exceptions_hide_does_not_make_a_rule_too_noisy(settings, monkeypatch):
    monkeypatch.setattr(run, "MOST_FINDINGS", 200)
    lay_down(settings, RuleException("ours", SQLI, "source.ip:192.0.2.61", "our scanner", "lan"))
    _, [outcome] = backtest(settings, chosen=choose(settings, [], [SQLI]))
    assert (outcome.events, outcome.noisy_since, dict(outcome.hidden)) == (160, None, {"ours": 160})


def test_what_cannot_be_read_is_left_out_and_said(settings):
    open_stores(settings).policies.put(Policy(PolicyKind.EXCEPTION, "x", 1, {"rule": "r"}, "lan", 0))
    with open_backtest(settings, choose(settings, [], [SQLI]), EVERYTHING, 2, clock) as running:
        assert ["exception x" in fault.reason for fault in running.faults] == [True]


def test_a_rule_whose_list_is_not_there_is_left_out_and_said(settings, tmp_path):
    path = tmp_path / "asking.yml"
    path.write_text(
        "title: Asks\nlogsource: {category: webserver}\ndetection: {s: {source.ip|expand: '%bad%'}, condition: s}\n"
    )
    with open_backtest(settings, choose(settings, [path], []), EVERYTHING, 2, clock) as running:
        assert [fault.reason for fault in running.faults] == ["Asks: there is no list bad"]


@pytest.fixture(scope="module")
def of_everything(history, compiled, tmp_path_factory):
    """What all rules raised in one go, where nothing is laid down, and their outcomes."""
    folder = tmp_path_factory.mktemp("everything")
    (folder / "cache").symlink_to(compiled)
    events_dir(folder).symlink_to(events_dir(history))
    return backtest(Settings(data_dir=folder))


def test_an_interrupted_one_goes_on_where_it_was(settings, of_everything, monkeypatch):
    expected, outcomes = of_everything
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
    stores = open_stores(settings)
    first, second, *_ = stores.alerts.list(AlertFilter(), EVERYTHING, limit=100).items
    for alert, verdict in ((first, Verdict.TRUE_POSITIVE), (second, Verdict.FALSE_POSITIVE)):
        stores.triage.change(alert.id, Decision(status=Status.CLOSED, verdict=verdict), by="lan", now=1)
    _, outcomes = backtest(settings)
    assert sum(outcome.known.get("true_positive", 0) for outcome in outcomes) == 1
    assert sum(outcome.known.get("false_positive", 0) for outcome in outcomes) == 1
    assert all(outcome.fresh == outcome.gone == 0 for outcome in outcomes)


def test_a_scope_is_kept_to(settings, of_everything):
    raised, _ = backtest(settings, Scope(frozenset({"ninhbinh"})))
    everything, _ = of_everything
    in_production(settings)
    alerts = open_stores(settings).alerts.list(AlertFilter(), EVERYTHING, limit=1000).items
    assert {id_ for id_, *_ in raised} == {alert.id for alert in alerts if alert.org == "ninhbinh"}
    assert len(raised) < len(everything)


def test_a_rule_that_raises_far_too_much_is_given_up_and_said_so(settings, monkeypatch):
    monkeypatch.setattr(run, "MOST_FINDINGS", 50)
    raised, [outcome] = backtest(settings, chosen=loads(NOISY))
    assert (outcome.events, sum(count for _, _, _, count, _, _ in raised)) == (50, 50)
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
