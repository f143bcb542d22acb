"""`soc orgs`: the directory of organisations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from soc.cli.context import ConfigOption, DataDirOption, JsonOption, caller, console, print_json, shown, stores_of
from soc.model.calendar import day_of
from soc.model.org import OrgKind
from soc.service.process import now_ms

app = typer.Typer(help="The directory of organisations: ministries, provinces, communes.", no_args_is_help=True)


@app.command("import")
def import_(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="CSV with a header, or TOML; left out: the ministries and provinces that come with govsoc."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add organisations, or change those that are there; what is the same stays as it is, and nothing is deleted."""
    from soc.service.organisations import SHIPPED, keep, read

    organisations = read(file or SHIPPED)
    _, stores = stores_of(config, data_dir)
    done = keep(stores.policies, organisations, by=caller(), now=now_ms(), reason=reason)
    console().print(f"organisations: {done.added} added, {done.changed} changed, {done.unchanged} as they were")


@app.command("list")
def list_(
    kind: Annotated[OrgKind | None, typer.Option(help="Only these.", show_default=False)] = None,
    parent: Annotated[str | None, typer.Option(help="Only what belongs to this code.", show_default=False)] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Every organisation with its code, by code; those that have ended with their successor."""
    from api.directory import read_directory

    _, stores = stores_of(config, data_dir)
    today = day_of(now_ms())
    directory = read_directory(stores.policies)
    found = [org for org in directory if kind in (None, org.kind) and parent in (None, org.parent)]
    if json:
        for org in found:
            print_json(org.body())
        return
    table = Table("code", "name", "kind", "belongs to", "from", "to", "now", box=None, pad_edge=False)
    for org in found:
        now = directory.current(org.code, today) if org.ended(today) else ""
        days = ("" if day is None else str(day) for day in (org.valid_from, org.valid_to))
        table.add_row(org.code, shown(org.name), org.kind, org.parent or "", *days, now)
    console().print(table if found else "No organisations yet: `soc orgs import` reads those that come with govsoc.")
