"""`soc store`: where everything is kept."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from soc.cli.context import ConfigOption, DataDirOption, JsonOption, console, print_json, shown
from soc.errors import ConfigError
from soc.service.stores import need_library
from soc.settings import load

app = typer.Typer(help="Where everything is kept.", no_args_is_help=True)


class Store(StrEnum):
    sqlite = "sqlite"
    elasticsearch = "elasticsearch"


@app.command()
def copy(
    from_: Annotated[Store, typer.Option("--from", help="What to copy: the embedded store in the data directory.")],
    to: Annotated[Store, typer.Option("--to", help="Where to: the cluster of `store.url`.")],
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Copy events, findings, alerts, triage, sources, accounts and audit, then compare. Stop govsoc first; Ctrl-C is safe, do it
    again to go on. Exit 3 when the two differ."""
    if (from_, to) != (Store.sqlite, Store.elasticsearch):
        raise typer.BadParameter("only from sqlite to elasticsearch")
    need_library()
    from soc.service.copy import copy as copy_all

    settings = load(config, data_dir)
    with _bar() as bar:
        tasks: dict[str, object] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        compared = copy_all(settings, tell)
    table = Table("", "documents", "checksum", "in the cluster", box=None)
    for name, one in compared.items():
        said = "the same" if one.same else f"{one.missing} missing, {one.different} different, such as {one.example}"
        said += f", {one.refused} refused and kept in the quarantine" if one.refused else ""
        if json:
            counts = {
                "documents": one.documents,
                "missing": one.missing,
                "different": one.different,
                "refused": one.refused,
            }
            print_json({"what": name} | counts | {"here": f"{one.here:032x}", "there": f"{one.there:032x}"})
        table.add_row(name, f"{one.documents:,}", f"{one.here:032x}"[:12], said)
    if not json:
        console().print(table)
    if not all(one.same for one in compared.values()):
        sys.stderr.write("soc: the two differ; what was there before is never overwritten\n")
        raise typer.Exit(3)


@app.command()
def retry(json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Index again what the cluster had refused, once the cause is mended: dead letters in the quarantine whose events this machine's
    log still has. Safe while govsoc runs, and to do again. Exit 3 when some are refused again."""
    settings = load(config, data_dir)
    if not settings.store.url:
        raise ConfigError("store.url is empty: only Elasticsearch refuses events")
    need_library()
    from soc.service.elastic import retry as retry_refused

    with _bar() as bar:
        task = bar.add_task("trying again", total=None)
        retried = retry_refused(settings, lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        print_json(asdict(retried))
    else:
        out = console()
        out.print(f"{retried.indexed:,} refused events are indexed now")
        if retried.absent:
            out.print(f"{retried.absent:,} stay in the quarantine: this machine's event log does not have them")
    if retried.refused:
        sys.stderr.write(f"soc: {retried.refused:,} are refused again, the last one: {shown(retried.reason)}\n")
        raise typer.Exit(3)


def _bar() -> Progress:
    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
