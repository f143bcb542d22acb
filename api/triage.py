"""What may be decided about an alert, and when. The API, the console and the command line all go through here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from api.errors import Refused
from api.harmless import Ground
from api.verdicts import Heard, believe, doubt
from soc import telemetry
from soc.model.account import Account, Role
from soc.model.alert import Alert, Decision, Status, Triage, Verdict
from soc.model.calendar import DAY_MS
from soc.store.base import Stores

_LONGEST_SNOOZE_MS = 90 * DAY_MS


class Decided(NamedTuple):
    """The alert as it is then; `moved`: of how many series and entities something else is harmless now, of `of` that were spoken of."""

    alert: Alert
    moved: int
    of: int


def decide(
    ground: Ground,
    account: Account,
    alert_id: str,
    decision: Decision,
    *,
    most: int | None = None,
    doubted: bool = False,
) -> Decided:
    """Apply the decision; a verdict is heard by the series or the entity that the alert is about: when it is given once it is kept, and
    when it is taken back before, so that a kill in between leaves nothing quiet. One that is given again is heard again. `most`: so many
    of them hear it; `doubted`: that it is taken back they have heard.

    Raises `NotFound` (also outside the account's scope), `Refused` with the reason, `Conflict` when the version is old.
    """
    stores, now = ground.stores, ground.clock()
    alert = stores.alerts.get(alert_id, account.scope)
    _check_reopening(alert.triage, decision)
    _check_verdict(alert.triage, decision)
    _check_snooze(alert.triage, decision, now)
    if decision.assignee:
        check_assignee(stores, [alert.org], decision.assignee)
    seen = decision.version in (None, alert.triage.version)  # else `change` refuses
    back = doubt(ground, account, [alert], decision) if seen and not doubted else 0
    new = stores.triage.change(alert_id, decision, by=account.name, now=now)
    measure(alert, new)
    heard = believe(ground, account, alert, decision, most) if most != 0 else Heard()
    return Decided(replace(alert, triage=new), back + heard.moved, heard.of)


def measure(alert: Alert, new: Triage) -> None:
    """For Prometheus: how long it took, at the moment at which it is known."""
    old = alert.triage
    if old.acknowledged_at is None and new.acknowledged_at is not None:
        telemetry.ACKNOWLEDGED_AFTER.labels(alert.level).observe((new.acknowledged_at - alert.raised_at) / 1000)
    if old.closed_at is None and new.closed_at is not None:
        telemetry.RESOLVED_AFTER.labels(alert.level).observe((new.closed_at - alert.raised_at) / 1000)


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


def _check_snooze(triage: Triage, decision: Decision, now: int) -> None:
    until = decision.snoozed_until
    if not until:
        if decision.reason is not None:
            raise Refused("only a snooze has a reason: say until when, or write a comment")
        return
    if (decision.status or triage.status) is Status.CLOSED:
        raise Refused("a closed alert is in nobody's way: it cannot be snoozed")
    if not decision.reason:
        raise Refused("a snooze needs a reason: what are we waiting for?")
    if not now < until <= now + _LONGEST_SNOOZE_MS:
        raise Refused(f"a snooze ends after now, and within {_LONGEST_SNOOZE_MS // DAY_MS} days")


def check_assignee(stores: Stores, orgs: Collection[str], name: str) -> None:
    """Raises `Refused` when this person could not see, or not work on, what is of these organisations."""
    person = stores.accounts.get(name)
    if person is None or person.disabled or not person.scope.allows_all(orgs):
        raise Refused(f"{name} cannot be given this: no such account, or not for this organisation")
    if not person.role.includes(Role.ANALYST):
        raise Refused(f"{name} is {person.role} and could not work on it: give it to an analyst")


def able(stores: Stores, orgs: Collection[str]) -> list[str]:
    """The names of those who can be given what is of these organisations."""
    return sorted(
        person.name
        for person in stores.accounts.list()
        if not person.disabled and person.scope.allows_all(orgs) and person.role.includes(Role.ANALYST)
    )
