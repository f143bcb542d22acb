"""How much is kept: memory is bounded, and what has no room is counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept. Entities beyond `entities` are counted in `Profiles.other`; of a field's values the least usual are forgotten."""

    entities: int = 20_000
    values: int = 64  # of a field, of one entity
    shared: int = 50_000  # of a field, of all
    cells: int = 1_000_000  # values of all entities and fields together; when there are more, an eighth of `values` is kept of each entity
    held: int = 500_000  # values in open buckets together; the number of more is estimated
