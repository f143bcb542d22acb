"""The collector process: reads, masks, parses, and appends to the event log."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import structlog
from starlette.applications import Starlette

from collector.base import DeliverTo, Reader, Record
from collector.body import Limits
from collector.enrol import claimed_source, token_hash
from collector.keys import KeyRing
from collector.parse.record import to_event
from collector.parse.registry import Context
from collector.privacy import Masker
from collector.probe.check import Checker
from collector.probe.reader import Probes
from collector.probe.target import parse_target
from collector.push import Push, ingest_app
from collector.runner import Collector
from collector.syslog import Syslog
from collector.tail import Tail
from collector.traffic import Traffic
from soc import telemetry
from soc.buffer.base import Cursor
from soc.buffer.progress import indexer_progress
from soc.buffer.retention import expire, free_bytes, read_by_all
from soc.buffer.sqlite import EventLog, size_bytes
from soc.errors import ConfigError, ParseError, SocError
from soc.locks import only_one
from soc.model.event import Fields, Stored
from soc.model.org import EVERYTHING
from soc.model.source import STRANGERS, Source, SourceHealth, Transport
from soc.service.process import check_port, now_ms, open_event_log, ports, relax_garbage_collection, share_interpreter
from soc.service.stores import open_control
from soc.settings import Settings
from soc.store.anomalies import read_by_observer
from soc.store.base import HealthStore, SourceStore
from soc.store.collected import SqliteCheckpoints, open_collected
from soc.store.detections import SqliteDetections
from soc.store.sqlite import keys_dir

log = structlog.get_logger("collector")

UNASSIGNED = "unassigned"
_RETENTION_S = 10.0  # a log at its limit takes nothing until it has been cut down
_TRAFFIC = Traffic()
_KINDS = Masker(bytes(32))  # only its kinds are used, which need no key


def collector(settings: Settings, stop: threading.Event) -> None:
    """Listen, read, mask, parse and append to the event log, until told to stop."""
    collect, folder = settings.collect, settings.data_dir
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(folder, "collector"))
        for host, port, setting in ports(settings)[:2]:
            check_port(host, port, setting)
        probing(settings)  # what cannot be meant is said at once, and not by a source that does not start
        event_log = open_event_log(settings)
        cleanup.callback(event_log.close)
        notes = open_collected(folder)
        cleanup.callback(notes.close)
        control = cleanup.enter_context(open_control(settings, stop))
        if control is None:
            return
        (sources, healths), keys = control, KeyRing(keys_dir(folder))
        syslog = Syslog(
            collect.syslog_host,
            collect.syslog_port,
            collect.syslog_port,
            route=partial(syslog_source, sources),
            unknown=lambda sender, records: running.deliver(unassigned(sender), records),
        )
        push = push_listener(
            settings,
            sources,
            keys,
            ready=lambda: running.intake.problem,
            refuse=lambda source_id: running.refuse(source_id),
        )
        running: Collector = Collector(
            event_log,
            partial(to_events, keys),
            sources=lambda: sources.list(EVERYTHING),
            revision=sources.revision,
            make_reader=partial(make_reader, settings, SqliteCheckpoints(notes)),
            listeners={Transport.SYSLOG: syslog, Transport.PUSH: push},
            report=lambda health: report(running, syslog, healths, health),
        )
        retention = threading.Thread(
            target=keep_retention, args=(settings, event_log, stop), name="retention", daemon=True
        )
        retention.start()
        relax_garbage_collection()
        share_interpreter()
        running.run(stop)
        retention.join(5)


def to_events(keys: KeyRing, source: Source, records: Sequence[Record]) -> list[Stored]:
    """Mask and parse what a source sent; what an unknown sender sent becomes dead letters that say so."""
    masker, now = keys.masker(source.org), now_ms()
    parser = refuse_unassigned if source.org == UNASSIGNED else None
    events = []
    for record in records:
        event = to_event(record, source, masker, now, parser)
        stored = Stored.of(event)
        if stored.ts:  # it may have become a dead letter only now
            _TRAFFIC.count(event)
        events.append(stored)
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
        (network.prefixlen, source.id)
        for source in sources.list(EVERYTHING)
        if source.enabled and source.transport is Transport.SYSLOG
        for network in (ipaddress.ip_network(block, strict=False) for block in source.where)
        if address in network
    ]
    return max(blocks)[1] if blocks else None


def make_reader(settings: Settings, checkpoints: SqliteCheckpoints, source: Source) -> Reader | None:
    collect = settings.collect
    if source.transport is Transport.PROBE:
        return Probes(source.id, [parse_target(text) for text in source.where], checkpoints, probing(settings).check)
    if source.transport is not Transport.FILE:
        return None
    return Tail(
        source.id,
        source.where,
        checkpoints,
        fingerprint=fingerprint,
        max_line_bytes=collect.max_line_bytes,
        poll_s=collect.poll_s,
    )


def probing(settings: Settings) -> Checker:
    """Raises `ConfigError` for settings that cannot be meant."""
    networks, ca_file = settings.collect.probe_networks, settings.collect.probe_ca_file
    try:
        allowed = [ipaddress.ip_network(text) for text in networks]
    except ValueError as error:
        raise ConfigError(f"collect.probe_networks: {error}: write for example 10.1.2.0/24") from None
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigError(f"collect.probe_ca_file: {ca_file} cannot be used: {error.strerror or error}") from None
    return Checker(allowed, context)


def push_listener(
    settings: Settings,
    sources: SourceStore,
    keys: KeyRing,
    ready: Callable[[], str | None] = lambda: None,
    refuse: Callable[[str], None] = lambda _: None,
) -> Push:
    def authenticate(token: str) -> str | None:
        source = sources.by_token(token_hash(token))
        return source.id if source else None

    def refused_token(token: str) -> None:
        if claimed := claimed_source(token):
            refuse(claimed)

    def digest(source_id: str, data: bytes) -> str:
        key = keys.key(sources.get(source_id, EVERYTHING).org)
        return hashlib.blake2b(data, key=key, digest_size=12).hexdigest()

    for status in (202, 401, 429):  # born at 0: the first of them is an increase, too
        telemetry.PUSH_ANSWERS.labels(str(status))
    for transport in Transport:
        telemetry.RECORDS.labels(transport)

    def count(status: int) -> None:
        telemetry.PUSH_ANSWERS.labels(str(status)).inc()

    def app(deliver_to: DeliverTo) -> Starlette:
        return ingest_app(
            deliver_to, authenticate, digest, limits=limits, ready=ready, count=count, refused_token=refused_token
        )

    collect = settings.collect
    limits = Limits(line_bytes=collect.max_line_bytes)
    return Push(collect.http_host, collect.http_port, app)


def report(running: Collector, syslog: Syslog, store: HealthStore, health: Sequence[SourceHealth]) -> None:
    """Each second: what every source is doing, to the store; what the collector has done, to the metrics."""
    if strangers := tuple(syslog.strangers):
        number = syslog.counts["unknown"]
        health = [*health, SourceHealth(STRANGERS, None, None, number, number, 0.0, dead_reason=" ".join(strangers))]
    store.report(health)
    intake = running.intake
    telemetry.EVENTS.reached(intake.new)
    telemetry.DUPLICATES.reached(intake.appended - intake.new)
    telemetry.READER_FAILURES.reached(running.failures)
    for where in ("udp_dropped", "udp_dropped_by_kernel"):
        telemetry.DROPPED.labels(where).reached(syslog.counts[where])
    for what in ("unknown", "refused", "closed", "framing_errors"):
        telemetry.SYSLOG.labels(what).reached(syslog.counts[what])


def keep_retention(settings: Settings, event_log: EventLog, stop: threading.Event) -> None:
    """Now and then: delete what is too old or too much, but nothing that the detector, the indexer or an observer that runs has not
    read."""
    store = settings.store
    # Beyond these limits sources are slowed down, so the log has to stay below them. A disk that is nearly full costs old days only
    # where Elasticsearch has their events, too.
    target_bytes = min(store.target_bytes, store.max_bytes // 4 * 3)
    wanted_free_bytes = 2 * store.min_free_bytes if store.url else 0
    readers: list[Callable[[], Cursor]] = [SqliteDetections(settings.data_dir).cursor]
    if store.url:
        readers.append(indexer_progress(settings.data_dir).cursor)
    while not stop.wait(_RETENTION_S):
        try:
            _measure(event_log, store.max_bytes, store.min_free_bytes)
            cursors = [cursor() for cursor in readers]
            if (observed := read_by_observer(settings.data_dir, time.time())) is not None:
                cursors.append(observed)
            deleted = expire(
                event_log,
                keep_s=store.keep_days * 86_400.0,
                target_bytes=target_bytes,
                read_to=read_by_all(cursors),
                wanted_free_bytes=wanted_free_bytes,
            )
        except (SocError, OSError) as error:
            log.warning("retention cannot go on for now", reason=str(error))
            continue
        for day, reason in deleted:
            telemetry.RETENTION_DAYS.labels(reason).inc()
            log.info("a day of events was deleted", day=day, reason=reason)


def _measure(event_log: EventLog, most: int, least_free: int) -> None:
    telemetry.LOG_MOST_BYTES.set(most)
    telemetry.LOG_LEAST_FREE_BYTES.set(least_free)
    if event_log.directory.exists():  # not before the first event
        telemetry.LOG_BYTES.set(size_bytes(event_log.directory))
        telemetry.LOG_FREE_BYTES.set(free_bytes(event_log.directory))


def fingerprint(head: bytes) -> str:
    """Names a file by its first line, with personal data replaced by its kind: nobody can test guesses against it."""
    text = _KINDS.mask(head.decode("utf-8", "backslashreplace")).kind_text
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()
