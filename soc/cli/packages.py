"""`soc rules import|packages|pipelines|reload`: rules of others, and taking up what has changed."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from rules.package.difference import Described, Difference, Wanted
from rules.package.manifest import Package
from soc.cli.context import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    caller,
    console,
    local_time,
    print_json,
    shown,
    stores_of,
)
from soc.errors import ConfigError, RuleError
from soc.model.finding import LEVELS
from soc.model.rule import Stage
from soc.service.process import now_ms
from soc.settings import load

if TYPE_CHECKING:
    from soc.service.packages import Import

app = typer.Typer(no_args_is_help=True, help="Packages of rules that were imported.")

_SHOWN = 20
_PATIENCE_S = 120.0

Name = Annotated[str, typer.Argument(help="Name of the package.")]
Several = "or several, separated by commas"


def import_(
    package: Annotated[Path, typer.Argument(help="A zip or tar.gz, as SigmaHQ releases them, or a folder.")],
    name: Annotated[str, typer.Option(help="Its name here; again: an update.", show_default="the file's")] = "",
    stage: Annotated[Stage, typer.Option(help="In which new rules begin.")] = Stage.TEST,
    level: Annotated[str, typer.Option(help=f"Only rules of this level, {Several}.", show_default="all")] = "",
    product: Annotated[str, typer.Option(help=f"Only rules for this product, {Several}.", show_default="all")] = "",
    status: Annotated[
        str,
        typer.Option(help=f"Only rules of this status, {Several}.", show_default="all but deprecated and unsupported"),
    ] = "",
    pipeline: Annotated[
        list[str] | None,
        typer.Option(help="Processing pipeline for its rules, by name or file; may be repeated.", show_default=False),
    ] = None,
    licence: Annotated[str, typer.Option(help="Its licence, where the package does not say.", show_default=False)] = "",
    release: Annotated[str, typer.Option(help="Which release it is, where the package does not say.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every rule.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Take over rules of others, or a newer version of them. New ones begin in test: out of the queue, until you have seen what they raise.

    What people have laid down about rules stays. Exit status 3 when some rules cannot be used here (they are left out, and named).
    """
    from soc.service import packages  # compiles rules: only for this command

    levels = _words(level)
    if wrong := [one for one in levels if one not in LEVELS]:
        raise typer.BadParameter(f"{wrong[0]}: one of {', '.join(LEVELS)}", param_hint="--level")
    settings, stores = stores_of(config, data_dir)
    options = packages.Options(
        name or package.absolute().name.split(".")[0].lower(),
        caller(),
        Wanted(levels, _words(product), _words(status)),
        stage,
        tuple(pipeline or ()),
        release,
        licence,
        _progress,
    )
    with packages.prepared(settings, package, options, now_ms()) as coming:
        packages.find_orphans(stores, coming)
        if not dry_run:
            packages.keep(settings, stores, coming)
        if json:
            print_json(_as_json(coming, dry_run))
        else:
            _tell(coming, dry_run, verbose)
        failed = bool(coming.faults)
    if failed:
        raise typer.Exit(3)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done == total or done % 50 == 0):
        typer.echo(f"\rcompiling {done} of {total}" + ("\n" if done == total else ""), err=True, nl=False)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in text.split(",") if word.strip())


def _tell(coming: Import, dry_run: bool, verbose: bool) -> None:
    out, version = console(), coming.package.current
    most = None if verbose else _SHOWN
    out.print(
        f"{coming.package.name} {shown(version.release)}: {version.rules} rules, licence {shown(version.licence) or 'not known'}"
    )
    _list("new, in " + version.stage, [_line(rule) for rule in coming.difference.added], most)
    _list("gone", [_line(rule) for rule in coming.difference.removed], most)
    _list(
        "changed",
        [f"{_line(one.after)} ({', '.join(one.what)})" for one in coming.difference.changed],
        most,
    )
    _list(
        "gone although somebody has tuned or excepted it; that stays, for if it comes back",
        [_line(rule) for rule in coming.orphans],
        None,
    )
    _list("left out: another folder or file has a rule with this id", [_line(rule) for rule in coming.taken], most)
    _list("left out: cannot be used here", [shown(fault) for fault in coming.faults], None)
    if coming.unwanted:
        out.print(f"{coming.unwanted} rules not wanted")
    if not version.licence:
        out.print("Its licence is not known: say it with --licence.")
    if dry_run:
        out.print("Nothing has been changed: without --dry-run it would be.")
    else:
        out.print(
            "A detector that runs takes them up within a minute. Back: soc rules packages rollback "
            + coming.package.name
        )


def _list(what: str, lines: list[str], most: int | None) -> None:
    if not lines:
        return
    out = console()
    out.print(f"{len(lines)} {what}:")
    for line in lines[:most]:
        out.print(f"  {line}")
    if most is not None and len(lines) > most:
        out.print(f"  ... and {len(lines) - most} more: --verbose")


