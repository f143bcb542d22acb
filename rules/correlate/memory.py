"""What correlations hold in memory between two looks into the state, and what they had to leave out for want of room or time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from rules.correlate.group import Group

GROUPS_IN_ALL = 5_000_000
BYTES_IN_ALL = 4 << 30  # of groups as they are stored, all correlations together
MEMORY_BYTES = (
    24 << 20
)  # of groups kept as objects between commits, all correlations together; more is slower: it misses the CPU's caches
HEAVY_BYTES = 256 << 20  # that are taken into memory at once


@dataclass(slots=True)
class Capped:
    """A bound that bit: `dropped` were forgotten while `kept` is the most that is kept."""

    kept: int
    dropped: int = 0


@dataclass(slots=True)
class Shortfall:
    """What keeps a correlation from being exact. `late`: events that came after what they belong to was decided."""

    capped: Capped
    crowded: Capped
    late: int = 0


class Memory:
    """Groups as objects, the least recently used forgotten first. `free`: groups that may still be begun, all correlations together.
    `full`: all groups together have the bytes that they may have, and none grows."""

    def __init__(self, most_bytes: int | None = None) -> None:
        self.free, self.full = GROUPS_IN_ALL, False
        self._most = MEMORY_BYTES if most_bytes is None else most_bytes
        self._bytes = 0
        self._groups: OrderedDict[str, Group] = OrderedDict()

    def get(self, key: str) -> Group | None:
        group = self._groups.get(key)
        if group is not None:
            self._groups.move_to_end(key)
        return group

    def put(self, group: Group) -> None:
        self._groups[group.key] = group

    def weigh(self, group: Group) -> None:
        self._bytes -= group.weight
        group.weight = group.weigh()
        self._bytes += group.weight

    def rewind(self) -> None:
        """What is asked has changed: windows that were moved along begin anew."""
        for group in self._groups.values():
            group.slide = None

    def trim(self) -> None:
        """Call it when everything is written."""
        while self._bytes > self._most and self._groups:
            self._bytes -= self._groups.popitem(last=False)[1].weight

    @property
    def heavy(self) -> bool:
        """Whether a tick had better end here and be written."""
        return self._bytes > HEAVY_BYTES

    def forget(self) -> None:
        self._groups.clear()
        self._bytes = 0
