"""`soc alerts`: triage from a terminal."""

from __future__ import annotations

import os
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

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
from soc.model.account import Account, Role
from soc.model.alert import Decision, Status, Verdict
from soc.model.org import EVERYTHING
from soc.service.process import now_ms
from soc.store.base import AlertFilter

app = typer.Typer(help="List, show, acknowledge, close and reopen alerts.", no_args_is_help=True)

AlertId = Annotated[str, typer.Argument(help="Id of the alert, as `soc alerts list` shows it.")]
Comment = Annotated[
    str | None, typer.Option("--comment", "-m", help="Kept in the alert's history.", show_default=False)
]


class Level(StrEnum):
    informational = "informational"
    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"


@app.command("list")
def list_(
    status: Annotated[Status | None, typer.Option(help="Only alerts in this state.", show_default=False)] = None,
    level: Annotated[Level | None, typer.Option(help="Only alerts of this level.", show_default=False)] = None,
    org: Annotated[str | None, typer.Option(help="Only this organisation.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 50,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Newest alerts first."""
    _, stores = stores_of(config, data_dir)
    where = AlertFilter(status=status, level=level.value if level else None, org=org)
    alerts = stores.alerts.list(where, EVERYTHING, limit=limit).items
    if json:
        for alert in alerts:
            print_json(asdict(alert))
        return
    table = Table(
        "id", "level", "alert", "organisation", "entity", "events", "last seen", "status", box=None, pad_edge=False
    )
    for alert in alerts:
        table.add_row(
            alert.id,
            alert.level,
            alert.title,
            alert.org,
            shown(alert.entity),
            str(alert.count),
            local_time(alert.last_seen),
            alert.triage.status,
        )
    console().print(table if alerts else "No alerts.")


@app.command()
def show(
    alert_id: AlertId,
    events: Annotated[int, typer.Option(min=0, max=1000, help="How many folded events to print.")] = 5,
    json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """One alert: what fired, on what, its first events, its history and what to do."""
    _, stores = stores_of(config, data_dir)
    alert = stores.alerts.get(alert_id, EVERYTHING)
    findings = stores.alerts.findings(alert_id, EVERYTHING, limit=max(events, 1)).items[:events]
    lines = {event.id: event.fields for event in stores.events.many([f.event_id for f in findings], EVERYTHING)}
    history = stores.triage.history(alert_id)
    rule = stores.alerts.rule(alert.rule_hash)
    if json:
        found = [{"matched": f.matched, "event": lines.get(f.event_id)} for f in findings]
        print_json(
            asdict(alert) | {"findings": found, "history": [asdict(c) for c in history], "runbook": rule.runbook}
        )
        return
    out = console()
    out.print(f"{alert.title}  ({alert.level}, {alert.triage.status})", style="bold")
    out.print(f"{alert.org}: {alert.entity_field} = {shown(alert.entity)}")
    out.print(
        f"{alert.count} events, {local_time(alert.first_seen)} to {local_time(alert.last_seen)}  {' '.join(alert.tags)}"
    )
    for finding in findings:
        fields = lines.get(finding.event_id)
        out.print("  " + (shown(fields["event.original"]) if fields else "(event no longer kept)"))
        why = ", ".join(f"{name} = {shown(value)}" for name, value in finding.matched.items())
        out.print(f"    because {why}", style="dim")
    for change in history:
        out.print(
            f"{local_time(change.at)} {change.by}: {change.field} {shown(change.old or '')} -> {shown(change.new)}"
        )
    language = "vi" if os.environ.get("LANG", "").startswith("vi") else "en"
    out.print("\n" + (rule.runbook.get(language) or rule.runbook.get("en") or "This rule has no runbook."))


@app.command()
def ack(
    alert_id: AlertId, comment: Comment = None, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Acknowledge: somebody is looking at it."""
    _change(alert_id, Status.ACKNOWLEDGED, None, comment, config, data_dir)


@app.command()
def close(
    alert_id: AlertId,
    verdict: Annotated[Verdict, typer.Option(help="Was it real? benign: it happened, and it is allowed.")],
    comment: Comment = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Close with a verdict."""
    _change(alert_id, Status.CLOSED, verdict, comment, config, data_dir)


@app.command()
def reopen(
    alert_id: AlertId, comment: Comment = None, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Make a closed alert new again; its verdict is cleared, the history keeps it."""
    _change(alert_id, Status.NEW, None, comment, config, data_dir)


def _change(
    alert_id: str,
    status: Status,
    verdict: Verdict | None,
    comment: str | None,
    config: ConfigOption,
    data_dir: DataDirOption,
) -> None:
    from api.harmless import Standing
    from api.triage import decide
    from soc.model.unusual import of_entity
    from soc.store.anomalies import SqliteAnomalies, anomalies_file
    from soc.store.unusual import SqliteUnusual

    settings, stores = stores_of(config, data_dir)
    me = Account(caller(), Role.ADMIN, EVERYTHING)
    file = anomalies_file(settings.data_dir)
    ground = Standing(stores, SqliteAnomalies(settings.data_dir), SqliteUnusual(file), now_ms)
    done = decide(ground, me, alert_id, Decision(status=status, verdict=verdict, comment=comment))
    console().print(f"{done.alert.id} is {status}" + (f" as {verdict}" if verdict else ""))
    if done.moved:
        entity = of_entity(done.alert.rule_id)
        what = "as surprising as then" if entity else "as far off as then"
        said = f"{what} is harmless now" if verdict is Verdict.BENIGN else "what held before the verdict holds again"
        whose, page = ("the entity", "who behaves unusually") if entity else (f"{done.moved} series", "anomalies")
        console().print(f"{whose}: {said}; the page of {page} lists it")
