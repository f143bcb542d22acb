"""`soc audit`: who asked for what, and when."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Annotated

import typer
from rich.table import Table

from soc.cli.context import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    console,
    local_time,
    print_json,
    shown,
    stores_of,
)
from soc.store.paging import every


def audit(
    by: Annotated[str, typer.Option(help="Only of this account.")] = "",
    action: Annotated[str, typer.Option(help="Only this, such as `sign-in-failed`.")] = "",
    most: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Who asked for what, newest first."""
    _, stores = stores_of(config, data_dir)
    entries = islice(every(lambda cursor: stores.audit.list(by=by, action=action, cursor=cursor)), most)
    if json:
        for entry in entries:
            print_json(asdict(entry))
        return
    table = Table("time", "by", "action", "of what", "", box=None, pad_edge=False)
    for entry in entries:
        table.add_row(
            local_time(entry.at), shown(entry.by or "-"), entry.action, shown(entry.target), shown(entry.detail)
        )
    console().print(table)
