"""What can burn: each objective of an organisation as a whole, each who answers, and each who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detector.health.burn import Floats
from detector.health.counts import Key
from detector.health.definition import Slo
from detector.health.rings import Ints
from soc.model.service_level import OTHER, Blame


class Unit(NamedTuple):
    """`kind` PLATFORM: the objective as a whole, without a name; UPSTREAM or LOCAL: the part of that name."""

    org: str
    slo: str
    kind: Blame
    name: str


class Units:
    """How the rows of the counts make up the units. `keys`: the rows, None where one is free."""

    def __init__(self, keys: Sequence[Key | None], slos: Mapping[str, Slo]) -> None:
        self.keys = keys
        self.all: list[Unit] = []
        numbers: dict[Unit, int] = {}
        rows: list[int] = []
        members: list[int] = []
        self._whole: dict[tuple[str, str], list[int]] = {}
        self._parts: dict[tuple[str, str], list[int]] = {}
        for row, key in enumerate(keys):
            if key is None or key.slo not in slos:
                continue
            whose = (key.org, key.slo)
            self._whole.setdefault(whose, []).append(row)
            for unit in _units(key):
                if unit not in numbers:
                    numbers[unit] = len(self.all)
                    if unit.kind is not Blame.PLATFORM:
                        self._parts.setdefault(whose, []).append(len(self.all))
                    self.all.append(unit)
                rows.append(row)
                members.append(numbers[unit])
        order = np.argsort(np.array(members, dtype=np.int64), kind="stable")
        self._rows = np.array(rows, dtype=np.int64)[order]  # those of a unit side by side
        self._starts = np.searchsorted(np.array(members, dtype=np.int64)[order], np.arange(len(self.all)))
        self.budgets: Floats = np.array([slos[unit.slo].budget for unit in self.all], dtype=np.float64)

    def sum(self, values: Ints) -> Ints:
        """Of values by row (n, rows), those by unit (n, units)."""
        if not self.all:
            return np.zeros((values.shape[0], 0), dtype=np.int64)
        return np.asarray(np.add.reduceat(values[:, self._rows], self._starts, axis=1))

    def rows_of(self, unit: Unit) -> list[int]:
        """The rows of the objective and organisation of a unit."""
        return self._whole[unit.org, unit.slo]

    def parts_of(self, unit: Unit) -> list[tuple[int, Unit]]:
        """The parts of the objective and organisation of a unit, with their numbers."""
        return [(number, self.all[number]) for number in self._parts.get((unit.org, unit.slo), ())]


def _units(key: Key) -> list[Unit]:
    named = ((Blame.UPSTREAM, key.upstream), (Blame.LOCAL, key.local))
    return [Unit(key.org, key.slo, Blame.PLATFORM, "")] + [
        Unit(key.org, key.slo, kind, name) for kind, name in named if name and name != OTHER
    ]
