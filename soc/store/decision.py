"""What a decision of a person makes of an alert's triage, of an incident or of a policy: the same in every store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from soc.errors import ConfigError, Conflict
from soc.model.alert import Change, Decision, Status, Triage
from soc.model.event import iso
from soc.model.incident import Incident, IncidentDecision, IncidentStatus
from soc.model.policy import BODY_BYTES, ID_BYTES, Policy

_TRIAGE = ("status", "verdict", "assignee", "incident", "snoozed_until")
_INCIDENT = ("title", "status", "verdict", "assignee", "orgs", "merged_into")


def decided(alert_id: str, old: Triage, decision: Decision, *, by: str, now: int) -> tuple[Triage, list[Change]]:
    """The new triage and its changes; no change when it says nothing new. The contract is `TriageStore.change`'s."""
    _check(decision.version, old, "alert")
    new = old
    if decision.status is not None:
        verdict = old.verdict if decision.status is Status.CLOSED else None
        new = replace(new, status=decision.status, verdict=verdict)
        if Status.CLOSED in (decision.status, old.status):
            new = replace(new, snoozed_until=None)
        new = _timed(old, new, now)
    if decision.verdict is not None:
        new = replace(new, verdict=decision.verdict)
    if decision.assignee is not None:
        new = replace(new, assignee=decision.assignee or None)
    if decision.incident is not None:
        new = replace(new, incident=decision.incident or None)
    if decision.snoozed_until is not None:
        new = replace(new, snoozed_until=decision.snoozed_until or None)
    changes = _changes(alert_id, old, new, _TRIAGE, by, now)
    said = (("snooze_reason", decision.reason), ("comment", decision.comment))
    changes += [Change(alert_id, now, by, field, None, text) for field, text in said if text]
    if changes:
        new = replace(new, version=old.version + 1, updated_at=now, updated_by=by)
    return new, changes


def _timed(old: Triage, new: Triage, now: int) -> Triage:
    """When it was first taken up, whatever happened afterwards; and when it was closed for the last time."""
    if new.status is old.status:
        return new
    first = now if old.acknowledged_at is None and new.status is not Status.NEW else old.acknowledged_at
    return replace(new, acknowledged_at=first, closed_at=now if new.status is Status.CLOSED else None)


def follows(old: Policy | None, new: Policy) -> bool:
    """Whether the new version is to be kept: False when it is there already. Raises `Conflict` and `ConfigError`."""
    if not 0 < len(new.id.encode(errors="surrogatepass")) <= ID_BYTES:
        raise ConfigError(f"{new.kind} {new.id[:40]!r}: a name has 1 to {ID_BYTES} bytes")
    if new.body is not None and (size := len(orjson.dumps(new.body))) > BODY_BYTES:
        raise ConfigError(f"{new.kind} {new.id}: {size} bytes, {BODY_BYTES} at most")
    if old == new:
        return False
    known = old.version if old else 0
    if new.version != known + 1:
        who = old.by if old else "nobody"
        raise Conflict(f"{who} changed {new.kind} {new.id} meanwhile: look at it again, then decide")
    return True


def begun(incident: Incident, by: str, split_from: str | None) -> list[Change]:
    """The first lines of an incident's history."""
    lines = [("title", incident.title)] + ([("split_from", split_from)] if split_from else [])
    return [Change(incident.id, incident.created_at, by, field, None, new) for field, new in lines]


def decided_incident(old: Incident, decision: IncidentDecision, *, by: str, now: int) -> tuple[Incident, list[Change]]:
    """The new incident and its changes; no change when it says nothing new. The contract is `IncidentStore.change`'s."""
    _check(decision.version, old, "incident")
    new = old
    if decision.status is not None:
        verdict = old.verdict if decision.status is IncidentStatus.CLOSED else None
        new = replace(new, status=decision.status, verdict=verdict)
    if decision.verdict is not None:
        new = replace(new, verdict=decision.verdict)
    if decision.assignee is not None:
        new = replace(new, assignee=decision.assignee or None)
    new = replace(
        new,
        title=decision.title or old.title,
        orgs=tuple(sorted({*old.orgs, *(decision.orgs or ())})),
        merged_into=decision.merged_into or old.merged_into,
    )
    changes = _changes(old.id, old, new, _INCIDENT, by, now)
    changes += [Change(old.id, now, by, *line) for line in _said(decision)]
    if changes:
        new = replace(new, version=old.version + 1, updated_at=now, updated_by=by)
    return new, changes


def _said(decision: IncidentDecision) -> Iterator[tuple[str, str | None, str | None]]:
    """What a decision tells of an incident besides its fields: field, old, new."""
    if decision.merged:
        yield "merged", None, decision.merged
    if decision.joined:
        yield "alerts", None, _text(tuple(decision.joined))
    if decision.left:
        yield "alerts", _text(tuple(decision.left)), None
    if decision.comment:
        yield "comment", None, decision.comment


def _check(version: int | None, old: Triage | Incident, what: str) -> None:
    if version is not None and version != old.version:
        raise Conflict(f"{old.updated_by} changed this {what} meanwhile: look at it again, then decide")


def _changes(about: str, old: object, new: object, fields: Sequence[str], by: str, now: int) -> list[Change]:
    pairs = ((field, _text(getattr(old, field)), _text(getattr(new, field))) for field in fields)
    return [Change(about, now, by, field, before, after) for field, before, after in pairs if before != after]


def _text(value: Any) -> str | None:
    """As it stands in a history: a time (`snoozed_until`) for people, organisations in one line."""
    match value:
        case int():
            return iso(value)
        case tuple():
            return ", ".join(value)
    return value if value is None else str(value)
