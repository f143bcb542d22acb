"""`soc sources`: enrol the logs of a system."""

from __future__ import annotations

import glob
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from soc.cli import onboarding
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
from soc.model.calendar import day_of
from soc.model.org import EVERYTHING
from soc.model.source import Source, Transport
from soc.service.process import now_ms

app = typer.Typer(help="Enrol log sources, and see how they are doing.", no_args_is_help=True)
onboarding.register(app)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Short name of the source: small letters, digits, `.`, `-`, `_`.")],
    type_: Annotated[
        str, typer.Option("--type", help="What its lines are: nginx.access, linux.auth, syslog, otp.gateway ...")
    ],
    org: Annotated[str, typer.Option(help="Agency code of the organisation that it belongs to.")],
    path: Annotated[
        list[str] | None, typer.Option(help="File or glob to follow; may be given again.", show_default=False)
    ] = None,
    sender: Annotated[
        list[str] | None,
        typer.Option(
            "--from", help="Address or CIDR block that sends it by syslog; may be given again.", show_default=False
        ),
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            help="What to probe: https://, http://, tcp://, tls:// or dns:// and a host; may be given again.",
            show_default=False,
        ),
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="It is sent by HTTP: a token is made.")] = False,
    zone: Annotated[str, typer.Option(help="Zone of times that name none.")] = "Asia/Ho_Chi_Minh",
    title: Annotated[str, typer.Option(help="Name for people.", show_default=False)] = "",
    system: Annotated[
        str, typer.Option(help="System whose logs these are: portal, motcua, lgsp ...", show_default=False)
    ] = "",
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Enrol a source. Exactly one of --path, --from, --probe and --push says how its lines arrive."""
    from api.directory import read_directory
    from api.onboarding import enrol_source

    transport, where = _way(path, sender, probe, push)
    source = Source(name, title or name, org, type_, transport, where, zone, created_at=now_ms())
    settings, stores = stores_of(config, data_dir)
    token = enrol_source(stores, source, EVERYTHING, by=caller(), system=system or "", here=True)
    out = console()
    out.print(f"source {name} is enrolled")
    if doubt := read_directory(stores.policies).doubt(org, day_of(source.created_at)):
        out.print(f"note: {doubt}")
    collect = settings.collect
    if token:
        out.print(f"token (shown once): {token}")
        out.print(
            f"try it: curl -H 'Authorization: Bearer {token}' --data-binary @FILE http://{collect.http_host}:{collect.http_port}/ingest",
        )
    elif transport is Transport.FILE and not any(glob.glob(pattern) for pattern in where):  # noqa: PTH207 - the pattern is absolute
        out.print("no file matches yet: it is read as soon as one is there")
    elif transport is Transport.SYSLOG:
        out.print(f"what its sender needs: soc sources config {name} --host ADDRESS-OF-THIS-MACHINE")
    elif transport is Transport.PROBE and not collect.probe_networks:
        out.print(
            "note: collect.probe_networks is empty: no probe is made until it names the networks that may be probed"
        )
    out.print(f"whether it works: soc sources check {name}")


@app.command("list")
def list_(json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Every source with its last event, rate and problems."""
    _, stores = stores_of(config, data_dir)
    health = stores.health.health()
    sources = stores.sources.list(EVERYTHING)
    if json:
        for source in sources:
            state = health.get(source.id)
            print_json(asdict(source) | {"health": asdict(state) if state else None})
        return
    columns = ("source", "type", "organisation", "by", "last event", "records", "dead letters", "records/s", "problem")
    table = Table(*columns, box=None, pad_edge=False)
    for source in sources:
        state = health.get(source.id)
        seen = (
            (
                local_time(state.last_event),
                str(state.records),
                str(state.dead),
                f"{state.rate:.1f}",
                shown(state.problem or ""),
            )
            if state
            else ("never seen", "0", "0", "0.0", "")
        )
        name = source.id if source.enabled else f"{source.id} (disabled)"
        table.add_row(name, source.type, source.org, source.transport, *seen)
    console().print(table if sources else "No sources yet: `soc sources add --help`.")


@app.command()
def disable(name: str, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Stop reading a source; its token stops working. Its events stay."""
    _switch(name, False, config, data_dir)
    console().print(f"source {name} is disabled; its events stay")


@app.command()
def enable(name: str, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Read a disabled source again."""
    _switch(name, True, config, data_dir)
    console().print(f"source {name} is enabled")


def _switch(name: str, on: bool, config: Path | None, data_dir: Path | None) -> None:
    from api.onboarding import switch_source

    _, stores = stores_of(config, data_dir)
    switch_source(stores, stores.sources.get(name, EVERYTHING), EVERYTHING, on=on, by=caller())


def _way(
    path: list[str] | None, sender: list[str] | None, probe: list[str] | None, push: bool
) -> tuple[Transport, tuple[str, ...]]:
    if bool(path) + bool(sender) + bool(probe) + push != 1:
        raise ConfigError("say how the lines arrive with exactly one of --path, --from, --probe and --push")
    if probe:
        return Transport.PROBE, tuple(probe)
    if path:
        return Transport.FILE, tuple(str(Path(pattern).absolute()) for pattern in path)
    return (Transport.PUSH, ()) if push else (Transport.SYSLOG, tuple(sender or ()))
