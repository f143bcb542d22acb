"""What was laid down, version by version, and what each changed, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from soc.model.event import iso
from soc.model.org import Scope
from soc.model.policy import Policy

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """One field; None: it was not there before, or is not any more."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Revision:
    version: int
    at: int
    by: str
    reason: str
    withdrawn: bool
    lines: tuple[Line, ...]

    @property
    def unified(self) -> str:
        """As a diff is read: what went, what came."""
        signs = ((sign, line.field, value) for line in self.lines for sign, value in (("-", line.old), ("+", line.new)))
        return "\n".join(f"{sign} {field}: {value}" for sign, field, value in signs if value is not None)


def revisions(policies: Iterable[Policy], scope: Scope, start: Body | None = None) -> list[Revision]:
    """Oldest first; `start` is what held before the first.

    Whoever sees only some organisations sees of each version what is about these, and no version that is only about others.
    """
    found, before = [], dict(_fields(start or {}))
    for policy in policies:
        after = {} if policy.body is None else dict(_fields(seen(policy.body, scope)))
        names = dict.fromkeys([*before, *after])
        lines = tuple(Line(n, before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n))
        if lines or scope.orgs is None:
            found.append(Revision(policy.version, policy.at, policy.by, policy.reason, policy.body is None, lines))
        before = after
    return found


def changes(before: Body, after: Body) -> str:
    """What changed, in one line for the audit."""
    old, new = dict(_fields(before)), dict(_fields(after))
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {old.get(name, '-')} -> {new.get(name, '-')}" for name in names)


def seen(body: Body, scope: Scope) -> Body:
    """What of it somebody with this scope may see: nothing of what is about other organisations alone."""
    match body.get("orgs"):
        case dict() as orgs:
            return {**body, "orgs": {org: own for org, own in orgs.items() if scope.allows(org)}}
        case list() as orgs if orgs:
            inside = [org for org in orgs if scope.allows(org)]
            return {**body, "orgs": inside} if inside else {}
        case [] | None:
            return body
    return body if scope.orgs is None else {}  # nobody knows whose it is


def _fields(body: Body, prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in body.items():
        match value:
            case dict():
                yield from _fields(value, f"{prefix}{name}.")
            case None | "" | []:
                continue
            case list():
                yield f"{prefix}{name}", ", ".join(map(str, value))
            case bool():
                yield f"{prefix}{name}", "yes" if value else "no"
            case _:
                yield f"{prefix}{name}", _shown(name, value)


def _shown(name: str, value: object) -> str:
    return iso(value) if name == "expires_at" and isinstance(value, int) else str(value)
