"""`soc doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import typer
from rich.console import Console

from api.standing import standings
from soc.buffer.sqlite import days, size_bytes
from soc.cli.check import Check
from soc.cli.context import ConfigOption, DataDirOption, JsonOption, local_time, print_json
from soc.cli.lists_checks import lists_checks
from soc.cli.notify_checks import notify_checks
from soc.cli.observe_checks import observe_checks
from soc.cli.operations_checks import certificate_checks, operations_checks
from soc.errors import SocError
from soc.model.canary import Life
from soc.model.org import EVERYTHING
from soc.model.silence import Freshness
from soc.origin import is_loopback
from soc.service.process import now_ms
from soc.service.stores import lacking, need_library, open_stores
from soc.settings import Settings, load
from soc.store.base import Stores
from soc.store.sqlite import events_dir, keys_dir

EMBEDDED = ("control", "detector", "collector")
LOCAL = ("detector", "indexer")  # what is on this machine also where the rest is on a server
_MARKS = {"ok": "[green]ok[/green]", "warn": "[yellow]warn[/yellow]", "bad": "[red]bad[/red]"}
_AGAIN_S = 0.5  # a process that is being started may answer then


def doctor(json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Check settings, data, processes, rules and sources. Exit 3 when something is bad."""
    checks = list(examine(load(config, data_dir)))
    out = Console(highlight=False, soft_wrap=True)
    for check in checks:
        if json:
            print_json({"name": check.name, "state": check.state, "found": check.found, "advice": check.advice})
            continue
        out.print(f"{_MARKS[check.state]:>5}", end=" ")
        out.print(f"{check.name}: {check.found}" + (f"\n      -> {check.advice}" if check.advice else ""), markup=False)
    if any(check.state == "bad" for check in checks):
        raise typer.Exit(3)


def examine(settings: Settings) -> Iterator[Check]:
    folder = settings.data_dir
    if not folder.is_dir():
        yield Check(
            "data",
            "bad",
            f"{folder.resolve()} does not exist",
            "start with `soc run`, or name another folder with --data-dir",
        )
        yield from _server(settings)  # it may be set up long before the first start
        return
    yield _space(settings)
    yield from _log_limit(settings)
    yield from operations_checks(settings)
    yield from certificate_checks(settings)
    databases = list(_databases(folder, _names(settings)))
    yield from databases
    server = list(_server(settings))
    yield from server
    yield from _keys(folder)
    yield from _processes(settings)
    if any(check.state == "bad" for check in databases + server):
        return  # what is in them cannot be known
    stores = open_stores(settings)
    yield _accounts(stores)
    yield from _rules(stores)
    yield from lists_checks(settings, stores)
    yield from observe_checks(settings)
    yield from _sources(stores)
    yield from notify_checks(settings, stores)


def _space(settings: Settings) -> Check:
    free, need = shutil.disk_usage(settings.data_dir).free, settings.store.min_free_bytes
    found = f"{free >> 20:,} MiB free"
    if free < need:
        return Check(
            "disk",
            "bad",
            found,
            f"sources are slowed down below {need >> 20} MiB: free some space or lower store.keep_days",
        )
    if free < 4 * need:
        return Check("disk", "warn", found, "it is getting short")
    return Check("disk", "ok", found)


def _log_limit(settings: Settings) -> Iterator[Check]:
    """That the event log takes no more, where it is so full."""
    folder, most = events_dir(settings.data_dir), settings.store.max_bytes
    if folder.is_dir() and size_bytes(folder) > most:
        found = f"the event log has reached its limit of {most >> 20:,} MiB: sources are slowed down"
        yield Check(
            "events",
            "bad",
            found,
            "what was examined and indexed goes by itself: mend the store, or raise store.max_bytes",
        )


def _server(settings: Settings) -> Iterator[Check]:
    """Elasticsearch, where the settings name one."""
    if not (url := settings.store.url):
        return
    need_library()
    from soc.service.upkeep import faults

    try:
        missing, wrong = lacking(settings), faults(settings)
    except SocError as error:
        yield Check(
            "store", "bad", str(error), "sources go on meanwhile, into the event log; alerts come when it answers again"
        )
        return
    if missing:
        found = f"{url} answers, but lacks {len(missing)} things, such as {missing[0]}"
        yield Check("store", "bad", found, "soc setup elasticsearch")
    else:
        yield Check("store", "ok", f"{url} answers, and has what govsoc needs")
    for fault in wrong:
        yield Check("store", "bad" if fault.bad else "warn", fault.found, fault.advice)
    if url.startswith("http:") and not is_loopback(urlsplit(url.split(",")[0]).hostname or ""):
        yield Check("store", "warn", "what goes to it is not encrypted", "use https:// in store.url")
    if not settings.store.verify_certs:
        yield Check("store", "warn", "its certificate is not checked", "set store.ca_file, and store.verify_certs on")


