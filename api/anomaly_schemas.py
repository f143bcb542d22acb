"""The shapes of series and anomalies in the JSON API."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from api.anomalies import Detail, Shown
from api.schemas import Comment, In
from detector.level import Level
from soc.model.anomaly import Anomaly, Counts, Reading
from soc.model.event import iso
from soc.model.harmless import HarmlessSeries, Said

SeriesId = Annotated[str, Field(pattern="^[0-9a-f]{24}$", description="24 hex digits")]
AnomalyId = Annotated[str, Field(pattern="^[0-9a-f]{36}$", description="36 hex digits")]


class ReasonIn(In):
    reason: Comment


class ReadingOut(BaseModel):
    time: str = Field(description="the start of the bucket")
    value: float | None = Field(description="null where it is not known")
    weight: float = Field(description="of a ratio its denominator, of a quantile how many values")
    expected: float | None
    lower: float | None
    upper: float | None
    score: float = Field(description="how surprising, 0 to 1; at 0.5 its surprises are ten powers of ten together")
    learning: bool

    @classmethod
    def of(cls, one: Reading) -> ReadingOut:
        band = [None if value != value else value for value in (one.expected, one.lower, one.upper)]
        return cls(
            time=iso(one.ts), value=one.value, weight=one.weight, expected=band[0], lower=band[1], upper=band[2],
            score=one.score, learning=one.learning,
        )  # fmt: skip


class SeriesOut(BaseModel):
    id: str
    definition: str
    titles: dict[str, str] = Field(description="the title by language")
    org: str
    group: dict[str, str] = Field(description="field: value")
    other: bool = Field(description="it stands for all keys that had no room")
    unit: str
    since: str = Field(description="its first bucket")
    ready: str | None = Field(
        description="when it will have learned enough for calls; null where it has, and where that is not known"
    )
    last: ReadingOut | None = Field(description="as it was judged last")

    @classmethod
    def of(cls, shown: Shown, last: Reading | None) -> SeriesOut:
        series = shown.series
        return cls(
            id=series.id, definition=series.board.definition, titles=dict(shown.titles), org=series.board.org,
            group=dict(shown.keys), other=shown.other, unit=shown.unit, since=iso(series.born),
            ready=iso(shown.ready) if shown.ready is not None else None, last=ReadingOut.of(last) if last else None,
        )  # fmt: skip


class HarmlessOut(BaseModel):
    series: str
    definition: str
    org: str
    strength: float = Field(
        description="how far off it may be without a call, in half widths of its band; of shares in tenths of the way to all or none"
    )
    alert: str = Field(description="the alert that the verdict was about")
    by: str
    at: str
    reason: str

    @classmethod
    def of(cls, one: Said[HarmlessSeries]) -> HarmlessOut:
        what = one.harmless
        return cls(
            series=what.series, definition=what.definition, org=what.org, strength=what.strength, alert=what.alert,
            by=one.by, at=iso(one.at), reason=one.reason,
        )  # fmt: skip


class LevelOut(BaseModel):
    since: str | None = Field(
        description="the day from which on another level is taken as usual, as it stayed for three; null: never"
    )
    leaning: float = Field(
        description="how the usual has changed in three days, in changes that are usual for the series"
    )
    leaks: bool = Field(description="whether that is a slow leak, about which somebody is called")
    usual: float = Field(description="what is usual at its last bucket")
    before: float = Field(description="what was, three days ago")

    @classmethod
    def of(cls, one: Level) -> LevelOut:
        since = iso(one.since)[:10] if one.since is not None else None
        return cls(since=since, leaning=one.leaning, leaks=one.leaks, usual=one.usual, before=one.before)


class SeriesDetail(SeriesOut):
    level: LevelOut | None = Field(description="null while it is learning, and where that is not known")
    readings: list[ReadingOut]
    harmless: HarmlessOut | None


class AnomalyOut(BaseModel):
    id: str
    series: str
    definition: str
    org: str
    since: str = Field(description="when the evidence began to add up")
    until: str = Field(description="its last bucket that was off")
    at: str = Field(description="the bucket that was farthest off; `actual` and `expected` are of it")
    actual: float
    expected: float
    lower: float
    upper: float
    strength: float = Field(
        description="how far off, in half widths of the band; of shares in tenths of the way to all or none"
    )
    buckets: int
    alert: str = Field(description="the alert that it is folded into")
    parts: dict[str, float] = Field(description="what made it surprising, in powers of ten")

    @classmethod
    def of(cls, one: Anomaly) -> AnomalyOut:
        return cls(**_facts(one))


class AnomalyDetail(AnomalyOut):
    of_series: SeriesOut | None = Field(description="null when the series has vanished")
    query: str = Field(description="a search for the events behind it")
    readings: list[ReadingOut]
    similar: list[AnomalyOut] = Field(
        description="before it, of the same series and of other alerts, the most alike first"
    )
    harmless: HarmlessOut | None

    @classmethod
    def of_detail(cls, one: Detail) -> AnomalyDetail:
        last = one.readings[-1] if one.readings else None
        return cls(
            **_facts(one.anomaly), of_series=None if one.shown.gone else SeriesOut.of(one.shown, last), query=one.query,
            readings=[ReadingOut.of(reading) for reading in one.readings], similar=[AnomalyOut.of(other) for other in one.similar],
            harmless=HarmlessOut.of(one.harmless) if one.harmless else None,
        )  # fmt: skip


class BoardOut(BaseModel):
    definition: str
    org: str
    series: int
    beyond: int = Field(description="about how many keys had no room and are counted as other")
    late: int = Field(description="events that no bucket took: too late, or no room for their ids")

    @classmethod
    def of(cls, definition: str, org: str, counts: Counts) -> BoardOut:
        return cls(definition=definition, org=org, series=counts.series, beyond=counts.beyond, late=counts.lost)


def _facts(one: Anomaly) -> dict[str, object]:
    return {
        "id": one.id, "series": one.series, "definition": one.definition, "org": one.org, "since": iso(one.since),
        "until": iso(one.until), "at": iso(one.at), "actual": one.actual, "expected": one.expected, "lower": one.lower,
        "upper": one.upper, "strength": one.strength, "buckets": one.buckets, "alert": one.alert, "parts": dict(one.parts),
    }  # fmt: skip
