"""The shapes of the JSON API. Times are RFC 3339 in UTC; field names inside `fields` and `matched` are ECS, flat and dotted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from soc.backtest.jobs import JobState, Report
from soc.model.account import Account, Role
from soc.model.alert import Alert, Change, Decision, Status, Verdict
from soc.model.event import Event, Value, iso
from soc.model.finding import Finding
from soc.model.rule import RuleDoc, RuleFault, Stage
from soc.model.silence import Freshness
from soc.store.base import AlertFilter

T = TypeVar("T")

Level = Literal["informational", "low", "medium", "high", "critical"]
AlertId = Annotated[str, Field(pattern="^[0-9a-f]{24}$", description="24 hex digits")]
IncidentId = Annotated[str, Field(pattern="^[0-9a-f]{24}$", description="24 hex digits")]
EventId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="32 hex digits")]
Cursor = Annotated[str | None, Field(max_length=200, description="`next` of the page before")]
Limit = Annotated[int, Field(ge=1, le=200, description="items a page")]
Name = Annotated[str, Field(max_length=200)]
Comment = Annotated[str, Field(min_length=1, max_length=4000)]


class In(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PageOut(BaseModel, Generic[T]):
    items: list[T]
    next: str | None = Field(None, description="give it as `cursor` to get the next page; null at the end")


class ItemsOut(BaseModel, Generic[T]):
    items: list[T]


class AlertOut(BaseModel):
    id: str
    rule_id: str
    rule_hash: str
    title: str
    titles: dict[str, str] = Field(description="the title by language")
    level: str
    org: str
    entity_field: str
    entity: str
    first_seen: str
    last_seen: str
    raised_at: str
    count: int = Field(description="distinct folded events")
    tags: list[str]
    status: Status
    verdict: Verdict | None
    assignee: str | None
    stage: Stage = Field(description="`test`: of a rule in test, kept out of the queue")
    version: int = Field(description="counts changes; send it with a change")
    updated_at: str | None
    updated_by: str | None
    incident: str | None = Field(description="the incident that it is worked on in")
    snoozed_until: str | None

    @classmethod
    def of(cls, alert: Alert, rule: RuleDoc | None) -> AlertOut:
        triage = alert.triage
        return cls(
            id=alert.id,
            rule_id=alert.rule_id,
            rule_hash=alert.rule_hash,
            title=alert.title,
            titles={"en": alert.title, **(rule.titles if rule else {})},
            level=alert.level,
            org=alert.org,
            entity_field=alert.entity_field,
            entity=alert.entity,
            first_seen=iso(alert.first_seen),
            last_seen=iso(alert.last_seen),
            raised_at=iso(alert.raised_at),
            count=alert.count,
            tags=list(alert.tags),
            status=triage.status,
            verdict=triage.verdict,
            assignee=triage.assignee,
            stage=alert.stage,
            version=triage.version,
            updated_at=moment(triage.updated_at),
            updated_by=triage.updated_by,
            incident=triage.incident,
            snoozed_until=moment(triage.snoozed_until),
        )


class RuleOut(BaseModel):
    id: str
    hash: str
    title: str
    titles: dict[str, str]
    level: str
    description: str
    tags: list[str]
    falsepositives: list[str]
    runbook: dict[str, str] = Field(description="Markdown by language")
    path: str
    author: str
    license: str
    package: str = Field(description="what it was imported with; empty: nothing")
    silent: bool = Field(description="only feeds correlations")
    alerts: int | None = Field(None, description="alerts of this rule that you may see")
    text: str | None = Field(None, description="the rule's YAML; not in lists")

    @classmethod
    def of(cls, rule: RuleDoc, *, alerts: int | None = None, text: bool = True) -> RuleOut:
        return cls(
            id=rule.id,
            hash=rule.hash,
            title=rule.title,
            titles={"en": rule.title, **rule.titles},
            level=rule.level,
            description=rule.description,
            tags=list(rule.tags),
            falsepositives=list(rule.falsepositives),
            runbook=dict(rule.runbook),
            path=rule.path,
            author=rule.author,
            license=rule.license,
            package=rule.package,
            silent=rule.silent,
            alerts=alerts,
            text=rule.text if text else None,
        )


class AlertDetail(AlertOut):
    rule: RuleOut | None = Field(None, description="the rule as it was when it fired")


class FaultOut(BaseModel):
    reason: str
    path: str | None
    line: int | None
    rule_id: str | None

    @classmethod
    def of(cls, fault: RuleFault) -> FaultOut:
        return cls(reason=fault.reason, path=fault.path, line=fault.line, rule_id=fault.rule_id)


class EventOut(BaseModel):
    id: str
    time: str | None = Field(description="null when the event is undated")
    org: str
    dataset: str
    fields: dict[str, Value]

    @classmethod
    def of(cls, event: Event) -> EventOut:
        return cls(
            id=event.id,
            time=iso(event.ts) if event.ts else None,
            org=event.org,
            dataset=event.dataset,
            fields=event.fields,
        )


class PersonIn(In):
    number: Annotated[SecretStr, Field(min_length=8, max_length=40, description="phone number, CCCD or CMND")]
    org: Name | None = Field(None, description="only in this organisation")


class ExpressionOut(BaseModel):
    q: str = Field(description="finds the tokens of the number: use it as `q` of a search")
    searched: list[str] = Field(description="the organisations that it looks through")
    keyless: list[str] = Field(
        description="those it says nothing about: their masking keys are not on the machine of the API"
    )


class BacktestIn(In):
    rule_id: Name | None = Field(None, description="of a running rule")
    text: Annotated[str, Field(max_length=48 << 10)] | None = Field(None, description="YAML of a new or changed one")
    days: Annotated[int, Field(ge=1, le=366)] = 30
    threshold: Annotated[float | None, Field(allow_inf_nan=False)] = Field(
        None, description="what the running rule is to ask for, in every organisation; null: what holds"
    )
    timespan_s: Annotated[int | None, Field(ge=1, le=2**40)] = Field(None, description="within which time")


class ForecastOut(BaseModel):
    expected: float = Field(description="alerts of the next 7 days together")
    low: float
    high: float = Field(description="nine times out of ten it is between low and high, while days are like those seen")
    days_seen: int


class EntityOut(BaseModel):
    field: str
    value: str
    alerts: int
    events: int


class OutcomeOut(BaseModel):
    rule_id: str
    title: str
    level: str = Field(description="the rule's own")
    levels: dict[str, int] = Field({}, description="alerts by the level that they would have")
    hidden: dict[str, int] = Field({}, description="exception: events that it hid, which are in no other figure")
    events: int
    alerts: int
    by_day: dict[str, int] = Field(description="alerts of each whole local day")
    forecast: ForecastOut | None
    entities: list[EntityOut]
    known: dict[str, int] = Field(description="its alerts that were there already: open, or by verdict")
    fresh: int = Field(description="alerts that were not there")
    gone: int = Field(description="alerts of this rule that were there and would not be any more")
    gone_true: int = Field(description="of these, confirmed ones")
    noisy_since: int | None = Field(description="ms; the rule was given up there: all figures are too small")
    broken: str | None = Field(description="why the rule stopped: all figures are too small")


class JobOut(BaseModel):
    """What is said of a backtest, of whatever kind."""

    id: str
    at: str
    by: str
    orgs: list[str] | None = Field(description="null: all organisations")
    days: int
    state: JobState
    done: int = Field(description="of `total`")
    total: int
    events: int = Field(description="looked at since it was last started")
    reason: str

    @staticmethod
    def facts(report: Report) -> dict[str, Any]:
        job = report.job
        return {
            "id": job.id, "at": iso(job.at), "by": job.by, "orgs": None if job.orgs is None else list(job.orgs), "days": job.days,
            "state": report.state, "done": report.done, "total": report.total, "events": report.events, "reason": report.reason,
        }  # fmt: skip


class BacktestOut(JobOut):
    rule_id: str | None
    threshold: float | None = Field(description="what it was to ask for, where that is not what held")
    timespan_s: int | None
    outcomes: list[OutcomeOut] = Field(description="once it is done; not in lists")

    @classmethod
    def of(cls, report: Report, *, whole: bool = True) -> BacktestOut:
        job = report.job
        return cls(
            **cls.facts(report),
            rule_id=job.rule_id,
            threshold=job.threshold,
            timespan_s=job.timespan_s,
            outcomes=[OutcomeOut.model_validate(outcome) for outcome in report.outcomes] if whole else [],
        )


class NeighboursOut(BaseModel):
    before: list[EventOut]
    after: list[EventOut]


class FindingOut(BaseModel):
    id: str
    time: str
    event_id: str
    matched: dict[str, Value] = Field(description="what made the rule fire")
    event: EventOut | None = Field(description="null once retention has deleted it")

    @classmethod
    def of(cls, finding: Finding, event: Event | None) -> FindingOut:
        return cls(
            id=finding.id,
            time=iso(finding.ts),
            event_id=finding.event_id,
            matched=finding.matched,
            event=EventOut.of(event) if event else None,
        )


class ChangeOut(BaseModel):
    at: str
    by: str
    field: Literal["status", "verdict", "assignee", "incident", "snoozed_until", "snooze_reason", "comment"]
    old: str | None
    new: str | None

    @classmethod
    def of(cls, change: Change) -> ChangeOut:
        return cls.model_validate(
            {"at": iso(change.at), "by": change.by, "field": change.field, "old": change.old, "new": change.new}
        )


class ChangesIn(In):
    """What to change; leave out what stays. `assignee: null` unassigns, `snoozed_until: null` wakes."""

    status: Status | None = None
    verdict: Verdict | None = Field(None, description="needed to close, refused otherwise")
    assignee: Name | None = None
    comment: Comment | None = None
    snoozed_until: AwareDatetime | None = Field(None, description="out of the queue till then; needs `snooze_reason`")
    snooze_reason: Comment | None = None

    def decision(self, version: int | None = None) -> Decision:
        unassigned = "assignee" in self.model_fields_set and not self.assignee
        woken = "snoozed_until" in self.model_fields_set and self.snoozed_until is None
        return Decision(
            version,
            self.status,
            self.verdict,
            "" if unassigned else self.assignee,
            self.comment,
            0 if woken else ms(self.snoozed_until),
            self.snooze_reason,
        )


class DecisionIn(ChangesIn):
    version: int = Field(ge=0, le=2**53, description="the alert's `version` that you looked at")


class FilterIn(In):
    """What is left out does not filter."""

    status: Status | None = None
    level: Level | None = None
    org: Name | None = None
    rule_id: Name | None = None
    entity: Name | None = None
    assignee: Name | None = None
    stage: Literal[Stage.LIVE, Stage.TEST] = Field(
        Stage.LIVE, description="`test`: what rules in test raise, out of the queue"
    )
    text: Name = Field("", description="words of the title, in any language, or of the entity")
    since: AwareDatetime | None = Field(None, description="last seen then or later")
    until: AwareDatetime | None = Field(None, description="last seen before")
    incident: IncidentId | None = None
    awake: bool = Field(False, description="without those that are snoozed now")

    def where(self, now: int) -> AlertFilter:
        """But for the text (`now`: ms)."""
        return AlertFilter(
            self.status,
            self.level,
            self.org,
            self.rule_id,
            self.entity,
            self.assignee,
            ms(self.since),
            ms(self.until),
            self.incident,
            now if self.awake else None,
            self.stage,
        )


class AlertsIn(FilterIn):
    """The parameters of the list. One that is not known is ignored, as everywhere in an address."""

    model_config = ConfigDict(extra="ignore")

    cursor: Cursor = None
    limit: Limit = 50


class BulkIn(In):
    where: FilterIn
    change: ChangesIn
    expected: int = Field(
        ge=0, le=1000, description="how many alerts you were shown; refused when there are more by now"
    )


class BulkOut(BaseModel):
    changed: int
    moved: int = Field(
        description="series and entities of which something else is harmless now, see `/harmless`, `/entities/harmless`"
    )
    refused: dict[str, str] = Field(description="alert id: why it was left as it is")
    more: bool = Field(description="the filter finds others, beyond the latest 1,000")
    whole: bool = Field(
        description="false: only the latest `looked_at` alerts were looked at for the text: 20,000 at most, in 10 seconds"
    )
    looked_at: int


class TimesOut(BaseModel):
    """Of one level. Seconds; null where there is nothing to take them of."""

    level: str
    raised: int
    waiting: int = Field(description="nobody has taken them up yet")
    closed: int
    acknowledge_median_s: float | None
    acknowledge_p90_s: float | None
    resolve_median_s: float | None
    resolve_p90_s: float | None


class AllTimesOut(BaseModel):
    items: list[TimesOut]
    whole: bool = Field(description="false: only the latest 20,000 alerts of the time were counted")


class CommentIn(In):
    comment: Comment


class HealthOut(BaseModel):
    version: str
    sources: dict[Freshness, int]
    alerts: dict[Status, int]
    rules: int
    rule_faults: int


class CredentialsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: Name
    password: str = Field(max_length=1000)


class AccountOut(BaseModel):
    name: str
    role: Role
    orgs: list[str] | None = Field(description="organisations that you may see; null means all")

    @classmethod
    def of(cls, account: Account) -> AccountOut:
        orgs = account.scope.orgs
        return cls(name=account.name, role=account.role, orgs=None if orgs is None else sorted(orgs))


def ms(at: AwareDatetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def by_id(events: list[Event]) -> Mapping[str, Event]:
    return {event.id: event for event in events}


def moment(at: int | None) -> str | None:
    return None if at is None else iso(at)
