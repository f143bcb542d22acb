"""Organisations by their agency codes: the unit that one belongs to, and the scope of those that a caller may see."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from soc.errors import Conflict


@dataclass(frozen=True, slots=True)
class Scope:
    """The organisations a caller may see: `None` means all of them. Every store read takes one; there is no default."""

    orgs: frozenset[str] | None

    def allows(self, org: str) -> bool:
        return self.orgs is None or org in self.orgs

    def allows_all(self, orgs: Collection[str]) -> bool:
        return self.orgs is None or self.orgs.issuperset(orgs)


EVERYTHING = Scope(None)


def unit_of(org: str) -> str:
    """The ministry or province of an organisation: its agency code up to the first dot, as it is spelled."""
    return org.partition(".")[0]


def check_spelling(org: str, known: Iterable[str]) -> None:
    """Raises `Conflict` when the unit of `org` is one of the known organisations' but for its capitals.

    Two such units would share names where capitals do not count, as in Elasticsearch, and so what a key for one may read.
    """
    unit = unit_of(org)
    spellings = {name for name in map(unit_of, known) if name.lower() == unit.lower()}
    if spellings and unit not in spellings:
        there = min(spellings)
        raise Conflict(
            f"{org} belongs to the unit {unit}, and there is {there} already: they may not differ by capitals alone, "
            f"write {there}{org[len(unit) :]}"
        )