def _line(rule: Described) -> str:
    return f"{rule.level:13} {shown(rule.title)}  {shown(rule.id)}"


def _as_json(coming: Import, dry_run: bool) -> dict[str, object]:
    def named(rules: list[Described]) -> list[dict[str, str]]:
        return [{"id": rule.id, "title": rule.title, "level": rule.level} for rule in rules]

    found: Difference = coming.difference
    changed = [{"id": one.after.id, "title": one.after.title, "what": list(one.what)} for one in found.changed]
    return {
        "package": coming.package.name,
        "version": asdict(coming.package.current),
        "dry_run": dry_run,
        "added": named(found.added),
        "removed": named(found.removed),
        "changed": changed,
        "orphans": named(coming.orphans),
        "taken": named(coming.taken),
        "unwanted": coming.unwanted,
        "faults": [{"file": one.path, "line": one.line, "reason": one.reason} for one in coming.faults],
    }


@app.command("list")
def list_(json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Which packages there are, of which release, and the version before."""
    from soc.service import packages

    errors: list[RuleError] = []
    found = packages.known(load(config, data_dir), errors)
    for error in errors:
        typer.echo(str(error), err=True)
    if json:
        for one in found:
            print_json(asdict(one))
    else:
        console().print(_table(found) if found else "No packages: soc rules import FILE")
    if errors:
        raise typer.Exit(3)


def _table(found: list[Package]) -> Table:
    table = Table(
        "package", "release", "rules", "licence", "pipelines", "imported", "by", "before", box=None, pad_edge=False
    )
    for one in found:
        version, before = one.current, one.previous
        table.add_row(
            one.name,
            shown(version.release),
            str(version.rules),
            shown(version.licence) or "not known",
            ", ".join(version.pipelines) or "-",
            local_time(version.at),
            version.by,
            f"{shown(before.release)} ({before.rules} rules)" if before else "-",
        )
    return table


@app.command()
def rollback(name: Name, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Back to the version before; again: forth."""
    from soc.service import packages

    settings, stores = stores_of(config, data_dir)
    package = packages.roll_back(settings, stores, name, caller(), now_ms())
    console().print(f"{name} is {shown(package.current.release)} again, with {package.current.rules} rules")


@app.command()
def remove(name: Name, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Take a package and its rules away. Alerts stay, and what was laid down about the rules."""
    from soc.service import packages

    settings, stores = stores_of(config, data_dir)
    orphans = packages.remove(settings, stores, name, caller(), now_ms())
    console().print(f"{name} is gone")
    _list("were tuned or excepted; that stays, for if they come back", [_line(rule) for rule in orphans], None)


def pipelines() -> None:
    """The processing pipelines that have a name."""
    from rules.compile.pipeline import HOW_TO_GET_MORE, offered

    found = Counter[str]()
    for name, origin in offered().items():
        typer.echo(f"{name:24} {origin}")
        found[origin] += 1
    if not found["pySigma"]:
        typer.echo(HOW_TO_GET_MORE, err=True)


def compile_(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Compile the rules of the settings ahead, into the data directory's cache: what reads or runs them next has nothing to compile."""
    from soc.service.detector import engine_of
    from soc.service.ruleset import choose

    settings = load(config, data_dir)
    chosen = choose(settings, progress=_progress)
    engine_of(settings, chosen).compile()
    typer.echo(f"{len(chosen.ruleset.rules)} rules, {len(chosen.said)} faults")


def reload(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Have the detector read its rules now, and say what came of it. It does so by itself when files change."""
    settings, stores = stores_of(config, data_dir)
    before, asked_at = stores.alerts.in_force(), now_ms()
    os.kill(_detector(settings.data_dir), signal.SIGHUP)
    until = time.monotonic() + _PATIENCE_S
    while (now := stores.alerts.in_force()) is None or now.checked < asked_at or now.loading_since is not None:
        if time.monotonic() > until:
            raise ConfigError(f"the detector has not said anything for {_PATIENCE_S:.0f} s: look at its log")
        time.sleep(0.2)
    faults = stores.alerts.running()[1]
    same = before is not None and before.since == now.since
    typer.echo(f"{now.rules} rules run ({now.hash}), " + ("as before" if same else "newly taken up"))
    for fault in faults:
        where = ":".join(str(part) for part in (fault.path, fault.line, fault.rule_id) if part is not None)
        typer.echo(f"{where}: {fault.reason}" if where else fault.reason, err=True)
    if faults:
        raise typer.Exit(3)


def _detector(folder: Path) -> int:
    """The process that holds the detector's lock: an id in a file that nobody holds may be another's by now."""
    try:
        with (folder / "detector.lock").open("r", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = (folder / "detector.lock").read_text(encoding="ascii")
        if not holder.isdecimal():  # it has the lock, and has not yet written who it is
            raise ConfigError("the detector is just starting, and reads its rules anyway") from None
        return int(holder)
    except FileNotFoundError:
        pass
    raise ConfigError(f"no detector runs on {folder}: start it with `soc run`")
