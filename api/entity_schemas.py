"""The shapes of unusual entities in the JSON API."""

from __future__ import annotations

from pydantic import BaseModel, Field

from soc.model.event import iso
from soc.model.unusual import Crowd, Reason, Unusual


class ReasonOut(BaseModel):
    feature: str = Field(description="such as `distinct govsoc.lgsp.subject`, `rare source.ip`, `hour`")
    value: str = Field(description="what is rare or counted; empty where it is no value")
    expected: float = Field(description="a count; of a value that is rare, the share of its own time that it has it")
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
    alert: str = Field(description="the alert that it is folded into")
    query: str = Field(description="a search for the events behind it")
    why: list[ReasonOut] = Field(description="the strongest first")

    @classmethod
    def of(cls, one: Unusual) -> UnusualOut:
        return cls(
            id=one.id, people=one.people, org=one.org, field=one.field, entity=one.entity, time=iso(one.at), since=iso(one.since),
            score=one.score, events=one.events, alert=one.alert, query=one.query, why=[ReasonOut.of(why) for why in one.reasons],
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
