"""`soc rules backtest`: rules, new or changed, over the stored events of the last days."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rules.compile.pipeline import split
from rules.correlate.bound import asked_of
from rules.desk.doc import doc_of
from rules.desk.tuning import Tuning
from rules.engine import Engine, lists_of
from rules.lists.known import Lists
from rules.load.folders import load
from rules.rule import Rule, RuleSet, beneath
from soc.backtest.jobs import Jobs, jobs_dir
from soc.backtest.outcome import Outcome, assess
from soc.backtest.run import BATCH, Backtest
from soc.errors import ConfigError
from soc.locks import only_one
from soc.model.alert import Alert
from soc.model.asked import Bounds
from soc.model.calendar import DAY_MS
from soc.model.finding import local_day
from soc.model.org import EVERYTHING, Scope
from soc.model.rule import RuleDoc, RuleFault
from soc.service.compiling import Databases, kept, say
from soc.service.lists import read_lists
from soc.service.process import now_ms, relax_garbage_collection
from soc.service.ruleset import load_rules
from soc.service.scratch import Span, days_ago, midnight, place_of, span_of
from soc.service.stores import open_history, open_stores, prepare
from soc.service.tuning import read_tuning
from soc.settings import Settings
from soc.store import sqlite
from soc.store.base import AlertFilter, AlertStore, History
from soc.store.detections import SqliteDetections
from soc.store.paging import every

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Running:
    """An opened backtest: `test.run()` does the work, `outcomes()` says what came of it, `forget()` removes what it has written.

    `faults`: what is laid down and cannot be read, so it is left out here as it is in the detector.
    """

    test: Backtest
    span: Span
    resumed: bool
    faults: Sequence[RuleFault]
    _docs: Sequence[RuleDoc]
    _engine: Engine
    _began: int
    _raised: AlertStore
    _there: AlertStore
    _scope: Scope
    _zone: ZoneInfo
    _folder: Path

    def outcomes(self) -> list[Outcome]:
        """Of each rule that alerts, noisiest first. Days before the first event that is stored, and the one that it is on, do not count."""
        days = whole_days(self._began, self.span.until, self._zone)
        hidden = self._raised.hidden(EVERYTHING, since="")
        found = [
            assess(
                doc, self._of(self._raised, doc), self._of(self._there, doc), days, self._zone, others=self._docs, hidden=hidden,
                noisy_since=self.test.progress.noisy.get(doc.id), broken=self._engine.broken.get(doc.id),
            )
            for doc in self._docs
            if not doc.silent
        ]  # fmt: skip
        return sorted(found, key=lambda outcome: (-outcome.alerts, outcome.title))

    def _of(self, store: AlertStore, doc: RuleDoc) -> Iterator[Alert]:
        """The rule's alerts that began in the time; of an older one, the backtest has seen a part only."""
        where = AlertFilter(rule_id=doc.id, since=self.span.since)
        alerts = every(lambda at: store.list(where, self._scope, cursor=at, limit=_PAGE))
        return (alert for alert in alerts if self.span.since <= alert.first_seen < self.span.until)

    def forget(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def open_backtest(
    settings: Settings,
    chosen: RuleSet,
    scope: Scope,
    days: int,
    clock: Callable[[], int] = now_ms,
    bounds: Bounds | None = None,
) -> Iterator[Running]:
    """Over the last `days` whole days and today, as the scope sees them. The same again, the same day, goes on where it was stopped.

    The question is what the rules would raise from now on: they, and what they are made of, are taken as live, and what holds now of
    levels, organisations and exceptions holds for the whole time. `bounds`: what the one correlation that alerts is to ask for, in
    every organisation.

    Raises `ConfigError` when another backtest runs, when there is no rule, or the rule does not take the bounds.
    """
    if not chosen.rules:
        raise ConfigError("no rule to try: " + "; ".join(map(str, chosen.errors)))
    counting = _counting(chosen, bounds) if bounds and bounds.set else None
    zone = ZoneInfo(settings.detect.zone)
    since = days_ago(clock(), days, zone)
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(settings.data_dir, "backtest"))
        prepare(settings)
        stores = open_stores(settings)
        tuning = read_tuning(stores.policies, zone).all_live()
        if counting and bounds:
            tuning = tuning.trying(counting.id, bounds)
        lists = read_lists(stores.policies, settings.data_dir, clock)
        place = _folder(settings, chosen, scope, since, tuning, lists)
        span, resumed = span_of(place, since, clock)
        detections = SqliteDetections(place)
        cleanup.callback(detections.close)
        history = cleanup.enter_context(open_history(settings, scope, span.since, span.until))
        raised = sqlite.open_stores(place, now_ms).alerts
        lateness_ms = settings.detect.lateness_s * 1000
        engine = Engine(chosen, zone, blobs=Databases(settings), lists=lists)
        by_id = {rule.id: rule for rule in chosen.rules}
        docs = [doc_of(rule, by_id) for rule in chosen.rules]
        test = Backtest(
            history,
            engine,
            {doc.hash: doc for doc in docs},
            detections,
            found=detections.found(),
            lateness_ms=lateness_ms,
            clock=lambda: span.until,
            tuning=tuning,
        )
        relax_garbage_collection()
        faults = [fault for fault in tuning.faults if fault.rule_id in (None, *(doc.id for doc in docs))]
        faults += [
            RuleFault(f"{by_id[rule].title}: there is no list {', '.join(names)}", rule_id=rule)
            for rule, names in engine.unlisted.items()
        ]
        began = _began(settings, scope, span, history)
        yield Running(test, span, resumed, faults, docs, engine, began, raised, stores.alerts, scope, zone, place)


