"""Scope: the organisations that a caller may see, by agency code."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """The organisations a caller may see: `None` means all of them. Every store read takes one; there is no default."""

    orgs: frozenset[str] | None

    def allows(self, org: str) -> bool:
        return self.orgs is None or org in self.orgs

    def allows_all(self, orgs: Collection[str]) -> bool:
        return self.orgs is None or self.orgs.issuperset(orgs)


EVERYTHING = Scope(None)
