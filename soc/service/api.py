"""The API process: the API and the console."""

from __future__ import annotations

import sys
import threading
from functools import partial

import structlog
import uvicorn

from api.app import create_app
from collector.keys import KeyRing
from soc import __version__
from soc.backtest.jobs import Jobs, jobs_dir
from soc.errors import Busy, StoreUnavailable
from soc.service.process import check_port, now_ms
from soc.service.stores import open_stores, prepare
from soc.settings import Settings, as_environment
from soc.store.sqlite import keys_dir

log = structlog.get_logger("api")

BACKTEST = (sys.executable, "-m", "soc", "rules", "backtest")


def api(settings: Settings, stop: threading.Event) -> None:
    """Serve the API and the console until told to stop."""
    serve = settings.serve
    check_port(serve.http_host, serve.http_port, "serve.http_port")
    stores = open_stores(settings)
    jobs = Jobs(jobs_dir(settings.data_dir), BACKTEST, as_environment(settings))
    keys = KeyRing(keys_dir(settings.data_dir))
    app = create_app(
        stores,
        clock=now_ms,
        cookie_secure=serve.cookie_secure,
        jobs=jobs,
        version=__version__,
        token=keys.token,
        daily_budget=settings.tuning.daily_budget,
    )
    config = uvicorn.Config(
        app, host=serve.http_host, port=serve.http_port, log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)

    def end() -> None:
        stop.wait()
        server.should_exit = True

    threading.Thread(target=end, name="stop", daemon=True).start()
    try:
        prepare(settings)
    except (StoreUnavailable, Busy):  # people and probes are told so, instead of finding nobody
        waiting = partial(prepare, settings, stop, float("inf"))
        threading.Thread(target=waiting, name="prepare", daemon=True).start()
    log.info("serving", url=f"http://{serve.http_host}:{serve.http_port}/")
    try:
        server.run()
    finally:
        jobs.close()
