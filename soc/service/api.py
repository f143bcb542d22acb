"""The API process: the API and the console."""

from __future__ import annotations

import threading
from functools import partial

import structlog
import uvicorn

from api.app import create_app
from collector.snippets import Place
from soc import __version__
from soc.errors import Busy, StoreUnavailable
from soc.service.process import check_port, now_ms
from soc.service.stores import open_stores, prepare
from soc.settings import Settings

log = structlog.get_logger("api")


def api(settings: Settings, stop: threading.Event) -> None:
    """Serve the API and the console until told to stop."""
    serve = settings.serve
    check_port(serve.http_host, serve.http_port, "serve.http_port")
    stores = open_stores(settings)
    app = create_app(
        stores,
        clock=now_ms,
        cookie_secure=serve.cookie_secure,
        version=__version__,
        place=Place(syslog_port=settings.collect.syslog_port, http_port=settings.collect.http_port),
        pipelines=[settings.detect.pipeline] if settings.detect.pipeline else [],
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
    server.run()
