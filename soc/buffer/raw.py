"""Reading the event log as text: for a reader that passes documents on and does not look into them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

from soc.buffer.base import Cursor
from soc.buffer.sqlite import EventLog, days

_AFTER = "SELECT seq, id, org, dataset, doc FROM event WHERE seq > ? ORDER BY seq LIMIT ?"


class Row(NamedTuple):
    """An event as the log holds it; `doc` is the document as JSON text."""

    id: str
    org: str
    dataset: str
    doc: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows after a cursor, and the cursor after them. `full`: a limit was reached, so there is probably more."""

    rows: tuple[Row, ...]
    cursor: Cursor
    full: bool


class RawEventLog(EventLog):
    """The event log for one more reader, in a thread of its own."""

    def read_rows(self, cursor: Cursor, limit: int, max_chars: int) -> Rows:
        """Like `read`, and no more than the row that goes beyond `max_chars` of text together: a row may have a megabyte."""
        rows: list[Row] = []
        after = dict(cursor)
        room = max_chars
        for day in self._changed_days():
            started, before = time.time(), len(rows)
            with self._file(day) as file:
                partition = f"{day}.{file.generation:x}"
                last = after.get(partition, 0)
                for seq, *values in file.db.execute(_AFTER, (last, limit - before)):
                    rows.append(Row(*values))
                    last, room = seq, room - len(values[3])
                    if room <= 0:
                        break
            if len(rows) > before:
                after = {other: seq for other, seq in after.items() if other.partition(".")[0] != day}
                after[partition] = last
            else:
                self._empty_at[day] = started
            if len(rows) >= limit or room <= 0:
                break
        if rows:  # an idle reader looks at the directory once, not twice
            kept = set(days(self.directory))
            after = {partition: seq for partition, seq in after.items() if partition.partition(".")[0] in kept}
        return Rows(tuple(rows), after, len(rows) >= limit or room <= 0)
