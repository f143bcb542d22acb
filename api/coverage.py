"""Coverage: of which organisation which system's logs arrive. Pure: what is known goes in, rows come out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from soc.model.org import Directory, Organisation, OrgKind, Scope
from soc.model.silence import Freshness, Outage, Standing

# From the worst: a cell with several sources shows the first of these that one of them is in.
_WORST = (
    Freshness.SILENT,
    Freshness.NEVER_SEEN,
    Freshness.LATE,
    Freshness.EXEMPT,
    Freshness.LIVE,
    Freshness.DISABLED,
)
_RANK = {kind: rank for rank, kind in enumerate(OrgKind)}


@dataclass(frozen=True, slots=True)
class Cell:
    """The sources of one system of one organisation. `blind`: ids of the rules that their silence blinds."""

    state: Freshness
    states: Mapping[Freshness, int]
    blind: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Row:
    """`organisation` None: the directory does not know the code. `cells` by system. `communes`: how many belong to it now,
    `uncovered`: those of them without any source; a commune has a row of its own only where it has one.
    `successor`: what holds in place of an organisation that has ended."""

    org: str
    organisation: Organisation | None
    cells: Mapping[str, Cell]
    communes: int = 0
    uncovered: int = 0
    successor: str | None = None


def coverage(
    directory: Directory, standings: Iterable[Standing], outages: Iterable[Outage], scope: Scope, on: date
) -> list[Row]:
    """Ministries, then provinces, each with its communes below it, then what the directory does not know; by code."""
    blind = {outage.source: outage.blind for outage in outages if outage.cleared_at is None}
    by_org: dict[str, dict[str, list[Standing]]] = defaultdict(lambda: defaultdict(list))
    for one in standings:
        by_org[one.source.org][one.system].append(one)
    communes = Counter(org.parent for org in directory if _commune(org, scope, on))
    covered = Counter(org.parent for org in directory if _commune(org, scope, on) and org.code in by_org)
    rows = []
    for code, org in _listed(directory, by_org.keys(), scope, on):
        cells = {system: _cell(some, blind) for system, some in by_org.get(code, {}).items()}
        current = directory.current(code, on)
        successor = None if current == code else current
        rows.append(Row(code, org, cells, communes[code], communes[code] - covered[code], successor))
    return sorted(rows, key=lambda row: _place(row, directory))


def _commune(org: Organisation, scope: Scope, on: date) -> bool:
    return org.kind is OrgKind.COMMUNE and scope.allows(org.code) and org.holds(on)


def _listed(
    directory: Directory, with_sources: Iterable[str], scope: Scope, on: date
) -> Iterator[tuple[str, Organisation | None]]:
    """Whoever has sources, and every ministry and province of today."""
    above = {
        org.code for org in directory if org.kind is not OrgKind.COMMUNE and org.holds(on) and scope.allows(org.code)
    }
    for code in above.union(with_sources):
        yield code, directory.get(code)


def _cell(some: list[Standing], blind: Mapping[str, tuple[str, ...]]) -> Cell:
    states = Counter(one.state for one in some)
    rules = {rule for one in some for rule in blind.get(one.source.id, ())}
    return Cell(next(state for state in _WORST if states[state]), dict(states), tuple(sorted(rules)))


def _place(row: Row, directory: Directory) -> tuple[int, str, int, str]:
    org = row.organisation
    if org is None:
        return len(_RANK), "", 0, row.org
    parent = directory.get(org.parent) if org.kind is OrgKind.COMMUNE and org.parent else None
    return (_RANK[parent.kind], parent.code, 1, org.code) if parent else (_RANK[org.kind], org.code, 0, org.code)
