"""The composition root: everything is put together here, and nowhere else.

Each of `collector`, `detector` and `api` builds one process from the settings and runs it until told to stop.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
import uvicorn
from prometheus_client import start_http_server

import rules.load
from api.app import create_app
from collector.base import Reader, Record
from collector.fileid import read_file
from collector.parse.record import to_event
from collector.parse.registry import PARSERS, Context
from collector.privacy import KeyRing, Masker
from collector.push import Limits, Push, ingest_app
from collector.runner import Collector
from collector.syslog import Syslog
from collector.tail import Tail
from rules.match import Engine
from rules.rule import Rule
from soc import __version__, telemetry
from soc.buffer.retention import expire
from soc.buffer.sqlite import EventLog
from soc.errors import ConfigError, NotFound, ParseError, SocError
from soc.locks import only_one
from soc.model.event import Event, Fields
from soc.model.org import EVERYTHING
from soc.model.rule import RuleDoc, RuleFault
from soc.model.source import Source, SourceHealth, Transport
from soc.pipeline import Pipeline
from soc.replay import Replay
from soc.settings import Settings
from soc.simulator import FILES
from soc.store.base import HealthStore, SourceStore
from soc.store.collected import SqliteCheckpoints, open_collected
from soc.store.detections import SqliteDetections
from soc.store.sqlite import events_dir, keys_dir, open_stores

log = structlog.get_logger("service")

UNASSIGNED = "unassigned"
DEMO_ORG = "demo-province"
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


def ports(settings: Settings) -> list[tuple[str, int, str]]:
    """Host, port and setting of everything that listens; the collector's two first."""
    collect, detect, serve = settings.collect, settings.detect, settings.serve
    return [
        (collect.http_host, collect.http_port, "collect.http_port"),
        (collect.syslog_host, collect.syslog_port, "collect.syslog_port"),
        (detect.http_host, detect.http_port, "detect.http_port"),
        (serve.http_host, serve.http_port, "serve.http_port"),
    ]


