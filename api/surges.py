"""Surges as people declare them: an event with its time, and how much more than usual is expected of what. Ended, they stay in the list."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

import structlog

from api.errors import Refused
from soc.complaint import Complaint
from soc.errors import ConfigError, Forbidden, NotFound
from soc.model.account import Account
from soc.model.calendar import DAY_MS
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.surge import Surge, readable
from soc.store.base import AuditEntry, PolicyStore, Stores

MAX_OPEN = 500  # declared and not over, all together
SHOWN_MS = 400 * DAY_MS  # that one that is over is listed: last year's is the best guess of this year's

_unread = Complaint(structlog.get_logger(), "a surge cannot be read, it does not count")


@dataclass(frozen=True, slots=True)
class Declared:
    """A surge with its latest version, who made that and why."""

    surge: Surge
    version: int
    by: str
    at: int
    reason: str


def visible(policies: PolicyStore, scope: Scope, now: int) -> list[Declared]:
    """Those that change what somebody with this scope sees, the latest to begin first."""
    found = [one for one in _all(policies) if one.surge.visible(scope) and one.surge.until > now - SHOWN_MS]
    return sorted((_inside(one, scope) for one in found), key=lambda one: (-one.surge.since, one.surge.id))


def declare(stores: Stores, account: Account, wanted: Surge, *, reason: str, now: int) -> Declared:
    """Raises `Forbidden` for organisations that are not the caller's, and `Refused` for what cannot be."""
    if not wanted.orgs and account.scope.orgs is not None:
        raise Forbidden("a surge of all organisations is everybody's: name your own")
    if not account.scope.allows_all(wanted.orgs):
        raise Forbidden("there is no such organisation, or it is not one of yours")
    try:
        surge = Surge.read("as declared", wanted.body())
    except ConfigError as error:
        raise Refused(str(error)) from None
    if surge.until <= now:
        raise Refused("it would be over already: give a later end")
    if sum(one.surge.until > now for one in _all(stores.policies)) >= MAX_OPEN:
        raise Refused(f"there are {MAX_OPEN} surges that are not over: end one first")
    surge = replace(surge, id=secrets.token_hex(6))
    stores.policies.put(Policy(PolicyKind.SURGE, surge.id, 1, surge.body(), account.name, now, reason))
    stores.audit.record(AuditEntry(now, account.name, "surge.declare", surge.id, f"{surge.name}: {reason}"))
    return Declared(surge, 1, account.name, now, reason)


def end(stores: Stores, account: Account, id_: str, *, reason: str, now: int) -> Declared | None:
    """It ends now; one that has not begun is withdrawn (None). Raises `NotFound`, `Forbidden`, `Conflict`, and `Refused` for one that
    is over."""
    known = get(stores.policies, id_, account.scope, inside=False)
    if not account.scope.allows_all(known.surge.orgs) or (not known.surge.orgs and account.scope.orgs is not None):
        raise Forbidden("it is of other organisations, too: ask an administrator of all of them")
    if known.surge.until <= now:
        raise Refused("it is over already")
    ended = replace(known.surge, until=now) if known.surge.since < now else None
    body = ended.body() if ended else None
    stores.policies.put(Policy(PolicyKind.SURGE, id_, known.version + 1, body, account.name, now, reason))
    stores.audit.record(AuditEntry(now, account.name, "surge.end", id_, f"{known.surge.name}: {reason}"))
    return Declared(ended, known.version + 1, account.name, now, reason) if ended else None


def get(policies: PolicyStore, id_: str, scope: Scope, *, inside: bool = True) -> Declared:
    """Raises `NotFound`, also for one that was withdrawn. `inside`: without the organisations outside the scope."""
    for one in _all(policies):
        if one.surge.id == id_ and one.surge.visible(scope):
            return _inside(one, scope) if inside else one
    raise NotFound(f"there is no surge {id_}")


def _all(policies: PolicyStore) -> Iterator[Declared]:
    for policy, surge in readable(policies.list(PolicyKind.SURGE), _unread.failed):
        yield Declared(surge, policy.version, policy.by, policy.at, policy.reason)


def _inside(declared: Declared, scope: Scope) -> Declared:
    """Nobody learns from it which organisations there are beside theirs."""
    orgs = tuple(org for org in declared.surge.orgs if scope.allows(org))
    return replace(declared, surge=replace(declared.surge, orgs=orgs))
