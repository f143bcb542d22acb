"""What service levels tell of the simulated province of `injected`: each alarm as it is handed over, by its worst objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from detector.health.definition import load
from detector.health.levels import Levels
from soc.model.event import Stored


class Told(NamedTuple):
    """`at`: ms, when it was known; `objective`: the one that burned fastest."""

    at: int
    system: str
    objective: str
    names: tuple[str, ...]


class LevelWatch:
    """Counts batches that come in the order of time."""

    def __init__(self) -> None:
        self._levels = Levels(load()[0])

    @property
    def datasets(self) -> frozenset[str]:
        return self._levels.datasets

    def feed(self, batch: Sequence[Stored]) -> list[Told]:
        reached = batch[-1].ts
        self._levels.observe([one.event for one in batch], reached)
        return [
            Told(alarm.at, alarm.system, alarm.children[0].slo, alarm.place.upstream + alarm.place.local)
            for alarm in self._levels.tick(reached)
            if alarm.ended_at is None
        ]
