"""Incident: alerts worked on together, which may be of several organisations. Which alerts those are is said by each alert's triage."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from soc.model.alert import Verdict


class IncidentStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Incident:
    """Times are ms since 1970 UTC. `version` counts changes and guards against two people changing it at once.

    `orgs`: agency codes, sorted, of every alert that ever joined; whoever may not see all of them does not see the incident. So
    there is at least one (`ValueError`), and none ever leaves. `merged_into`: the incident that took over its alerts; it is closed.
    """

    id: str  # 24 hex digits
    title: str
    orgs: tuple[str, ...]
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
    status: IncidentStatus = IncidentStatus.OPEN
    verdict: Verdict | None = None
    assignee: str | None = None
    version: int = 0
    merged_into: str | None = None

    def __post_init__(self) -> None:
        if not self.orgs:
            raise ValueError("an incident of no organisation would be everybody's")


@dataclass(frozen=True, slots=True)
class IncidentDecision:
    """What is to become of an incident. What is None stays as it is; `assignee=""` unassigns, `orgs` are added. `version`: the
    incident that the decision was made on, None for any.

    `merged` (another incident's id), `joined` and `left` (ids of alerts) always are a line of the history and so a new version: whoever
    decided on what was there before them hears of it.
    """

    version: int | None = None
    title: str | None = None
    status: IncidentStatus | None = None
    verdict: Verdict | None = None
    assignee: str | None = None
    comment: str | None = None
    orgs: Collection[str] | None = None
    merged: str | None = None
    merged_into: str | None = None
    joined: Collection[str] = ()
    left: Collection[str] = ()
