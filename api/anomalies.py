"""Anomalies and series as people see them. The API and the console share it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from api.harmless import said
from detector.explain import query_of
from detector.level import Level, level_of
from detector.ready import ready_of
from detector.score.merge import RELEARNING_DAYS
from detector.series.definition import Definition, readable
from soc.errors import NotFound
from soc.model.account import Account
from soc.model.anomaly import Anomaly, Board, Reading, Series
from soc.model.calendar import DAY_MS, HOUR_MS
from soc.model.harmless import HarmlessSeries, Said
from soc.model.org import Scope
from soc.store.anomalies import Known
from soc.store.base import AuditEntry

if TYPE_CHECKING:
    from api.state import State

MOST_HOURS = 8 * 24
_BEFORE_MS, _AFTER_MS = 3 * HOUR_MS, HOUR_MS
_SIMILAR = 3
_LOOKED_AT = 200  # anomalies of the series before it


@dataclass(frozen=True, slots=True)
class Shown:
    """A series with its definition; None where that runs no more. `gone`: the series has vanished, and what it was grouped by is not
    known any more. `ready`: when it will have learned enough for calls (ms); None where it has, and where that is not known."""

    series: Series
    definition: Definition | None
    gone: bool = False
    ready: int | None = None

    @property
    def titles(self) -> Mapping[str, str]:
        name = self.series.board.definition
        return self.definition.titles.model_dump() if self.definition else {"en": name, "vi": name}

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Field and value; empty for a series of all that had no room."""
        names = self.definition.group_by if self.definition else [""] * len(self.series.key)
        return list(zip(names, self.series.key, strict=False))

    @property
    def other(self) -> bool:
        return not self.gone and not self.series.key and bool(self.definition and self.definition.group_by)

    @property
    def unit(self) -> str:
        return self.definition.unit if self.definition else ""

    @property
    def learning_days(self) -> int:
        """From its first value until somebody may be called; 0 where that is not known."""
        return self.definition.learning_ms // DAY_MS if self.definition else 0

    @property
    def bucket_ms(self) -> int:
        return self.definition.bucket_ms if self.definition else 60_000


@dataclass(frozen=True, slots=True)
class Detail:
    """`similar`: those before it of the same series and of other alerts, the most alike in size and length first. `query`: a search for
    the events behind it, empty where the definition or the series is gone. `harmless`: what people said about the series. `began`: when
    what it is shown as a part of began, ms."""

    anomaly: Anomaly
    shown: Shown
    readings: Sequence[Reading]
    similar: Sequence[Anomaly]
    query: str
    harmless: Said[HarmlessSeries] | None
    began: int


def definitions(state: State) -> dict[str, Definition]:
    return readable(state.anomalies.running()[0])


def detail(state: State, anomaly: Anomaly, scope: Scope, began: int = 0) -> Detail:
    """Of an anomaly whose series has vanished what was written down with it. `began`: of the first that is shown with it, ms; 0: none
    was before it."""
    began = began or anomaly.since
    definition = definitions(state).get(anomaly.definition)
    shown = shown_of(state, anomaly, scope, definition)
    series = shown.series
    width = definition.bucket_ms if definition else 60_000
    since, until = anomaly.since - max(_BEFORE_MS, 60 * width), anomaly.until + max(_AFTER_MS, 20 * width)
    others = state.anomalies.list(scope, series=anomaly.series, until=anomaly.since, limit=_LOOKED_AT)
    return Detail(
        anomaly,
        shown,
        () if shown.gone else state.anomalies.readings(series, since, until),
        similar(anomaly, others),
        query_of(definition, series, began, anomaly.until + width) if definition and not shown.gone else "",
        said(state, anomaly.series),
        began,
    )


def shown_of(state: State, anomaly: Anomaly, scope: Scope, definition: Definition | None) -> Shown:
    """The series that an anomaly is of."""
    try:
        return Shown(state.anomalies.one(anomaly.series, scope).series, definition)
    except NotFound:
        return Shown(Series(Board(anomaly.definition, anomaly.org), (), 0, 0), definition, gone=True)


def shown_with_ready(state: State, known: Known, definition: Definition | None) -> Shown:
    ready = ready_of(definition, state.zone, known.series, known.last, state.anomalies) if definition else None
    return Shown(known.series, definition, ready=ready)


def took_over(state: State, shown: Shown, last: Reading | None) -> list[str]:
    """The organisations whose series this one began with: those that ended in its own, while it is learning."""
    if last is None or not last.learning or not shown.definition:
        return []
    if not shown.definition.measure.is_volume:
        return []  # what has no sum is learned anew
    day = datetime.fromtimestamp(last.ts / 1000, state.zone).date()
    return [
        org.code
        for org in state.organisations.directory()
        if org.successor == shown.series.board.org
        and org.ended(day)
        and not org.ended(day - timedelta(days=RELEARNING_DAYS))
    ]


def level(state: State, shown: Shown, last: Reading | None) -> Level | None:
    """Where it stands now; None while it is learning, and where that is not known."""
    if last is None or last.learning or shown.definition is None:
        return None
    kept = state.anomalies.since_snapshot(shown.series, last.ts + 1)
    return level_of(shown.definition, state.zone, shown.series.born, *kept)


def similar(anomaly: Anomaly, others: Sequence[Anomaly]) -> list[Anomaly]:
    """Of those that began before and are of another alert (what is of the same one is the same incident), by size (how many times what
    was expected) and by length, both as ratios."""

    def shape(one: Anomaly) -> tuple[float, float]:
        size = math.log((abs(one.actual) + 1e-6) / (abs(one.expected) + 1e-6))
        return size, math.log(1 + max(one.until - one.since, 0) / 60_000)

    size, length = shape(anomaly)

    def distance(one: Anomaly) -> float:
        its_size, its_length = shape(one)
        return math.hypot(size - its_size, length - its_length)

    past = (one for one in others if one.since < anomaly.since and one.alert != anomaly.alert)
    return sorted(past, key=distance)[:_SIMILAR]


def reset(state: State, account: Account, series_id: str, reason: str) -> None:
    """Have a series learn anew. Raises `NotFound`, also outside the account's scope."""
    state.anomalies.one(series_id, account.scope)
    state.stores.audit.record(AuditEntry(state.clock(), account.name, "series.reset", series_id, reason[:2000]))
    state.anomalies.reset(series_id, account.scope)
