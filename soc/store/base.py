"""What a store can do: one small Protocol a noun. SQLite and Elasticsearch pass the same contract suite (`tests/contracts`).

Every read that a person may trigger takes a `Scope`; what lies outside it does not exist (`NotFound`).
Pages run by cursor: an opaque string, None when there is no more. All times are ms since 1970 UTC.
Every method may raise `StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from soc.buffer.base import Cursor, Readable
from soc.model.account import Account
from soc.model.alert import Alert, Change, Decision, Status, Triage, Verdict
from soc.model.canary import Canary
from soc.model.delivery import Delivery, DeliveryState
from soc.model.event import Event
from soc.model.finding import Finding
from soc.model.incident import Incident, IncidentDecision, IncidentStatus
from soc.model.ledger import Entries, Line, Total
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleCost, RuleDoc, RuleFault, RulesInForce, Stage
from soc.model.silence import Outage
from soc.model.source import Source, SourceHealth
from soc.model.tuning import Hidden
from soc.query.ast import Query

T = TypeVar("T")

KEPT_DAYS = (
    400  # of what is counted and noted about the past, such as outages: the same month of last year can be looked at
)


NO_ENTRIES = Entries()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    next: str | None = None


class EventStore(Protocol):
    """Events as people search them. On the embedded default this is the event log itself."""

    def get(self, event_id: str, scope: Scope) -> Event: ...

    def many(self, event_ids: Iterable[str], scope: Scope) -> list[Event]:
        """Those that (still) exist inside the scope, in order of id."""
        ...

    def search(
        self,
        query: Query,
        scope: Scope,
        *,
        since: int | None = None,
        until: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Event]:
        """Newest first; `since` inclusive, `until` exclusive. A page may be short and still have a `next` when the search took long."""
        ...

    def neighbours(self, event_id: str, scope: Scope, *, each_side: int = 10) -> tuple[list[Event], list[Event]]:
        """The events of the same source just before and just after this one, oldest first in both lists."""
        ...


class History(Readable, Protocol):
    """The stored events of a scope and a time, once more from the oldest on."""

    def began(self) -> int | None:
        """The time of the first event there is, ms; None when there is none."""
        ...

    def total(self) -> int:
        """How much there is to read, in units of `done`."""
        ...

    def done(self, cursor: Cursor) -> int:
        """How much has been read when it has come to this cursor; to show progress with."""
        ...


class Detections(Protocol):
    """Written by the detector alone. `commit` is one atomic step: findings, state and cursor together, or nothing."""

    def cursor(self) -> Mapping[str, int]: ...

    def state_get(self, key: str) -> bytes | None: ...

    def commit(
        self,
        findings: Sequence[Finding],
        rules: Mapping[str, RuleDoc],
        state: Mapping[str, tuple[bytes, int]],
        cursor: Mapping[str, int],
        watermark: int | None,
        now: int,
        hidden: Sequence[Hidden] = (),
        ledger: Entries = NO_ENTRIES,
    ) -> list[str]:
        """Store what one batch gave; return the ids of alerts that are new.

        `rules`: rule hash -> rule, of the findings. `state`: key -> (value, expires). State that expires before `watermark` is dropped.
        `cursor` takes the place of the one before. `hidden` and `ledger` are added to what was there before, in one step with the
        cursor, so that each event counts once; counts of days more than `KEPT_DAYS` ago are forgotten, once a day.
        Idempotent by finding id: an alert's counter and times are derived from the set of its findings.
        """
        ...

    def publish(
        self, rules: Sequence[RuleDoc], faults: Sequence[RuleFault], in_force: RulesInForce | None = None
    ) -> None:
        """Say which rules the detector has, since when, and what is wrong: a rule that was stopped is in both."""
        ...

    def publish_costs(self, costs: Sequence[RuleCost]) -> None:
        """Say what the rules cost, in place of what was said before."""
        ...

    def publish_canaries(self, canaries: Sequence[Canary]) -> None:
        """Say what became of the last canary of each rule, in place of what was said before."""
        ...


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Fields that are None do not filter."""

    status: Status | None = None
    level: str | None = None
    org: str | None = None
    rule_id: str | None = None
    entity: str | None = None
    assignee: str | None = None
    since: int | None = None  # last_seen >= since
    until: int | None = None  # last_seen < until
    incident: str | None = None
    awake_at: int | None = None  # not snoozed then (ms)
    stage: Stage | None = Stage.LIVE  # what rules in test raise is not shown unless it is asked for


