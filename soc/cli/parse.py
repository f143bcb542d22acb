"""`soc parse`: records to ECS documents, one a line."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
import typer

from collector.base import Record
from collector.parse.record import to_event, zone_of
from collector.parse.registry import PARSERS, Parser, parse_any
from collector.privacy import KEY_BYTES, Masked, Masker
from soc.errors import ConfigError
from soc.model.event import Event, nested, unwritable
from soc.model.source import Source, Transport

AUTO = "auto"
# A longer line is cut and says so, as the file reader does it: one line must not fill the memory.
MAX_LINE_BYTES = 1 << 20


class Unmasked(Masker):
    """Leaves lines as they are: for comparing parsers with public fixtures, never for collecting."""

    def mask(self, line: str) -> Masked:
        return Masked(line, line, {})


def parse(
    file: Annotated[str, typer.Argument(help="A file of records, one a line; - is standard input.")] = "-",
    source_type: Annotated[
        str, typer.Option(help=f"Dataset of the records ({', '.join(PARSERS)}), or auto to guess line by line.")
    ] = AUTO,
    flat: Annotated[bool, typer.Option("--flat", help="Dotted keys instead of nested objects.")] = False,
    zone: Annotated[
        str, typer.Option(help="Zone of times that carry none: a name or an offset such as +07:00.")
    ] = "Asia/Ho_Chi_Minh",
    org: Annotated[str, typer.Option(help="Agency code for organization.id.")] = "local",
    no_mask: Annotated[
        bool, typer.Option("--no-mask", help="Keep personal data as it is (public test data only).")
    ] = False,
) -> None:
    """Parse records to ECS documents: NDJSON on standard output, one document a line of input, dead letters included.

    Citizen ids and phone numbers become tokens of a key that is forgotten at the end: equal values have equal tokens within one
    run only. Exit status: 0 all parsed, 2 bad usage, 3 some lines became dead letters.
    """
    try:
        zone_of(zone)
        if source_type not in (*PARSERS, AUTO):
            raise ConfigError(f"source type {source_type!r} is unknown: use auto or one of {', '.join(PARSERS)}")
        dead, total = _run(_lines(file), _source(source_type, zone, org), flat, no_mask)
    except (ConfigError, OSError) as error:
        reason = f"{file}: {error.strerror}" if isinstance(error, OSError) else str(error)
        typer.echo(f"soc parse: {reason}", err=True)
        raise typer.Exit(2) from None
    if dead:
        typer.echo(
            f"soc parse: {dead} of {total} records could not be parsed; their documents say why in error.message",
            err=True,
        )
        raise typer.Exit(3)


def _source(source_type: str, zone: str, org: str) -> Source:
    return Source("parse", "parse", org, source_type, Transport.FILE, zone=zone)


def _run(lines: Iterator[Record], source: Source, flat: bool, no_mask: bool) -> tuple[int, int]:
    """Writes the documents; returns how many records were dead letters, and how many there were."""
    key = secrets.token_bytes(KEY_BYTES)
    masker = Unmasked(key) if no_mask else Masker(key)
    parser: Parser | None = parse_any if source.type == AUTO else None
    out = sys.stdout.buffer
    dead = total = 0
    for record in lines:
        event = to_event(record, source, masker, time.time_ns() // 1_000_000, parser)
        try:
            document = _document(event, flat)
        except TypeError:
            event = unwritable(event)
            document = _document(event, flat)
        total += 1
        dead += event.dead
        out.write(document)
    out.flush()
    return dead, total


def _document(event: Event, flat: bool) -> bytes:
    return orjson.dumps(event.fields if flat else nested(event.fields), option=orjson.OPT_APPEND_NEWLINE)


def _lines(file: str) -> Iterator[Record]:
    with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            note = None
            if len(line) > MAX_LINE_BYTES and line[-1:] != b"\n":
                whole = len(line)
                while (more := stream.readline(MAX_LINE_BYTES)) and not more.endswith(b"\n"):
                    whole += len(more)
                line = line[:MAX_LINE_BYTES]
                note = f"cut at {MAX_LINE_BYTES} of at least {whole} bytes"
            yield Record(line.rstrip(b"\r\n"), str(number), note)
