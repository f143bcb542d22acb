"""When a series that is learning may call somebody."""

from __future__ import annotations

from datetime import tzinfo

from detector.series.definition import Definition
from detector.series.meter import meter_of
from detector.track import Track
from soc.errors import ConfigError
from soc.model.anomaly import Kept, Reading, Series
from soc.model.calendar import DAY_MS


def ready_of(definition: Definition, zone: tzinfo, series: Series, last: Reading | None, kept: Kept) -> int | None:
    """In ms. None where it learns no more, and where that is not known: its learning has not begun, or what is kept of it is of another
    version. Learning begins with its first value; anew with a new version; once more when its organisation takes over another's."""
    if last is not None and not last.learning:
        return None
    now = last.ts if last else series.born
    snapshot = kept.snapshot(series.id, now + 1)
    if snapshot is None:  # it has just been born
        ready: int | None = series.born + definition.learning_ms
    else:
        ready = _ready(definition, zone, snapshot)
    return ready if ready is not None and ready > now else None


def _ready(definition: Definition, zone: tzinfo, snapshot: tuple[int, bytes]) -> int | None:
    ts, data = snapshot
    try:
        track = Track.load(data, definition, meter_of(definition), zone)
    except ConfigError:
        return None
    point, _ = track.step(definition, ts + definition.bucket_ms, None, 0.0, 0.0)
    if point.ready is None:
        return None
    return point.ready if track.inherited else point.ready - DAY_MS + definition.learning_ms