class AlertStore(Protocol):
    """Alerts as analysts see them: the detector's facts joined with triage. Read only."""

    def get(self, alert_id: str, scope: Scope) -> Alert: ...

    def several(self, alert_ids: Sequence[str], scope: Scope) -> Mapping[str, Alert]:
        """Those that there are, by id; what was decided a second ago may be missing from them, as in a list."""
        ...

    def list(self, where: AlertFilter, scope: Scope, *, cursor: str | None = None, limit: int = 50) -> Page[Alert]:
        """Most recently raised first."""
        ...

    def findings(
        self, alert_id: str, scope: Scope, *, since: int | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Finding]:
        """Every folded event of the alert (of `since`, ms, or later), oldest first."""
        ...

    def finding(self, alert_id: str, event_id: str, scope: Scope) -> Finding:
        """One folded event. Raises `NotFound`, also where there is such an event and it is not of this alert."""
        ...

    def counts(self, scope: Scope) -> Mapping[Status, int]:
        """Without those of rules in test."""
        ...

    def unclosed(self, scope: Scope) -> Mapping[tuple[str, str], int]:
        """(organisation, rule) -> alerts of it that are not closed, without those of rules in test."""
        ...

    def unclosed_before(self, time: int, scope: Scope) -> int:
        """How many of these were raised before this time (ms)."""
        ...

    def rule(self, rule_hash: str) -> RuleDoc:
        """The rule as it was when it fired."""
        ...

    def running(self) -> tuple[Sequence[RuleDoc], Sequence[RuleFault]]:
        """The rules that the detector has, and what is wrong: with files that gave none, and with rules that were stopped or bounded."""
        ...

    def costs(self) -> Mapping[str, RuleCost]:
        """By rule, of those that were sampled since the detector started."""
        ...

    def canaries(self) -> Mapping[str, Canary]:
        """By rule: what became of its last canary."""
        ...

    def in_force(self) -> RulesInForce | None:
        """Since when they are; None while no detector has said so."""
        ...

    def by_rule(self, scope: Scope, *, stage: Stage = Stage.LIVE, since: int | None = None) -> Mapping[str, int]:
        """Rule id -> number of alerts of that stage, raised at `since` or later."""
        ...

    def verdicts(self, scope: Scope) -> Mapping[str, Mapping[Verdict, int]]:
        """Rule id -> verdict -> number of closed alerts, without those of rules in test."""
        ...

    def of_rule(
        self, rule_id: str, scope: Scope, *, since: int, cursor: str | None = None, limit: int = 500
    ) -> Page[Finding]:
        """What a rule found in events of `since` and later, whatever its stage; the findings of one alert come together, oldest first."""
        ...

    def hidden(self, scope: Scope, *, since: str, rule_id: str | None = None) -> Sequence[Hidden]:
        """What exceptions hid on the local day `since` (`2026-11-22`) and after it, by rule, exception, organisation and day."""
        ...


class TriageStore(Protocol):
    """What people decided. The caller has checked that the alert exists in the caller's scope."""

    def change(self, alert_id: str, decision: Decision, *, by: str, now: int) -> Triage:
        """Apply the decision; record each changed field in the history.

        Raises `Conflict` when its `version` is given and is not the current one. Reopening (`NEW`, `ACKNOWLEDGED`) clears the verdict.
        Closing and reopening end the snooze.
        """
        ...

    def history(self, alert_id: str) -> list[Change]:
        """Oldest first."""
        ...


