"""One live series: its scorer, and the episode that it may be in."""

from __future__ import annotations

import math
import struct
from datetime import tzinfo

from detector.episode import Call, Episode, is_harmless
from detector.lean import lean
from detector.score import Point, Scorer
from detector.series.definition import Definition, Measure
from detector.series.meter import Meter
from soc.errors import ConfigError
from soc.model.calendar import DAY_MS

ALARMS_A_WEEK = 4.0  # half hours; only what an episode makes of them is shown to anybody
_VERSION, _HEIR = b"V2", b"V3"


class Track:
    __slots__ = ("episode", "inherited", "leaned", "scorer")

    def __init__(self, definition: Definition, meter: Meter, zone: tzinfo) -> None:
        self.scorer = Scorer(definition.bucket_ms // 1000, meter.kind, zone, ALARMS_A_WEEK)
        self.episode = Episode()
        self.inherited = False  # it began with what others had learned
        self.leaned = 0  # when somebody was called about a slow leak, ms; 0: never, or it is over

    def step(
        self,
        definition: Definition,
        ts: int,
        value: float | None,
        weight: float,
        least_strength: float,
        *,
        surge: float | None = None,
    ) -> tuple[Point, Call | None]:
        """`surge`: how many times the usual was declared to be expected: what lies between the usual and that is as usual."""
        if definition.measure is Measure.CONVERSION and value is not None:
            value = min(value, 1.0)
        if surge and value is not None:
            least, most = sorted((value, value / surge))
            value = min(max(self.scorer.usual(ts), least), most)
        point = self.scorer.step(ts, value, weight)
        whole_week = not self.inherited
        if (
            whole_week
            and not point.learning
            and point.ready is not None
            and ts < point.ready - DAY_MS + definition.learning_ms
        ):
            point = point._replace(learning=True)
        if value is None:
            return point, None
        season = self.scorer.usual(ts)
        call = self.episode.step(definition, ts, value, weight, season, least_strength, learning=point.learning)
        if call is None and not point.learning:
            self.leaned, call = lean(definition, self.scorer, self.leaned, ts)
            if call is not None and is_harmless(
                math.copysign(call.strength, call.actual - call.expected), least_strength
            ):
                call = None
        return point, call

    def go_back(self) -> None:
        """The clock had been ahead: what was going on is over, whatever it was. What was learned stays."""
        usual = self.episode.usual
        self.episode, self.leaned = Episode(), 0
        self.episode.usual = usual

    def dump(self) -> bytes:
        episode = self.episode.dump()
        return (
            (_HEIR if self.inherited else _VERSION)
            + self.leaned.to_bytes(8, "little")
            + len(episode).to_bytes(2, "little")
            + episode
            + self.scorer.dump()
        )

    @classmethod
    def load(cls, data: bytes, definition: Definition, meter: Meter, zone: tzinfo) -> Track:
        """Raises `ConfigError` when it was written by another version, or is damaged."""
        one = cls(definition, meter, zone)
        if data[:2] not in (_VERSION, _HEIR):
            raise ConfigError("what was learned of a series was written by another version: it is learned anew")
        one.inherited = data[:2] == _HEIR
        one.leaned, size = int.from_bytes(data[2:10], "little"), int.from_bytes(data[10:12], "little")
        try:
            one.episode = Episode.load(data[12 : 12 + size])
        except struct.error as error:
            raise ConfigError("what was learned of a series is damaged: it is learned anew") from error
        one.scorer = Scorer.load(data[12 + size :], definition.bucket_ms // 1000, meter.kind, zone, ALARMS_A_WEEK)
        return one
