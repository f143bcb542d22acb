"""The detector process: runs the rules over the event log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from math import inf
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import start_http_server

import rules.load
from rules.blind import logsources
from rules.check import unsifted
from rules.match import Engine
from rules.rule import Rule, RuleSet
from rules.tuning import Tuning
from soc import telemetry
from soc.buffer.sqlite import EventLog
from soc.errors import Busy, StoreUnavailable
from soc.locks import only_one
from soc.model.rule import RuleDoc, RuleFault
from soc.pipeline import Pipeline
from soc.service.compiling import kept, say
from soc.service.process import check_port, now_ms, open_event_log, relax_garbage_collection
from soc.service.stores import open_detections, open_stores, prepare
from soc.service.tuning import KnownTuning, keeping
from soc.settings import Settings
from soc.store.base import Detections

log = structlog.get_logger("detector")

_LOOK_S = 5.0


def detector(settings: Settings, stop: threading.Event) -> None:
    """Run the rules over the event log until told to stop."""
    detect = settings.detect
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(settings.data_dir, "detector"))
        check_port(detect.http_host, detect.http_port, "detect.http_port")
        event_log = open_event_log(settings)
        cleanup.callback(event_log.close)
        detections = cleanup.enter_context(open_detections(settings))
        tuning = KnownTuning(open_stores(settings).policies, ZoneInfo(detect.zone))
        pipeline = _patiently(settings, event_log, detections, tuning, stop)
        if pipeline is None:
            return
        cleanup.enter_context(keeping(tuning))
        server, _ = start_http_server(detect.http_port, detect.http_host)
        cleanup.callback(server.shutdown)
        relax_garbage_collection()
        if settings.store.url:
            from soc.service.indexer import indexing  # its library is not there on the embedded default

            cleanup.enter_context(indexing(settings, stop))
        telemetry.READY.set(1)
        log.info("detecting", metrics=f"http://{detect.http_host}:{detect.http_port}/metrics")
        pipeline.run(stop, detect.poll_s)


def _patiently(
    settings: Settings, event_log: EventLog, detections: Detections, tuning: KnownTuning, stop: threading.Event
) -> Pipeline | None:
    """The pipeline once the store can be written; None when told to stop before."""
    while prepare(settings, stop, patience_s=inf):
        try:
            tuning.load()  # before the first event: what is to be hidden is never shown
            return build_pipeline(settings, event_log, detections, tuning.now)
        except (Busy, StoreUnavailable):
            if not settings.store.url:
                raise  # a file that is damaged does not mend itself
    return None


def load_rules(settings: Settings) -> RuleSet:
    """The rules of the settings. Raises `ConfigError` for a pipeline that is not usable."""
    detect = settings.detect
    pipelines = [detect.pipeline] if detect.pipeline else []
    with kept(settings) as cache:
        return rules.load.load(detect.rules or [rules.load.CONTENT], pipelines, cache=cache, progress=say)


def build_pipeline(
    settings: Settings, event_log: EventLog, detections: Detections, tuning: Callable[[], Tuning]
) -> Pipeline:
    """Load and compile the rules, say which of them run, and put the pipeline together."""
    detect = settings.detect
    loaded = load_rules(settings)
    for error in loaded.errors:
        log.warning("a rule cannot be loaded, the others run", rule=str(error))
    for note in unsifted(loaded):
        log.warning("the detector is slower than it could be", rule=str(note))
    by_id = {rule.id: rule for rule in loaded.rules}
    docs = [replace(doc_of(rule), logsources=logsources(rule, by_id)) for rule in loaded.rules]
    lateness_ms = detect.lateness_s * 1000
    engine = Engine(loaded, ZoneInfo(detect.zone))
    watch = Watch(
        engine, docs, [RuleFault(error.reason, error.path, error.line) for error in loaded.errors], tuning, detections
    )
    return Pipeline(
        event_log,
        engine,
        {doc.hash: doc for doc in docs},
        detections,
        now_ms,
        tuning,
        batch=detect.batch,
        lateness_ms=lateness_ms,
        after_step=watch.look,
    )


class Watch:
    """Publishes which rules run and what is wrong with the others: those not loaded, those that broke, bounds that bit, and exceptions
    that cannot be read."""

    def __init__(
        self,
        engine: Engine,
        docs: list[RuleDoc],
        faults: list[RuleFault],
        tuning: Callable[[], Tuning],
        detections: Detections,
    ) -> None:
        self._engine = engine
        self._docs = docs
        self._faults = faults
        self._tuning = tuning
        self._detections = detections
        self._known: tuple[object, ...] = ()
        self._due_at = 0.0
        self._publish(tuning().faults)

    def look(self) -> None:
        """Called after each step; looks every few seconds."""
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + _LOOK_S
        engine = self._engine
        telemetry.BROKEN_RULES.set(len(engine.broken))
        telemetry.CAPPED.set(sum(capped.dropped for capped in engine.correlations.capped.values()))
        telemetry.CROWDED.set(sum(crowded.dropped for crowded in engine.correlations.crowded.values()))
        telemetry.CORRELATED_LATE.set(sum(engine.correlations.late.values()))
        unread = self._tuning().faults
        bounded = [RuleFault(reason, rule_id=rule) for rule, reason in engine.correlations.shortcomings()]
        state = tuple(engine.broken.items()), tuple(bounded), tuple(unread)
        if state == self._known:
            return
        stopped = [
            RuleFault(f"stopped while running: {reason}", rule_id=rule) for rule, reason in engine.broken.items()
        ]
        self._publish([*stopped, *bounded, *unread])
        self._known = state

    def _publish(self, running_faults: list[RuleFault]) -> None:
        running = [doc for doc in self._docs if doc.id not in self._engine.broken]
        self._detections.publish(running, [*self._faults, *running_faults])


def doc_of(rule: Rule) -> RuleDoc:
    return RuleDoc(
        id=rule.id,
        hash=rule.hash,
        title=rule.title,
        level=rule.level,
        text=rule.text,
        path=rule.path,
        titles={"en": rule.title} | ({"vi": rule.title_vi} if rule.title_vi else {}),
        description=rule.description or "",
        tags=rule.tags,
        runbook={lang: text for lang, text in (("vi", rule.runbook_vi), ("en", rule.runbook_en)) if text},
        falsepositives=rule.falsepositives,
        silent=rule.silent,
        bases=rule.correlation.rules if rule.correlation else (),
        group_by=rule.correlation.group_by if rule.correlation else (),
        at_least=rule.correlation.at_least if rule.correlation else 0,
    )
