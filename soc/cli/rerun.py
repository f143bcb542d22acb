"""`soc rules rerun`: what correlations would have found had all events come in time."""

from __future__ import annotations

import time
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from soc.cli.context import ConfigOption, DataDirOption, caller, console, local_time, time_of
from soc.errors import ConfigError
from soc.locks import only_one
from soc.model.event import iso
from soc.model.org import EVERYTHING, Scope
from soc.model.rerun import Missed
from soc.service.backtest import choose
from soc.service.handover import RERUNS, Taken, hand_over, take, taken, unread
from soc.service.process import configure_logging, now_ms
from soc.service.rerun import Rerun, open_rerun
from soc.service.stores import open_detections, open_stores
from soc.settings import Settings, load
from soc.store.base import AuditEntry

_LOOK_S = 0.5
_PATIENCE_S = 60.0


def rerun(
    from_: Annotated[str, typer.Option("--from", help="Local time, such as 2026-03-02 or 2026-03-02T08:30.")],
    to: Annotated[str, typer.Option("--to", help="Local time; not itself.")],
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Only this one: id, name or title; may be given again.", show_default=False),
    ] = None,
    org: Annotated[
        list[str] | None,
        typer.Option("--org", help="Only of this organisation; may be given again.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Evaluate correlations once more over stored events, as if all had come in time, and add what is missing: the detector writes it,
    under the ids that it would have had, so that nothing is there twice. Ctrl-C is safe: the same command goes on where it was.
    """
    configure_logging()
    settings = load(config, data_dir)
    zone = ZoneInfo(settings.detect.zone)
    since, until = time_of(from_, zone), time_of(to, zone)
    chosen = choose(settings, [], rule or [])
    for error in chosen.errors:
        typer.echo(f"soc: left out: {error}", err=True)
    with open_rerun(settings, chosen, Scope(frozenset(org)) if org else EVERYTHING, since, until, now_ms()) as running:
        _run(running)
        missed = running.missed()
        _tell(running, missed)
        if not dry_run:
            _record(settings, running, rule, org, missed)
            if missed.findings:
                done = _hand_over(settings, running, missed)
                console().print(f"{done.findings} findings added, {done.alerts} new alerts")
        running.forget()  # more may come late until it is asked again


def _run(running: Rerun) -> None:
    columns = (TextColumn("going on where it was stopped" if running.resumed else "rerun"), BarColumn(),
               TextColumn("{task.fields[events]:,} events"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=running.test.progress.total, events=0)
        for progress in running.test.run():
            bar.update(task, completed=progress.done, events=progress.events)


def _tell(running: Rerun, missed: Missed) -> None:
    out = console()
    out.print(
        f"from {local_time(running.range.since)} to {local_time(running.range.until)}: {len(missed.findings)} findings are missing"
    )
    for doc in missed.rules:
        of = [finding for finding in missed.findings if finding.rule_id == doc.id]
        out.print(f"  {doc.title}: {len(of)} findings of {len({finding.alert_id for finding in of})} alerts")
    for rule_id, reason in running.engine.correlations.shortcomings():
        out.print(f"  {rule_id}: not exact: {reason}")
    for rule_id, names in running.engine.unlisted.items():
        out.print(f"  {rule_id}: left out: there is no list {', '.join(names)}")


def _record(
    settings: Settings, running: Rerun, rules: list[str] | None, orgs: list[str] | None, missed: Missed
) -> None:
    over = f"{iso(running.range.since)} to {iso(running.range.until)}"
    of = f"{', '.join(rules or ['all rules'])}; {', '.join(orgs or ['all organisations'])}"
    detail = f"{over}; {of}; {len(missed.findings)} findings were missing"
    open_stores(settings).audit.record(AuditEntry(now_ms(), caller(), "rules.rerun", running.id, detail[:2000]))


def _hand_over(settings: Settings, running: Rerun, missed: Missed) -> Taken:
    """To the detector; where none runs, we are it for as long as that takes."""
    hand_over(settings.data_dir, RERUNS, running.id, missed.findings, missed.rules)
    until = time.monotonic() + _PATIENCE_S
    while (done := taken(settings.data_dir, RERUNS, running.id)) is None:
        if (aside := unread(settings.data_dir, RERUNS, running.id)) is not None:
            raise ConfigError(
                f"the detector cannot read what it was given, {aside}: is it of another version? See its log"
            )
        try:
            with only_one(settings.data_dir, "detector"), open_detections(settings) as detections:
                take(
                    settings.data_dir,
                    lambda findings, docs: detections.commit(findings, docs, {}, detections.cursor(), None, now_ms()),
                )
        except ConfigError:  # one runs
            if time.monotonic() > until:
                raise ConfigError("the detector has not taken it up yet; it does so once it can write") from None
            time.sleep(_LOOK_S)
    return done
