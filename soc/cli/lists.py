"""`soc lists`: indicators that rules ask by name, from a terminal."""

from __future__ import annotations

import re
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

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
from soc.errors import ConfigError
from soc.model.account import Account, Role
from soc.model.indicator import ListType
from soc.model.org import EVERYTHING
from soc.service.lists import lists_dir
from soc.service.process import now_ms

if TYPE_CHECKING:
    from api.indicators import Change
    from rules.lists.read import Format, Reading

app = typer.Typer(no_args_is_help=True, help="Lists of indicators (addresses, domains, hashes) that rules ask by name.")

MAX_BYTES = 1 << 30
MAX_DAYS = 3650
_SPANS = {"h": 3600, "d": 86_400, "w": 604_800}

Name = Annotated[str, typer.Argument(help="Name of the list: %name% in rules.")]
Org = Annotated[str, typer.Option(help="Only for the events of this agency code.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the history.")]
Expires = Annotated[str, typer.Option(help="Entries count for so long, such as 12h, 30d, 8w.", show_default=False)]
Type = Annotated[ListType, typer.Option("--type", help="What the entries are.")]


@app.command("import")
def import_(
    name: Name,
    file: Annotated[str, typer.Argument(help="The file; - is standard input.")],
    type_: Type,
    format_: Annotated[str, typer.Option("--format", help="text, csv, misp or stix; by its content if not said.")] = "",
    column: Annotated[
        str, typer.Option(help="Of a CSV file: its name, or its number from 1.", show_default=False)
    ] = "",
    source: Annotated[str, typer.Option(help="Where it comes from, such as a URL; for people.")] = "",
    expires: Expires = "",
    add: Annotated[bool, typer.Option("--add", help="Keep the entries that are there, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    org: Org = "",
    reason: Reason = "imported",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Take a list over from a file: text with one entry a line, CSV, MISP or STIX 2.1 JSON. Exit 3 when some lines are no entries."""
    from api.indicators import Which, joined, put, replaced
    from rules.lists.read import read

    content, wanted = _content(file), _format(format_, column)
    reading = read(type_, content, wanted, column, _until(expires))
    _tell_reading(file, reading)
    if not reading.entries:
        raise ConfigError(f"{file}: no entry of type {type_} in it; the list stays as it is")
    settings, stores = stores_of(config, data_dir)
    act = joined(reading.entries) if add else replaced(reading.entries)
    changed = put(
        stores,
        lists_dir(settings.data_dir),
        _me(),
        Which(name, org),
        type_,
        act,
        reason=reason,
        now=now_ms(),
        source=source or None,
        dry=dry_run,
    )
    _tell(changed, dry_run)
    if reading.bad:
        raise typer.Exit(3)


@app.command("add")
def add_(
    name: Name,
    entry: Annotated[list[str], typer.Argument(help="One or more entries.")],
    reason: Reason,
    type_: Annotated[
        ListType | None, typer.Option("--type", help="Of a list that is not there yet.", show_default=False)
    ] = None,
    expires: Expires = "",
    org: Org = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add single entries; those that are there get the new reason and expiry."""
    from api.indicators import Which, joined, put, type_of
    from rules.lists.pack import Entry
    from rules.lists.spelling import spelt

    settings, stores = stores_of(config, data_dir)
    which = Which(name, org)
    kind = type_ or type_of(stores.policies, which, EVERYTHING)
    until, entries = _until(expires), []
    for text in entry:
        try:
            entries.append(Entry(spelt(kind, text), until, reason[:200]))
        except ValueError as error:
            raise ConfigError(f"{shown(text)}: {error}") from None
    folder = lists_dir(settings.data_dir)
    _tell(put(stores, folder, _me(), which, kind, joined(entries), reason=reason, now=now_ms()), False)


@app.command("remove")
def remove_(
    name: Name,
    reason: Reason,
    entry: Annotated[
        list[str] | None, typer.Option("--entry", help="Only this entry; may be repeated.", show_default=False)
    ] = None,
    org: Org = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Remove entries, or with none the whole list: the rules that ask for it rest from then on."""
    from api.indicators import Which, put, remove, type_of, without
    from rules.lists.spelling import spelt

    settings, stores = stores_of(config, data_dir)
    which = Which(name, org)
    if not entry:
        remove(stores, _me(), which, reason=reason, now=now_ms())
        console().print(f"the list {name} is removed")
        return
    kind = type_of(stores.policies, which, EVERYTHING)
    try:
        act = without([spelt(kind, text) for text in entry])
    except ValueError as error:
        raise ConfigError(str(error)) from None
    _tell(put(stores, lists_dir(settings.data_dir), _me(), which, kind, act, reason=reason, now=now_ms()), False)


@app.command("list")
def list_(json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Every list: type, entries, for whom, where it comes from, who changed it last."""
    from api.indicators import visible

    _, stores = stores_of(config, data_dir)
    found = visible(stores.policies, EVERYTHING)
    table = Table(
        "list", "type", "entries", "organisation", "source", "changed", "by", "reason", box=None, pad_edge=False
    )
    for kept in found:
        one = kept.record
        if json:
            body = {"name": one.name, "org": one.org, **one.body()}
            print_json({**body, "version": kept.version, "by": kept.by, "at": kept.at, "reason": kept.reason})
        row = (one.name, one.type, f"{one.entries:,}", one.org or "all", shown(one.source), local_time(kept.at))
        table.add_row(*row, kept.by, shown(kept.reason))
    if not json:
        console().print(table if found else "No lists.")


@app.command()
def show(
    name: Name,
    contains: Annotated[str, typer.Option(help="Only entries with this text in them.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    json: JsonOption = False,
    org: Org = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """The entries of a list, sorted, with their end and reason."""
    from api.indicators import Which, entries, get

    settings, stores = stores_of(config, data_dir)
    kept = get(stores.policies, Which(name, org), EVERYTHING)
    found = (one for one in entries(lists_dir(settings.data_dir), kept.record) if contains in one.value)
    for one in islice(found, limit):
        if json:
            print_json({"value": one.value, "until": one.until * 1000 or None, "note": one.note})
            continue
        until = f"  until {local_time(one.until * 1000)}" if one.until else ""
        console().print(f"{shown(one.value)}{until}" + (f"  # {shown(one.note)}" if one.note else ""))


def _me() -> Account:
    return Account(caller(), Role.ADMIN, EVERYTHING)


def _content(file: str) -> bytes:
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{file}: more than {MAX_BYTES >> 20} MB")
    return content


def _format(name: str, column: str) -> Format | None:
    from rules.lists.read import Format

    if not name:
        return Format.CSV if column else None
    try:
        found = Format(name)
    except ValueError:
        raise ConfigError(f"there is no format {name!r}: choose one of {', '.join(Format)}") from None
    if found is Format.CSV and not column:
        raise ConfigError("which column of the CSV file? --column NAME, or its number from 1")
    return found


def _until(expires: str) -> int:
    """s since 1970; 0: no end."""
    if not expires:
        return 0
    known = re.fullmatch(r"(\d{1,6})([hdw])", expires)
    if known is None or not 0 < (span := int(known[1]) * _SPANS[known[2]]) <= MAX_DAYS * 86_400:
        raise ConfigError(
            f"--expires {expires!r}: a number of hours, days or weeks such as 12h, 30d or 8w, 10 years at most"
        )
    return now_ms() // 1000 + span


def _tell_reading(file: str, reading: Reading) -> None:
    for at, reason in reading.faults:
        typer.echo(f"{file}:{at}: {reason}", err=True)
    if reading.bad > len(reading.faults):
        typer.echo(f"{file}: and {reading.bad - len(reading.faults):,} more", err=True)
    if reading.others:
        typer.echo(f"{file}: {reading.others:,} indicators of other types were left out", err=True)


def _tell(changed: Change, dry: bool) -> None:
    one = changed.record
    what = f"{one.id}: {one.entries:,} entries, {changed.added:,} added, {changed.removed:,} removed"
    console().print(f"{what}; nothing is changed (--dry-run)" if dry else what)
    for sign, first, count in (
        ("+", changed.first_added, changed.added),
        ("-", changed.first_removed, changed.removed),
    ):
        if dry or count <= len(first):
            for value in first:
                console().print(f"  {sign} {shown(value)}")
            if count > len(first):
                console().print(f"  {sign} ... and {count - len(first):,} more")
