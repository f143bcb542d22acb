"""The durable log between collecting and detecting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from soc.model.event import Event, Stored

# Partition -> position of the last event read in it. A partition is a day file here, a Kafka partition elsewhere.
Cursor = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events after a cursor, and the cursor after them."""

    events: tuple[Stored, ...]
    cursor: Cursor


class Buffer(Protocol):
    """Written by the collector, read by the detector."""

    def append(self, events: Sequence[Event | Stored]) -> int:
        """Store the events durably and return how many were new; the same event again is not stored again.

        Blocks on the disk. Raises `Busy` when full (nothing is stored) and `StoreUnavailable`. May be repeated after any error.
        """
        ...

    def read(self, cursor: Cursor, limit: int) -> Batch:
        """Up to `limit` events after `cursor`, oldest partition first. Never blocks to wait for more; an empty batch means none."""
        ...

    def close(self) -> None: ...
