"""Where the level of a series stands, as its scorer knows it: whether another one has come to stay, and where it is going."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from detector.lean import leaks
from detector.series.definition import Definition
from detector.series.meter import meter_of
from detector.track import Track
from soc.errors import ConfigError
from soc.model.anomaly import Reading

_MOST_AGAIN = 1000  # buckets; snapshots are closer together


class Level(NamedTuple):
    """`since`: from when on (ms, a day's precision) another level is taken as usual, after it had stayed for three days; None: never.
    `leaning`: how `usual` has changed from `before`, of three days ago, in changes that are usual for the series; 0 in its first days.
    `leaks`: whether that is worth a call."""

    since: int | None
    leaning: float
    usual: float
    before: float
    leaks: bool


def level_of(
    definition: Definition, zone: tzinfo, born: int, snapshot: tuple[int, bytes] | None, readings: Sequence[Reading]
) -> Level | None:
    """After the last of the readings, which are all since the snapshot, or since the series was born (ms). None where that is not known:
    the series is learning, what came before is not kept any more, or it is of another version."""
    if not readings or len(readings) > _MOST_AGAIN:
        return None
    if snapshot is None and readings[0].ts > born + definition.bucket_ms:
        return None
    meter = meter_of(definition)
    try:
        track = Track.load(snapshot[1], definition, meter, zone) if snapshot else Track(definition, meter, zone)
    except ConfigError:
        return None
    for one in readings:
        point, _ = track.step(definition, one.ts, one.value, one.weight, one.harmless, surge=one.surge)
    if point.learning:
        return None
    scorer, at = track.scorer, readings[-1].ts
    leaning, now, was = scorer.leaning, scorer.usual(at), scorer.usual(at, before=True)
    return Level(scorer.level_since, leaning, now, was, leaks(definition, leaning, was, now))