class IncidentStore(Protocol):
    """Incidents, without their alerts: `AlertFilter.incident` lists those. An incident is visible to whom all its organisations are."""

    def create(self, incident: Incident, *, by: str, split_from: str | None = None) -> None:
        """Raises `Conflict` when the id is taken. The history begins with the title and, if given, where it was split from."""
        ...

    def get(self, incident_id: str, scope: Scope) -> Incident: ...

    def change(self, incident_id: str, decision: IncidentDecision, *, by: str, now: int) -> Incident:
        """Apply the decision; record each changed field in the history.

        Raises `NotFound`, and `Conflict` when its `version` is given and is not the current one. Reopening clears the verdict. The
        caller has checked the scope.
        """
        ...

    def history(self, incident_id: str) -> list[Change]:
        """Oldest first; nothing for an incident that does not exist."""
        ...

    def list(
        self, scope: Scope, *, status: IncidentStatus | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Incident]:
        """Newest first."""
        ...


class SourceStore(Protocol):
    def revision(self) -> int:
        """Changes whenever anything in the control database changes; cheap enough to ask each second."""
        ...

    def add(self, source: Source, token_hash: str | None, *, by: str) -> None:
        """Raises `Conflict` when the id is taken, and for an organisation whose spelling is not `check_spelling`'s."""
        ...

    def get(self, source_id: str, scope: Scope) -> Source: ...

    def list(self, scope: Scope) -> list[Source]: ...

    def by_token(self, token_hash: str) -> Source | None: ...

    def set_enabled(self, source_id: str, enabled: bool, *, by: str) -> None: ...

    def set_token(self, source_id: str, token_hash: str | None, *, by: str) -> None:
        """From now on only this token is the source's; None revokes the one it had. Raises `NotFound`."""
        ...


class PolicyStore(Protocol):
    """What people have laid down; see `soc.model.policy`. Not scoped: who may see or change what, the API decides."""

    def revision(self) -> int:
        """Changes whenever a policy does; cheap enough to ask each second."""
        ...

    def put(self, policy: Policy) -> None:
        """Keep one more version; the same again changes nothing.

        Raises `Conflict` when its version is not the one after the latest, `ConfigError` when it is too large.
        """
        ...

    def begin(self, policies: Sequence[Policy]) -> int:
        """Keep those first versions whose names have none yet, all in one go; returns how many. The others stay as they are."""
        ...

    def get(self, kind: PolicyKind, id_: str) -> Policy:
        """The latest version, withdrawn or not. Raises `NotFound`."""
        ...

    def history(self, kind: PolicyKind, id_: str) -> list[Policy]:
        """Oldest first."""
        ...

    def list(self, kind: PolicyKind) -> list[Policy]:
        """The latest versions of those that are not withdrawn, by id."""
        ...


