"""Which fields to look at when nobody says: by how their values behave among the first events, not by their names.

A field is of use when its values come again for the same entity (else everything is always new), when they differ at all, and when they
tell something that no field chosen before them tells.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from math import log, sqrt

from soc.model.event import Fields
from soc.query.values import instant

MOST = 8  # fields that are chosen
_NAMES = 1000  # fields that are considered, and ...
_NAMES_EACH = 300  # ... of one event
_LEAST_COVER = 0.01
_LEAST_AGAIN = 0.3
_MOST_NUMBERS = 100  # different ones, before they are marks and no kinds
_MARK = re.compile(r"\d+|0x[0-9a-fA-F]+|\{?[0-9a-fA-F-]{32,36}\}?", re.ASCII)
_SAME = 1.05  # values of two fields together, over those of the one that has more: below it, one follows from the other
_TIMES = (
    "@timestamp",
    "event.created",
    "event.ingested",
    "event.start",
    "event.end",
    "event.id",
    "event.original",
    "message",
    "log.offset",
)


def chosen(sample: Sequence[tuple[str, Fields]]) -> list[str]:
    """The fields to look at, best first. `sample`: the first events, each with its entity."""
    values = _columns(sample)
    merits = {name: _merit(column, sample) for name, column in values.items()}
    ranked = sorted((name for name in merits if merits[name] > 0), key=lambda name: (-merits[name], name))
    best: list[str] = []
    for name in ranked:
        if len(best) < MOST and not any(_same(values[name], values[other]) for other in best):
            best.append(name)
    return best


def _columns(sample: Sequence[tuple[str, Fields]]) -> dict[str, dict[int, str]]:
    """Field -> row -> value, as text; of lists the first."""
    columns: dict[str, dict[int, str]] = {}
    for row, (entity, fields) in enumerate(sample):
        for name, value in islice(fields.items(), _NAMES_EACH):
            if isinstance(value, list):
                value = value[0] if value else None
            if value is None or isinstance(value, dict | float) or value == "" or name in _TIMES:
                continue
            text = str(value)
            if text == entity or len(text) > 400:
                continue
            if name in columns or len(columns) < _NAMES:
                columns.setdefault(name, {})[row] = text
    return columns


def _merit(column: Mapping[int, str], sample: Sequence[tuple[str, Fields]]) -> float:
    """0 for a field of no use."""
    counts = Counter(column.values())
    total = len(column)
    if len(counts) < 2 or total < max(_LEAST_COVER * len(sample), 3):
        return 0.0
    pairs = {(sample[row][0], value) for row, value in column.items()}
    entities = len({sample[row][0] for row in column})
    again = 1 - (len(pairs) - entities) / max(total - entities, 1)  # of what an entity has after its first
    if len(counts) > _MOST_NUMBERS and all(map(_MARK.fullmatch, islice(counts, _MOST_NUMBERS))):
        return 0.0  # ports of clients, process ids, session ids
    if sum(instant(value) is not None and not value.isdecimal() for value in islice(counts, 50)) > 0.8 * min(
        len(counts), 50
    ):
        return 0.0  # times
    if again < _LEAST_AGAIN or len(counts) > 0.7 * total:
        return 0.0
    entropy = -sum(count / total * log(count / total) for count in counts.values())
    cover = total / len(sample)
    return again * min(entropy, 3.0) * sqrt(cover)


def _same(one: Mapping[int, str], other: Mapping[int, str]) -> bool:
    """Whether each value of one goes with one value of the other."""
    common = one.keys() & other.keys()
    if len(common) < 0.9 * min(len(one), len(other)):
        return False
    pairs = len({(one[row], other[row]) for row in common})
    return pairs <= _SAME * min(len({one[row] for row in common}), len({other[row] for row in common}))
