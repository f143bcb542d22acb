"""A rerun finds what events that came too late would have made, under the ids of those that are in time, and adds it once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from indexed import IndexedLog
from typer.testing import CliRunner

from api import indicators
from rules.lists.pack import Entry
from soc.backtest import run as backtest_run
from soc.buffer.sqlite import EventLog
from soc.cli import build
from soc.errors import ConfigError
from soc.locks import only_one
from soc.model.account import Account, Role
from soc.model.event import iso
from soc.model.indicator import ListType
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rerun import FOUND_LATE
from soc.model.tuning import RuleException, exception_body
from soc.service.backtest import choose
from soc.service.detector import build_pipeline, detector
from soc.service.handover import RERUNS, hand_over, take, taken
from soc.service.lists import lists_dir
from soc.service.rerun import open_rerun
from soc.service.stores import open_detections, open_stores
from soc.service.tuning import read_tuning
from soc.settings import Detect, Settings, Store
from soc.store.base import AlertFilter
from soc.store.elastic.admin import setup
from soc.store.elastic.client import connect
from soc.store.sqlite import events_dir

MINUTE = 60_000
START = 1_772_420_400_000  # 2026-03-02 10:00 in Ho Chi Minh City
NOON = START + 120 * MINUTE
RULES = """
title: asked
name: asked
logsource: {category: webserver}
detection: {s: {url.path: /ask}, condition: s}
---
title: answered
name: answered
logsource: {category: webserver}
detection: {s: {url.path: /answer}, condition: s}
---
title: many
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002
correlation: {type: event_count, rules: [asked], group-by: [source.ip], timespan: 10m, condition: {gte: 3}, generate: true}
---
title: unanswered
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0003
correlation: {type: absence, rules: [asked, answered], group-by: [source.ip], timespan: 5m}
---
title: again
id: 6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0004
correlation: {type: event_count, rules: [6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002], timespan: 30m, condition: {gte: 2}, generate: true}
"""


@pytest.fixture
def settings(tmp_path) -> Settings:
    return at(tmp_path / "late")


@pytest.fixture(params=["sqlite", pytest.param("elasticsearch", marks=pytest.mark.server)])
def stored(request, tmp_path) -> Settings:
    """In either store."""
    late = at(tmp_path / "late")
    if request.param == "sqlite":
        return late
    url = request.getfixturevalue("elastic").url
    with connect(url) as client:
        setup.install(client)
    return late.model_copy(update={"store": Store(url=url)})


def at(folder: Path) -> Settings:
    (folder / "r").mkdir(parents=True)
    (folder / "r" / "r.yml").write_text(RULES)
    return Settings(data_dir=folder, detect=Detect(rules=[folder / "r"], lateness_s=60))


@pytest.fixture
def events(make_event):
    """Of two organisations, in time: (event, whether it comes too late)."""

    def one(minute, path, late, org="hungyen", ip="203.0.113.7"):
        number = f"{org}{minute}{path}"
        return make_event(START + minute * MINUTE, number, org, source__ip=ip, url__path=path, source=org), late

    both = [
        [one(0, "/ask", False, org), one(2, "/ask", True, org), one(4, "/ask", False, org), one(6, "/ask", True, org)]
        for org in ("hungyen", "ninhbinh")
    ]
    others = [one(9, "/answer", False), one(120, "/other", False), one(120, "/other", False, "ninhbinh")]
    return [*both[0], *both[1], *others]


def detect(settings: Settings, *parts) -> None:
    """The detector meets these, part after part."""
    tuning = read_tuning(open_stores(settings).policies, settings_zone(settings))
    with log_of(settings) as log, open_detections(settings) as detections:
        pipeline = build_pipeline(settings, log, detections, lambda: tuning)
        for part in parts:
            log.append(list(part))
            pipeline.drain()
        pipeline.tick()
    refresh(settings)


@contextmanager
def log_of(settings: Settings) -> Iterator[EventLog]:
    if not settings.store.url:
        with closing(EventLog(events_dir(settings.data_dir))) as log:
            yield log
        return
    with connect(settings.store.url) as client, closing(IndexedLog(events_dir(settings.data_dir), client)) as log:
        yield log


def refresh(settings: Settings) -> None:
    """What was written can be found."""
    if settings.store.url:
        with connect(settings.store.url) as client:
            client.indices.refresh(index="govsoc-*")


def settings_zone(settings):
    return ZoneInfo(settings.detect.zone)


def found(settings: Settings) -> set[tuple[str, str, str]]:
    alerts = open_stores(settings).alerts
    listed = alerts.list(AlertFilter(stage=None), EVERYTHING, limit=1000).items
    return {
        (one.rule_id, one.id, f.event_id)
        for one in listed
        for f in alerts.findings(one.id, EVERYTHING, limit=1000).items
    }


def came_late(settings, events) -> None:
    for part in (False, True):  # between them the detector starts anew: what was in memory is gone as well
        detect(settings, [e for e, late in events if late is part])


def soc(settings, *arguments):
    config = settings.data_dir / "soc.toml"
    store = f'[store]\nurl = "{settings.store.url}"\n' if settings.store.url else ""
    config.write_text(f'{store}[detect]\nrules = ["{settings.detect.rules[0]}"]\nlateness_s = 60\n')
    where = [
        "--from",
        iso(START - MINUTE),
        "--to",
        iso(NOON),
        "--config",
        str(config),
        "--data-dir",
        str(settings.data_dir),
    ]
    result = CliRunner().invoke(build("rules"), ["rules", "rerun", *where, *arguments])
    refresh(settings)
    return result


@pytest.mark.timeout(300)
def test_what_came_late_is_found_under_the_ids_of_what_is_in_time(stored, events, tmp_path):
    in_time = at(tmp_path / "in_time")
    detect(in_time, sorted((e for e, _ in events), key=lambda e: e.ts))
    came_late(stored, events)
    want, before = found(in_time), found(stored)
    assert before < want, "else nothing is missing"
    with open_detections(stored) as detections:
        place, state = detections.cursor(), detections.state_get("pipeline/watermark")
    tried = soc(stored, "--dry-run")
    assert (tried.exit_code, f"{len(want - before)} findings are missing" in tried.stdout) == (0, True), tried.output
    assert found(stored) == before
    done = soc(stored)
    assert f"{len(want - before)} findings added" in done.stdout
    assert found(stored) == want
    with open_detections(stored) as detections:
        assert (detections.cursor(), detections.state_get("pipeline/watermark")) == (place, state)
    assert "0 findings are missing" in soc(stored).stdout
    audit = [entry for entry in open_stores(stored).audit.list(limit=9).items if entry.action == "rules.rerun"]
    assert len(audit) == 2, "what is only looked at changes nothing"
    assert f"{len(want - before)} findings were missing" in audit[-1].detail
    alerts = open_stores(stored).alerts
    marked = {
        (one.rule_id, one.id, f.event_id)
        for one in alerts.list(AlertFilter(), EVERYTHING, limit=1000).items
        for f in alerts.findings(one.id, EVERYTHING, limit=1000).items
        if FOUND_LATE in f.matched
    }
    assert marked == want - before


def test_only_what_is_asked_for_is_looked_at(settings, events):
    came_late(settings, events)
    before = found(settings)
    assert soc(settings, "--org", "ninhbinh", "--rule", "many").exit_code == 0
    added = found(settings) - before
    alerts = open_stores(settings).alerts
    assert {(rule, alerts.get(alert, EVERYTHING).org) for rule, alert, _ in added} == {
        ("6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002", "ninhbinh")
    }
    policies = open_stores(settings).policies
    hide = RuleException("x", "6f1f7d0a-6f0e-4c52-9b57-3f7f6f1c0002", "source.ip:203.0.113.7", "ours", "lan")
    policies.put(Policy(PolicyKind.EXCEPTION, "x", 1, exception_body(hide), "lan", START))
    assert "0 findings are missing" in soc(settings, "--rule", "many").stdout, "what is hidden now is hidden here"


def test_rules_ask_the_lists_as_they_are_now(settings, events):
    rules = settings.detect.rules[0] / "r.yml"
    rules.write_text(RULES.replace("{url.path: /ask}", "{url.path: /ask, source.ip|expand: '%bad%'}"))
    folder, admin, entry = lists_dir(settings.data_dir), Account("admin", Role.ADMIN, EVERYTHING), Entry("203.0.113.7")
    put = partial(indicators.put, open_stores(settings), folder, admin, kind=ListType.IP, reason="seen", now=START)
    put(indicators.Which("bad", "hungyen"), change=lambda _: [entry])
    came_late(settings, events)
    before = found(settings)
    assert soc(settings, "--rule", "many").exit_code == 0
    added = found(settings) - before
    assert {open_stores(settings).alerts.get(alert, EVERYTHING).org for _, alert, _ in added} == {"hungyen"}
    indicators.remove(open_stores(settings), admin, indicators.Which("bad", "hungyen"), reason="over", now=START)
    assert "left out: there is no list bad" in soc(settings, "--rule", "many").stdout


def test_interrupted_it_goes_on_and_finds_the_same(settings, events, monkeypatch):
    monkeypatch.setattr(backtest_run, "BATCH", 2)
    came_late(settings, events)
    chosen, span = choose(settings, [], []), (START - MINUTE, NOON)

    def missed(steps: int | None = None):
        with open_rerun(settings, chosen, EVERYTHING, *span, NOON * 2) as running:
            for number, _ in enumerate(running.test.run(), 1):
                if number == steps:
                    return running.resumed, None
            return running.resumed, {finding.id for finding in running.missed().findings}

    assert missed(2) == (False, None)
    resumed, found_by_both = missed()
    assert resumed
    assert len(found_by_both) > 3
    with open_rerun(settings, chosen, Scope(frozenset({"hungyen"})), *span, NOON * 2) as running:
        assert not running.resumed


def test_what_the_detector_cannot_read_is_said_and_not_waited_for(settings, events, monkeypatch):
    came_late(settings, events)

    def damaged(data_dir, giver, id_, *_):
        hand_over(data_dir, giver, id_, [], [])
        (data_dir / giver / "handed" / f"{id_}.json").write_bytes(b"{")

    monkeypatch.setattr("soc.cli.rerun.hand_over", damaged)
    refused = soc(settings)
    assert refused.exit_code != 0
    assert "the detector cannot read what it was given" in str(refused.exception)


def test_what_is_taken_twice_is_there_once_and_a_running_detector_takes_it(settings, events):
    came_late(settings, events)
    with open_rerun(settings, choose(settings, [], []), EVERYTHING, START, NOON, NOON * 2) as running:
        list(running.test.run())
        missed = running.missed()
    assert taken(settings.data_dir, RERUNS, "a") is None
    log = EventLog(events_dir(settings.data_dir))
    tuning = read_tuning(open_stores(settings).policies, settings_zone(settings))
    with open_detections(settings) as detections:
        pipeline = build_pipeline(settings, log, detections, lambda: tuning)
        for _ in range(2):
            hand_over(settings.data_dir, RERUNS, "a", missed.findings, missed.rules)
            take(settings.data_dir, pipeline.add)
        done = taken(settings.data_dir, RERUNS, "a")
        assert (done.findings, done.alerts) == (len(missed.findings), 0)
        assert not list((settings.data_dir / "reruns" / "handed").iterdir())
        assert pipeline.step() == 0, "its place has not moved"
    log.close()


def test_what_cannot_be_asked_is_refused(settings, events):
    came_late(settings, events)
    chosen = choose(settings, [], [])
    single = replace(chosen, rules=tuple(rule for rule in chosen.rules if rule.correlation is None))
    for rules, since, until, now, why in [
        (single, START, NOON, NOON * 2, "counts events"),
        (chosen, NOON, START, NOON * 2, "before it begins"),
        (chosen, START, NOON, NOON, "at the latest"),
    ]:
        with pytest.raises(ConfigError, match=why), open_rerun(settings, rules, EVERYTHING, since, until, now):
            pass
    with only_one(settings.data_dir, "rerun"):
        assert isinstance(soc(settings).exception, ConfigError)


def test_a_detector_that_runs_takes_it_up(settings, events):
    came_late(settings, events)
    before, stop = found(settings), threading.Event()
    running = settings.model_copy(update={"detect": settings.detect.model_copy(update={"http_port": 0})})
    thread = threading.Thread(target=detector, args=(running, stop, lambda _: None))
    thread.start()
    try:
        waited(
            lambda: (settings.data_dir / "detector.lock").exists() and (settings.data_dir / "detector.lock").read_text()
        )
        done = soc(settings)
        assert "findings added" in done.stdout, done.output
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(120)
    assert found(settings) > before


def waited(asked) -> None:
    until = time.monotonic() + 120
    while not asked():
        assert time.monotonic() < until, "in vain"
        time.sleep(0.05)
