"""`soc entities`: who in a log behaves unlike themselves and unlike their peers, as it would be shown to an analyst."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Iterator
from datetime import tzinfo
from typing import IO, Annotated

import orjson
import typer

from collector.parse.record import zone_of
from detector.entities.budget import Budget
from detector.entities.choose import chosen
from detector.entities.document import time_of
from detector.entities.item import Item, iso_of
from detector.entities.stream import Kind, Stream, stream_of
from detector.entities.zone import ahead_ms
from detector.people.words import worded
from soc.cli.lines import opened
from soc.errors import ConfigError
from soc.model.event import flat, iso
from soc.service.process import relax_garbage_collection

_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SAMPLE = 5000  # events that are read before fields are chosen, and ...
_SAMPLE_BYTES = 32 << 20  # ... how much of the log at most
_REASONS = 5  # that are printed of an item
_MAX_LINE = 1 << 24


def entities(
    entity: Annotated[
        str,
        typer.Option(
            "--entity",
            metavar="FIELD[,FIELD]",
            help="What is watched: user.id, source.ip ... Each field is a kind of its own; A+B is the pair of both.",
        ),
    ],
    file: Annotated[
        str,
        typer.Argument(
            help="NDJSON events in order of time, nested or flat; .gz is read as gzip; - is standard input."
        ),
    ] = "-",
    what: Annotated[
        str | None,
        typer.Option(
            "--what", metavar="FIELD[,FIELD]", help="Fields to look at; without it they are chosen.", show_default=False
        ),
    ] = None,
    bucket: Annotated[str, typer.Option(help="How long a bucket is: 5m, 15m, 1h ...")] = "15m",
    per_day: Annotated[int, typer.Option(min=1, max=1000, help="Most items of a day.")] = 10,
    zone: Annotated[str, typer.Option(help="Zone of days and hours: a name or an offset such as +07:00.")] = "UTC",
) -> None:
    """Find who behaves unlike themselves and unlike their peers.

    One pass over the events; prints {"time", "entity", "score", "why": [...]} for each item when its bucket has closed, at most
    --per-day of a day. Exit status: 0 all good, 2 bad usage, 3 some lines were bad (on standard error: how many, and why).
    """
    try:
        kinds, fields = _names(entity, "--entity", 4), _names(what, "--what", 32) if what is not None else []
        run = _Run(kinds, fields, _length(bucket), per_day, zone_of(zone))
        relax_garbage_collection()
        with opened(file) as stream:
            bad = run.over(stream)
    except (ConfigError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, BrokenPipeError):
            raise
        reason = f"{file}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        typer.echo(f"soc entities: {reason}", err=True)
        raise typer.Exit(2) from None
    if bad:
        raise typer.Exit(3)


class _Run:
    """One pass; items go to standard output as they are found."""

    def __init__(self, kinds: list[str], what: list[str], bucket_ms: int, per_day: int, zone: tzinfo) -> None:
        self._kinds, self._what = kinds, what
        self._bucket_ms, self._per_day, self._zone = bucket_ms, per_day, zone
        self._bad = 0
        self._shown = 0

    def over(self, lines: IO[bytes]) -> int:
        """Returns how many lines could not be used."""
        documents = self._documents(lines)
        sample = list(self._sample(documents))
        what = self._what or self._chosen(sample)
        if not what:
            _say("no event, or no field whose values come again: nothing to look at; name fields with --what")
            return self._bad
        stream = stream_of(
            self._kinds, what, Budget(self._per_day, self._offset(sample)), self._bucket_ms, self._offset(sample)
        )
        for document in sample:
            self._print(stream.feed(document))
        sample.clear()
        for document in documents:
            self._print(stream.feed(document))
        self._print(list(stream.end()))
        self._report(stream)
        return self._bad + stream.undated

    def _documents(self, lines: IO[bytes]) -> Iterator[dict[str, object]]:
        while line := lines.readline(_MAX_LINE):
            if len(line) == _MAX_LINE and not line.endswith(b"\n"):
                self._bad += 1
                while (rest := lines.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                continue
            try:
                document = orjson.loads(line)
            except ValueError:
                self._bad += bool(line.strip())
                continue
            if document.__class__ is dict:
                yield document
            else:
                self._bad += 1

    def _sample(self, documents: Iterator[dict[str, object]]) -> Iterator[dict[str, object]]:
        """The first events, as many as are needed to choose fields; one where that is not needed."""
        size = 0
        for count, document in enumerate(documents, 1):
            yield document
            if self._what:
                return
            size += len(orjson.dumps(document))
            if count >= _SAMPLE or size >= _SAMPLE_BYTES:
                return

    def _chosen(self, sample: list[dict[str, object]]) -> list[str]:
        kind = Kind(self._kinds[0])
        rows = []
        for document in sample:
            name = kind.of(document)
            if name is not None:
                try:
                    rows.append((name, flat(document)))
                except ValueError:  # nested too deeply: other events will do
                    continue
        parts = {part for name in self._kinds for part in name.split("+")}
        what = [name for name in chosen(rows) if name not in parts or len(self._kinds) > 1]
        if what:
            _say(f"looking at {', '.join(what)} (--what says otherwise)")
        return what

    def _offset(self, sample: list[dict[str, object]]) -> int:
        """How far the zone is ahead of UTC when the log begins, ms."""
        first = next((ts for document in sample if (ts := time_of(document.get("@timestamp"))) is not None), 0)
        return ahead_ms(first, self._zone)

    def _print(self, items: list[Item]) -> None:
        for item in items:
            sys.stdout.buffer.write(orjson.dumps(_line(item, self._bucket_ms // 60_000)) + b"\n")
            sys.stdout.buffer.flush()
            self._shown += 1

    def _report(self, stream: Stream) -> None:
        """What an analyst must know of how it was found."""
        for text in stream.remarks(chosen=not self._what):
            _say(text)
        if self._bad:
            _say(f"{self._bad:,} lines are no JSON objects, or too long, and were left out")


def _line(item: Item, minutes: int) -> dict[str, object]:
    reasons = [
        {
            "feature": why.feature,
            "expected": round(why.expected, 4),
            "actual": round(why.actual, 4),
            **({"value": why.value} if why.value else {}),
            "peers": round(why.peers, 4),
            "surprise": round(why.surprise, 2),
            "text": worded(why, minutes, "en"),
        }
        for why in item.why[:_REASONS]
    ]
    return {
        "time": iso_of(item),
        "entity": item.entity,
        "score": round(item.score, 4),
        "why": reasons,
        "field": item.field,
        "since": iso(item.since),
        "events": item.events,
    }


def _say(text: str) -> None:
    typer.echo(f"soc entities: {text}", err=True)


def _names(text: str, option: str, most: int) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or len(names) > most:
        raise ConfigError(f"{option} {text!r} must name between 1 and {most} fields, with commas between them")
    if wrong := [name for name in names if len(name) > 256]:
        raise ConfigError(f"{option}: {wrong[0][:40]}... is no name of a field: it is longer than 256 characters")
    return names


def _length(text: str) -> int:
    found = re.fullmatch(r"(\d{1,6})([mhd])", text.strip(), re.ASCII)
    length = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 60_000 <= length <= 86_400_000:
        raise ConfigError(f"--bucket {text!r} is no length between 1m and 1d: write it like 5m, 15m or 1h")
    return length
