"""One live series: its scorer, and the episode that it may be in."""

from __future__ import annotations

from datetime import tzinfo

from detector.episode import Call, Episode
from detector.score import Point, Scorer
from detector.series.definition import Definition
from detector.series.meter import Meter

ALARMS_A_WEEK = 4.0  # half hours; only what an episode makes of them is shown to anybody
_VERSION = b"T1"


class Track:
    __slots__ = ("episode", "scorer")

    def __init__(self, definition: Definition, meter: Meter, zone: tzinfo) -> None:
        self.scorer = Scorer(definition.bucket_ms // 1000, meter.kind, zone, ALARMS_A_WEEK)
        self.episode = Episode()

    def step(
        self,
        definition: Definition,
        ts: int,
        value: float | None,
        weight: float,
        least_strength: float,
        *,
        watched: bool = True,
    ) -> tuple[Point, Call | None]:
        """`watched`: False while nobody is to be called whatever happens."""
        point = self.scorer.step(ts, value, weight)
        if value is None or not watched:
            return point, None
        season = self.scorer.usual(ts)
        call = self.episode.step(definition, ts, value, weight, season, least_strength, learning=point.learning)
        return point, call

    def dump(self) -> bytes:
        episode = self.episode.dump()
        return _VERSION + len(episode).to_bytes(2, "little") + episode + self.scorer.dump()

    @classmethod
    def load(cls, data: bytes, definition: Definition, meter: Meter, zone: tzinfo) -> Track:
        """Raises `ConfigError` when it was written by another version, or is damaged."""
        one = cls(definition, meter, zone)
        if data[:2] != _VERSION:
            return one
        size = int.from_bytes(data[2:4], "little")
        one.episode = Episode.load(data[4 : 4 + size])
        one.scorer = Scorer.load(data[4 + size :], definition.bucket_ms // 1000, meter.kind, zone, ALARMS_A_WEEK)
        return one