def _counting(chosen: RuleSet, bounds: Bounds) -> Rule:
    """The rule that is to ask for these."""
    alerting = [rule for rule in chosen.rules if not rule.silent]
    if len(alerting) != 1 or alerting[0].correlation is None:
        raise ConfigError("another threshold or window can be tried for one rule that counts events: name it alone")
    asked_of(alerting[0].correlation).check(bounds)
    return alerting[0]


def jobs_at(settings: Settings) -> Jobs:
    """Those that were run here, to read and to add to; the API alone starts any."""
    return Jobs(jobs_dir(settings.data_dir), (), {})


def choose(settings: Settings, paths: Sequence[Path], names: Sequence[str]) -> RuleSet:
    """The rules of these files and folders, or those of the settings; only those named, if any are, with what they are made of.

    Raises `ConfigError` for a name that is nobody's, or several rules'.
    """
    if paths:
        with kept(settings) as cache:
            loaded = load(paths, split(settings.detect.pipeline), cache=cache, progress=say)
    else:
        loaded = load_rules(settings)
    wanted: dict[str, Rule] = {}
    by_id = {rule.id: rule for rule in loaded.rules}
    for name in names:
        rule = loaded.get(name)
        if rule is None:
            raise ConfigError(f"no rule (or several) with the id, name or title {name!r}")
        wanted |= {one.id: one for one in beneath(rule, by_id)}
    return RuleSet(tuple(wanted.values()), loaded.errors) if names else loaded


def whole_days(first: int, until: int, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last local day that lie whole in [first, until) (ms); the last before the first when there is none."""
    start = date.fromisoformat(local_day(first, zone))
    if midnight(start, zone) < first:
        start += timedelta(days=1)
    return start, date.fromisoformat(local_day(until, zone)) - timedelta(days=1)


def _folder(settings: Settings, chosen: RuleSet, scope: Scope, since: int, tuning: Tuning, lists: Lists) -> Path:
    """One for each set of rules with its tuning and lists, scope and first day: what has been done there is of use to nothing else."""
    what = [sorted(rule.hash for rule in chosen.rules), sorted(scope.orgs) if scope.orgs is not None else None, since,
            settings.detect.zone, settings.detect.lateness_s, tuning.about({rule.id for rule in chosen.rules}),
            lists.about({name for rule in chosen.rules for name in lists_of(rule)})]  # fmt: skip
    return place_of(settings, what)


def _began(settings: Settings, scope: Scope, span: Span, history: History) -> int:
    """From when on (ms) there is all of it: from the first event on, or where there are older ones, from the beginning of the span."""
    with open_history(settings, scope, span.since - DAY_MS, span.since) as before:
        if before.read({}, BATCH).events:
            return span.since
    first = history.began()
    return span.until if first is None else first
