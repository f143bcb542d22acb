"""Organisations by their agency codes: ministries, provinces, communes; the unit that one belongs to, and the scope of those
that a caller may see."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from enum import StrEnum

from soc.errors import Conflict
from soc.model.body import Body

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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


class OrgKind(StrEnum):
    MINISTRY = "ministry"
    PROVINCE = "province"
    COMMUNE = "commune"


@dataclass(frozen=True, slots=True)
class Organisation:
    """`code` is its agency code; `parent` the code of what it belongs to. Valid from the first day to the last, both included;
    None: without bound. `successor`: the code that took over when this one ended."""

    code: str
    name: str
    kind: OrgKind
    name_en: str = ""
    parent: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    successor: str | None = None

    def ended(self, on: date) -> bool:
        return self.valid_to is not None and on > self.valid_to

    def holds(self, on: date) -> bool:
        return not self.ended(on) and (self.valid_from is None or self.valid_from <= on)

    def body(self) -> Mapping[str, object]:
        """As it is kept in a policy: `read` gives it back."""
        known = asdict(self).items()
        return {name: str(value) if isinstance(value, date) else value for name, value in known if value}

    @classmethod
    def read(cls, where: str, row: Mapping[str, object]) -> Organisation:
        """From a policy's body, or from a row of a file. Raises `ConfigError` with `where` and the field."""
        body = Body(where, row)
        body.only(*(field.name for field in fields(cls)))
        org = cls(
            code=body.text("code", None),
            name=body.text("name", None),
            kind=body.choice("kind", OrgKind),
            name_en=body.text("name_en"),
            parent=body.text("parent") or None,
            valid_from=body.day("valid_from"),
            valid_to=body.day("valid_to"),
            successor=body.text("successor") or None,
        )
        for name, code in (("code", org.code), ("parent", org.parent), ("successor", org.successor)):
            if code is not None and not CODE.fullmatch(code):
                body.refuse(name, f"is {code!r}: letters, digits, `.`, `-` and `_`, at most 64")
            if name != "code" and code == org.code:
                body.refuse(name, "is the organisation itself")
        if org.valid_from and org.valid_to and org.valid_to < org.valid_from:
            body.refuse("valid_to", f"is {org.valid_to}, before valid_from")
        if org.successor and not org.valid_to:
            body.refuse("valid_to", "is missing: one that has a successor has ended")
        return org


class Directory:
    """The organisations that are known, by code. Empty until somebody has imported some."""

    def __init__(self, organisations: Iterable[Organisation] = ()) -> None:
        self._by_code = {org.code: org for org in sorted(organisations, key=lambda org: org.code)}

    def __len__(self) -> int:
        return len(self._by_code)

    def __iter__(self) -> Iterator[Organisation]:
        """By code."""
        return iter(self._by_code.values())

    def get(self, code: str) -> Organisation | None:
        return self._by_code.get(code)

    def current(self, code: str, on: date) -> str:
        """The code that holds on that day: that of the last successor, where this one has ended."""
        seen: set[str] = set()
        while (org := self.get(code)) and org.ended(on) and org.successor and code not in seen:
            seen.add(code)
            code = org.successor
        return code

    def doubt(self, code: str, on: date) -> str | None:
        """What a person who uses this code should be told; None when all is well, or when no directory exists yet."""
        if not self._by_code:
            return None
        org = self.get(code)
        if org is None:
            return f"the organisation {code} is not in the directory: see `soc orgs list`, or add it with `soc orgs import`"
        if org.ended(on):
            after = self.current(code, on)
            instead = f"; its successor is {after}" if after != code else ""
            return f"the organisation {code} ended on {org.valid_to}{instead}"
        return None
