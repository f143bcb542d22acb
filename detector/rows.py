"""The rows that are not committed yet, over those that are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import groupby, takewhile
from operator import itemgetter

from soc.model.anomaly import EMPTY, RECORD_BYTES, Board, Kept, Reading, Series, record_of, unpack


class Rows:
    """`changed`, `snapshots`, `void` and `back` are what a commit has to write; see `Progress`."""

    def __init__(self, kept: Kept) -> None:
        self.changed: dict[tuple[Board, int], bytes] = {}
        self.snapshots: dict[tuple[str, int], bytes] = {}
        self.void: dict[str, int] = {}
        self.back: dict[Board, int] = {}
        self._kept = kept

    @staticmethod
    def place(row: bytearray, slot: int, record: bytes) -> None:
        """At its slot; slots are placed in their order."""
        missing = slot * RECORD_BYTES - len(row)
        if missing > 0:
            row += bytes(missing)
        row += record

    def put(self, board: Board, start: int, row: bytes) -> None:
        self.changed[board, start] = row

    def go_back(self, board: Board, to: int) -> None:
        """No row at or after this time is true."""
        self.back[board] = min(to, self.back.get(board, to))
        for key in [key for key in self.changed if key[0] == board and key[1] >= to]:
            del self.changed[key]

    def snapshot(self, series: str, before: int) -> tuple[int, bytes] | None:
        """The newest one of before this time that is still right."""
        pending = [(ts, data) for (one, ts), data in self.snapshots.items() if one == series and ts < before]
        if pending:
            return max(pending)
        return self._kept.snapshot(series, min(before, self.void.get(series, before)))

    def invalidate(self, series: str, since: int) -> None:
        """Snapshots at or after this bucket were taken of what it was before."""
        self.void[series] = min(since, self.void.get(series, since))
        for key in [key for key in self.snapshots if key[0] == series and key[1] >= since]:
            del self.snapshots[key]

    def again(self, series: Series, since: int) -> Iterator[tuple[Reading, Callable[[bytes], None]]]:
        """The readings of a series after this time, each with what changes it."""
        for ts, row in self._rows(series.board, max(since, series.born - 1)):
            reading = unpack(ts, record_of(row, series.slot))
            if reading is not None:
                yield reading, self._changing(series, ts, row)

    def of_board(self, board: Board, since: int) -> Iterator[tuple[Reading, int]]:
        """All readings after this time, oldest first, each with its slot."""
        for ts, row in self._rows(board, since):
            for slot in range(len(row) // RECORD_BYTES):
                reading = unpack(ts, record_of(row, slot))
                if reading is not None:
                    yield reading, slot

    def _rows(self, board: Board, since: int) -> Iterator[tuple[int, bytes]]:
        """Oldest first; of a bucket that is there twice the one that is not committed yet."""
        end = self.back.get(board)
        committed = takewhile(lambda row: end is None or row[0] < end, self._kept.rows(board, since))
        changed = sorted((ts, row) for (one, ts), row in self.changed.items() if one == board and ts > since)
        for _, same in groupby(merge(committed, changed, key=_ts), key=_ts):
            *_, newest = same
            yield newest

    def _changing(self, series: Series, ts: int, row: bytes) -> Callable[[bytes], None]:
        def change(record: bytes) -> None:
            at = series.slot * RECORD_BYTES
            now = self.changed.get((series.board, ts), row).ljust(at, b"\0")
            self.changed[series.board, ts] = now[:at] + record + now[at + RECORD_BYTES :]

        return change


_ts = itemgetter(0)
assert len(EMPTY) == RECORD_BYTES
