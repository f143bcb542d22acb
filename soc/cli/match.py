"""`soc match`: Sigma rules over JSON events, one line a match."""

from __future__ import annotations

import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import orjson
import typer

from rules.correlate.sweep import Hit, Sweeps
from rules.desk.cases import ms_of
from rules.engine import Engine
from rules.load.folders import CONTENT
from rules.match.database import Blobs
from rules.rule import RuleSet
from soc.cli.lines import opened
from soc.cli.ruleset import command_cache, load_rules
from soc.errors import ConfigError
from soc.model.event import Fields
from soc.model.reader import Reader

RulesOption = Annotated[
    list[Path] | None, typer.Option("--rules", help="Rule file or directory; may be repeated.", show_default=False)
]
PipelineOption = Annotated[
    list[str] | None,
    typer.Option("--pipeline", help="Sigma processing pipeline, by name or file; may be repeated.", show_default=False),
]


def match(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="NDJSON events, nested or flat; .gz is read as gzip; - is standard input. Directories and .yml files are rules, too.",
            show_default="-",
        ),
    ] = None,
    rules: RulesOption = None,
    pipeline: PipelineOption = None,
    count: Annotated[
        bool, typer.Option("--count", help="Only the number of matches of each rule, as one JSON object.")
    ] = False,
) -> None:
    """Match events against Sigma rules.

    Prints {"rule_id", "title", "line"} for each match; a hit of a correlation also has "lines", its whole window, and comes after
    the last event. Exit status: 0 all good, 2 bad usage, 3 some lines or some rules were bad (on standard error: which, and why).
    """
    file = "-"
    try:
        more, file = _sorted_out(files or [])
        ruleset = load_rules([*(rules or []), *more] or [CONTENT], pipeline or [])
        with opened(file) as lines, command_cache() as cache:
            run = _Run(ruleset, count, cache)
            bad = run.over(lines)
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None
    except (ConfigError, OSError, EOFError, zlib.error) as error:
        reason = f"{file}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        typer.echo(f"soc match: {reason}", err=True)
        raise typer.Exit(2) from None
    faults = [str(error) for error in ruleset.errors]
    faults += [f"rule {rule_id} was stopped: {reason}" for rule_id, reason in run.engine.broken.items()]
    faults += [
        f"rule {rule_id} was left out: it asks for the list {', '.join(names)}, which a processing pipeline may give"
        for rule_id, names in run.engine.unlisted.items()
    ]
    for fault in faults:
        typer.echo(f"soc match: {fault}", err=True)
    if bad:
        typer.echo(f"soc match: {bad} lines are no JSON objects, or nested too deeply, and were left out", err=True)
    if bad or faults:
        raise typer.Exit(3)


def _sorted_out(files: list[str]) -> tuple[list[Path], str]:
    """`--rules A B EVENTS` leaves B among the files: rules and the one file of events are told apart by what they are."""
    rules = [Path(file) for file in files if file.endswith((".yml", ".yaml")) or Path(file).is_dir()]
    events = [file for file in files if Path(file) not in rules]
    if len(events) > 1:
        raise ConfigError(f"one file of events at a time, not {', '.join(events)}")
    return rules, events[0] if events else "-"


class _Any(msgspec.Struct):
    """A JSON object of which nothing is wanted."""


well_formed = msgspec.json.Decoder(_Any).decode  # a quarter of the time of reading it


class _Run:
    """One pass over the events; matches go to standard output as they are found."""

    def __init__(self, ruleset: RuleSet, count: bool, blobs: Blobs) -> None:
        self.engine = Engine(ruleset, ZoneInfo("UTC"), blobs=blobs)
        self._counts: Counter[str] | None = Counter() if count else None
        self._sweeps = Sweeps(ruleset)
        self._write = sys.stdout.buffer.write

    def over(self, lines: Iterator[bytes]) -> int:
        """Match every line; returns how many could not be read."""
        bad = 0
        admits, read = self.engine.gauge().admits, Reader().read
        for number, line in enumerate(lines, 1):
            try:
                if not admits(line):
                    well_formed(line)
                    continue
                fields = read(line)
            except (ValueError, TypeError, RecursionError):
                bad += bool(line.strip())
                continue
            self._match(number, fields, line)
        for sweep in self._sweeps:
            for hit in sorted(sweep.hits(), key=lambda hit: hit.line) if not sweep.rule.silent else ():
                self._print(sweep.rule.id, sweep.rule.title, hit.line, hit)
        if self._counts is not None:
            self._write(orjson.dumps(dict(self._counts.most_common())) + b"\n")
        sys.stdout.buffer.flush()
        return bad

    def _match(self, number: int, fields: Fields, line: bytes) -> None:
        for fired in self.engine.plan(fields).fire(fields, line):
            rule = fired.rule
            if not rule.silent:
                self._print(rule.id, rule.title, number, None)
            if (at := ms_of(fields.get("@timestamp"))) is not None:
                self._sweeps.add(rule.id, str(fields.get("organization.id", "")), at, number, fields)

    def _print(self, rule_id: str, title: str, number: int, hit: Hit | None) -> None:
        if self._counts is not None:
            self._counts[rule_id] += 1
            return
        shown: dict[str, object] = {"rule_id": rule_id, "title": title, "line": number}
        if hit is not None:
            shown["lines"] = hit.lines
        self._write(orjson.dumps(shown) + b"\n")
