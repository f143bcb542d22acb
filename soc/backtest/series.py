"""What a backtest says of definitions of series: what it looked at, whom it would have called about, and how that looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from soc.model.anomaly import Anomaly


class Cut(StrEnum):
    """Why it did not come to the end of the time that was asked for."""

    TIME = "time"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Found:
    """`key`: of its series."""

    anomaly: Anomaly
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """One series, thinned: `readings` are plain tuples in the order of `Reading`. `step_ms`: from one reading to the next, which makes no
    gap. `learning`: until the end nobody would have been called. `off`: from and to which times (ms) it was an anomaly."""

    series: str
    definition: str
    org: str
    key: tuple[str, ...]
    learning: bool
    step_ms: int
    readings: tuple[tuple[float | None, ...], ...]
    off: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SeriesOutcome:
    """Times are ms. `since`, `until`: what was asked for; `began`, `reached`: the first and the last event that was looked at, None
    where there is none. `beyond`: about how many keys had no room and were counted as other; `late`: events that no
    bucket took. `learning`: series that were learning to the end. `anomalies`: the newest of `total`; those of one alert are one
    call. `alerts`, `by_day`: all, and those of each local day that has some. `plots`: those that were farthest off, of `series`.
    """

    since: int
    until: int
    began: int | None
    reached: int | None
    cut: Cut | None
    events: int
    definitions: tuple[Mapping[str, object], ...]
    series: int
    beyond: int
    late: int
    learning: int
    total: int
    alerts: int
    by_day: Mapping[str, int]
    anomalies: tuple[Found, ...]
    plots: tuple[Plot, ...]


def plain(outcome: SeriesOutcome) -> dict[str, object]:
    """As JSON has it: the facts of an anomaly beside the key of its series."""
    found = [asdict(one.anomaly) | {"id": one.anomaly.id, "key": list(one.key)} for one in outcome.anomalies]
    return asdict(outcome) | {"anomalies": found}
