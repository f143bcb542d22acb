"""What may be decided about an alert, and when. The API, the console and the command line all go through here."""

from __future__ import annotations

from dataclasses import dataclass

from api.errors import Refused
from soc.model.account import Account, Role
from soc.model.alert import Alert, Status, Triage, Verdict
from soc.store.base import Stores


@dataclass(frozen=True, slots=True)
class Decision:
    """What is None stays as it is; `assignee=""` unassigns. `version`: the triage that the decision was made on."""

    version: int | None = None
    status: Status | None = None
    verdict: Verdict | None = None
    assignee: str | None = None
    comment: str | None = None


def decide(stores: Stores, account: Account, alert_id: str, decision: Decision, now: int) -> Alert:
    """Apply the decision and return the alert as it is then.

    Raises `NotFound` (also outside the account's scope), `Refused` with the reason, `Conflict` when the version is old.
    """
    alert = stores.alerts.get(alert_id, account.scope)
    _check_reopening(alert.triage, decision)
    _check_verdict(alert.triage, decision)
    if decision.assignee:
        _check_assignee(stores, alert, decision.assignee)
    stores.triage.change(
        alert_id,
        by=account.name,
        now=now,
        version=decision.version,
        status=decision.status,
        verdict=decision.verdict,
        assignee=decision.assignee,
        comment=decision.comment,
    )
    return stores.alerts.get(alert_id, account.scope)


def _check_reopening(triage: Triage, decision: Decision) -> None:
    """Picking up a closed alert would wipe its verdict unasked. Who has not seen it closed hears of the change instead."""
    looked_at_this = decision.version in (None, triage.version)
    if looked_at_this and triage.status is Status.CLOSED and decision.status is Status.ACKNOWLEDGED:
        raise Refused(f"it is closed as {str(triage.verdict).replace('_', ' ')}: reopen it first")


def _check_verdict(triage: Triage, decision: Decision) -> None:
    closed = (decision.status or triage.status) is Status.CLOSED
    if closed and decision.verdict is None and triage.verdict is None:
        raise Refused(f"closing needs a verdict: one of {', '.join(Verdict)}")
    if not closed and decision.verdict is not None:
        raise Refused("only a closed alert has a verdict: close it, or leave the verdict out")


def _check_assignee(stores: Stores, alert: Alert, name: str) -> None:
    person = stores.accounts.get(name)
    if person is None or person.disabled or not person.scope.allows(alert.org):
        raise Refused(f"{name} cannot be given this alert: no such account, or not for this organisation")
    if not person.role.includes(Role.ANALYST):
        raise Refused(f"{name} is {person.role} and could not work on it: give it to an analyst")
