"""What every process needs: the clock, logging, its ports, the event log."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import time

import structlog

from soc.buffer.sqlite import EventLog
from soc.errors import ConfigError
from soc.settings import Settings
from soc.store.sqlite import events_dir


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def relax_garbage_collection() -> None:
    """Call once everything is loaded. Events hold no cycles, yet the default thresholds walk each batch of them several times."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def share_interpreter() -> None:
    """Call in a process where one thread computes while another waits for the disk in small steps: after each step the waiting
    thread needs the interpreter's lock, and by default it would get it 5 ms later."""
    sys.setswitchinterval(0.0005)


def configure_logging() -> None:
    """Lines for people on a terminal, JSON lines otherwise; always on stderr."""
    if sys.stderr.isatty():
        # Plain tracebacks: the pretty ones show local variables, and a key may be among them.
        last: list[structlog.typing.Processor] = [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def ports(settings: Settings) -> list[tuple[str, int, str]]:
    """Host, port and setting of everything that listens; the collector's two first."""
    collect, detect, observe, serve = settings.collect, settings.detect, settings.observe, settings.serve
    return [
        (collect.http_host, collect.http_port, "collect.http_port"),
        (collect.syslog_host, collect.syslog_port, "collect.syslog_port"),
        (detect.http_host, detect.http_port, "detect.http_port"),
        (observe.http_host, observe.http_port, "observe.http_port"),
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


def open_event_log(settings: Settings) -> EventLog:
    store = settings.store
    return EventLog(events_dir(settings.data_dir), max_bytes=store.max_bytes, min_free_bytes=store.min_free_bytes)
