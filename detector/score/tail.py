"""How rare is it? The share of past values that were at least as far out, learned as they come.

Distances are counted in bins of equal ratio, on either side apart: a service that often has peaks and never a trough is to be more
surprised by a trough. A few points of a heavy-tailed prior (Student's t of 3 degrees: the tail falls by three powers of ten a
decade) stand for what was not seen yet, so that what is twice as far as all before is more surprising, and a new series not at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from detector.score.state import blank

_LOW = 0.5
_PER_OCTAVE = 3
BINS = 30  # up to 0.5 * 2^10
_TO_BIN = _PER_OCTAVE / math.log(2)
_SHIFT = -math.log(_LOW) * _TO_BIN
_EDGES = [_LOW * 2 ** (k / _PER_OCTAVE) for k in range(BINS)]
_PRIOR = [0.5 / (1 + (edge / 1.5) ** 2) ** 1.5 for edge in _EDGES]
_PRIOR_POINTS = 4.0
_EVERY = 120  # points between two looks at the counts
_SIZE = 2 * BINS  # of one kind, both sides
# Tables are in parts of a power of ten: no share of the past is below 10^-15, so that 16 bits hold it.
_UNIT = 1 / 4096
_TO_UNITS, _MOST = -1 / (_UNIT * math.log(10)), 65535


class Tails:
    """Of several kinds of distances of the same points. `counts`: of each kind, 0 to BINS - 1 above zero, the next BINS below; `tables`,
    made of them now and then: the surprise at each edge likewise."""

    __slots__ = ("counts", "due", "kinds", "seen", "tables", "total")
    WHOLE: ClassVar[tuple[str, ...]] = ("due", "seen")  # small ones, which take no room
    FLOATS: ClassVar[tuple[str, ...]] = ("total",)
    ARRAYS: ClassVar[tuple[str, ...]] = ("counts", "tables")

    def __init__(self, kinds: int) -> None:
        self.kinds = kinds
        self.counts, self.tables = blank("f", kinds * _SIZE), blank("H", kinds * _SIZE)
        self.seen = 0  # points since the last look
        self.total = 0.0
        self.due = 30
        self.look(1.0)

    def rate(self, distances: Sequence[float], weight: float) -> list[float]:
        """Of each kind's distance the surprise, -log10 of the share of the past that was as far on this side; then counts them with this
        weight."""
        self.seen += 1
        self.total += weight
        counts, tables, surprises, start = self.counts, self.tables, [], 0
        for distance in distances:
            size = distance if distance > 0 else -distance
            if size <= _LOW:
                surprises.append(0.0)
            else:
                place = math.log(size) * _TO_BIN + _SHIFT
                k = int(place)
                if k >= BINS - 1:
                    k = BINS - 2
                at = start + (k + BINS if distance < 0 else k)
                counts[at] += weight
                low = tables[at]
                surprises.append((low + (place - k) * (tables[at + 1] - low)) * _UNIT)
            start += _SIZE
        return surprises

    def look(self, keep: float) -> None:
        """Make the tables anew, and let the counts fade to this share."""
        counts, tables, total = self.counts, self.tables, self.total + _PRIOR_POINTS
        for side in range(0, self.kinds * _SIZE, BINS):
            beyond = 0.0
            for k in range(BINS - 1, -1, -1):
                beyond += counts[side + k]
                share = (beyond + _PRIOR_POINTS * _PRIOR[k]) / total
                tables[side + k] = min(int(math.log(min(share, 0.5)) * _TO_UNITS + 0.5), _MOST)
        if keep < 1.0:
            for k in range(self.kinds * _SIZE):
                counts[k] *= keep
            self.total *= keep
        self.seen = 0
        self.due = _EVERY if self.total >= _EVERY else int(self.total) + 30
