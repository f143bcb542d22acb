"""The lines of a simulated province as the collector stores them: parsed, and personal data masked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from collector.base import Record
from collector.parse.record import to_event
from collector.privacy import Masker
from soc.model.event import Event
from soc.model.source import Source, Transport
from soc.simulator import World


def events_of(world: World, end: int) -> Iterator[Event]:
    """Before `end` (ms), in the order of the lines."""
    masker = Masker(b"the same key in every run")
    for number, line in enumerate(world.lines(end)):
        yield to_event(Record(line.text.encode(), str(number)), _source(line.stream), masker, line.at)


@cache
def _source(stream: str) -> Source:
    return Source(stream, stream, "hungyen", stream, Transport.FILE)
