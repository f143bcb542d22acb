"""The shapes of unusual entities in the JSON API."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from api.entities import Alike, Detail
from soc.model.alert import Verdict
from soc.model.calendar import HOUR_MS
from soc.model.event import iso
from soc.model.harmless import HarmlessEntity, Said
from soc.model.unusual import Covered, Crowd, Reason, Unusual

ItemId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="32 hex digits")]
SayingId = Annotated[str, Field(pattern="^([0-9a-f]{32}|[0-9a-f]{44})$", description="32 or 44 hex digits")]


class ReasonOut(BaseModel):
    feature: str = Field(description="such as `distinct govsoc.lgsp.subject`, `rare source.ip`, `hour`")
    value: str = Field(description="what is rare or counted; empty where it is no value")
    expected: float = Field(
        description="a count; of a value that is rare, the share of its own time that it has it; of a share one, as `actual` and `peers`"
    )
    actual: float
    peers: float = Field(description="as `expected`, of its peers")
    surprise: float = Field(description="nats: 7 is once in 1,100, 9 once in 8,000")
    text: dict[str, str] = Field(description="a sentence by language")

    @classmethod
    def of(cls, one: Reason) -> ReasonOut:
        return cls(
            feature=one.feature, value=one.value, expected=one.expected, actual=one.actual, peers=one.peers,
            surprise=one.surprise, text=dict(one.text),
        )  # fmt: skip


class CoveredOut(BaseModel):
    by: str
    at: str
    reason: str
    alert: str = Field(description="the alert that was meant")

    @classmethod
    def of(cls, one: Covered) -> CoveredOut:
        return cls(by=one.by, at=iso(one.at), reason=one.reason, alert=one.alert)


class UnusualOut(BaseModel):
    id: str
    people: str = Field(description="the kind of entity, such as `officers`")
    org: str
    field: str = Field(description="the field that names the entity")
    entity: str
    time: str = Field(description="the last moment of the bucket")
    since: str = Field(description="the first event of the episode")
    score: float = Field(description="0 to 1; 0.5 was just enough to be shown")
    events: int = Field(description="of the entity in the bucket")
    alert: str = Field(description="the alert that it is folded into; empty where `harmless` says why there is none")
    query: str = Field(description="a search for the events behind it")
    why: list[ReasonOut] = Field(description="the strongest first")
    harmless: list[CoveredOut] = Field(description="who had said that all that is notable of it is harmless")

    @classmethod
    def of(cls, one: Unusual) -> UnusualOut:
        return cls(**_facts(one))


class WeekOut(BaseModel):
    hours: list[str] = Field(description="when each hour begins; the last is that of the item")
    counts: list[int] = Field(description="events of the entity; 65535 stands for more")

    @classmethod
    def of(cls, one: Unusual) -> WeekOut:
        first = one.week_since
        return cls(hours=[iso(first + at * HOUR_MS) for at in range(len(one.week))], counts=list(one.week))


class AlikeOut(BaseModel):
    id: str
    entity: str
    time: str
    score: float
    likeness: float = Field(description="0 to 1: how alike its reasons are")
    alert: str = Field(description="empty where it raised none")
    verdict: Verdict | None = Field(description="on its alert; null where there is none")

    @classmethod
    def of(cls, found: Alike) -> AlikeOut:
        one = found.one
        return cls(
            id=one.id, entity=one.entity, time=iso(one.at), score=one.score, likeness=round(found.likeness, 3), alert=one.alert,
            verdict=found.alert.triage.verdict if found.alert else None,
        )  # fmt: skip


class LimitOut(BaseModel):
    kind: str
    field: str
    value: str = Field(description="empty where it is about no value")
    surprise: float = Field(description="where `most` is 0: so surprising it may be, in nats")
    most: float = Field(
        description="so many, or of a share so great a one, there may be; 0 where only the value counts"
    )


class EntityHarmlessOut(BaseModel):
    id: str
    people: str
    org: str
    field: str
    entity: str
    limits: list[LimitOut] = Field(description="what may surprise of it without an alert, and how much")
    alert: str = Field(description="the alert that was meant")
    by: str
    at: str
    reason: str

    @classmethod
    def of(cls, said: Said[HarmlessEntity]) -> EntityHarmlessOut:
        one = said.harmless
        return cls(
            id=one.id, people=one.people, org=one.org, field=one.field, entity=one.entity,
            limits=[LimitOut(**limit._asdict()) for limit in one.limits], alert=one.alert,
            by=said.by, at=iso(said.at), reason=said.reason,
        )  # fmt: skip


class UnusualDetail(UnusualOut):
    week: WeekOut = Field(description="its events by the hour, of the seven days until it, or since they are known")
    similar: list[AlikeOut] = Field(description="before it, of the same kind and organisation, the most alike first")
    said: list[EntityHarmlessOut] = Field(description="what of its entity is said to be harmless now")

    @classmethod
    def of_detail(cls, found: Detail) -> UnusualDetail:
        return cls(
            **_facts(found.one), week=WeekOut.of(found.one), similar=[AlikeOut.of(one) for one in found.similar],
            said=[EntityHarmlessOut.of(one) for one in found.said],
        )  # fmt: skip


class CrowdOut(BaseModel):
    people: str
    org: str = Field(description="empty: of organisations that had no room, which only who sees all is told")
    titles: dict[str, str]
    entities: int = Field(description="how many are known")
    learning: bool = Field(description="too little is known to show anything")
    other: int = Field(description="events for which there was no room")
    late: int = Field(description="events that came after their bucket, or of a time that was not believed")

    @classmethod
    def of(cls, one: Crowd) -> CrowdOut:
        return cls(
            people=one.people, org=one.org, titles=dict(one.titles), entities=one.entities, learning=one.learning, other=one.other,
            late=one.late,
        )  # fmt: skip


def _facts(one: Unusual) -> dict[str, Any]:
    return {
        "id": one.id, "people": one.people, "org": one.org, "field": one.field, "entity": one.entity, "time": iso(one.at),
        "since": iso(one.since), "score": one.score, "events": one.events, "alert": one.alert, "query": one.query,
        "why": [ReasonOut.of(why) for why in one.reasons], "harmless": [CoveredOut.of(said) for said in one.harmless],
    }  # fmt: skip
