"""Alert: what an analyst triages. Facts come from the detector, triage from people; each has one writer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from soc.model.rule import Stage


class Status(StrEnum):
    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Verdict(StrEnum):
    TRUE_POSITIVE = "true_positive"
    FALSE_POSITIVE = "false_positive"
    BENIGN = "benign"  # it really happened, and it is allowed


@dataclass(frozen=True, slots=True)
class Triage:
    """What people decided about an alert. `version` counts changes and guards against two people changing it at once.

    `incident`: the one that the alert is worked on in; this field is the whole of membership. `snoozed_until`: ms, out of the queue
    till then; the status stays.
    """

    status: Status = Status.NEW
    verdict: Verdict | None = None
    assignee: str | None = None
    version: int = 0
    updated_at: int | None = None  # ms
    updated_by: str | None = None
    incident: str | None = None
    snoozed_until: int | None = None
    acknowledged_at: int | None = None  # ms, when somebody first took it up or closed it
    closed_at: int | None = None  # ms, None unless it is closed


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a triage. What is None stays as it is; `assignee=""` unassigns, `incident=""` takes the alert out of its
    incident, `snoozed_until=0` (else ms) wakes it. `version`: the triage that the decision was made on, None for any.
    """

    version: int | None = None
    status: Status | None = None
    verdict: Verdict | None = None
    assignee: str | None = None
    comment: str | None = None
    snoozed_until: int | None = None
    reason: str | None = None  # of the snooze, kept in the history alone
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """Findings folded by rule, organisation, entity, local day and stage. Times are ms of *event* time, except `raised_at`.

    `level` and `stage` are those of its first finding.
    """

    id: str
    rule_id: str
    rule_hash: str
    title: str
    level: str
    org: str
    entity_field: str
    entity: str
    first_seen: int
    last_seen: int
    count: int  # distinct folded events
    raised_at: int  # wall clock of the first finding's arrival, ms
    tags: tuple[str, ...] = ()
    triage: Triage = Triage()
    stage: Stage = Stage.LIVE


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history of an alert or an incident.

    `field`: of both `status`, `verdict`, `assignee`, `comment`; of an alert also `incident`, `snoozed_until` (RFC 3339) and
    `snooze_reason`; of an incident also `title`, `orgs`, `split_from`, `merged` (another one into it), `merged_into` and `alerts`
    (ids in one line: `new` came into it, `old` left it).
    """

    about: str  # the alert's or the incident's id
    at: int  # ms
    by: str
    field: str
    old: str | None
    new: str | None
