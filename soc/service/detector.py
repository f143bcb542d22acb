"""The detector process: runs the rules over the event log."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import start_http_server

import rules.load
from rules.match import Engine
from rules.rule import Rule
from soc import telemetry
from soc.buffer.sqlite import EventLog
from soc.locks import only_one
from soc.model.rule import RuleDoc, RuleFault
from soc.pipeline import Pipeline
from soc.service.process import check_port, now_ms, open_event_log, relax_garbage_collection
from soc.settings import Settings
from soc.store.detections import SqliteDetections

log = structlog.get_logger("detector")


def detector(settings: Settings, stop: threading.Event) -> None:
    """Run the rules over the event log until told to stop."""
    detect = settings.detect
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(settings.data_dir, "detector"))
        check_port(detect.http_host, detect.http_port, "detect.http_port")
        event_log = open_event_log(settings)
        cleanup.callback(event_log.close)
        detections = SqliteDetections(settings.data_dir)
        cleanup.callback(detections.close)
        pipeline = build_pipeline(settings, event_log, detections)
        server, _ = start_http_server(detect.http_port, detect.http_host)
        cleanup.callback(server.shutdown)
        relax_garbage_collection()
        telemetry.READY.set(1)
        log.info("detecting", metrics=f"http://{detect.http_host}:{detect.http_port}/metrics")
        pipeline.run(stop, detect.poll_s)


def build_pipeline(settings: Settings, event_log: EventLog, detections: SqliteDetections) -> Pipeline:
    """Load and compile the rules, say which of them run, and put the pipeline together."""
    detect = settings.detect
    pipelines = [detect.pipeline] if detect.pipeline else []
    loaded = rules.load.load(detect.rules or [rules.load.CONTENT], pipelines)
    for error in loaded.errors:
        log.warning("a rule cannot be loaded, the others run", rule=str(error))
    docs = [_doc(rule) for rule in loaded.rules]
    faults = [RuleFault(error.reason, error.path, error.line) for error in loaded.errors]

    def publish(broken: Mapping[str, str]) -> None:
        stopped = [RuleFault(f"stopped while running: {reason}", rule_id=rule_id) for rule_id, reason in broken.items()]
        detections.publish([doc for doc in docs if doc.id not in broken], [*faults, *stopped])

    publish({})
    lateness_ms = detect.lateness_s * 1000
    return Pipeline(
        event_log,
        Engine(loaded, ZoneInfo(detect.zone), lateness_ms=lateness_ms),
        {doc.hash: doc for doc in docs},
        detections,
        now_ms,
        batch=detect.batch,
        lateness_ms=lateness_ms,
        on_broken=publish,
    )


def _doc(rule: Rule) -> RuleDoc:
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
    )
