"""`soc score`: one time series, judged point by point."""

from __future__ import annotations

import gc
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Annotated

import typer

from collector.parse.record import zone_of
from detector.score import Kind
from detector.score.budget import MOST_ALARMS
from detector.score.series import score_lines
from soc.cli.lines import opened
from soc.errors import ConfigError

_SAID = 10  # bad lines that are named one by one


def score(
    file: Annotated[
        str, typer.Argument(help="CSV of a time and a value a line; .gz is read as gzip; - is standard input.")
    ] = "-",
    alarm_budget: Annotated[
        float,
        typer.Option("--alarm-budget", help="Half hours a week that may alarm; more than 48 count as 48.", min=0.01),
    ] = 4.0,
    kind: Annotated[
        Kind, typer.Option("--kind", help="What is measured: it decides on which scale noise is even.")
    ] = Kind.GAUGE,
    zone: Annotated[
        str, typer.Option(help="Zone of times that carry none, and of the days: a name or an offset such as +07:00.")
    ] = "Asia/Ho_Chi_Minh",
) -> None:
    """Score a time series: what each point should have been, how surprising it is, and where to alarm.

    One pass without a look ahead: timestamp,value in, timestamp,value,score,expected,lower,upper,anomaly out. Scores are 0 to 1
    and mean the same in all series; the budget decides which of them alarm. The first half day never does. Exit status: 0 all
    good, 2 bad usage, 3 some lines were bad and left out (on standard error: which, and why), or there was none.
    """
    gc.disable()  # nothing here makes cycles, and looking for them takes a tenth of the time
    faults = _Faults()
    scored = -1  # the header is no point
    try:
        if alarm_budget > MOST_ALARMS:
            typer.echo(
                f"soc: --alarm-budget {alarm_budget:g} counts as {MOST_ALARMS:g}, one half hour in seven: those beyond follow each"
                " other, and what follows an alarm is no other one",
                err=True,
            )
        with _text(file) as lines:
            write = sys.stdout.write
            for line in score_lines(
                lines, kind, zone_of(zone), min(alarm_budget, MOST_ALARMS), faults.add, _say_late, _say_outside
            ):
                write(line)
                scored += 1
            sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None
    except (ConfigError, OSError, EOFError, zlib.error) as error:
        reason = f"{file}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        typer.echo(f"soc score: {reason}", err=True)
        raise typer.Exit(2) from None
    if not scored:
        typer.echo(f"soc score: {file} has no line of a time and a value", err=True)
    if faults.count > _SAID:
        typer.echo(
            f"soc score: {faults.count} lines were left out, of which the first {_SAID} are named above", err=True
        )
    if faults.count or not scored:
        raise typer.Exit(3)


def _say_late(some: int, of: int) -> None:
    said = (
        f"{some} of {of} values are not later than those before them and were not judged: is the file in order of time?"
    )
    typer.echo(f"soc score: {said}", err=True)


def _say_outside(some: int, of: int) -> None:
    typer.echo(
        f"soc score: {some} of {of} values are not between 0 and 1: are they percents? A ratio is a share of one, 0.97 and not 97;"
        " what is beyond was judged as 0 or 1",
        err=True,
    )


class _Faults:
    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int, fault: str) -> None:
        self.count += 1
        if self.count <= _SAID:
            typer.echo(f"soc score: line {number}: {fault}", err=True)


@contextmanager
def _text(file: str) -> Iterator[IO[str]]:
    with opened(file) as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="\n")
        try:
            yield lines
        finally:
            lines.detach()  # else it would close standard input, too
