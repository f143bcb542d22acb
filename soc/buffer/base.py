"""The durable log between collecting and detecting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from soc.model.event import Event, Stored

READ_BYTES = 32 << 20

# Partition -> position of the last event read in it. A partition is a day file here, a Kafka partition elsewhere.
Cursor = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events after a cursor, and the cursor after them. `full`: a limit was reached, so there is probably more."""

    events: tuple[Stored, ...]
    cursor: Cursor
    full: bool = False


class Readable(Protocol):
    """Events in partitions, each in an order of its own."""

    def read(self, cursor: Cursor, limit: int, max_bytes: int = READ_BYTES) -> Batch:
        """Up to `limit` events after `cursor`, oldest partition first, and no more than the one that goes beyond `max_bytes` of
        documents together: an event may have a megabyte. Never blocks to wait for more; an empty batch means none."""
        ...

    def close(self) -> None: ...


class Buffer(Readable, Protocol):
    """Written by the collector, read by the detector."""

    def append(self, events: Sequence[Event | Stored]) -> int:
        """Store the events durably and return how many were new; the same event again is not stored again.

        Blocks on the disk. Raises `Busy` when full (nothing is stored) and `StoreUnavailable`. May be repeated after any error.
        """
        ...