class DeliveryStore(Protocol):
    """The outbox of notifications; see `soc.model.delivery`. What sends reads all of it; what people read takes a scope."""

    def add(self, deliveries: Sequence[Delivery]) -> int:
        """Keep those whose ids are new; returns how many. The others stay as they are."""
        ...

    def update(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Write each whose version is still the one that is kept; returns those that were written, with their next version.

        The others have been changed by somebody else: of two who claim a delivery, one gets it.
        """
        ...

    def get(self, delivery_id: str, scope: Scope) -> Delivery: ...

    def pending(self, route_id: str, limit: int = 500) -> list[Delivery]:
        """Oldest first, due or not."""
        ...

    def list(
        self,
        state: DeliveryState,
        scope: Scope,
        *,
        routes: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Delivery]:
        """Newest first. `routes`: of these routes only."""
        ...

    def waiting(self) -> Mapping[str, int]:
        """Route id -> how many are pending, of those routes that have any."""
        ...

    def messages(self, route_id: str, since: int) -> int:
        """How many messages have been sent since then (ms)."""
        ...

    def drop(self, before: int) -> int:
        """Forget what was made before (ms) and is pending no more; returns how much."""
        ...


class HealthStore(Protocol):
    """Written by the collector, read by all."""

    def report(self, health: Sequence[SourceHealth]) -> None: ...

    def health(self) -> Mapping[str, SourceHealth]: ...


class OutageStore(Protocol):
    """Silences of sources that were noticed. Written by whoever watches, any number of them at once."""

    def open(self, outage: Outage) -> bool:
        """Keep it as still silent; True when it was not that before. Repeated, it changes nothing; one that was cleared is open
        again, as it was noticed first."""
        ...

    def clear(self, outage_id: str, at: int) -> bool:
        """It is over; True when it was not before. What is not known is no error."""
        ...

    def list(self, scope: Scope, *, since: int) -> list[Outage]:
        """Those that are open, and those cleared at `since` or later; most recently noticed first."""
        ...

    def drop(self, before: int) -> int:
        """Forget those cleared before (ms); returns how many."""
        ...


class LedgerStore(Protocol):
    """What became of what each rule found; see `soc.model.ledger`. Written by the detector with each commit; on a server up to some
    seconds behind. Times are of the detector's clock, `since` inclusive, `until` exclusive."""

    def minutes(self, rule_id: str, scope: Scope, *, since: int, until: int) -> list[Line]:
        """The minutes in which the rule did anything, oldest first; kept for `MINUTES_KEPT_DAYS`."""
        ...

    def hours(self, rule_id: str, scope: Scope, *, since: int, until: int) -> list[Line]:
        """The hours in which it did or saw anything, oldest first; kept for `KEPT_DAYS`."""
        ...

    def unread(self, scope: Scope, *, since: int) -> int:
        """Events that no rule saw because they are dead letters without a time."""
        ...

    def totals(self, scope: Scope, *, since: int) -> Mapping[str, Total]:
        """Of every rule that did or saw anything."""
        ...


class AccountStore(Protocol):
    def empty(self) -> bool: ...

    def put(self, account: Account, password_hash: str | None, *, by: str) -> None:
        """Add or replace; None keeps the password there is."""
        ...

    def get(self, name: str) -> Account | None: ...

    def list(self) -> list[Account]: ...

    def password_hash(self, name: str) -> str | None: ...

    def add_key(self, name: str, key_hash: str, label: str, *, by: str) -> None:
        """An API key of an account; only its SHA-256 is kept."""
        ...

    def drop_keys(self, name: str, *, by: str) -> int:
        """Revoke every API key of the account; returns how many there were."""
        ...

    def by_key(self, key_hash: str) -> Account | None: ...

    def open_session(self, name: str, session_hash: str, *, now: int, expires: int) -> None: ...

    def by_session(self, session_hash: str, *, now: int) -> Account | None: ...

    def close_session(self, session_hash: str) -> None: ...


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who asked for what, and when. There is no change without its entry, which is written before it or with it; so on a server
    there may be one of a change that then failed."""

    at: int
    by: str
    action: str  # `sign-in`, `sign-in-failed`, `alert.change`, `source.add`, ...
    target: str
    detail: str


class AuditStore(Protocol):
    def record(self, entry: AuditEntry) -> None: ...

    def list(self, *, by: str = "", action: str = "", cursor: str | None = None, limit: int = 50) -> Page[AuditEntry]:
        """Newest first; `by`, `action`: only those, an empty text is everyone's. Raises `QueryError` for a cursor that is none."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything a process may need, given as one argument to those that need several."""

    events: EventStore
    alerts: AlertStore
    triage: TriageStore
    incidents: IncidentStore
    sources: SourceStore
    policies: PolicyStore
    deliveries: DeliveryStore
    health: HealthStore
    outages: OutageStore
    ledger: LedgerStore
    accounts: AccountStore
    audit: AuditStore
