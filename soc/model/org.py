"""Organisation: ministry, province or commune with its agency code; merger-aware."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Org:
    """`code` is the agency code; `kind` is `ministry`, `province` or `commune`. Dates are ISO days, open when None."""

    code: str
    name: str
    kind: str = "province"
    parent: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    successor: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The organisations a caller may see: `None` means all of them. Every store read takes one; there is no default."""

    orgs: frozenset[str] | None

    def allows(self, org: str) -> bool:
        return self.orgs is None or org in self.orgs


EVERYTHING = Scope(None)
