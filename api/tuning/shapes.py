"""The shapes of tuning in the JSON API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from api.ledger import CanaryOut, StatsOut
from api.schemas import AlertId, FaultOut, In, Level, Name, RuleOut, ms
from api.tuning.exceptions import Laid
from api.tuning.history import Revision
from api.tuning.preview import DAYS, Preview
from api.tuning.ratio import ENOUGH, Ratio
from soc.model.account import Account
from soc.model.asked import Asked
from soc.model.event import iso
from soc.model.rule import RulesInForce, Stage
from soc.model.tuning import (
    MAX_CONDITION,
    MAX_ORGS,
    MAX_REASON,
    OUTSIDE,
    Hidden,
    OrgSetting,
    RuleException,
    RuleSetting,
)

Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON)]
Version = Annotated[int, Field(ge=0, le=2**53, description="as you last read it; 0 where nothing is laid down yet")]
Confirm = Annotated[
    str | None,
    Field(min_length=1, max_length=MAX_REASON, description="why it is right all the same, when asked for it"),
]


class RatioOut(BaseModel):
    """How often the rule was wrong, by verdicts."""

    closed: int
    false_positives: int
    share: float | None = Field(
        description=f"false positives of the closed alerts, 0..1; null below {ENOUGH} closed alerts"
    )
    low: float | None = Field(description="95 % interval (Wilson)")
    high: float | None

    @classmethod
    def of(cls, ratio: Ratio) -> RatioOut:
        return cls(
            closed=ratio.closed,
            false_positives=ratio.false_positives,
            share=ratio.share,
            low=ratio.low,
            high=ratio.high,
        )


Threshold = Annotated[
    float | None,
    Field(allow_inf_nan=False, description="how much a correlation asks for, in place of the number in its text"),
]
Timespan = Annotated[
    int | None, Field(ge=1, le=2**40, description="the window of a correlation in seconds, in place of its text's")
]
Only = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=MAX_CONDITION,
        description="search expression: what the rule finds counts only where it holds; of a correlation, of what it groups by",
    ),
]


class OwnIO(In):
    """What an organisation has of its own; null: what holds everywhere."""

    enabled: bool = True
    level: Level | None = Field(None, description="null: that of the rule")
    threshold: Threshold = None
    timespan_s: Timespan = None
    only: Only = None

    @property
    def own(self) -> OrgSetting:
        return OrgSetting(self.enabled, self.level, self.threshold, self.timespan_s, self.only)


class SettingIn(In):
    """All of it as it shall be; of other organisations than yours, nothing changes."""

    version: Version
    reason: Reason
    stage: Stage
    level: Level | None = Field(None, description="in place of the rule's own")
    threshold: Threshold = None
    timespan_s: Timespan = None
    only: Only = None
    orgs: dict[Name, OwnIO] = Field(default_factory=dict, max_length=MAX_ORGS)
    confirm_reason: Confirm = None

    def setting(self, rule_id: str) -> RuleSetting:
        orgs = {org: one.own for org, one in self.orgs.items()}
        return RuleSetting(rule_id, self.stage, self.level, orgs, self.threshold, self.timespan_s, self.only)


class AskedOut(BaseModel):
    """What a correlation asks for by its text."""

    type: str
    compares: str = Field(
        description="gt, gte, lt, lte, eq or neq; empty where there is no single number: no threshold can be set"
    )
    threshold: float
    timespan_s: int

    @classmethod
    def of(cls, asked: Asked) -> AskedOut:
        return cls(type=asked.type, compares=asked.compares, threshold=asked.threshold, timespan_s=asked.timespan_s)


class SettingOut(BaseModel):
    version: int
    stage: Stage
    level: str | None
    threshold: float | None
    timespan_s: int | None
    only: str | None
    orgs: dict[str, OwnIO]

    @classmethod
    def of(cls, setting: RuleSetting, version: int) -> SettingOut:
        orgs = {org: _own(own) for org, own in setting.orgs.items()}
        return cls(
            version=version,
            stage=setting.stage,
            level=setting.level,
            threshold=setting.threshold,
            timespan_s=setting.timespan_s,
            only=setting.only,
            orgs=orgs,
        )


def _own(own: OrgSetting) -> OwnIO:
    return OwnIO.model_validate(asdict(own))


class LineOut(BaseModel):
    field: str
    old: str | None
    new: str | None


class RevisionOut(BaseModel):
    version: int
    at: str
    by: str
    reason: str
    withdrawn: bool
    lines: list[LineOut] = Field(description="what changed, field by field")
    diff: str = Field(description="the same as text")

    @classmethod
    def of(cls, revision: Revision) -> RevisionOut:
        return cls(
            version=revision.version,
            at=iso(revision.at),
            by=revision.by,
            reason=revision.reason,
            withdrawn=revision.withdrawn,
            lines=[LineOut(field=line.field, old=line.old, new=line.new) for line in revision.lines],
            diff=revision.unified,
        )


class HiddenOut(BaseModel):
    exception_id: str = Field(description=f"`{OUTSIDE}`: no exception, but what narrows the rule")
    org: str
    day: str
    events: int

    @classmethod
    def of(cls, hidden: Hidden) -> HiddenOut:
        return cls(exception_id=hidden.exception_id, org=hidden.org, day=hidden.day, events=hidden.events)


class ExceptionIn(In):
    rule_id: Name
    condition: str = Field(
        min_length=1,
        max_length=MAX_CONDITION,
        description="search expression; asks named fields for values of their own",
    )
    orgs: list[Name] = Field(default_factory=list, max_length=MAX_ORGS, description="empty: all organisations")
    reason: Reason
    owner: Name | None = Field(None, min_length=1, description="who answers for it; you, when left out")
    expires_at: AwareDatetime | None = Field(None, description="null: until it is withdrawn")
    created_from: AlertId | None = None
    confirm_reason: Confirm = None

    def proposed(self, account: Account, id_: str = "new") -> RuleException:
        return RuleException(
            id=id_,
            rule_id=self.rule_id,
            condition=self.condition,
            reason=self.reason,
            owner=self.owner or account.name,
            orgs=frozenset(self.orgs),
            expires_at=ms(self.expires_at),
            created_from=self.created_from,
            confirmed=self.confirm_reason or "",
        )


class ExceptionChangeIn(ExceptionIn):
    version: Version
    why: Reason = Field(description="of this change")


class WithdrawIn(In):
    version: Version
    reason: Reason


class ExceptionOut(BaseModel):
    id: str
    version: int
    rule_id: str
    condition: str
    orgs: list[str] = Field(description="of those that you may see; empty: all organisations")
    reason: str
    owner: str
    expires_at: str | None
    over: bool
    created_from: str | None
    confirm_reason: str
    changed_by: str
    changed_at: str

    @classmethod
    def of(cls, laid: Laid, now: int) -> ExceptionOut:
        exception = laid.exception
        return cls(
            id=exception.id,
            version=laid.version,
            rule_id=exception.rule_id,
            condition=exception.condition,
            orgs=sorted(exception.orgs),
            reason=exception.reason,
            owner=exception.owner,
            expires_at=None if exception.expires_at is None else iso(exception.expires_at),
            over=exception.over(now),
            created_from=exception.created_from,
            confirm_reason=exception.confirmed,
            changed_by=laid.by,
            changed_at=iso(laid.at),
        )


class PreviewOut(BaseModel):
    days: int = DAYS
    examined: int = Field(description="findings that were looked at")
    events: int = Field(description="distinct events that it would have hidden")
    alerts: int = Field(description="alerts that would not have been raised")
    touched: int = Field(description="alerts that would have fewer events")
    confirmed: list[str] = Field(description="of `alerts`, those that were closed as true")
    gone: int = Field(description="findings whose event is no longer kept: nothing is known of them")
    complete: bool = Field(description="false: there were more findings than are looked at")

    @classmethod
    def of(cls, found: Preview) -> PreviewOut:
        return cls(
            examined=found.examined,
            events=found.events,
            alerts=found.alerts,
            touched=found.touched,
            confirmed=list(found.confirmed),
            gone=found.gone,
            complete=found.complete,
        )


class RuleListed(RuleOut):
    stage: Stage
    level_set: str | None = Field(description="what people set in place of the rule's own level")
    ratio: RatioOut
    stats: StatsOut


class RuleDetail(RuleListed):
    setting: SettingOut
    asked: AskedOut | None = Field(description="of a correlation; null: the rule looks at single events")
    tested: int = Field(description="alerts that it raised in test in the last 7 days, out of the queue")
    test_days: float = Field(description="of these 7 days, those in which it was in test")
    exceptions: list[ExceptionOut]
    hidden: list[HiddenOut] = Field(description="what exceptions hid in the last 30 days")
    history: list[RevisionOut]
    faults: list[FaultOut] = Field(description="why it was stopped, or what bounds it")
    cost_seconds: float | None = Field(
        description="CPU time that it takes for one event when it is evaluated alone, as sampled; null before it was"
    )
    canary: CanaryOut | None = Field(description="null before the first")


class InForceOut(BaseModel):
    hash: str = Field(description="of all rules that run")
    rules: int
    since: str = Field(description="when they were taken up")
    checked: str = Field(description="when their files were last read")
    loading_since: str | None = Field(description="their files have changed, and are being read")

    @classmethod
    def of(cls, known: RulesInForce) -> InForceOut:
        return cls(
            hash=known.hash,
            rules=known.rules,
            since=iso(known.since),
            checked=iso(known.checked),
            loading_since=None if known.loading_since is None else iso(known.loading_since),
        )


class RulesListed(BaseModel):
    items: list[RuleListed]
    in_force: InForceOut | None = Field(description="null while no detector has said anything")
    faults: list[FaultOut] = Field(description="rules that could not be loaded, or broke while running")
