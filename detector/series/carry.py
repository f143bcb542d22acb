"""A quantile says nothing of a few values: those of some buckets are then taken together."""

from __future__ import annotations

from typing import Any

from detector.series.meter import Meter, Reading

MOST_TOGETHER = 5  # buckets
Few = tuple[int, Any]  # the first bucket (ms) of which there were too few values, and the values of all since


def young(few: Few | None, start: int, width: int) -> Few | None:
    """What there is to be taken together with the bucket `start`."""
    return few if few is not None and start - few[0] < MOST_TOGETHER * width else None


def carried(meter: Meter, few: Few | None, start: int, cell: Any) -> tuple[Reading, Few | None]:
    """The reading of a bucket, and what is left to be taken together with the next one. Cell and `few` (`young`) are used up."""
    since = start
    if few is not None:
        since, cell = few[0], meter.join(few[1], cell)
    reading = meter.value(cell)
    return reading, (since, cell) if meter.carries and reading[0] is None else None
