"""The shapes of explanations in the JSON API."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.explain import EVENTS_SHOWN, MOST_EVENTS, MOST_ROWS, Correlated, Explanation, Tuned, Unexplained
from rules.desk.counted import Counted
from rules.desk.explain import FAILED_SHOWN, Part, Row, Verb
from rules.desk.seen import SHOWN, Seen
from soc.model.event import iso
from soc.model.rule import Stage
from soc.model.tuning import RuleException


class SeenOut(BaseModel):
    """The value is `before`, `match` and `after`, one after the other."""

    field: str
    before: str
    match: str = Field(description="the part that made the check hold, where it is known")
    after: str
    length: int = Field(description=f"characters of the whole value where it is cut (at about {SHOWN}), else 0")
    absent: bool = Field(description="the event has no such field")

    @classmethod
    def of(cls, seen: Seen) -> SeenOut:
        return cls(
            field=seen.field,
            before=seen.before,
            match=seen.match,
            after=seen.after,
            length=seen.length,
            absent=seen.absent,
        )


class RowOut(BaseModel):
    """One part of the condition. Its own parts come after it, one deeper."""

    depth: int
    part: Part
    holds: bool
    name: str = Field(description="of the field, the search or the rule")
    rule_id: str = Field(description="where it is a rule")
    verb: Verb = Field(description="of a check, empty where `wanted` says it: `>= 5`")
    wanted: str
    cased: bool = Field(description="upper and lower case differ")
    seen: SeenOut | None
    left_out: int = Field(description=f"of its own parts that do not hold, those beyond {FAILED_SHOWN}")
    above: bool = Field(description="its parts are there already, further up")

    @classmethod
    def of(cls, row: Row) -> RowOut:
        told = row.explained
        return cls(
            depth=row.depth,
            part=told.part,
            holds=told.holds,
            name=told.name,
            rule_id=told.rule,
            verb=told.verb,
            wanted=told.wanted,
            cased=told.cased,
            seen=SeenOut.of(told.seen) if told.seen else None,
            left_out=row.left_out,
            above=row.above,
        )


class CountedOut(BaseModel):
    event_id: str
    time: str
    bases: list[str] = Field(description="ids of the rules that found it, of those that the correlation counts")

    @classmethod
    def of(cls, counted: Counted) -> CountedOut:
        return cls(event_id=counted.event.id, time=iso(counted.event.ts), bases=list(counted.bases))


class WindowOut(BaseModel):
    """The window of the first hit that holds the event, with what is asked for now."""

    since: str = Field(description="exclusive")
    until: str = Field(description="inclusive")
    counted: float
    events: int


class CorrelatedOut(BaseModel):
    group: dict[str, str]
    asked_then: str = Field(description="such as `event_count gte 10 within 60 s`")
    asked_now: str = Field(description="in this organisation")
    counted_then: float | None = Field(
        description="what the window came to when it fired; null where the event came into one that had been found"
    )
    window: WindowOut | None = Field(
        description="worked out again from the events; null where they are no hit (any more), were not all looked at, or are those "
        "of other correlations"
    )
    events: list[CountedOut] = Field(
        description=f"those of the window, else those around the event; the first {EVENTS_SHOWN}"
    )
    whole: bool = Field(description=f"false: there are more events around it than are looked at ({MOST_EVENTS})")

    @classmethod
    def of(cls, one: Correlated) -> CorrelatedOut:
        window = one.window and WindowOut(
            since=iso(one.window.since),
            until=iso(one.window.until),
            counted=one.window.size,
            events=len(one.window.events),
        )
        return cls(
            group=dict(one.group),
            asked_then=one.asked_then,
            asked_now=one.asked_now,
            counted_then=one.counted_then,
            window=window,
            events=[CountedOut.of(counted) for counted in one.shown],
            whole=one.whole,
        )


class HidingOut(BaseModel):
    id: str
    condition: str
    reason: str
    owner: str
    expires_at: str | None

    @classmethod
    def of(cls, exception: RuleException) -> HidingOut:
        return cls(
            id=exception.id,
            condition=exception.condition,
            reason=exception.reason,
            owner=exception.owner,
            expires_at=None if exception.expires_at is None else iso(exception.expires_at),
        )


class TunedOut(BaseModel):
    """What would become of the event now, in its organisation."""

    rule_id: str
    base: bool = Field(description="it is a rule that the alert's rule counts")
    stage: Stage
    enabled: bool
    only: str | None = Field(description="what the rule is narrowed by there")
    outside: bool = Field(description="the event is outside of that: it would be hidden")
    exception: HidingOut | None = Field(description="the exception that would hide it")

    @classmethod
    def of(cls, tuned: Tuned) -> TunedOut:
        fate = tuned.fate
        return cls(
            rule_id=tuned.rule.id,
            base=tuned.base,
            stage=fate.stage,
            enabled=fate.enabled,
            only=tuned.only,
            outside=fate.outside,
            exception=HidingOut.of(fate.exception) if fate.exception else None,
        )


class ExplanationOut(BaseModel):
    alert_id: str
    event_id: str
    time: str
    rule_id: str
    rule_hash: str = Field(description="of the text by which it fired")
    text: Literal["then", "now"] | None = Field(
        description="which text is explained: that by which it fired or, where that is not kept or does not compile any more, that of "
        "now; null where there is none. The rules that a correlation counts have the text of now"
    )
    changed: bool = Field(description="the rule that runs now has another text")
    runs: bool = Field(description="a rule of this id runs now")
    fires_now: bool | None = Field(
        description="by the text of now; null where that has not changed, or nobody knows. Of a correlation: whether it counts the event"
    )
    unexplained: Unexplained | None = Field(description="why there are no parts")
    fault: str = Field(description="why the text cannot be compiled")
    parts: list[RowOut] = Field(
        description=f"the condition as a tree, each part before its own parts; the first {MOST_ROWS}"
    )
    cut: int = Field(description="how many parts come after those")
    correlated: CorrelatedOut | None = Field(description="of a correlation")
    tuned: list[TunedOut] = Field(description="what is laid down about the rule, and about those that it counts")

    @classmethod
    def of(cls, one: Explanation) -> ExplanationOut:
        return cls(
            alert_id=one.alert.id,
            event_id=one.finding.event_id,
            time=iso(one.finding.ts),
            rule_id=one.alert.rule_id,
            rule_hash=one.finding.rule_hash,
            text=None if one.rule is None else "then" if one.then else "now",
            changed=one.changed,
            runs=one.runs,
            fires_now=one.fires_now,
            unexplained=one.unexplained,
            fault=one.fault,
            parts=[RowOut.of(row) for row in one.rows],
            cut=one.cut,
            correlated=CorrelatedOut.of(one.correlated) if one.correlated else None,
            tuned=[TunedOut.of(tuned) for tuned in one.tuned],
        )
