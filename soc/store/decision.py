"""What a decision of a person makes of an alert's triage, and of a policy: the same in every store."""

from __future__ import annotations

from dataclasses import replace

import orjson

from soc.errors import ConfigError, Conflict
from soc.model.alert import Change, Status, Triage, Verdict
from soc.model.policy import BODY_BYTES, ID_BYTES, Policy


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
