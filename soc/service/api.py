"""The API process: the API and the console."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from functools import partial
from math import inf
from zoneinfo import ZoneInfo

import structlog
import uvicorn

from api.app import create_app
from api.gather import Gatherer, gather
from api.state import state_of
from collector.keys import KeyRing
from collector.snippets import Place
from soc import __version__
from soc.backtest.jobs import Jobs, jobs_dir
from soc.errors import Busy, StoreUnavailable
from soc.service import notify
from soc.service.figures import Figures
from soc.service.lists import KnownLists, lists_dir
from soc.service.process import check_port, now_ms
from soc.service.stores import open_stores, prepare
from soc.service.tuning import KnownTuning
from soc.service.watch import Watch
from soc.settings import Settings, as_environment
from soc.store.anomalies import SqliteAnomalies, anomalies_file
from soc.store.base import Stores
from soc.store.levels import SqliteLevels
from soc.store.sqlite import keys_dir
from soc.store.unusual import SqliteUnusual

log = structlog.get_logger("api")

SOC = (sys.executable, "-m", "soc")


def api(settings: Settings, stop: threading.Event) -> None:
    """Serve the API and the console until told to stop."""
    serve, zone = settings.serve, ZoneInfo(settings.detect.zone)
    check_port(serve.http_host, serve.http_port, "serve.http_port")
    stores = open_stores(settings)
    jobs = Jobs(jobs_dir(settings.data_dir), SOC, as_environment(settings))
    keys = KeyRing(keys_dir(settings.data_dir))
    senders, writer = notify.senders(settings), notify.writer(settings)
    lists = KnownLists(stores.policies, lists_dir(settings.data_dir), now_ms)
    state = state_of(
        stores,
        clock=now_ms,
        cookie_secure=serve.cookie_secure,
        zone=zone,
        jobs=jobs,
        tuning=KnownTuning(stores.policies, zone).as_now,
        lists_dir=lists_dir(settings.data_dir),
        known_lists=lists.as_now,
        levels=SqliteLevels(anomalies_file(settings.data_dir)),
        anomalies=SqliteAnomalies(settings.data_dir),
        unusual=SqliteUnusual(anomalies_file(settings.data_dir)),
        keys=keys,
        send_test=partial(notify.send_test, senders, writer),
        daily_budget=settings.tuning.daily_budget,
        version=__version__,
        place=Place(syslog_port=settings.collect.syslog_port, http_port=settings.collect.http_port),
    )
    config = uvicorn.Config(
        create_app(state),
        host=serve.http_host,
        port=serve.http_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)

    def end() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=end, name="stop", daemon=True).start()
    prepared = threading.Event()
    with suppress(StoreUnavailable, Busy):  # people and probes are told so, instead of finding nobody
        prepare(settings)
        prepared.set()
    threading.Thread(target=gather, args=(Gatherer(stores), now_ms, stop), name="incidents", daemon=True).start()
    threading.Thread(target=_watch, args=(settings, stores, stop, prepared), name="watch", daemon=True).start()
    threading.Thread(target=Figures(stores, now_ms).run, args=(stop,), name="figures", daemon=True).start()
    log.info("serving", url=f"http://{serve.http_host}:{serve.http_port}/")
    try:
        with notify.notifying(stores, senders, writer, prepared):
            server.run()
    finally:
        jobs.close()


def _watch(settings: Settings, stores: Stores, stop: threading.Event, prepared: threading.Event) -> None:
    """Watch for silent sources, once the store can be written, which the others are told."""
    if prepare(settings, stop, inf):
        prepared.set()
        Watch(stores, now_ms).run(stop)
