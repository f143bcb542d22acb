"""`soc silence`: when a source counts as silent, and which are."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer
from rich.table import Table

from api.standing import expect, laid_down, rearrange, standings
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
from soc.model.calendar import Calendar, day_of, exchanged, public_holidays
from soc.model.org import EVERYTHING
from soc.model.silence import LONGEST_LIMIT_MINUTES, Expectation, Schedule
from soc.service.process import now_ms

app = typer.Typer(help="When a source counts as silent, and which are.", no_args_is_help=True)

Days = Annotated[
    list[str] | None, typer.Option(help="A day such as 2026-05-02; may be given again.", show_default=False)
]


@app.command("list")
def list_(json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """The state of each source, what is expected of it, and since when it is silent."""
    _, stores = stores_of(config, data_dir)
    known = standings(stores, EVERYTHING, now_ms())
    if json:
        for one in known:
            expected = one.expectation.body()
            print_json({"id": one.source.id, "org": one.source.org, "system": one.system, "state": one.state,
                        "last": one.last or None, "silent_at": one.silent_at, "expected": expected})  # fmt: skip
        return
    table = Table("source", "organisation", "system", "state", "last record", "expected", box=None, pad_edge=False)
    for one in known:
        last = local_time(one.last or None)
        table.add_row(one.source.id, one.source.org, one.system, one.state, last, _words(one.expectation))
    console().print(table if known else "No sources yet: `soc sources add --help`.")


def _words(expected: Expectation) -> str:
    when = " of office hours" if expected.schedule is Schedule.OFFICE_HOURS else ""
    exempt = f", exempt until {expected.exempt_until}: {shown(expected.reason)}" if expected.exempt_until else ""
    return f"a record in {expected.limit_minutes} min{when}{exempt}"


@app.command("set")
def set_(
    source: Annotated[str, typer.Argument(help="Id of the source.")],
    schedule: Annotated[Schedule | None, typer.Option(help="When records are expected.", show_default=False)] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, max=LONGEST_LIMIT_MINUTES, help="Minutes of that time without a record.", show_default=False
        ),
    ] = None,
    exempt_until: Annotated[
        str | None, typer.Option(help="Last day on which its silence is allowed; `no`: it is not.", show_default=False)
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is allowed.", show_default=False)] = None,
    system: Annotated[str | None, typer.Option(help="The system whose logs these are.", show_default=False)] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Say what is expected of a source; what is not given stays."""
    changes = {"schedule": schedule, "limit_minutes": limit, "reason": reason, "system": system}
    given: dict[str, object] = {name: value for name, value in changes.items() if value is not None}
    if exempt_until == "no":
        given["exempt_until"] = None
    elif exempt_until is not None:
        if not reason:
            raise ConfigError("say with --reason why its silence is allowed: others will ask")
        given["exempt_until"] = exempt_until
    _, stores = stores_of(config, data_dir)
    stores.sources.get(source, EVERYTHING)
    new = expect(stores.policies, source, given, by=caller(), now=now_ms())
    console().print(f"source {source}: {_words(new)}")


@app.command()
def calendar(
    off: Days = None,
    working: Days = None,
    forget: Days = None,
    hours: Annotated[
        list[str] | None, typer.Option(help="Office hours such as 07:30-11:30; may be given again.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show the working days and hours, or add to them: days `--off`, days `--working`; `--forget` takes one back."""
    _, stores = stores_of(config, data_dir)
    if not (off or working or forget or hours):
        _show(laid_down(stores.policies)[1])
        return
    days_off, days_on = _days(off, "--off"), _days(working, "--working")
    gone = _days(forget, "--forget") | days_off | days_on

    def changed(old: Calendar) -> Calendar:
        new = Calendar.read("--hours", {"hours": hours}) if hours else old
        return Calendar(new.hours, old.off - gone | days_off, old.working - gone | days_on)

    if both := days_off & days_on:
        raise ConfigError(f"{min(both)} cannot be a day off and a working day")
    _show(rearrange(stores.policies, changed, by=caller(), now=now_ms(), reason=reason))


def _show(calendar: Calendar) -> None:
    out, today = console(), day_of(now_ms())
    body = calendar.body()
    for name in ("hours", "off", "working"):
        out.print(f"{name}: {', '.join(body[name]) or 'none'}")
    for title, days in (("public holidays", public_holidays), ("exchanged working days", exchanged)):
        next_ = sorted(day for year in (today.year, today.year + 1) for day in days(year) if day >= today)
        out.print(f"{title}: {', '.join(str(day) for day in dict.fromkeys(next_)) or 'none known'}")


def _days(texts: list[str] | None, option: str) -> frozenset[date]:
    return frozenset(_day(text, option) for text in texts or ())


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text}: write a day such as 2026-05-02") from None
