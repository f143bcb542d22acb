"""What a bucket that is closed would have been with what came late."""

from __future__ import annotations

from collections.abc import Sequence

from detector.series.definition import Definition, Measure


def corrected(
    definition: Definition, value: float | None, weight: float, cell: Sequence[int]
) -> tuple[float | None, float]:
    hits, events = cell
    if definition.measure is Measure.COUNT:
        return (None, weight) if value is None else (value + events, weight + events)
    total = weight + events
    if value is None and definition.measure is Measure.CONVERSION:
        return None, total  # how many came out of the step is not known any more
    before = round(value * weight) if value is not None else 0
    return ((before + hits) / total if total else None), total
