"""`soc detector`: series of events, what was expected of them, and what would have been called."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.table import Table

from soc.backtest.series import Cut, SeriesOutcome, lacks, plain
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
from soc.model.calendar import DAY_MS
from soc.model.event import iso
from soc.model.org import EVERYTHING, Scope
from soc.settings import Settings, load
from soc.store.anomalies import Known, SqliteAnomalies
from soc.store.base import AuditEntry
from soc.whole import write_whole

if TYPE_CHECKING:
    from rich.console import Console

    from detector.level import Level
    from detector.series.definition import Definition, Definitions
    from soc.errors import RuleError

app = typer.Typer(help="Series of events, and what is unusual in them.", no_args_is_help=True)
SeriesArgument = Annotated[str, typer.Argument(help="Id of a series, from `soc detector list`.")]
_NO_SERIES = "No series yet: `soc observe`, which `soc run` starts, makes them of events."
_FEW = 10  # organisations that are named


@app.command("list")
def list_(
    definition: Annotated[str, typer.Option(help="Only of this definition.", show_default=False)] = "",
    org: Annotated[list[str] | None, typer.Option(help="Only of this organisation; may be given again.")] = None,
    limit: Annotated[int, typer.Option(help="Series to show.", min=1, max=50_000)] = 200,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """The series that are watched, and those that are learning, with what was and what was expected last."""
    settings = load(config, data_dir)
    kept = SqliteAnomalies(settings.data_dir)
    found = kept.series(_scope(org), definition=definition, limit=limit)
    if definition and not found:
        _must_be_known(kept, definition)
    known = {name: _definition(kept, name) for name in {one.series.board.definition for one in found}}
    zone = ZoneInfo(settings.detect.zone)
    states = {one.series.id: _state(kept, zone, one, known[one.series.board.definition]) for one in found}
    left_out = [*_without_series(kept, org, definition), *_left_out(kept, _scope(org), definition, len(found))]
    if json:
        for one in found:
            last = one.last._asdict() if one.last else None
            print_json({"id": one.series.id, "definition": one.series.board.definition, "org": one.series.board.org,
                        "key": one.series.key, "state": states[one.series.id], "last": last})  # fmt: skip
    elif found or not left_out:
        console().print(_table(found, states) if found else _NO_SERIES)
    for text in left_out:
        typer.echo(text, err=json)


def _table(found: list[Known], states: dict[str, str]) -> Table:
    table = Table("series", "what", "organisation", "state", "last", "expected", box=None, pad_edge=False)
    for one in found:
        actual, expected = (one.last.value, one.last.expected) if one.last else (None, None)
        what = f"{one.series.board.definition} {shown(' + '.join(one.series.key))}"
        table.add_row(
            one.series.id,
            what,
            one.series.board.org,
            states[one.series.id],
            _number(actual),
            _number(expected),
        )
    return table


def _left_out(kept: SqliteAnomalies, scope: Scope, definition: str, listed: int) -> Iterator[str]:
    """What the list does not have."""
    if more := kept.how_many_series(scope, definition=definition) - listed:
        yield f"{more} more series are not listed: see --limit"
    for board, counts in kept.counts(scope).items():
        if counts.beyond and definition in ("", board.definition):
            yield f"{board.definition} of {board.org}: {counts.series} series, about {counts.beyond} more keys counted as other"


def _without_series(kept: SqliteAnomalies, orgs: list[str] | None, definition: str) -> Iterator[str]:
    """Of which of these organisations there is none, where others have some."""
    counted = kept.counts(EVERYTHING).items()
    known = {board.org for board, counts in counted if counts.series and definition in ("", board.definition)}
    if known and (without := [one for one in orgs or () if one not in known]):
        yield _none_of(f"series of {definition}" if definition else "series", without, known)


def _none_of(what: str, orgs: Collection[str], known: Collection[str]) -> str:
    """`known`: organisations that are named, where they are few, to who asks for one that nobody has heard of."""
    said = f"no {what} is of the organisation {shown(' or '.join(orgs))}"
    if not known or all(one in known for one in orgs):
        return said
    few = ", ".join(sorted(known)) if len(known) <= _FEW else f"{len(known)} others, see `soc orgs list`"
    return f"{said}: known are {few}"


def _must_be_known(kept: SqliteAnomalies, definition: str) -> None:
    """Raises `ConfigError` for a name that none has of those that run; where none runs, nothing is known."""
    names = sorted(kept.running()[0])
    if names and definition not in names:
        raise ConfigError(f"no series of the definition {definition}: there are {', '.join(names)}")


@app.command()
def explain(
    series: SeriesArgument,
    time: Annotated[str, typer.Argument(help="2026-03-02T08:30, in the settings' zone unless it names one.")],
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """One bucket of a series: what was, what was expected and why, and the search for the events behind it."""
    from detector.explain import query_of
    from detector.level import level_of

    settings = load(config, data_dir)
    kept = SqliteAnomalies(settings.data_dir)
    one, at = kept.one(series, EVERYTHING).series, time_of(time, ZoneInfo(settings.detect.zone))
    definition = _definition(kept, one.board.definition)
    width = definition.bucket_ms if definition else 60_000
    start = at - at % width
    reading = next(iter(kept.readings(one, start, start + width)), None)
    inside = next((a for a in kept.list(EVERYTHING, series=series, limit=1000) if a.since <= start <= a.until), None)
    query = query_of(definition, one, start, start + width) if definition else ""
    zone = ZoneInfo(settings.detect.zone)
    level = (
        level_of(definition, zone, one.born, *kept.since_snapshot(one, start + width))
        if definition and reading
        else None
    )
    if json:
        print_json({"series": series, "time": iso(start), "reading": reading._asdict() if reading else None,
                    "level": level._asdict() if level else None,
                    "anomaly": asdict(inside) if inside else None, "query": query})  # fmt: skip
        return
    out = console()
    if reading is None:
        out.print(f"nothing is known of {local_time(start)}: no events came, or it is longer ago than is kept")
    else:
        out.print(f"{local_time(start)}: {_number(reading.value)} of {reading.weight:g} events")
        out.print(f"expected {_number(reading.expected)}, band {_number(reading.lower)} to {_number(reading.upper)}")
        learning = ", still learning" if reading.learning else ""
        out.print(f"score {reading.score:.3f} (at 0.5 its surprises are ten powers of ten together){learning}")
    if level is not None:
        _print_level(out, level)
    if inside is not None:
        out.print(f"in an anomaly since {local_time(inside.since)}, alert {inside.alert}: at its farthest {_number(inside.actual)}, "
                  f"expected {_number(inside.expected)}; {', '.join(f'{k} {v:g}' for k, v in inside.parts.items())}")  # fmt: skip
    if query:
        out.print(f"the events: {shown(query)}")


def _print_level(out: Console, level: Level) -> None:
    if level.since is not None:
        out.print(f"a new level is taken as usual since {local_time(level.since)[:10]}: it had stayed for three days")
    if level.leaning:
        went = f"in three days the usual went from {_number(level.before)} to {_number(level.usual)}"
        leaks = ": a slow leak" if level.leaks else ""
        out.print(f"{went}, {abs(level.leaning):.1f} times the change that chance makes{leaks}")


@app.command()
def backtest(
    days: Annotated[int, typer.Option(help="Whole days to look back.", min=1, max=366)] = 30,
    series: Annotated[
        Path | None,
        typer.Option(help="File or folder of definitions; without it those that run.", show_default=False),
    ] = None,
    org: Annotated[list[str] | None, typer.Option(help="Only of this organisation; may be given again.")] = None,
    minutes: Annotated[
        int | None, typer.Option(help="End after so long, with what was found until then.", min=1, show_default=False)
    ] = None,
    report_to: Annotated[
        Path | None,
        typer.Option(help="A folder for progress.json and, at the end, outcomes.json.", show_default=False),
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """What would have been called about in stored events. Nothing is raised or kept. The first day of each series is for learning, of
    volumes 14 days, of means by load 21. Ctrl-C is safe: the same command, the same day, goes on where it was."""
    from soc.service.declared import definitions_of
    from soc.service.observed import open_trial
    from soc.service.process import configure_logging, now_ms

    configure_logging()
    settings = load(config, data_dir)
    definitions = _read(series) if series else definitions_of(settings)
    for fault in definitions.faults:
        typer.echo(f"soc: left out: {fault}", err=True)
    for one in definitions.by_name.values():
        if one.learning_ms >= days * DAY_MS:
            why = f"it learns for {one.learning_ms // DAY_MS} d, and {days} d are looked at"
            typer.echo(f"soc: nobody is called about {one.name}: {why}", err=True)
    with open_trial(settings, definitions, _scope(org), days, now_ms) as trial:
        for progress in trial.run(minutes * 60 if minutes else None):
            if report_to:
                so_far = {"done": progress.done, "total": progress.total, "events": progress.events}
                write_whole(report_to / "progress.json", orjson.dumps(so_far))
        outcome = trial.outcome()
        if report_to:
            write_whole(report_to / "outcomes.json", orjson.dumps([plain(outcome)]))
        trial.forget()
    if json:
        print_json(plain(outcome))
    else:
        _print(outcome)
    if org and not outcome.events:
        typer.echo(_none_of("event", org, _with_events(settings)), err=json)
    if definitions.faults:
        raise typer.Exit(3)


def _with_events(settings: Settings) -> set[str]:
    """Organisations that send, or have sent, as far as is known without reading all events."""
    from soc.service.stores import open_stores

    kept = SqliteAnomalies(settings.data_dir)
    seen = {board.org for board in kept.counts(EVERYTHING)}
    kept.close()
    return seen | {source.org for source in open_stores(settings).sources.list(EVERYTHING)}


def _read(place: Path) -> Definitions:
    """Raises `ConfigError` where there is nothing."""
    from detector.series.definition import Definitions, load, loads
    from detector.series.document import text_of

    if not place.exists():
        raise ConfigError(f"--series {place}: no such file or folder")
    if place.is_dir():
        return load([place])
    faults: list[RuleError] = []
    text = text_of(place, faults)
    return Definitions({}, tuple(faults)) if text is None else loads(text, str(place))


def _print(outcome: SeriesOutcome) -> None:
    out = console()
    table = Table("since", "minutes", "what", "organisation", "actual", "expected", box=None, pad_edge=False)
    for one in reversed(outcome.anomalies):
        anomaly, what = one.anomaly, f"{one.anomaly.definition} {shown(' + '.join(one.key))}"
        table.add_row(local_time(anomaly.since), str((anomaly.until - anomaly.since) // 60_000), what, anomaly.org,
                      _number(anomaly.actual), _number(anomaly.expected))  # fmt: skip
    nobody = "nobody would have been called" if outcome.events else "there was no event"
    out.print(table if outcome.anomalies else nobody)
    out.print(f"{outcome.alerts} alerts of {outcome.series} series, {outcome.events} events")
    if outcome.reached is not None:
        out.print(f"looked at {local_time(outcome.began)} to {local_time(outcome.reached)}")
    for lack in lacks(outcome):
        out.print(shown(lack))
    if outcome.learning:
        out.print(f"{outcome.learning} series were learning to the end: nobody is called about those")
    if outcome.total > len(outcome.anomalies):
        out.print(f"only the newest {len(outcome.anomalies)} of {outcome.total} anomalies are shown")
    if outcome.beyond:
        out.print(f"about {outcome.beyond} more keys had no room and were counted as other")
    if outcome.cut is not None:
        why = "the time was over" if outcome.cut is Cut.TIME else "the room on the disk was used"
        out.print(f"it ended before {local_time(outcome.until)}: {why}")


@app.command()
def reset(
    series: SeriesArgument,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the audit.")],
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Have a series learn anew. The observer does it within a second, or when it is started."""
    from soc.service.process import now_ms

    settings, stores = stores_of(config, data_dir)
    kept = SqliteAnomalies(settings.data_dir)
    kept.one(series, EVERYTHING)
    stores.audit.record(AuditEntry(now_ms(), caller(), "series.reset", series, reason[:2000]))
    kept.reset(series, EVERYTHING)
    console().print("it learns anew from its next bucket on")


def _scope(orgs: list[str] | None) -> Scope:
    return Scope(frozenset(orgs)) if orgs else EVERYTHING


def _state(kept: SqliteAnomalies, zone: ZoneInfo, one: Known, definition: Definition | None) -> str:
    from detector.ready import ready_of

    if one.last is not None and not one.last.learning:
        return "watched"
    ready = ready_of(definition, zone, one.series, one.last, kept) if definition else None
    return "learning" if ready is None else f"learning, ready on {local_time(ready)}"


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.4g}"


def _definition(kept: SqliteAnomalies, name: str) -> Definition | None:
    from detector.series.definition import readable

    return readable(kept.running()[0]).get(name)