def check_port(host: str, port: int, setting: str) -> None:
    """Raises `ConfigError` when nobody can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host} port {port}: {error.strerror}. Choose another with {setting} in the settings"
            ) from None


# Collector


def collector(settings: Settings, stop: threading.Event) -> None:
    """Listen, read, mask, parse and append to the event log, until told to stop."""
    collect, folder = settings.collect, settings.data_dir
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(folder, "collector"))
        for host, port, setting in ports(settings)[:2]:
            check_port(host, port, setting)
        event_log = open_event_log(settings)
        cleanup.callback(event_log.close)
        notes = open_collected(folder)
        cleanup.callback(notes.close)
        stores, keys = open_stores(folder), KeyRing(keys_dir(folder))
        syslog = Syslog(
            collect.syslog_host,
            collect.syslog_port,
            collect.syslog_port,
            route=partial(syslog_source, stores.sources),
            unknown=lambda sender, records: running.deliver(unassigned(sender), records),
            max_message_bytes=collect.max_line_bytes,
        )
        running: Collector = Collector(
            event_log,
            partial(to_events, keys),
            sources=lambda: stores.sources.list(EVERYTHING),
            revision=stores.sources.revision,
            make_reader=partial(make_reader, settings, SqliteCheckpoints(notes)),
            listeners={Transport.SYSLOG: syslog, Transport.PUSH: push_listener(settings, stores.sources, keys)},
            report=lambda health: report(running, syslog, stores.health, health),
        )
        retention = threading.Thread(
            target=keep_retention, args=(settings, event_log, stop), name="retention", daemon=True
        )
        retention.start()
        running.run(stop)
        retention.join(5)


def to_events(keys: KeyRing, source: Source, records: Sequence[Record]) -> list[Event]:
    """Mask and parse what a source sent; what an unknown sender sent becomes dead letters that say so."""
    masker, now = keys.masker(source.org), now_ms()
    parser = refuse_unassigned if source.org == UNASSIGNED else None
    events = [to_event(record, source, masker, now, parser) for record in records]
    telemetry.RECORDS.labels(source.transport).inc(len(events))
    telemetry.DEAD_LETTERS.inc(sum(event.dead for event in events))
    return events


def unassigned(sender: str) -> Source:
    return Source(f"{UNASSIGNED}-{sender}", sender, UNASSIGNED, "syslog", Transport.SYSLOG)


def refuse_unassigned(_line: str, _context: Context) -> Fields:
    raise ParseError(
        "sent by an address that is not enrolled: `soc sources add NAME --type syslog --org CODE --from ADDRESS`"
    )


def syslog_source(sources: SourceStore, sender: str) -> str | None:
    """The enrolled syslog source of an address; the narrowest block wins."""
    address = ipaddress.ip_address(sender)
    blocks = [
        (ipaddress.ip_network(block, strict=False).prefixlen, source.id)
        for source in sources.list(EVERYTHING)
        if source.enabled and source.transport is Transport.SYSLOG
        for block in source.where
        if address in ipaddress.ip_network(block, strict=False)
    ]
    return max(blocks)[1] if blocks else None


def make_reader(settings: Settings, checkpoints: SqliteCheckpoints, source: Source) -> Reader | None:
    if source.transport is not Transport.FILE:
        return None
    collect = settings.collect
    return Tail(
        source.id,
        source.where,
        checkpoints,
        fingerprint=fingerprint,
        max_line_bytes=collect.max_line_bytes,
        poll_s=collect.poll_s,
    )


def push_listener(settings: Settings, sources: SourceStore, keys: KeyRing) -> Push:
    def authenticate(token: str) -> str | None:
        source = sources.by_token(hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest())
        return source.id if source else None

    def digest(source_id: str, data: bytes) -> str:
        key = keys.key(sources.get(source_id, EVERYTHING).org)
        return hashlib.blake2b(data, key=key, digest_size=12).hexdigest()

    limits = Limits(line_bytes=settings.collect.max_line_bytes)
    collect = settings.collect
    return Push(collect.http_host, collect.http_port, lambda to: ingest_app(to, authenticate, digest, limits=limits))


def report(running: Collector, syslog: Syslog, store: HealthStore, health: Sequence[SourceHealth]) -> None:
    """Each second: what every source is doing, to the store; what the collector has done, to the metrics."""
    store.report(health)
    intake = running.intake
    telemetry.EVENTS.set(intake.new)
    telemetry.DUPLICATES.set(intake.appended - intake.new)
    telemetry.READER_FAILURES.set(running.failures)
    for where in ("udp_dropped", "udp_dropped_by_kernel"):
        telemetry.DROPPED.labels(where).set(syslog.counts[where])


def keep_retention(settings: Settings, event_log: EventLog, stop: threading.Event) -> None:
    """Once a minute: delete what is too old or too much, but nothing that the detector has not read."""
    store, detections = settings.store, SqliteDetections(settings.data_dir)
    while not stop.wait(60.0):
        try:
            cursor = detections.cursor()
            deleted = expire(
                event_log,
                keep_s=store.keep_days * 86_400.0,
                target_bytes=store.target_bytes,
                unread=lambda day: event_log.has_unread(day, cursor),  # noqa: B023 - used within this round
            )
        except (SocError, OSError) as error:
            log.warning("retention cannot go on for now", reason=str(error))
            continue
        for day, reason in deleted:
            telemetry.RETENTION_DAYS.labels(reason).inc()
            log.info("a day of events was deleted", day=day, reason=reason)


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
    config = uvicorn.Config(
        app, host=serve.http_host, port=serve.http_port, log_config=None, access_log=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)

    def end() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=end, name="stop", daemon=True).start()
    log.info("serving", url=f"http://{serve.http_host}:{serve.http_port}/")
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


# Demonstration


def enrol_demo(settings: Settings) -> Path:
    """Enrol the simulated province's sources, once; returns the folder that its simulator writes its logs to."""
    sources = open_stores(settings.data_dir).sources
    logs = settings.data_dir / "demo"
    streams = {
        stream: (Transport.FILE, (str(logs / name),)) for stream, name in FILES.items() if stream != "linux.auth"
    }
    streams["syslog"] = (Transport.SYSLOG, (settings.collect.syslog_host,))
    for stream, (transport, where) in streams.items():
        id_ = f"demo-{stream.replace('.', '-')}"
        try:
            sources.get(id_, EVERYTHING)
        except NotFound:
            sources.add(
                Source(id_, f"Demo: {stream}", DEMO_ORG, stream, transport, where, created_at=now_ms()), None, by="demo"
            )
    return logs
