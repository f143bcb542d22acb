"""What a decision of a person makes of an alert's triage: the same in every store."""

from __future__ import annotations

from dataclasses import replace

from soc.errors import Conflict
from soc.model.alert import Change, Status, Triage, Verdict


def decided(
    alert_id: str,
    old: Triage,
    *,
    by: str,
    now: int,
    version: int | None = None,
    status: Status | None = None,
    verdict: Verdict | None = None,
    assignee: str | None = None,
    comment: str | None = None,
) -> tuple[Triage, list[Change]]:
    """The new triage and its changes; no change when it says nothing new. The contract is `TriageStore.change`'s."""
    if version is not None and version != old.version:
        raise Conflict(f"{old.updated_by} changed this alert meanwhile: look at it again, then decide")
    new = old
    if status is not None:
        new = replace(new, status=status, verdict=old.verdict if status is Status.CLOSED else None)
    if verdict is not None:
        new = replace(new, verdict=verdict)
    if assignee is not None:
        new = replace(new, assignee=assignee or None)
    changes = [
        Change(alert_id, now, by, field, getattr(old, field), getattr(new, field))
        for field in ("status", "verdict", "assignee")
        if getattr(old, field) != getattr(new, field)
    ]
    if comment:
        changes.append(Change(alert_id, now, by, "comment", None, comment))
    if changes:
        new = replace(new, version=old.version + 1, updated_at=now, updated_by=by)
    return new, changes
