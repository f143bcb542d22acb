"""The shapes of incidents in the JSON API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas import AlertId, AlertOut, Comment, In, IncidentId, Name, PageOut
from soc.model.alert import Change, Verdict
from soc.model.event import iso
from soc.model.incident import Incident, IncidentStatus

Title = Annotated[str, Field(min_length=1, max_length=200)]
Alerts = Annotated[list[AlertId], Field(min_length=1, max_length=100)]
OwnId = Annotated[
    IncidentId | None,
    Field(
        description="24 hex digits of your own choice: the same request may then be sent again. Left out, one is chosen"
    ),
]


class IncidentOut(BaseModel):
    id: str
    title: str
    orgs: list[str] = Field(
        description="of the alerts that ever joined; you see the incident when you may see all of them"
    )
    status: IncidentStatus
    verdict: Verdict | None
    assignee: str | None
    version: int = Field(description="counts changes; send it with a change")
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str
    merged_into: str | None = Field(description="the incident that took over its alerts")

    @classmethod
    def of(cls, incident: Incident) -> IncidentOut:
        return cls(
            id=incident.id,
            title=incident.title,
            orgs=list(incident.orgs),
            status=incident.status,
            verdict=incident.verdict,
            assignee=incident.assignee,
            version=incident.version,
            created_at=iso(incident.created_at),
            created_by=incident.created_by,
            updated_at=iso(incident.updated_at),
            updated_by=incident.updated_by,
            merged_into=incident.merged_into,
        )


class IncidentDetail(IncidentOut):
    alerts: PageOut[AlertOut] = Field(description="most recently raised first")


class IncidentChangeOut(BaseModel):
    incident: str = Field(description="this one, or one that was merged into it")
    at: str
    by: str
    field: Literal[
        "title", "status", "verdict", "assignee", "orgs", "alerts", "split_from", "merged", "merged_into", "comment"
    ] = Field(
        description="`merged`: the incident `new` into this one; `split_from`: this one out of the incident `new`; "
        "`alerts`: those of the ids in `new` came into it, those in `old` left it"
    )
    old: str | None
    new: str | None

    @classmethod
    def of(cls, change: Change) -> IncidentChangeOut:
        return cls.model_validate(
            {
                "incident": change.about,
                "at": iso(change.at),
                "by": change.by,
                "field": change.field,
                "old": change.old,
                "new": change.new,
            }
        )


class IncidentIn(In):
    """A new incident, of alerts that are in none."""

    id: OwnId = None
    title: Title
    alerts: Alerts


class SplitIn(In):
    """A new incident, of alerts of this one."""

    id: OwnId = None
    title: Title
    alerts: Alerts


class AlertsIn(In):
    alerts: Alerts


class MergeIn(In):
    incident: IncidentId = Field(
        description="the incident to merge into this one; it is closed, and its alerts come here"
    )


class IncidentDecisionIn(In):
    """What to change; leave out what stays. `assignee: null` unassigns."""

    version: int = Field(ge=0, le=2**53, description="the incident's `version` that you looked at")
    title: Title | None = None
    status: IncidentStatus | None = None
    verdict: Verdict | None = Field(None, description="needed to close, refused otherwise")
    assignee: Name | None = None
    comment: Comment | None = None
