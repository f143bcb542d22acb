"""Exceptions as people make them: proposed, looked at in advance, laid down, changed, withdrawn."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from api.errors import NeedsReason, Refused
from api.triage import check_assignee
from api.tuning.history import seen
from api.tuning.preview import DAYS, OBSERVED, Preview, preview
from api.tuning.settings import all_current, running
from rules.desk.exception import compiled, fields
from soc.errors import ConfigError, Forbidden, NotFound
from soc.model.account import Account
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc
from soc.model.tuning import MAX_ORGS, RuleException, exception_body, exception_of
from soc.store.base import AuditEntry, Stores

MAX_OF_RULE, MAX_OF_ORG = 200, 500  # of one organisation; those for all organisations count as of one more
MAX_ALL = 20_000  # as many as the detector may have to hold
_SHOWN_IDS = 5
_ALL_ORGS = frozenset({""})


@dataclass(frozen=True, slots=True)
class Laid:
    """An exception with its latest version and who made that."""

    exception: RuleException
    version: int
    by: str
    at: int


def visible(stores: Stores, scope: Scope, rule_id: str | None = None) -> list[Laid]:
    """Those that change what somebody with this scope sees, each with the organisations inside it."""
    return [
        replace(laid, exception=_inside(laid.exception, scope))
        for laid in _all(stores)
        if laid.exception.visible(scope) and rule_id in (None, laid.exception.rule_id)
    ]


def observed(stores: Stores, scope: Scope, prefix: str) -> list[Laid]:
    """Those of what the observer finds (`prefix`: of the ids of its rules), which has no page of a rule."""
    return [laid for laid in visible(stores, scope) if laid.exception.rule_id.startswith(prefix)]


def get(stores: Stores, id_: str, scope: Scope) -> Laid:
    """Raises `NotFound`, also for what is withdrawn."""
    laid = _latest(stores, id_)
    if not laid.exception.visible(scope):
        raise _unknown(id_)
    return replace(laid, exception=_inside(laid.exception, scope))


def versions(stores: Stores, id_: str, scope: Scope) -> Sequence[Policy]:
    """Every version, for `history.revisions`, also of what is withdrawn. Raises `NotFound`."""
    found = stores.policies.history(PolicyKind.EXCEPTION, id_)
    if not any(policy.body is not None and seen(policy.body, scope) for policy in found):
        raise _unknown(id_)
    return found


def rule_of(policies: Sequence[Policy]) -> str:
    """The rule that all versions of one exception are of; empty when none can be read."""
    return next((str(policy.body["rule_id"]) for policy in policies if policy.body and "rule_id" in policy.body), "")


def look(stores: Stores, account: Account, proposed: RuleException, now: int, zone: tzinfo) -> Preview:
    """What it would have hidden. Raises as `create` does, but for `NeedsReason`."""
    rule = _check(stores, account, proposed, now, zone)
    rules, laid = stores.alerts.running()[0], all_current(stores.policies)
    rules = [rule, *(one for one in rules if one.id != rule.id)]
    return preview(stores.alerts, stores.events, rules, laid, proposed, account.scope, now, zone)


def create(stores: Stores, account: Account, proposed: RuleException, now: int, zone: tzinfo) -> Laid:
    """Raises `NotFound` (no such rule or alert), `Forbidden` (an organisation that is not the caller's), `QueryError`, `Refused`, and
    `NeedsReason` where it would have hidden alerts that were true, or nobody knows whether it would."""
    return _lay_down(stores, account, replace(proposed, id=secrets.token_hex(6)), 0, "made", now, zone)


def change(
    stores: Stores, account: Account, proposed: RuleException, version: int, why: str, now: int, zone: tzinfo
) -> Laid:
    """Put `proposed` in the place of the exception with its id. Raises as `create` does, and `Conflict`."""
    old = _own(stores, account, proposed.id)
    if old.rule_id != proposed.rule_id:
        raise Refused("an exception keeps its rule: withdraw this one and make another")
    return _lay_down(stores, account, proposed, version, why, now, zone)


def withdraw(stores: Stores, account: Account, id_: str, version: int, why: str, now: int) -> None:
    """Raises `NotFound`, `Forbidden` and `Conflict`."""
    old = _own(stores, account, id_)
    stores.policies.put(Policy(PolicyKind.EXCEPTION, id_, version + 1, None, account.name, now, why))
    _audit(stores, account, "exception.withdraw", old, why, now)


def _lay_down(
    stores: Stores, account: Account, wanted: RuleException, version: int, why: str, now: int, zone: tzinfo
) -> Laid:
    _check_room([laid.exception for laid in _all(stores)], wanted)
    unsure = doubt(look(stores, account, wanted, now, zone))
    if unsure and not wanted.confirmed:
        raise NeedsReason(unsure)
    body = exception_body(wanted)
    try:  # one that could not be read back would hide nothing and be in no list
        exception_of(wanted.id, body)
    except ConfigError as error:
        raise Refused(str(error)) from None
    stores.policies.put(Policy(PolicyKind.EXCEPTION, wanted.id, version + 1, body, account.name, now, why))
    _audit(stores, account, "exception.change" if version else "exception.create", wanted, wanted.reason, now)
    return Laid(wanted, version + 1, account.name, now)


def _rule(stores: Stores, account: Account, proposed: RuleException) -> RuleDoc:
    """The rule, or what stands for one where the observer found it: that is known by its alerts alone. Raises `NotFound`."""
    if proposed.created_from is None or not proposed.rule_id.startswith(OBSERVED):
        return running(stores.alerts, proposed.rule_id)
    alert = stores.alerts.get(proposed.created_from, account.scope)
    if alert.rule_id != proposed.rule_id:
        raise Refused("the alert that it is made from is of another rule")
    return stores.alerts.rule(alert.rule_hash)


def _check(stores: Stores, account: Account, proposed: RuleException, now: int, zone: tzinfo) -> RuleDoc:
    rule = _rule(stores, account, proposed)
    _check_orgs(account, proposed.orgs)
    _check_condition(rule, proposed.condition, zone)
    if proposed.over(now):
        raise Refused("it would be over already: give a later time, or none")
    if proposed.owner != account.name:
        _check_owner(stores, proposed)
    if proposed.created_from is not None:
        alert = stores.alerts.get(proposed.created_from, account.scope)
        if alert.rule_id != proposed.rule_id:
            raise Refused("the alert that it is made from is of another rule")
    return rule


def doubt(found: Preview) -> str | None:
    """Why it needs a reason; None where it would have hidden nothing that was true, and all was looked at."""
    hidden = f"it would have hidden {found.events} events and {found.alerts} alerts in {DAYS} days"
    cut = f"only the first {found.examined} findings could be looked at, and it may hide more"
    if found.confirmed:
        shown = ", ".join(found.confirmed[:_SHOWN_IDS]) + (" ..." if len(found.confirmed) > _SHOWN_IDS else "")
        true = f"{hidden}, {len(found.confirmed)} of them confirmed true ({shown})"
        doubted = true if found.complete else f"{true}; {cut}"
    elif not found.complete:
        doubted = f"{hidden}; {cut}, true alerts among them"
    else:
        return None
    return f"{doubted}: say why it is right all the same"


def _check_room(there: Sequence[RuleException], wanted: RuleException) -> None:
    """What others have laid down for their organisations takes no room away from ours."""
    others = [one for one in there if one.id != wanted.id]
    if len(others) >= MAX_ALL:
        raise Refused(f"there are {MAX_ALL} exceptions, and no more can be held: ask who sees all organisations")
    held = Counter(org for one in others for org in _places(one))
    of_rule = Counter(org for one in others if one.rule_id == wanted.rule_id for org in _places(one))
    for org in sorted(_places(wanted)):
        if held[org] >= MAX_OF_ORG or of_rule[org] >= MAX_OF_RULE:
            raise Refused(
                f"there are {of_rule[org]} exceptions of this rule and {held[org]} of all rules for {org or 'all organisations'}, and "
                f"{MAX_OF_RULE} and {MAX_OF_ORG} at most: withdraw some, or mend the rule"
            )


def _places(exception: RuleException) -> frozenset[str]:
    return exception.orgs or _ALL_ORGS


def _check_owner(stores: Stores, proposed: RuleException) -> None:
    """Who answers for it has to see what it hides. The same answer whether there is no such account or only not for us."""
    check_assignee(stores, proposed.orgs, proposed.owner)
    owner = stores.accounts.get(proposed.owner)
    if not proposed.orgs and owner is not None and owner.scope.orgs is not None:
        raise Refused(
            f"{proposed.owner} cannot answer for it: it holds for all organisations, and this account sees some"
        )


def _check_orgs(account: Account, orgs: frozenset[str]) -> None:
    if len(orgs) > MAX_ORGS:
        raise Refused(f"{MAX_ORGS} organisations at most: none means all of them")
    if account.scope.orgs is None:
        return
    if not orgs:
        raise Forbidden("an exception for all organisations is for who sees all of them: name yours")
    for org in orgs:
        if not account.scope.allows(org):
            raise Forbidden("one of these organisations is not yours")


def _check_condition(rule: RuleDoc, condition: str, zone: tzinfo) -> None:
    asked = fields(compiled(condition, zone))
    others = sorted(asked - {*rule.group_by, "organization.id"})
    if rule.bases and others:
        by = ", ".join(rule.group_by) or "nothing"
        raise Refused(
            f"this rule counts what other rules find, by {by}: an exception of it cannot ask {others[0]}. "
            f"To leave single events out, make it for {' or '.join(rule.bases)}"
        )


def _own(stores: Stores, account: Account, id_: str) -> RuleException:
    exception = _latest(stores, id_).exception
    if not exception.visible(account.scope):
        raise _unknown(id_)
    if account.scope.orgs is not None and (not exception.orgs or exception.orgs - account.scope.orgs):
        raise Forbidden("it holds for organisations that are not yours, too: ask who sees all of them")
    return exception


def _all(stores: Stores) -> list[Laid]:
    """What cannot be read is not there, as it is not for the detector, which says so."""
    found = []
    for policy in stores.policies.list(PolicyKind.EXCEPTION):
        try:
            found.append(Laid(exception_of(policy.id, policy.body or {}), policy.version, policy.by, policy.at))
        except ConfigError:
            continue
    return found


def _latest(stores: Stores, id_: str) -> Laid:
    policy = stores.policies.get(PolicyKind.EXCEPTION, id_)
    if policy.body is None:
        raise _unknown(id_)
    try:
        return Laid(exception_of(id_, policy.body), policy.version, policy.by, policy.at)
    except ConfigError as error:
        raise Refused(f"it cannot be read: {error}") from None


def _unknown(id_: str) -> NotFound:
    return NotFound(f"there is no exception {id_}")


def _inside(exception: RuleException, scope: Scope) -> RuleException:
    return exception if scope.orgs is None else replace(exception, orgs=exception.orgs & scope.orgs)


def _audit(stores: Stores, account: Account, action: str, exception: RuleException, why: str, now: int) -> None:
    confirmed = f" (although it hides true alerts: {exception.confirmed})" if exception.confirmed else ""
    detail = f"{exception.rule_id}: {exception.condition}: {why}{confirmed}"
    stores.audit.record(AuditEntry(now, account.name, action, exception.id, detail[:2000]))
