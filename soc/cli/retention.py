"""`soc retention`: keep in Elasticsearch what is to be kept, and no more."""

from __future__ import annotations

from typing import Annotated

import typer

from soc.cli.context import ConfigOption, JsonOption, console, print_json
from soc.service.stores import need_library
from soc.settings import load

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")]


def retention(dry_run: DryRunOption = False, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Delete whole Elasticsearch indices by age and size, as the settings `retention.*` say. Run it once a day."""
    need_library()
    from soc.service.upkeep import expire

    there, doomed = expire(load(config), dry_run=dry_run)
    if json:
        for one in doomed:
            entry = {"index": one.index.name, "bytes": one.index.bytes, "documents": one.index.documents}
            print_json(entry | {"reason": one.reason, "deleted": not dry_run})
        return
    out, word = console(), "would delete" if dry_run else "deleted"
    for one in doomed:
        size = f"{one.index.documents:,} documents, {one.index.bytes >> 20:,} MiB"
        out.print(f"{word} {one.index.name}: {size}; {one.reason}")
    kept = sum(index.bytes for index in there) - sum(one.index.bytes for one in doomed)
    out.print(f"{len(there) - len(doomed)} indices and {kept >> 20:,} MiB are kept")
