"""`soc rules rerun`: correlations once more over stored events, as if all had come in time, for those that came too late.

The rules run as the detector runs them, on an engine, state and database of their own, so what they find has the ids that it would have
had; what the detector has found already is left out, and the rest is handed to it (`soc.service.handover`).
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from rules.correlate.all import in_order
from rules.desk.doc import doc_of
from rules.desk.tuning import Tuning
from rules.engine import Engine, lists_of
from rules.lists.known import Lists
from rules.rule import Rule, RuleSet
from soc.backtest.run import Backtest
from soc.errors import ConfigError, NotFound
from soc.locks import only_one
from soc.model.alert import Alert
from soc.model.calendar import DAY_MS
from soc.model.event import iso
from soc.model.finding import Finding
from soc.model.org import EVERYTHING, Scope
from soc.model.rerun import FOUND_LATE, Missed
from soc.model.rule import RuleDoc
from soc.service.lists import read_lists
from soc.service.process import relax_garbage_collection
from soc.service.stores import open_history, open_stores, prepare
from soc.service.tuning import read_tuning
from soc.settings import Settings
from soc.store import sqlite
from soc.store.base import AlertFilter, AlertStore
from soc.store.detections import SqliteDetections
from soc.store.paging import every

_PAGE = 1000
_KEPT_S = 7 * 86_400
_MOST_ENTRIES = 1_000_000  # of a group: a day of them is there at once
_LATENESS_MS = DAY_MS + 60_000  # a day's events are read in the order in which they came


@dataclass(frozen=True, slots=True)
class Range:
    """ms since 1970: findings of events in [since, until); `reach`: how far before and after events may matter to them."""

    since: int
    until: int
    reach: int


@dataclass(frozen=True, slots=True)
class Rerun:
    """`test.run()` does the work; interrupted anywhere, the same again goes on from there. `missed()`: what nobody had found."""

    id: str
    range: Range
    test: Backtest
    resumed: bool
    engine: Engine
    _docs: Sequence[RuleDoc]
    _found: AlertStore
    _there: AlertStore
    _now: int
    _folder: Path

    def missed(self) -> Missed:
        counting = {doc.id: doc for doc in self._docs if doc.bases}
        where = AlertFilter(since=self.range.since, stage=None)
        alerts = every(lambda at: self._found.list(where, EVERYTHING, cursor=at, limit=_PAGE))
        findings = [one for alert in alerts if alert.rule_id in counting for one in self._missed_of(alert)]
        hashes = {finding.rule_hash for finding in findings}
        return Missed(findings, [doc for doc in counting.values() if doc.hash in hashes])

    def forget(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _missed_of(self, alert: Alert) -> Iterator[Finding]:
        there = {finding.event_id for finding in _findings(self._there, alert.id)}
        for finding in _findings(self._found, alert.id):
            if self.range.since <= finding.ts < self.range.until and finding.event_id not in there:
                matched = finding.matched | {FOUND_LATE: iso(self._now)}
                yield replace(finding, matched=matched, stage=alert.stage, level=alert.level)


@contextmanager
def open_rerun(settings: Settings, chosen: RuleSet, scope: Scope, since: int, until: int, now: int) -> Iterator[Rerun]:
    """Of the correlations among the chosen rules. What is laid down now and what is on the lists now holds for the whole time.

    Raises `ConfigError` when another rerun runs, when no rule counts anything, or when the time is not over yet: what is still expected
    is the detector's.
    """
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(settings.data_dir, "rerun"))
        prepare(settings)
        stores, zone = open_stores(settings), ZoneInfo(settings.detect.zone)
        tuning = read_tuning(stores.policies, zone)
        over = _range(chosen, tuning, since, until, now - settings.detect.lateness_s * 1000)
        lists = read_lists(stores.policies, settings.data_dir, lambda: now)
        place = settings.data_dir / "reruns" / _name(chosen, scope, over, tuning, lists)
        _tidy(place.parent, place)
        resumed = place.exists()
        place.mkdir(parents=True, exist_ok=True)
        detections = SqliteDetections(place)
        cleanup.callback(detections.close)
        history = cleanup.enter_context(open_history(settings, scope, over.since - over.reach, over.until + over.reach))
        engine = Engine(chosen, zone, _MOST_ENTRIES, lists=lists)
        by_id = {rule.id: rule for rule in chosen.rules}
        docs = [doc_of(rule, by_id) for rule in chosen.rules]
        test = Backtest(
            history, engine, {doc.hash: doc for doc in docs}, detections, found=detections.found(), lateness_ms=_LATENESS_MS,
            clock=lambda: over.until + over.reach, tuning=tuning,
        )  # fmt: skip
        relax_garbage_collection()
        found = sqlite.open_stores(place, lambda: now).alerts
        yield Rerun(place.name, over, test, resumed, engine, docs, found, stores.alerts, now, place)


def _range(chosen: RuleSet, tuning: Tuning, since: int, until: int, settled: int) -> Range:
    counting = in_order(chosen.rules)
    if not counting:
        raise ConfigError("none of these rules counts events: what single events raise is never late")
    reach = max(_reaches(counting, tuning).values())
    if since >= until:
        raise ConfigError("the time ends before it begins")
    if until + reach > settled:
        raise ConfigError(
            f"the time may end at {iso(settled - reach)} at the latest: what comes after it is still expected, and the detector's"
        )
    return Range(since, until, reach)


def _reaches(counting: Sequence[Rule], tuning: Tuning) -> dict[str, int]:
    """How far (ms) before and after a finding events may lie that it depends on: the windows of a chain, one behind the other."""
    reaches: dict[str, int] = {}
    for rule in counting:
        assert rule.correlation is not None
        laid = (bounds.timespan_s or 0 for bounds in tuning.bounds.get(rule.id, {}).values())
        span = max([rule.correlation.timespan_ms, *(seconds * 1000 for seconds in laid)])
        reaches[rule.id] = span + max(reaches.get(base, 0) for base in rule.correlation.rules)
    return reaches


def _name(chosen: RuleSet, scope: Scope, over: Range, tuning: Tuning, lists: Lists) -> str:
    what = [sorted(rule.hash for rule in chosen.rules), sorted(scope.orgs) if scope.orgs is not None else None,
            over.since, over.until, tuning.about({rule.id for rule in chosen.rules}),
            lists.about({name for rule in chosen.rules for name in lists_of(rule)})]  # fmt: skip
    return hashlib.blake2b(orjson.dumps(what), digest_size=12).hexdigest()


def _findings(alerts: AlertStore, alert_id: str) -> list[Finding]:
    try:
        return list(every(lambda at: alerts.findings(alert_id, EVERYTHING, cursor=at, limit=_PAGE)))
    except NotFound:
        return []


def _tidy(folder: Path, but: Path) -> None:
    """What interrupted reruns have left and nobody has gone on with. What is on its way to the detector stays."""
    for other in folder.glob("*/detector.db"):
        if other.parent != but and other.stat().st_mtime < time.time() - _KEPT_S:
            shutil.rmtree(other.parent, ignore_errors=True)
