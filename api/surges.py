"""Surges as people declare them: an event with its time, and how much more than usual is expected of what. Ended, they stay in the list."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import structlog

from api.errors import Refused
from soc.complaint import Complaint
from soc.errors import ConfigError, Forbidden, NotFound
from soc.model.account import Account
from soc.model.calendar import DAY_MS
from soc.model.org import Scope
from soc.model.policy import Policy, PolicyKind
from soc.model.surge import Surge, hours, readable
from soc.store.base import AuditEntry, PolicyStore, Stores

MAX_OPEN = 50  # declared and not over, of one organisation, and of all organisations
SHOWN_MS = 400 * DAY_MS  # that one that is over is listed: last year's is the best guess of this year's

_unread = Complaint(structlog.get_logger(), "a surge cannot be read, it does not count")


@dataclass(frozen=True, slots=True)
class Declared:
    """A surge with its latest version, who made that and why. `whole`: nobody else's organisations are in it, so that whoever is
    shown it may end it."""

    surge: Surge
    version: int
    by: str
    at: int
    reason: str
    whole: bool = True


def visible(policies: PolicyStore, scope: Scope, now: int) -> list[Declared]:
    """Those that change what somebody with this scope sees, the latest to begin first."""
    found = [one for one in _all(policies) if one.surge.visible(scope) and one.surge.until > now - SHOWN_MS]
    return sorted((_inside(one, scope) for one in found), key=lambda one: (-one.surge.since, one.surge.id))


def wanted(
    name: str,
    since: int,
    until: int,
    factor: float,
    *,
    orgs: Iterable[str] = (),
    systems: Iterable[str] = (),
    services: Iterable[str] = (),
    daily: str = "",
) -> Surge:
    """As somebody wants it declared; times in ms, `daily`: the hours of each day, such as `07:00-11:30`. Raises `Refused`."""
    found = hours(daily) if daily.strip() else (0, 0)
    if found is None:
        raise Refused(
            f"the hours are {daily!r}: write for example 07:00-11:30; for a night declare two, to 24:00 and from 00:00"
        )
    return Surge(
        id="",
        name=name.strip(),
        since=since,
        until=until,
        percent=round(factor * 100),
        orgs=tuple(sorted(set(orgs))),
        systems=tuple(sorted(set(systems))),
        services=tuple(sorted({one.strip() for one in services})),
        opens=found[0],
        closes=found[1],
    )


def declare(stores: Stores, account: Account, new: Surge, *, reason: str, now: int) -> Declared:
    """Raises `Forbidden` for organisations that are not the caller's, and `Refused` for what cannot be."""
    reason = _why(reason)
    if not new.orgs and account.scope.orgs is not None:
        raise Forbidden("a surge of all organisations is everybody's: name your own")
    if not account.scope.allows_all(new.orgs):
        raise Forbidden("there is no such organisation, or it is not one of yours")
    try:
        new.check()
    except ConfigError as error:
        raise Refused(str(error)) from None
    if new.until <= now:
        raise Refused("it would be over already: give a later end")
    _room(stores.policies, new, now)
    surge = replace(new, id=secrets.token_hex(6))
    stores.policies.put(Policy(PolicyKind.SURGE, surge.id, 1, surge.body(), account.name, now, reason))
    stores.audit.record(AuditEntry(now, account.name, "surge.declare", surge.id, f"{surge.name}: {reason}"))
    return Declared(surge, 1, account.name, now, reason)


def end(stores: Stores, account: Account, id_: str, *, reason: str, now: int) -> Declared | None:
    """It ends now; one that has not begun is withdrawn (None). Raises `NotFound`, `Forbidden`, `Conflict`, and `Refused` for one that
    is over."""
    reason = _why(reason)
    known = get(stores.policies, id_, account.scope, inside=False)
    if not _is_whole(known.surge, account.scope):
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
    return replace(declared, surge=replace(declared.surge, orgs=orgs), whole=_is_whole(declared.surge, scope))


def _is_whole(surge: Surge, scope: Scope) -> bool:
    """Whether all that it is of is in the scope."""
    return scope.allows_all(surge.orgs) and (bool(surge.orgs) or scope.orgs is None)


def _room(policies: PolicyStore, surge: Surge, now: int) -> None:
    """So many of each organisation, and nobody's surges take the room of others. Raises `Refused`."""
    running = [one.surge.orgs for one in _all(policies) if one.surge.until > now]
    if not surge.orgs and sum(not orgs for orgs in running) >= MAX_OPEN:
        raise Refused(f"there are {MAX_OPEN} surges of all organisations that are not over: end one first")
    for org in surge.orgs:
        if sum(org in orgs for orgs in running) >= MAX_OPEN:
            raise Refused(f"there are {MAX_OPEN} surges of {org} that are not over: end one first")


def _why(reason: str) -> str:
    if not reason.strip():
        raise Refused("say why: others will ask")
    return reason.strip()
