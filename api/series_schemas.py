"""The shapes of backtests of series in the JSON API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from api.anomaly_schemas import ReadingOut
from api.backtests import MOST_DAYS
from api.schemas import In, JobOut
from api.series_backtests import LONGEST, Called, Fault, called, outcome_of, readings_of
from soc.backtest.jobs import Report
from soc.backtest.series import Cut, Lack
from soc.model.event import iso

Text = Annotated[str, Field(max_length=LONGEST, description="YAML of definitions, as in docs/anomaly.md")]


class TextIn(In):
    text: Text


class SeriesBacktestIn(In):
    text: Text
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 30


class FaultOut(BaseModel):
    line: int | None
    field: str = Field(description="empty where the text as a whole is meant")
    reason: str

    @classmethod
    def of(cls, one: Fault) -> FaultOut:
        return cls(line=one.line, field=one.field, reason=one.reason)


class CheckOut(BaseModel):
    definitions: list[str] = Field(description="names of those that can be used")
    faults: list[FaultOut]


class CalledOut(BaseModel):
    alert: str
    since: str
    until: str
    definition: str
    org: str
    series: int = Field(description="how many were off")
    key: list[str] = Field(description="of the series that was farthest off; what follows is of it")
    actual: float
    expected: float
    strength: float = Field(description="in half widths of its band; of shares in tenths of the way to all or none")

    @classmethod
    def of(cls, one: Called) -> CalledOut:
        facts = {name: one.farthest[name] for name in ("definition", "org", "key", "actual", "expected", "strength")}
        return cls(alert=one.alert, since=iso(one.since), until=iso(one.until), series=one.series, **facts)


class SpanOut(BaseModel):
    since: str
    until: str


class TriedOut(BaseModel):
    """One series, thinned: of each few buckets the least and the greatest."""

    id: str
    definition: str
    org: str
    key: list[str]
    learning: bool = Field(description="to the end: nobody is called about it")
    off: list[SpanOut]
    readings: list[ReadingOut]

    @classmethod
    def of(cls, plot: Mapping[str, Any]) -> TriedOut:
        return cls(
            id=plot["series"], definition=plot["definition"], org=plot["org"], key=plot["key"], learning=plot["learning"],
            off=[SpanOut(since=iso(since), until=iso(until)) for since, until in plot["off"]],
            readings=[ReadingOut.of(one) for one in readings_of(plot)],
        )  # fmt: skip


class LackingOut(BaseModel):
    definition: str
    lack: Lack = Field(
        description="`event`: no event is of it; `join`: none that `where` finds has `field`, by which it joins; `group`: no event has "
        "`field`, by which it groups; `value`: its series never had one; `hit`: none of so many events is one, as where nothing failed yet"
    )
    field: str = Field(description="the one by which it joins or groups, or whose values are asked for; empty: none")
    events: int = Field(0, description="of which none is a `hit`; of what else is lacking 0")


class SeriesOutcomeOut(BaseModel):
    since: str = Field(description="what was asked for")
    until: str
    began: str | None = Field(description="the first event that was looked at")
    reached: str | None = Field(description="the last one")
    cut: Cut | None = Field(description="why it ended before `until`: it took too long, or too much of the disk")
    events: int
    series: int
    beyond: int = Field(description="about how many keys had no room and were counted as other")
    late: int = Field(description="events that no bucket took")
    learning: int = Field(description="series that were learning to the end")
    total: int = Field(description="anomalies; `alerts` are made of the newest 1,000, `by_day` of all")
    alerts: list[CalledOut] = Field(description="the newest first")
    by_day: dict[str, int]
    plots: list[TriedOut] = Field(description="those that were farthest off first, 24 at most")
    lacking: list[LackingOut] = Field(description="definitions that found nothing, as one with a slip of the pen does")

    @classmethod
    def of(cls, one: Mapping[str, Any]) -> SeriesOutcomeOut:
        same = ("cut", "events", "series", "beyond", "late", "learning", "total", "by_day")
        times = {name: iso(one[name]) if one[name] is not None else None for name in ("began", "reached")}
        return cls(
            since=iso(one["since"]), until=iso(one["until"]), **times, **{name: one[name] for name in same},
            alerts=[CalledOut.of(each) for each in called(one)], plots=[TriedOut.of(each) for each in one["plots"]],
            lacking=[LackingOut(**each) for each in one.get("lacking", ())],
        )  # fmt: skip


class SeriesBacktestOut(JobOut):
    definitions: str = Field(description="their names")
    outcome: SeriesOutcomeOut | None = Field(description="once it is done; not in lists")

    @classmethod
    def of(cls, report: Report, *, whole: bool = True) -> SeriesBacktestOut:
        outcome = outcome_of(report) if whole else None
        tried = SeriesOutcomeOut.of(outcome) if outcome else None
        return cls(**cls.facts(report), definitions=report.job.about, outcome=tried)
