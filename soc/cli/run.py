"""`soc run` and the four processes that it starts."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from soc.cli.context import ConfigOption, DataDirOption, caller
from soc.errors import Busy, StoreUnavailable
from soc.service.process import check_port, configure_logging, ports
from soc.settings import Settings, load
from soc.supervisor import MINDED, Child, supervise

_PATIENCE_S = 120.0  # for a server that is started together with us


def run(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Watch a simulated province: portal, OTP and LGSP traffic with incidents.")
    ] = False,
) -> None:
    """Everything on one machine: collector, detector, observer, API and console. Prints the URL and how to sign in."""
    configure_logging()
    settings = load(config, data_dir)
    for host, port, setting in ports(settings):
        check_port(host, port, setting)
    password = _first_account(settings)
    options = ["--data-dir", str(settings.data_dir), *(["--config", str(config)] if config else [])]
    children = [Child(name, [name, *options]) for name in ("collect", "detect", "observe", "serve")]
    if demo:
        from soc.service.demo import enrol_demo

        logs = enrol_demo(settings)
        syslog = f"{settings.collect.syslog_host}:{settings.collect.syslog_port}"
        children.append(Child("simulate", ["simulate", "--realtime", "--out", str(logs), "--syslog", syslog]))
    _say_hello(settings, password)
    raise SystemExit(supervise(children, stop_on_signals()))


def collect(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Only the collector: files, syslog and HTTP push into the event log."""
    from soc.service.collector import collector

    configure_logging()
    collector(load(config, data_dir), stop_on_signals())


def detect(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Only the detector: rules over the event log."""
    from soc.service.detector import detector

    configure_logging()
    detector(load(config, data_dir), stop_on_signals(), on_hangup)


def observe(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Only the observer: series and their anomalies over the event log."""
    from soc.service.observer import observer

    configure_logging()
    observer(load(config, data_dir), stop_on_signals())


def serve(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Only the API and the console."""
    from soc.service.api import api

    configure_logging()
    api(load(config, data_dir), stop_on_signals())


def on_hangup(act: Callable[[], None]) -> None:
    """As services do: SIGHUP has them read their files again. Only in the main thread."""
    signal.signal(signal.SIGHUP, lambda *_: act())


def stop_on_signals() -> threading.Event:
    """Set by SIGTERM and Ctrl-C; and, in a process that `soc run` minds, by the end of its minder, however that came."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if os.environ.get(MINDED):

        def wait_for_minder() -> None:
            # Not through `sys.stdin`: this thread holds its lock when the process ends, which is a fatal error then.
            while os.read(0, 4096):
                pass
            stop.set()

        threading.Thread(target=wait_for_minder, name="minder", daemon=True).start()
    return stop


def _first_account(settings: Settings) -> str | None:
    """On a new store: an admin with a password that is shown once. Waits for a server that is not there yet."""
    from api.passwords import hash_password
    from soc.model.account import Account, Role
    from soc.model.org import EVERYTHING
    from soc.service.stores import knows_sources, open_stores, prepare

    try:
        # What has run here before goes on collecting while the server is away: see soc.store.elastic.records.away.
        prepare(settings, patience_s=0 if knows_sources(settings) else _PATIENCE_S)
        accounts = open_stores(settings).accounts
        if not accounts.empty():
            return None
    except (Busy, StoreUnavailable) as error:
        if not knows_sources(settings):
            raise
        typer.echo(f"soc: {error}\nuntil then the collector goes on with the sources that it knows", err=True)
        return None
    password = secrets.token_urlsafe(12)
    accounts.put(Account("admin", Role.ADMIN, EVERYTHING), hash_password(password), by=caller())
    return password


def _say_hello(settings: Settings, password: str | None) -> None:
    serve_, collect_ = settings.serve, settings.collect
    typer.echo(f"govsoc is starting on http://{serve_.http_host}:{serve_.http_port}/")
    if password:
        typer.echo(f"sign in as admin with the password (shown once): {password}")
    else:
        typer.echo("sign in with your account (a new password: `soc accounts add admin --role admin`)")
    typer.echo(
        f"logs come in on syslog port {collect_.syslog_port} (UDP, TCP) and http://{collect_.http_host}:{collect_.http_port}/ingest"
    )
    typer.echo(f"data is in {Path(settings.data_dir).resolve()}; stop with Ctrl-C", nl=True)
