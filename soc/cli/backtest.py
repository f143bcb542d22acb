"""`soc rules backtest`: what rules would have raised."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from soc.backtest.forecast import Forecast
from soc.backtest.jobs import Job, new_id
from soc.backtest.outcome import Outcome
from soc.cli.context import ConfigOption, DataDirOption, JsonOption, caller, console, local_time, print_json, shown
from soc.model.asked import Bounds, number, seconds
from soc.model.finding import LEVELS
from soc.model.org import EVERYTHING, Scope
from soc.service.backtest import Running, choose, jobs_at, open_backtest
from soc.service.process import configure_logging, now_ms
from soc.settings import Settings, load
from soc.whole import write_whole

_BAR = 40


def backtest(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Rule files or folders; those that the settings name by default.", show_default=False),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Only this one: id, name or title; may be given again.", show_default=False),
    ] = None,
    days: Annotated[int, typer.Option(help="Whole days to look back.", min=1, max=3660)] = 30,
    org: Annotated[
        list[str] | None,
        typer.Option(help="Only events of this organisation; may be given again.", show_default=False),
    ] = None,
    threshold: Annotated[
        str, typer.Option(help="What the rule is to ask for, in place of the number in its text.", show_default=False)
    ] = "",
    window: Annotated[str, typer.Option(help="Within which time, such as 90s, 10m, 2h, 1d.", show_default=False)] = "",
    report_to: Annotated[
        Path | None,
        typer.Option(help="A folder for progress.json and, at the end, outcomes.json.", show_default=False),
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Run rules over the stored events of the last days as if they were live, with production's folding and what holds now of
    exceptions, levels and organisations: alerts a day, the week to come, whom they are about, what exceptions hide, and which of them
    were there already and how they were closed. Nothing is raised. Ctrl-C is safe: the same command, the same day, goes on where it was.
    """
    configure_logging()
    settings = load(config, data_dir)
    chosen = choose(settings, paths or [], rule or [])
    for error in chosen.errors:
        typer.echo(f"soc: left out: {error}", err=True)
    scope = Scope(frozenset(org)) if org else EVERYTHING
    bounds = Bounds(number(threshold), seconds(window))
    with open_backtest(settings, chosen, scope, days, bounds=bounds) as running:
        for fault in running.faults:
            typer.echo(f"soc: left out: {fault.reason}", err=True)
        began = time.monotonic()
        _run(running, report_to)
        outcomes, events, took = running.outcomes(), running.test.progress.events, time.monotonic() - began
        if report_to:
            _write(report_to / "outcomes.json", [_plain(outcome) for outcome in outcomes])
        elif len(outcomes) == 1:
            _keep(settings, org, days, outcomes[0], bounds)
        running.forget()
        if json:
            for outcome in outcomes:
                print_json(_plain(outcome))
        else:
            _print(outcomes, detailed=len(outcomes) == 1)
        typer.echo(
            f"{events:,} events since {local_time(running.span.since)} in {took:.1f} s, {events / max(took, 1e-9):,.0f}/s",
            err=True,
        )
    if chosen.errors:
        raise typer.Exit(3)


def _run(running: Running, report_to: Path | None) -> None:
    bar = Progress(
        TextColumn("going on where it was stopped" if running.resumed else "backtest"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task("", total=running.test.progress.total, events=0)
        for progress in running.test.run():
            bar.update(task, completed=progress.done, events=progress.events)
            if report_to:
                so_far = {"done": progress.done, "total": progress.total, "events": progress.events}
                _write(report_to / "progress.json", so_far)


def _plain(outcome: Outcome) -> dict[str, object]:
    mappings = {"known": outcome.known, "levels": outcome.levels, "hidden": outcome.hidden}
    return asdict(outcome) | {name: dict(counted) for name, counted in mappings.items()}


def _write(path: Path, value: object) -> None:
    write_whole(path, orjson.dumps(value))


def _keep(settings: Settings, orgs: list[str] | None, days: int, outcome: Outcome, bounds: Bounds) -> None:
    """Beside those of the console: who wants the rule live is asked what is known of it."""
    of = tuple(sorted(orgs)) if orgs else None
    job = Job(new_id(), caller(), now_ms(), of, days, outcome.rule_id, None, bounds.threshold, bounds.timespan_s)
    jobs_at(settings).ended(job, [_plain(outcome)])


def _print(outcomes: list[Outcome], *, detailed: bool) -> None:
    out = console()
    columns = ("rule", "level", "alerts", "a day", "next 7 days", "events", "hidden", "confirmed", "false", "benign",
               "open", "new", "gone")  # fmt: skip
    table = Table(*columns, box=None, pad_edge=False)
    for one in (one for one in outcomes if _says_something(one)):
        known = (str(one.known.get(what, 0)) for what in ("true_positive", "false_positive", "benign", "open"))
        gone = f"{one.gone} ({one.gone_true} confirmed)" if one.gone_true else str(one.gone)
        per_day = f"{sum(one.by_day.values()) / len(one.by_day):.1f}" if one.by_day else "-"
        table.add_row(shown(one.title), _levels(one), f"{one.alerts}{'+' if _cut(one) else ''}", per_day,
                      _week(one.forecast), str(one.events), str(sum(one.hidden.values())), *known, str(one.fresh), gone)  # fmt: skip
    if table.rows:
        out.print(table)
    if quiet := sum(not _says_something(one) for one in outcomes):
        out.print(f"{quiet} rules raise nothing")
    for one in outcomes:
        if one.noisy_since is not None:
            out.print(f"{shown(one.title)}: given up at {local_time(one.noisy_since)}, it raises too much")
        if one.broken is not None:
            out.print(f"{shown(one.title)}: stopped while running: {one.broken}")
    if detailed and outcomes:
        _detail(out, outcomes[0])


def _detail(out: Console, one: Outcome) -> None:
    most = max(one.by_day.values(), default=0) or 1
    out.print()
    for day, count in one.by_day.items():
        out.print(f"{day} {'█' * round(count / most * _BAR)} {count}")
    if one.hidden:
        table = Table("exception", "hidden events", box=None, pad_edge=False)
        for exception, events in sorted(one.hidden.items(), key=lambda pair: -pair[1]):
            table.add_row(exception, str(events))
        out.print()
        out.print(table)
    if one.entities:
        table = Table("whom", "", "alerts", "events", box=None, pad_edge=False)
        for entity in one.entities:
            table.add_row(entity.field, shown(entity.value), str(entity.alerts), str(entity.events))
        out.print()
        out.print(table)


def _says_something(one: Outcome) -> bool:
    return bool(one.alerts or one.gone or one.hidden)


def _levels(one: Outcome) -> str:
    """The rule's own level, or those that people have set in its place."""
    if set(one.levels) <= {one.level}:
        return one.level
    return ", ".join(f"{level} {one.levels[level]}" for level in reversed(LEVELS) if level in one.levels)


def _cut(one: Outcome) -> bool:
    return one.noisy_since is not None or one.broken is not None


def _week(of: Forecast | None) -> str:
    return f"{of.expected:.0f} ({of.low:.0f} to {of.high:.0f})" if of else "no whole day yet"
