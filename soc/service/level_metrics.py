"""Service levels as metrics: few enough for Prometheus, however many organisations there are."""

from __future__ import annotations

from collections.abc import Sequence

from soc import telemetry
from soc.model.service_level import ServiceLevel

MOST = 500  # pairs of organisation and objective that are shown: 34 provinces with a dozen objectives each
_URGENCY = {"page": 0, "ticket": 1}


class LevelMetrics:
    """Sets the metrics of what burns and of how much budget is left. Beyond `MOST` levels only those that burn are shown, the most
    urgent first; how many there are and how many are shown is told."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._shown: set[tuple[str, str]] = set()

    def show(self, levels: Sequence[ServiceLevel], ahead: int) -> None:
        """`levels`: all there are; `ahead`: events left out because their clock was too far ahead."""
        chosen = levels if len(levels) <= self._most else self._worst(levels)
        shown = {(level.org, level.name) for level in chosen}
        for gauge in (telemetry.LEVEL_GOOD, telemetry.LEVEL_BUDGET, telemetry.LEVEL_BURN):
            for labels in self._shown - shown:
                gauge.remove(*labels)
        self._shown = shown
        for level in chosen:
            labels = (level.org, level.name)
            for gauge, value in (
                (telemetry.LEVEL_GOOD, level.ratio),
                (telemetry.LEVEL_BUDGET, level.budget_left),
                (telemetry.LEVEL_BURN, level.burn),
            ):
                gauge.labels(*labels).set(float("nan") if value is None else value)
        telemetry.LEVELS.set(len(levels))
        telemetry.LEVELS_SHOWN.set(len(chosen))
        telemetry.LEVEL_AHEAD.reached(ahead)
        for severity in _URGENCY:
            burning = {one.burning.id for one in levels if one.burning and one.burning.severity == severity}
            telemetry.LEVEL_BURNING.labels(severity).set(len(burning))

    def _worst(self, levels: Sequence[ServiceLevel]) -> list[ServiceLevel]:
        burning = [level for level in levels if level.burning]
        burning.sort(key=lambda one: (_URGENCY.get(one.burning.severity, 2) if one.burning else 3, one.org, one.name))
        return burning[: self._most]