def _names(settings: Settings) -> Sequence[str]:
    if not settings.store.url:
        return EMBEDDED
    # There the collector keeps nothing here but how far files are read: without a file source it has none.
    return (*LOCAL, "collector") if (settings.data_dir / "collector.db").exists() else LOCAL


def _databases(folder: Path, names: Sequence[str]) -> Iterator[Check]:
    for name in names:
        yield _database(name, folder / f"{name}.db")
    log = events_dir(folder)
    if kept := days(log):
        newest = [day for day in kept if day != "undated"][-1:] or kept
        check = _database(f"events/{newest[0]}", log / f"{newest[0]}.db")
        yield Check(
            "events",
            check.state,
            f"{len(kept)} day files, {size_bytes(log) >> 20:,} MiB, newest {check.found}",
            check.advice,
        )
    else:
        yield Check("events", "warn", "none yet", "enrol a source: `soc sources add --help`")


def _database(name: str, path: Path) -> Check:
    if not path.exists():
        return Check(name, "warn", f"{path.name} is not there yet", "it is made when `soc run` starts")
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        finally:
            db.close()
    except sqlite3.Error as error:
        found = str(error)
    if found == "ok":
        return Check(name, "ok", f"{path.name} is sound")
    return Check(
        name, "bad", f"{path}: {found}", "stop govsoc, move the file away or restore it from a backup, start again"
    )


def _keys(folder: Path) -> Iterator[Check]:
    for key in sorted(keys_dir(folder).glob("*.key")):
        if key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Check("keys", "bad", f"{key} can be read by others", f"chmod 600 {key}")


def _processes(settings: Settings) -> Iterator[Check]:
    places = {
        "collector": (settings.collect.http_host, settings.collect.http_port, "/livez"),
        "detector": (settings.detect.http_host, settings.detect.http_port, "/metrics"),
        "observer": (settings.observe.http_host, settings.observe.http_port, "/metrics"),
        "api": (settings.serve.http_host, settings.serve.http_port, "/readyz"),
    }
    urls = {name: f"http://{host}:{port}{path}" for name, (host, port, path) in places.items()}
    silent = {name for name, url in urls.items() if not _answers(url)}
    if silent:
        time.sleep(_AGAIN_S)
    for name, url in urls.items():
        if name in silent and not _answers(url):
            yield Check(name, "bad", f"{url} does not answer", "start it with `soc run`, and look at what it prints")
        else:
            yield Check(name, "ok", f"{url} answers")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _accounts(stores: Stores) -> Check:
    if stores.accounts.empty():
        return Check("accounts", "bad", "nobody can sign in", "soc accounts add NAME --role admin")
    return Check("accounts", "ok", f"{len(stores.accounts.list())} accounts")


def _rules(stores: Stores) -> Iterator[Check]:
    running, faults = stores.alerts.running()
    state = "ok" if running else "bad"
    yield Check(
        "rules", state, f"{len(running)} loaded by the detector", "" if running else "start the detector: `soc run`"
    )
    yield from _canaries(stores)
    for fault in faults:
        where = ":".join(str(part) for part in (fault.path, fault.line, fault.rule_id) if part is not None)
        yield Check(
            "rule",
            "bad",
            f"{where}: {fault.reason}",
            "mend it: the detector takes it up by itself; the other rules run",
        )


def _canaries(stores: Stores) -> Iterator[Check]:
    """Which rules are proven alive; each that is not is a fault as well."""
    canaries = stores.alerts.canaries().values()
    if not canaries:
        return
    lives = Counter(one.life for one in canaries)
    found = ", ".join(f"{number} {life}" for life, number in sorted(lives.items()))
    if lives[Life.BLIND] or lives[Life.HIDDEN]:
        yield Check("canaries", "bad", found, "see the rules below: attacks that they are for are not found")
    else:
        names = sorted(one.rule_id for one in canaries if one.life is Life.UNPROVABLE)
        advice = f"give {names[0]} and the others that cannot be proven a positive case" if names else ""
        yield Check("canaries", "warn" if names else "ok", found, advice)


def _sources(stores: Stores) -> Iterator[Check]:
    for one in standings(stores, EVERYTHING, now_ms()):
        known, name = one.health, f"source {one.source.id}"
        last = local_time(one.last or None)
        if one.state is Freshness.DISABLED:
            yield Check(name, "ok", "disabled")
        elif known is not None and known.problem:
            yield Check(name, "bad", known.problem)
        elif one.state is Freshness.EXEMPT:
            expected = one.expectation
            yield Check(name, "ok", f"silence is allowed until {expected.exempt_until}: {expected.reason}")
        elif one.state is Freshness.NEVER_SEEN:
            what = "is it running, and does it send to the right place with the right token?"
            yield Check(name, "warn", "never seen", what)
        elif one.state is Freshness.SILENT:
            yield Check(name, "warn", f"silent since {last}", "is the system running, and its log still written?")
        elif known is not None:
            yield Check(name, "ok", f"last record {last}, {known.records} records, {known.dead} dead letters")
