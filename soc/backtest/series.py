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


class Lack(StrEnum):
    """What a definition found nothing of, as one with a slip of the pen does."""

    EVENT = "event"
    JOIN = "join"
    GROUP = "group"
    VALUE = "value"
    HIT = "hit"


@dataclass(frozen=True, slots=True)
class Lacking:
    """EVENT: no event made a series of it. JOIN: none that `where` finds has `field`, by which it joins. GROUP: no event has `field`, by
    which it groups. VALUE: none of its series ever had a value; `field` is the one whose values are asked for, empty where none is. HIT:
    none of so many `events` is one, as where nothing has failed yet; `field` is the one by which it joins, empty where it does not."""

    definition: str
    lack: Lack
    field: str = ""
    events: int = 0


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
    `lacking`: definitions that found nothing of something; nothing is said of them where there were no events at all.
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
    lacking: tuple[Lacking, ...] = ()


def plain(outcome: SeriesOutcome) -> dict[str, object]:
    """As JSON has it: the facts of an anomaly beside the key of its series."""
    found = [asdict(one.anomaly) | {"id": one.anomaly.id, "key": list(one.key)} for one in outcome.anomalies]
    return asdict(outcome) | {"anomalies": found}


def lacks(outcome: SeriesOutcome) -> list[str]:
    """What is lacking, a sentence each; definitions without events in one, as of those that come with govsoc many may be of systems that
    are not there."""
    without = [one.definition for one in outcome.lacking if one.lack is Lack.EVENT]
    said = [f"no event is of {', '.join(without)}: check `dataset` and `where`"] if without else []
    return said + [_lack(one) for one in outcome.lacking if one.lack is not Lack.EVENT]


def _lack(one: Lacking) -> str:
    if one.lack is Lack.JOIN:
        return f"no event that `where` of {one.definition} finds has {one.field}, by which it joins"
    if one.lack is Lack.HIT:
        check = "`hit` and `join`" if one.field else "`hit`"
        return f"none of {one.events:,} events of {one.definition} is a hit: right if there was none yet; else check {check}"
    if one.lack is Lack.GROUP:
        return f"no event of {one.definition} has {one.field}, by which it groups"
    if one.field:
        return f"{one.definition} never had a value: check that {one.field} is there and what it measures, and that there are enough"
    return f"{one.definition} never had a value: there were too few events for one"
