"""One live series: its scorer, and the episode that it may be in."""

from __future__ import annotations

from datetime import tzinfo

from detector.episode import Call, Episode
from detector.lean import lean
from detector.score import Point, Scorer
from detector.series.definition import Definition
from detector.series.meter import Meter
from soc.errors import ConfigError

ALARMS_A_WEEK = 4.0  # half hours; only what an episode makes of them is shown to anybody
_VERSION = b"T2"


class Track:
    __slots__ = ("episode", "leaned", "scorer")

    def __init__(self, definition: Definition, meter: Meter, zone: tzinfo) -> None:
        self.scorer = Scorer(definition.bucket_ms // 1000, meter.kind, zone, ALARMS_A_WEEK)
        self.episode = Episode()
        self.leaned = 0  # when somebody was called about a slow leak, ms; 0: never, or it is over

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
        if call is None and not point.learning:
            self.leaned, call = lean(definition, self.scorer, self.leaned, ts)
            if call is not None and call.strength < least_strength:
                call = None
        return point, call

    def dump(self) -> bytes:
        episode = self.episode.dump()
        return (
            _VERSION
            + self.leaned.to_bytes(8, "little")
            + len(episode).to_bytes(2, "little")
            + episode
            + self.scorer.dump()
        )

    @classmethod
    def load(cls, data: bytes, definition: Definition, meter: Meter, zone: tzinfo) -> Track:
        """Raises `ConfigError` when it was written by another version, or is damaged."""
        one = cls(definition, meter, zone)
        if data[:2] != _VERSION:
            raise ConfigError("what was learned of a series was written by another version: it is learned anew")
        one.leaned, size = int.from_bytes(data[2:10], "little"), int.from_bytes(data[10:12], "little")
        one.episode = Episode.load(data[12 : 12 + size])
        one.scorer = Scorer.load(data[12 + size :], definition.bucket_ms // 1000, meter.kind, zone, ALARMS_A_WEEK)
        return one
