"""Events read in portions: after each, what has to be is committed, and all else forgotten."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detector.series.aggregate import Aggregator
from detector.series.board import Closed
from detector.series.definition import Definition
from detector.series.late import Counted
from soc.model.event import Stored

Reading = tuple[float | None, float]


def read_in_portions(
    definitions: dict[str, Definition], events: Sequence[Stored], cuts: Sequence[int] = ()
) -> tuple[list[Closed], Aggregator, dict]:
    """What was closed, the last aggregator, and what is committed of closed buckets."""
    committed: dict = {}
    counted = Counted(lambda place, start: committed.get((place, start)))
    aggregator, found = Aggregator(definitions, counted=counted), []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(events)], strict=True):
        closed = list(aggregator.feed(events[start:end]))
        found += closed
        ahead = [(one.board.place, one.start) for one in closed if one.back]
        asked_from = {one.place: one.asked_from for one in aggregator.boards()}
        for place, ts in list(committed):
            if ts < asked_from[place] or any(place == other and ts >= to for other, to in ahead):
                del committed[place, ts]
        committed.update(counted.taken(asked_from))
        saved = {key: msgspec.msgpack.decode(msgspec.msgpack.encode(one)) for key, one in aggregator.dump().items()}
        if end < len(events):
            counted = Counted(lambda place, start: committed.get((place, start)))
            aggregator = Aggregator(definitions, counted=counted)
            aggregator.load(saved)
    return found, aggregator, committed


def finally_read(closed: Sequence[Closed]) -> dict[tuple[str, int, int], Reading]:
    """Definition, bucket and slot -> its reading, with what came late."""
    found: dict = {}
    for one in closed:
        name = one.board.definition.name
        found |= {(name, *at): reading for at, reading in one.late.items() if (name, *at) in found}
        found |= {(name, one.start, slot): reading for slot, reading in one.readings or []}
    return found
