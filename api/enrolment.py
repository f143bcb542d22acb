"""The shapes of connecting a source, in the JSON API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas import In, Level, Name
from api.source_schemas import SourceOut
from collector.diagnose import Diagnosis, State, in_words
from collector.guess import Proposal
from collector.preview import Line, Preview, Remark
from rules.desk.trial import Counted, Fate, Match, Outcome
from rules.rule import Rule
from soc.model.event import Value
from soc.model.source import Source, Transport


class SourceIn(In):
    id: Annotated[str, Field(max_length=64, description="small letters, digits, `.`, `-`, `_`")]
    name: Annotated[Name, Field(description="for people; empty: the id")] = ""
    org: Annotated[str, Field(min_length=1, max_length=64, description="agency code")]
    type: Annotated[str, Field(max_length=64, description="such as `nginx.access`")]
    transport: Literal["push", "syslog"]
    where: list[Annotated[str, Field(max_length=64)]] = Field(
        default_factory=list, max_length=50, description="syslog: addresses and CIDR blocks that send"
    )
    zone: Annotated[str, Field(max_length=64, description="of times that name none")] = "Asia/Ho_Chi_Minh"
    system: Annotated[str, Field(max_length=20, description="a column of the coverage matrix; empty: by its type")] = ""

    def source(self, now_ms: int) -> Source:
        return Source(
            self.id,
            self.name or self.id,
            self.org,
            self.type,
            Transport(self.transport),
            tuple(self.where),
            self.zone,
            created_at=now_ms,
        )


class SourceChangeIn(In):
    enabled: bool


class TokenOut(BaseModel):
    token: str | None = Field(description="shown this once; null for a source that is not pushed")


class EnrolledOut(TokenOut):
    source: SourceOut


class CheckOut(BaseModel):
    works: bool
    state: State
    text: str = Field(description="what is wrong and what to do, for people")
    off_ms: int = Field(description="by how much event times are off; negative when they lie in the future")
    zone: str | None = Field(description="the zone that would put the times right")
    senders: list[str] = Field(description="addresses that send by syslog without being enrolled")
    better_type: str | None
    reason: str | None

    @classmethod
    def of(cls, found: Diagnosis) -> CheckOut:
        return cls(
            works=found.works,
            state=found.state,
            text=in_words(found),
            off_ms=found.off_ms,
            zone=found.zone,
            senders=list(found.senders),
            better_type=found.better,
            reason=found.reason,
        )


class ConfigOut(BaseModel):
    way: str
    text: str


class ProposalOut(BaseModel):
    type: str
    confidence: float = Field(description="share of the lines that this type reads, 0 to 1")
    parsed: int
    unparsed: int

    @classmethod
    def of(cls, found: Proposal) -> ProposalOut:
        return cls(type=found.source_type, confidence=found.confidence, parsed=found.parsed, unparsed=found.unparsed)


class LineOut(BaseModel):
    number: int = Field(description="of the line, counted from 1")
    text: str = Field(description="masked")
    fields: dict[str, Value]
    problem: str | None = Field(description="why it would be a dead letter")

    @classmethod
    def of(cls, line: Line) -> LineOut:
        return cls(number=line.number, text=line.text, fields=line.fields, problem=line.problem)


class TriedOut(BaseModel):
    rule_id: str
    titles: dict[str, str]
    level: Level | str = Field(description="what people set, else the rule's own")
    fate: Fate = Field(
        description="live: an alert; test: one that is kept from the queue; draft: not evaluated; off: switched off in the "
        "organisation; hidden: by an exception"
    )
    exception: str | None = Field(description="the exception that hides it")

    @staticmethod
    def titles_of(rule: Rule) -> dict[str, str]:
        return {"en": rule.title} | ({"vi": rule.title_vi} if rule.title_vi else {})


class MatchOut(TriedOut):
    line: int
    matched: dict[str, Value] = Field(description="the fields that made the rule match")

    @classmethod
    def of(cls, match: Match) -> MatchOut:
        rule = match.rule
        return cls(
            rule_id=rule.id,
            titles=cls.titles_of(rule),
            level=match.tuned.level,
            fate=match.tuned.fate,
            exception=match.tuned.exception,
            line=match.line,
            matched=match.matched,
        )


class CountedOut(TriedOut):
    lines: list[int]
    at_least: int
    timespan_s: int
    reached: bool = Field(description="these lines alone are enough for an alert")

    @classmethod
    def of(cls, found: Counted) -> CountedOut:
        rule = found.rule
        return cls(
            rule_id=rule.id,
            titles=cls.titles_of(rule),
            level=found.tuned.level,
            fate=found.tuned.fate,
            exception=found.tuned.exception,
            lines=list(found.lines),
            at_least=found.at_least,
            timespan_s=found.timespan_ms // 1000,
            reached=found.reached,
        )


class PreviewOut(BaseModel):
    type: str = Field(description="what the lines were taken for")
    proposals: list[ProposalOut] = Field(description="the likeliest first")
    parsed: int
    unparsed: int
    masked: dict[str, int] = Field(description="kind of personal data or secret: lines that hold it")
    remarks: dict[Remark, int] = Field(
        description="what is to be said of the whole; `old` counts days, the others lines"
    )
    lines: list[LineOut] = Field(description="the first of them, as they would be stored")
    matches: list[MatchOut] = Field(description="rules that would match, and what would become of it")
    counted: list[CountedOut] = Field(description="correlations that lines would count towards")

    @classmethod
    def of(cls, found: Preview, outcome: Outcome) -> PreviewOut:
        return cls(
            type=found.source_type,
            proposals=[ProposalOut.of(proposal) for proposal in found.proposals],
            parsed=found.parsed,
            unparsed=found.unparsed,
            masked=found.masked,
            remarks=found.remarks,
            lines=[LineOut.of(line) for line in found.lines],
            matches=[MatchOut.of(match) for match in outcome.matches],
            counted=[CountedOut.of(one) for one in outcome.counted],
        )
