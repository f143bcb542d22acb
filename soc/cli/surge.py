"""`soc surge`: events of which more traffic is expected, from a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

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
    time_of,
)
from soc.errors import ConfigError
from soc.model.account import Account, Role
from soc.model.org import EVERYTHING
from soc.model.surge import LEAST_PERCENT, MOST_PERCENT, Surge
from soc.service.process import now_ms
from soc.settings import Settings
from soc.store.anomalies import SqliteAnomalies

if TYPE_CHECKING:
    from api.surges import Declared
    from soc.store.base import Stores

app = typer.Typer(
    no_args_is_help=True, help="Events of which more traffic is expected: they move volumes, never rules."
)

Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the history.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is, for people: enrolment of first graders.")],
    since: Annotated[str, typer.Option("--from", help="When it begins, such as 2026-07-01 or 2026-07-01T07:00.")],
    until: Annotated[str, typer.Option("--to", help="When it is over; not itself: a day ends it as that day begins.")],
    factor: Annotated[
        float,
        typer.Option(
            min=LEAST_PERCENT / 100, max=MOST_PERCENT / 100, help="How many times the usual volume is expected."
        ),
    ],
    reason: Reason,
    org: Annotated[
        list[str] | None, typer.Option(help="Agency code; may be repeated; none: all.", show_default=False)
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="Such as portal; may be repeated; none: all.", show_default=False)
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            help="A value of a field by which a series counts, such as an LGSP consumer; may be repeated; none: all.",
            show_default=False,
        ),
    ] = None,
    hours: Annotated[str, typer.Option(help="Of each day, such as 07:00-11:30.", show_default=False)] = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Declare a surge: the volumes that are expected of what it names are others, from its begin to its end."""
    from api import surges

    new = surges.wanted(
        name,
        _time(since, "--from"),
        _time(until, "--to"),
        factor,
        orgs=org or (),
        systems=system or (),
        services=service or (),
        daily=hours,
    )
    settings, stores = stores_of(config, data_dir)
    now = now_ms()
    declared = surges.declare(stores, _me(), new, reason=reason, now=now)
    console().print(f"surge {declared.surge.id}: {_words(declared.surge)}")
    for doubt in _doubts(settings, stores, [declared], now).get(declared.surge.id, ()):
        console().print(f"note: {shown(doubt)}")


@app.command("list")
def list_(json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Those that are declared, and those of the last year that are over."""
    from api.surge_schemas import SurgeOut
    from api.surges import visible

    settings, stores = stores_of(config, data_dir)
    now = now_ms()
    found = visible(stores.policies, EVERYTHING, now)
    doubts = _doubts(settings, stores, found, now) if json else {}
    table = Table("surge", "name", "state", "what", "by", "reason", box=None, pad_edge=False)
    for one in found:
        surge = one.surge
        if json:
            print_json(SurgeOut.of(one, now, doubts.get(surge.id, ())).model_dump())
        state = "over" if surge.until <= now else "on" if surge.since <= now else "declared"
        table.add_row(surge.id, shown(surge.name), state, _words(surge), one.by, shown(one.reason))
    if not json:
        console().print(table if found else "No surges yet: `soc surge add --help`.")


def _doubts(settings: Settings, stores: Stores, declared: Collection[Declared], now: int) -> Mapping[str, list[str]]:
    from api.directory import read_directory
    from api.surge_doubts import told

    kept = SqliteAnomalies(settings.data_dir)
    try:
        return told(read_directory(stores.policies), kept, declared, now)
    finally:
        kept.close()


@app.command()
def end(
    surge: Annotated[str, typer.Argument(help="Id of the surge.")],
    reason: Reason,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """End a surge now; one that has not begun is withdrawn."""
    from api.surges import end as end_it

    _, stores = stores_of(config, data_dir)
    ended = end_it(stores, _me(), surge, reason=reason, now=now_ms())
    console().print(f"surge {surge} is over" if ended else f"surge {surge} is withdrawn")


def _me() -> Account:
    return Account(caller(), Role.ADMIN, EVERYTHING)


def _words(surge: Surge) -> str:
    from api.surge_schemas import written_hours

    whom = ", ".join(surge.orgs) or "all organisations"
    what = " of ".join(names for some in (surge.services, surge.systems) if (names := ", ".join(some))) or "everything"
    when = f"{local_time(surge.since)} to {local_time(surge.until)}"
    daily = f", {written_hours(surge)} a day" if surge.closes else ""
    return f"{surge.percent / 100:g} times the usual of {shown(what)} of {shown(whom)}, {when}{daily}"


def _time(text: str, option: str) -> int:
    try:
        return time_of(text, ZoneInfo("Asia/Ho_Chi_Minh"))
    except ConfigError:
        raise ConfigError(f"{option} {shown(text)}: write a time such as 2026-07-01 or 2026-07-01T07:00") from None
