"""`soc simulate`: a province that writes native logs, with the truth about its incidents."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from soc.cli.run import stop_on_signals
from soc.errors import ConfigError
from soc.simulator import Planned, Rates, World, Writer, draw, play, read_plan, schedule
from soc.simulator.line import ZONE
from soc.simulator.writer import TRUTH

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# A demonstration begins with an incident at once, and has one a minute; a file for benchmarks has a realistic pause between them.
_FIRST_S, _PAUSE_S = {True: 3, False: 300}, {True: 60, False: 900}


def simulate(
    out: Annotated[
        Path,
        typer.Option(
            help=f"Directory for the log files and {TRUTH} (the incidents as they really are).", file_okay=False
        ),
    ],
    duration: Annotated[
        str | None,
        typer.Option(help="Simulated time: 90s, 30m, 1h, 2d. Default 1h; with --realtime, no end.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed and start give the same lines.")] = 1,
    start: Annotated[
        str | None,
        typer.Option(
            help="Begin of the simulated time, ISO 8601; Vietnamese time without a zone. Default now.",
            show_default=False,
        ),
    ] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Write each line when its time comes.")] = False,
    speed: Annotated[
        float, typer.Option(help="With --realtime: simulated seconds a second.", min=0.01, max=10_000)
    ] = 1.0,
    syslog: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Send the servers' messages here (RFC 5424 over TCP) instead of a file."
        ),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(help="Ordinary traffic, times the default of about 150,000 lines a day.", min=0.01, max=1000),
    ] = 1.0,
    incidents: Annotated[
        bool, typer.Option("--incidents/--no-incidents", help="Incidents, or ordinary traffic alone.")
    ] = True,
    faults: Annotated[
        str | None,
        typer.Option(
            metavar="random|FILE",
            help="Faults and quiet misuse instead of the loud incidents: `random`, or a plan in YAML or JSON (docs/simulator.md).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the logs of a simulated province: portal, OTP and LGSP gateways, servers; with labelled incidents."""
    begin = _begin(start)
    seconds = _seconds(duration) if duration else None if realtime else 3600
    planned: Iterable[Planned | tuple[int, str]] = ()
    if faults:
        planned = _faults(faults, seed, begin, seconds)
    elif incidents:
        planned = schedule(begin, _FIRST_S[realtime] * 1000, _PAUSE_S[realtime] * 1000)
    world = World(seed, begin, Rates().times(rate), planned)
    writer = Writer(out, _place(syslog) if syslog else None)
    began = time.monotonic()
    try:
        written = play(
            world.lines(begin + seconds * 1000 if seconds else None),
            writer,
            stop_on_signals(),
            world.incidents,
            speed if realtime else None,
        )
    finally:
        writer.close()
    took = max(time.monotonic() - began, 1e-9)
    sys.stderr.write(
        f"{written} lines and {len(world.incidents)} incidents in {took:.1f} s ({written / took:,.0f} lines/s), in {out}\n"
    )
    if writer.dropped:
        sys.stderr.write(f"soc: {writer.dropped} syslog messages were dropped: nobody listened on {syslog}\n")


def _faults(text: str, seed: int, begin: int, seconds: int | None) -> list[Planned]:
    if text != "random":
        return [planned for planned in read_plan(Path(text)) if planned.at >= begin]
    if seconds is None:
        raise ConfigError("--faults random needs --duration: the first half, at most 14 days, stays free of faults")
    return draw(seed, begin, begin + seconds * 1000)


def _begin(text: str | None) -> int:
    if text is None:
        return int(time.time() * 1000)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--start {text!r} is not a time: write it like 2026-03-02T08:00:00") from None
    return int((at if at.tzinfo else at.replace(tzinfo=ZONE)).timestamp() * 1000)


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9})([smhd])", text.strip())
    if not found or not int(found[1]):
        raise ConfigError(f"--duration {text!r} is not a duration: write it like 90s, 30m, 1h or 2d")
    return int(found[1]) * _UNITS[found[2]]


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"--syslog {text!r} is not a place: write it like 127.0.0.1:5514")
    return host.strip("[]"), int(port)
