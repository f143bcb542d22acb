"""Whose fault it is, from counts alone: who fails with whom.

Failures of one who answers towards all who ask are its own (upstream); failures of one who asks with all that answer are its own
(local); everybody everywhere is what lies between (platform). The rest of the counts have to speak for it, else nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.health.burn import surely
from soc.model.service_level import OTHER, Blame, Place

_COVERS = 0.8  # of the failures beyond the budget, what the named places have to account for
_BROAD = 0.8  # of those that have to do with a place, how many have to fail with it
_KNOWN = 5  # events below which nothing is known of a pair
_LIKE_THE_WORST = 3  # how many times less one may fail than the worst, and be named with it
_NAMED = 10  # names in one attribution, at most


@dataclass(frozen=True, slots=True)
class Cell:
    """Who answered, who asked, and how it went. An empty name: the logs do not say."""

    upstream: str
    local: str
    total: int
    bad: int


def attribute(cells: Sequence[Cell], budget: float) -> Place:
    """Where the fault lies that these counts of one objective show. `budget`: the share that may fail."""
    total, bad = sum(cell.total for cell in cells), sum(cell.bad for cell in cells)
    if not bad:
        return Place(Blame.UNKNOWN)
    limit = max(budget, bad / total / 2)  # beyond it, one is among those that fail
    up, local = _Side(cells, True, limit, budget), _Side(cells, False, limit, budget)
    if _everywhere(up, local) and _broad(cells, limit):
        return Place(Blame.PLATFORM)
    if up.explains and local.explains and len(up.failing) == len(local.failing):
        return Place(Blame.LINK, up.failing, local.failing)
    if up.explains and not (local.explains and len(local.failing) < len(up.failing)):
        return Place(Blame.UPSTREAM, upstream=up.failing)
    if local.explains:
        return Place(Blame.LOCAL, local=local.failing)
    worst = max(cells, key=lambda cell: cell.bad - budget * cell.total)
    if worst.upstream and worst.local and _excess([worst], budget) >= _COVERS * _excess(cells, budget):
        return Place(Blame.LINK, (worst.upstream,), (worst.local,))
    return Place(Blame.UNKNOWN, up.failing, local.failing)


class _Side:
    """The cells by who answered, or by who asked. `known`: of whom anything is; `failing`: worst first; `explains`: whether these
    account for the failures, with nearly all that they have to do with."""

    def __init__(self, cells: Sequence[Cell], upstream: bool, limit: float, budget: float) -> None:
        by_name: dict[str, list[Cell]] = {}
        for cell in cells:
            name = cell.upstream if upstream else cell.local
            if name and name != OTHER:
                by_name.setdefault(name, []).append(cell)
        enough = {name: own for name, own in by_name.items() if sum(cell.total for cell in own) >= _KNOWN}
        failing = _failing(enough, limit, budget)
        failing.sort(key=lambda name: (-_excess(enough[name], budget), name))
        self.known = len(enough)
        self.failing = tuple(failing[:_NAMED])
        self.share = len(failing) / self.known if enough else 0.0
        covered = _excess([cell for name in failing for cell in enough[name]], budget)
        self.explains = (
            bool(failing)
            and len(failing) < self.known  # without one that does well, it might as well be what they share
            and covered >= _COVERS * _excess(cells, budget)
            and all(_broad(enough[name], limit) for name in failing)
        )


def _everywhere(up: _Side, local: _Side) -> bool:
    """Nearly all fail on each side of which the logs speak, and on each are several."""
    sides = [side for side in (up, local) if side.known]
    return bool(sides) and all(side.known > 1 and side.share >= _BROAD for side in sides)


def _failing(by_name: Mapping[str, Sequence[Cell]], limit: float, budget: float) -> list[str]:
    names = list(by_name)
    totals = _counts([sum(cell.total for cell in by_name[name]) for name in names])
    bads = _counts([sum(cell.bad for cell in by_name[name]) for name in names])
    fails = (bads > limit * totals) & (surely(totals, bads) > budget)
    if fails.any():  # who fails far less than the worst is not why
        fails &= bads * _LIKE_THE_WORST >= totals * surely(totals, bads).max()
    return [names[number] for number in np.flatnonzero(fails).tolist()]


def _broad(cells: Sequence[Cell], limit: float) -> bool:
    """Whether nearly all on the other side fail with this one."""
    known = [cell for cell in cells if cell.total >= _KNOWN]
    return not known or sum(cell.bad / cell.total > limit for cell in known) >= _BROAD * len(known)


def _excess(cells: Sequence[Cell], budget: float) -> float:
    """Failures beyond what is allowed."""
    return sum(max(0.0, cell.bad - budget * cell.total) for cell in cells)


def _counts(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
