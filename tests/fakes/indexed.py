"""An event log whose events are in Elasticsearch, and found there, when `append` returns."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from soc.buffer.sqlite import EventLog
from soc.model.event import Event, Stored
from soc.store.elastic.client import Client
from soc.store.elastic.events.bulk import BulkWriter


class IndexedLog(EventLog):
    """What the indexer does a moment later, at once."""

    def __init__(self, directory: Path, client: Client) -> None:
        super().__init__(directory, min_free_bytes=0)
        self._client = client
        self._writer = BulkWriter(client, "month", clock=lambda: 0)

    def append(self, events: Sequence[Event]) -> int:
        new = super().append(events)
        rows = [Stored.of(e) for e in events]
        self._writer.write(self._writer.prepare(rows), threading.Event(), give_up_s=10)
        self._client.indices.refresh(index="govsoc-events-*")
        return new
