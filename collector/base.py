"""What a source of records is, and what it is given."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One raw line or payload, without its line end.

    `position` is unique within the source and the same when the record is read again (file: fingerprint of the file and byte
    offset; push: digest of the batch and byte offset; syslog: connection and sequence, as nothing is ever sent twice on purpose).
    `note` says what the source had to do to it ("cut at 1048576 of 10485760 bytes"); it ends in the event's `error.message`.
    """

    line: bytes
    position: str
    note: str | None = None


class Deliver(Protocol):
    def __call__(self, records: Sequence[Record]) -> None:
        """Parse, mask and store the records; they are durable when it returns, and only then may the source be acked.

        Blocks. Raises `Busy` when the buffer is full and `StoreUnavailable`: nothing may be acked, try again later.
        A record that cannot be parsed becomes a dead letter here and raises nothing.
        """
        ...


class DeliverTo(Protocol):
    """`Deliver` for a listener that serves many sources."""

    def __call__(self, source_id: str, records: Sequence[Record]) -> None:
        """As `Deliver`; raises `NotFound` as well, when the source is not enabled (any more): it will not help to try again."""
        ...


class Checkpoints(Protocol):
    """Small durable notes of how far a source has read, written after `Deliver` returned. Damage is reported, never fatal."""

    def load(self, source_id: str) -> Mapping[str, str]:
        """Every note of the source: key -> JSON text."""
        ...

    def save(self, source_id: str, notes: Mapping[str, str | None]) -> None:
        """Set the given notes (None deletes one) in one transaction."""
        ...


class Reader(Protocol):
    """Reads one source until told to stop; runs in a thread of its own."""

    @property
    def problem(self) -> str | None:
        """What keeps something from being read, for people; None when all is well."""
        ...

    def run(self, deliver: Deliver, stop: threading.Event) -> None:
        """Returns soon after `stop` is set. Raises only what a restart may mend; the runner logs it, waits and runs it again."""
        ...


class Listener(Protocol):
    """Receives for many sources on one port; otherwise as `Reader`."""

    @property
    def problem(self) -> str | None:
        """What keeps it from working or makes it lose something, for people; None when all is well."""
        ...

    def run(self, deliver_to: DeliverTo, stop: threading.Event) -> None:
        """As `Reader.run`. Raises `OSError` when the port cannot be had."""
        ...
