"""The composition root: everything is put together here, and nowhere else.

Each of `collector`, `detector` and `api` builds one process from the settings and runs it until told to stop.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from zoneinfo import ZoneInfo

import structlog
import uvicorn
from prometheus_client import start_http_server

import rules.load
from api.app import create_app
from collector.base import Record
from collector.fileid import read_file
from collector.parse.record import to_event
from collector.parse.registry import PARSERS
from collector.privacy import KeyRing, Masker
from rules.match import Engine
from rules.rule import Rule
from soc import __version__, telemetry
from soc.buffer.sqlite import EventLog
from soc.errors import ConfigError
from soc.locks import only_one
from soc.model.event import Event
from soc.model.rule import RuleDoc, RuleFault
from soc.model.source import Source, Transport
from soc.pipeline import Pipeline
from soc.replay import Replay
from soc.settings import Settings
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, keys_dir, open_stores

log = structlog.get_logger("service")

_KINDS = Masker(bytes(32))  # only its kinds are used, which need no key


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def configure_logging() -> None:
    """Lines for people on a terminal, JSON lines otherwise; always on stderr."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def check_port(host: str, port: int, setting: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    """Raises `ConfigError` when nobody can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host} port {port}: {error.strerror}. Choose another with {setting} in the settings"
            ) from None


def open_event_log(settings: Settings) -> EventLog:
    store = settings.store
    return EventLog(events_dir(settings.data_dir), max_bytes=store.max_bytes, min_free_bytes=store.min_free_bytes)


# Detector


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
        telemetry.READY.set(1)
        log.info("detecting", metrics=f"http://{detect.http_host}:{detect.http_port}/metrics")
        pipeline.run(stop, detect.poll_s)


# API


def api_server(settings: Settings, stop: threading.Event) -> None:
    """Serve the API and the console until told to stop."""
    serve = settings.serve
    check_port(serve.http_host, serve.http_port, "serve.http_port")
    stores = open_stores(settings.data_dir)
    app = create_app(stores, clock=now_ms, cookie_secure=serve.cookie_secure, version=__version__)
    serve_until(stop, app, serve.http_host, serve.http_port)


def serve_until(stop: threading.Event, app: object, host: str, port: int) -> None:
    """Run an ASGI application in this thread; `stop` ends it gracefully."""
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=5
    )  # type: ignore[arg-type]
    server = uvicorn.Server(config)

    def end() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=end, name="stop", daemon=True).start()
    server.run()


# Replay


@contextmanager
def replay(settings: Settings, name: str, source_type: str, org: str, zone: str) -> Iterator[tuple[Replay, Pipeline]]:
    """Collector and detector in one, on a data directory that no other process works on."""
    if source_type not in PARSERS:
        raise ConfigError(f"there is no source type {source_type!r}: choose one of {', '.join(sorted(PARSERS))}")
    source = Source(name, name, org, source_type, Transport.FILE, zone=zone)
    with ExitStack() as cleanup:
        for role in ("collector", "detector"):
            cleanup.enter_context(only_one(settings.data_dir, role))
        event_log = open_event_log(settings)
        cleanup.callback(event_log.close)
        detections = SqliteDetections(settings.data_dir)
        cleanup.callback(detections.close)
        pipeline = build_pipeline(settings, event_log, detections)
        masker = KeyRing(keys_dir(settings.data_dir)).masker(org)

        def event_of(record: Record, reference_ms: int) -> Event:
            return to_event(record, source, masker, min(reference_ms, now_ms()))

        read = partial(read_file, fingerprint=fingerprint, max_line_bytes=settings.collect.max_line_bytes)
        yield Replay(event_log, pipeline, read, event_of), pipeline


def fingerprint(head: bytes) -> str:
    """Names a file by its first line, with personal data replaced by its kind: nobody can test guesses against it."""
    text = _KINDS.mask(head.decode("utf-8", "backslashreplace")).kind_text
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()
