"""Counts over time for many series at once, in bounded memory: a ring of steps (minutes, or hours), each row a series."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_FIRST_ROWS = 16
_NEVER = -1


class Ring:
    """`steps` steps of (total, bad) counts for each row. A step that comes after the newest takes the place of the oldest."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._at: Ints = np.full(steps, _NEVER, dtype=np.int64)  # which step each place holds
        self._counts = np.zeros((steps, 2, _FIRST_ROWS), dtype=np.uint32)
        self._touched: set[int] = set()

    def add(self, rows: Ints, steps: Ints, total: Ints, bad: Ints) -> None:
        """Rows and steps may repeat. What lies further back than the ring reaches is left out."""
        self._room(int(rows.max()) + 1)
        for step in np.unique(steps).tolist():
            self._turn(step)
        places = steps % self._steps
        kept = self._at[places] == steps
        where = (2 * places[kept]) * self._counts.shape[2] + rows[
            kept
        ]  # of the totals; a row of the failures further on
        flat = self._counts.reshape(-1)
        np.add.at(flat, where, total[kept].astype(np.uint32))
        np.add.at(flat, where + self._counts.shape[2], bad[kept].astype(np.uint32))
        self._touched.update(np.unique(steps[kept]).tolist())

    def last(self, count: int, until: int, rows: int) -> NDArray[np.uint32]:
        """Counts of the `count` steps that end with `until`, newest first: (count, 2, rows). What is not known is zero."""
        steps = until - np.arange(count)
        places = steps % self._steps
        self._room(rows)
        found = self._counts[places, :, :rows]
        found[self._at[places] != steps] = 0
        return found

    def sums(self, counts: Sequence[int], until: int, rows: int) -> list[Ints]:
        """Of the last so many steps that end with `until`, for each of `counts` (ascending): (2, rows)."""
        self._room(rows)
        sums: list[Ints] = []
        at = 0
        for count in counts:
            steps = until - np.arange(at, count)
            places = steps % self._steps
            places = places[self._at[places] == steps]
            own = self._counts[places, :, :rows].sum(axis=0, dtype=np.int64)
            sums.append(sums[-1] + own if sums else own)
            at = count
        return sums

    def used(self, since: int, rows: int) -> NDArray[np.bool_]:
        """The rows that have anything from step `since` on."""
        self._room(rows)
        return np.asarray(self._counts[self._at >= since, 0, :rows].any(axis=0))

    def totals(self, rows: int) -> Ints:
        """All that is held of each row."""
        self._room(rows)
        return np.asarray(self._counts[:, 0, :rows].sum(axis=0, dtype=np.int64))

    def move(self, row: int, to: int) -> None:
        """What one row has counted goes to another one."""
        self._room(max(row, to) + 1)
        self._counts[:, :, to] += self._counts[:, :, row]
        self.clear(row)

    def clear(self, row: int) -> None:
        """The row is to count something else from now on."""
        self._room(row + 1)
        held = self._counts[:, 0, row] > 0
        self._counts[:, :, row] = 0
        self._touched.update(self._at[held].tolist())

    def changes(self) -> dict[int, bytes | None]:
        """The steps that changed since this was last asked, each as `load` takes it; None: it is gone."""
        touched, self._touched = self._touched, set()
        return {step: self._dump(step) for step in sorted(touched)}

    def load(self, step: int, dumped: bytes) -> None:
        """Raises ValueError when it is not what `changes` gave."""
        cells = np.load(io.BytesIO(dumped), allow_pickle=False)
        if cells.dtype != np.uint32 or cells.ndim != 2 or cells.shape[1] != 3:
            raise ValueError("not counts of a step")
        self._turn(step)
        if not len(cells) or self._at[step % self._steps] != step:
            return
        self._room(int(cells[:, 0].max()) + 1)
        self._counts[step % self._steps][:, cells[:, 0]] = cells[:, 1:].T

    def _turn(self, step: int) -> None:
        place = step % self._steps
        old = int(self._at[place])
        if step > old:
            self._counts[place] = 0
            self._at[place] = step
            if old != _NEVER:
                self._touched.add(old)

    def _dump(self, step: int) -> bytes | None:
        place = step % self._steps
        if self._at[place] != step:
            return None
        counts = self._counts[place]
        rows = np.flatnonzero(counts[0])
        out = io.BytesIO()
        np.save(out, np.column_stack((rows, counts[0, rows], counts[1, rows])).astype(np.uint32), allow_pickle=False)
        return out.getvalue()

    def _room(self, rows: int) -> None:
        have = self._counts.shape[2]
        if rows > have:
            more = np.zeros((self._steps, 2, max(rows, 2 * have) - have), dtype=np.uint32)
            self._counts = np.concatenate((self._counts, more), axis=2)
