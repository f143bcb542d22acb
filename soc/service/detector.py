"""The detector process: runs the rules over the event log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from math import inf
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import start_http_server

from rules.desk.check import unsifted
from rules.desk.tuning import Tuning
from rules.engine import Engine
from rules.lists.known import Lists
from rules.match.database import Compiler
from soc import telemetry
from soc.buffer.sqlite import EventLog
from soc.errors import Busy, StoreUnavailable
from soc.locks import only_one
from soc.model.rule import RuleDoc
from soc.pipeline import Pipeline
from soc.service.canary import Canaries
from soc.service.cases import case_parser
from soc.service.compiling import Databases, say
from soc.service.handover import Uptake
from soc.service.lists import KnownLists, following, lists_dir
from soc.service.process import check_port, now_ms, open_event_log, relax_garbage_collection
from soc.service.published import Publisher
from soc.service.reload import Reloader, Rules, reloading, taking_up
from soc.service.ruleset import Chosen, choose, stamps
from soc.service.stores import open_detections, open_stores, prepare
from soc.service.tuning import KnownTuning, keeping
from soc.settings import Settings
from soc.store.base import Detections

log = structlog.get_logger("detector")


def detector(settings: Settings, stop: threading.Event, on_hangup: Callable[[Callable[[], None]], None]) -> None:
    """Run the rules over the event log until told to stop. `on_hangup`: takes what is to be done at SIGHUP."""
    detect = settings.detect
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(settings.data_dir, "detector"))
        check_port(detect.http_host, detect.http_port, "detect.http_port")
        event_log = open_event_log(settings)
        cleanup.callback(event_log.close)
        detections = cleanup.enter_context(open_detections(settings))
        tuning = KnownTuning(open_stores(settings).policies, ZoneInfo(detect.zone))
        lists = known_lists(settings)
        built = _patiently(settings, event_log, detections, tuning, lists, stop)
        if built is None:
            return
        pipeline, publisher, running = built
        cleanup.enter_context(keeping(tuning))
        # Whoever imports rules lays down their stages first: these have to be known before the rules run.
        cleanup.enter_context(following(lists))
        reloader = Reloader(settings, running, partial(engine_of, settings, lists=lists.lists), tuning.load)
        pipeline.between = _between(settings, pipeline, publisher, reloader, detections, tuning, lists, running)
        on_hangup(reloader.asked.set)
        server, _ = start_http_server(detect.http_port, detect.http_host)
        cleanup.callback(server.server_close)
        cleanup.callback(server.shutdown)
        relax_garbage_collection()
        if settings.store.url:
            from soc.service.indexer import indexing  # its library is not there on the embedded default

            cleanup.enter_context(indexing(settings, stop))
        cleanup.enter_context(reloading(reloader))
        telemetry.READY.set(1)
        log.info("detecting", metrics=f"http://{detect.http_host}:{detect.http_port}/metrics")
        pipeline.run(stop, detect.poll_s)


def _between(
    settings: Settings, pipeline: Pipeline, publisher: Publisher, reloader: Reloader, detections: Detections,
    tuning: KnownTuning, lists: KnownLists, running: Rules,
) -> Callable[[], None]:  # fmt: skip
    """What is done between two batches: lists and rules that have changed and what reruns have found are taken up, and canaries sent."""
    uptake = Uptake(settings.data_dir, pipeline.add, pipeline.add_observed)
    if not settings.detect.canary_s:
        take_up, prove = taking_up(pipeline, publisher, reloader), _nothing
    else:
        canaries = Canaries(pipeline, detections, tuning.now, case_parser(), settings.detect.canary_s * 1000, now_ms)
        canaries.follow(running)
        publisher.blind = canaries.faults
        take_up, prove = taking_up(pipeline, publisher, reloader, canaries.follow), canaries.look

    def between() -> None:
        lists.take()
        take_up()
        uptake.look()
        prove()

    return between


def _nothing() -> None:
    pass


def _patiently(
    settings: Settings,
    event_log: EventLog,
    detections: Detections,
    tuning: KnownTuning,
    lists: KnownLists,
    stop: threading.Event,
) -> tuple[Pipeline, Publisher, Rules] | None:
    """The pipeline once the store can be written; None when told to stop before."""
    while prepare(settings, stop, patience_s=inf):
        try:
            tuning.load()  # before the first event: what is to be hidden is never shown
            lists.as_now()
            return put_together(settings, event_log, detections, tuning.now, lists)
        except (Busy, StoreUnavailable):
            if not settings.store.url:
                raise  # a file that is damaged does not mend itself
    return None


def build_pipeline(
    settings: Settings, event_log: EventLog, detections: Detections, tuning: Callable[[], Tuning]
) -> Pipeline:
    """With the rules and the lists as they are now, for good."""
    lists = known_lists(settings)
    lists.as_now()
    return put_together(settings, event_log, detections, tuning, lists)[0]


def known_lists(settings: Settings) -> KnownLists:
    return KnownLists(open_stores(settings).policies, lists_dir(settings.data_dir), now_ms)


def put_together(
    settings: Settings,
    event_log: EventLog,
    detections: Detections,
    tuning: Callable[[], Tuning],
    lists: KnownLists | None = None,
) -> tuple[Pipeline, Publisher, Rules]:
    """Load and compile the rules, say which of them run, and put the pipeline together."""
    seen = stamps(settings)  # before they are read: what is written meanwhile is read again
    chosen = choose(settings, before_of(settings), progress=say)
    for error in chosen.ruleset.errors:
        log.warning("a rule cannot be loaded, the others run", rule=str(error))
    for note in unsifted(chosen.ruleset, Compiler(Databases(settings))):
        log.warning("the detector is slower than it could be", rule=str(note))
    engine = engine_of(settings, chosen, lists=lists.lists if lists else None)
    publisher = Publisher(detections, tuning, now_ms, (lambda: lists.faults) if lists else list)
    publisher.follow(chosen, engine)
    pipeline = Pipeline(
        event_log,
        engine,
        {doc.hash: doc for doc in chosen.docs},
        detections,
        now_ms,
        tuning,
        batch=settings.detect.batch,
        lateness_ms=settings.detect.lateness_s * 1000,
        between=publisher.look,
    )
    return pipeline, publisher, Rules(chosen, engine, seen)


def engine_of(settings: Settings, chosen: Chosen, *, lists: Lists | None = None) -> Engine:
    return Engine(chosen.ruleset, ZoneInfo(settings.detect.zone), blobs=Databases(settings), lists=lists)


def before_of(settings: Settings) -> Sequence[RuleDoc]:
    """The rules that ran when the detector last said so, for files that were broken while it was down."""
    return open_stores(settings).alerts.running()[0]
