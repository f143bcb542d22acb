"""What the observer keeps of series and of what was unusual in them: the detector makes it, a store keeps it, people read it."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

# Of one series in one bucket: value (NaN: unknown), weight, expected, lower, upper, score, flags, surge (0: none), harmless.
_RECORD = struct.Struct("<ddffffBxee")
_HALF = struct.Struct("<e")
_MOST_HALF = 65504.0
_LEARNING, _JUDGED = 1, 2
EMPTY = bytes(_RECORD.size)
RECORD_BYTES = _RECORD.size
RULE_PREFIX = "anomaly-"  # of the ids of rules whose alerts are anomalies
SYSTEM_PREFIX = "anomaly-system-"  # of those that stand for many series of a system
FIELD = "govsoc.anomaly."  # in what their findings matched


def of_series(rule_id: str) -> bool:
    """Whether alerts of this rule are of series."""
    return rule_id.startswith(RULE_PREFIX)


class Reading(NamedTuple):
    """One bucket of one series as it was judged. `ts`: its start, ms. `value` is None where it is not known. `surge`: how many times the
    usual was declared for it. `harmless`: how far off was said to be no call then, see `Harmless.signed`."""

    ts: int
    value: float | None
    weight: float
    expected: float
    lower: float
    upper: float
    score: float
    learning: bool
    surge: float | None = None
    harmless: float = 0.0


def pack(
    value: float | None, weight: float, expected: float, lower: float, upper: float, score: float, learning: bool,
    surge: float | None = None, harmless: float = 0.0,
) -> bytes:  # fmt: skip
    """`surge` and `harmless` have to be `half`."""
    known = math.nan if value is None else value
    band = _small(expected), _small(lower), _small(upper)
    return _RECORD.pack(known, weight, *band, score, _JUDGED | learning, surge or 0.0, harmless)


def half(value: float) -> float:
    """As a row keeps it, to three digits: what is judged with this is judged alike again."""
    (kept,) = _HALF.unpack(_HALF.pack(max(-_MOST_HALF, min(_MOST_HALF, value))))
    return float(kept)


def unpack(ts: int, record: bytes) -> Reading | None:
    """None where the series was not there."""
    value, weight, expected, lower, upper, score, flags, surge, harmless = _RECORD.unpack(record)
    if not flags & _JUDGED:
        return None
    known = None if value != value else value
    return Reading(ts, known, weight, expected, lower, upper, score, bool(flags & _LEARNING), surge or None, harmless)


def has_value(row: bytes) -> bool:
    """Whether any series has one in this row of a board's."""
    return any(value == value and flags & _JUDGED for value, *_, flags, _, _ in _RECORD.iter_unpack(row))


def has_hit(row: bytes) -> bool:
    """As `has_value`, of a value above 0."""
    return any(value > 0 and flags & _JUDGED for value, *_, flags, _, _ in _RECORD.iter_unpack(row))


def weights(row: bytes) -> int:
    """The events of all series in this row; of those that are asked for their values, the values."""
    return int(sum(weight for _, weight, *_ in _RECORD.iter_unpack(row)))


def thinned(readings: Sequence[Reading], step_ms: int, most: int) -> tuple[Sequence[Reading], int]:
    """At most `most`: of each few the least and the greatest; and the time (ms) from one to the next that makes no gap."""
    if len(readings) <= most:
        return readings, step_ms
    each = math.ceil(2 * len(readings) / most)
    shown: list[Reading] = []
    for at in range(0, len(readings), each):
        known = [one for one in readings[at : at + each] if one.value is not None]
        ends = {min(known, key=_value), max(known, key=_value)} if known else {readings[at]}
        shown += sorted(ends)
    return shown, step_ms * each


def _value(one: Reading) -> float:
    return one.value or 0.0


def _small(value: float) -> float:
    return max(-3e38, min(3e38, value))


def record_of(row: bytes, slot: int) -> bytes:
    """Of one slot of a board's row; no series where the row ends before it."""
    return row[slot * RECORD_BYTES : (slot + 1) * RECORD_BYTES] or EMPTY


class Board(NamedTuple):
    """The series of one definition in one organisation."""

    definition: str
    org: str


@dataclass(frozen=True, slots=True)
class Series:
    """`key`: the values that it groups by; empty where it stands for all keys that had no room. `slot`: its place in its board's rows.
    `born`: its first bucket, ms."""

    board: Board
    key: tuple[str, ...]
    slot: int
    born: int

    @property
    def id(self) -> str:
        return series_id(self.board.definition, self.board.org, self.key)


def series_id(definition: str, org: str, key: Sequence[str]) -> str:
    """24 hex digits."""
    what = "\0".join((definition, org, *key)).encode(errors="surrogatepass")
    return hashlib.blake2b(what, digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One episode of one series: a time in which it was not as expected. Times are ms.

    `actual` and `expected` are those of the bucket that was farthest off, `strength` how far: in half widths of the band; of
    shares in tenths of the way to all or none.
    `alert`: the alert that it is folded into. `parts`: what made it unusual, in powers of ten.
    """

    series: str
    definition: str
    org: str
    since: int
    until: int
    at: int
    actual: float
    expected: float
    lower: float
    upper: float
    strength: float
    buckets: int
    alert: str
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.series}{self.since:012x}"


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one board: its series, about how many keys had no room and are counted as other, and events that no bucket
    took: too late, the first of a series, of an unknown bucket, or no room for their ids or their series."""

    series: int
    beyond: int
    lost: int


@dataclass(frozen=True, slots=True)
class Progress:
    """All that changed since the last commit; committed as one. `lanes` are opaque. `snapshots`: series and time (ms) -> state; `void`:
    series -> its snapshots at or after this time are wrong. `series`: new ones, `gone`: those that vanished. `closed_to`: the end (ms) of
    the last bucket of each board. `back`: rows of a board, and what was counted, at or after this time (ms) were of a clock that
    was ahead, and go first. `counted`: in a bucket, opaque; nobody asks for those of before `asked_from` (ms) any more."""

    cursor: Mapping[str, int]
    lanes: Mapping[tuple[str, str], bytes]
    rows: Mapping[tuple[Board, int], bytes]
    snapshots: Mapping[tuple[str, int], bytes]
    void: Mapping[str, int]
    series: Sequence[Series]
    gone: Sequence[str]
    anomalies: Sequence[Anomaly]
    counts: Mapping[Board, Counts]
    closed_to: Mapping[Board, int] = field(default_factory=dict)
    back: Mapping[Board, int] = field(default_factory=dict)
    counted: Mapping[tuple[Board, int], bytes] = field(default_factory=dict)
    asked_from: Mapping[Board, int] = field(default_factory=dict)


class Kept(Protocol):
    """What was committed, as the observer reads it again."""

    def lanes(self) -> Mapping[tuple[str, str], bytes]: ...

    def begun(self, board: Board) -> Set[str]:
        """The ids of those that have begun."""
        ...

    def snapshots(self, board: Board) -> Mapping[str, tuple[int, bytes]]:
        """Series -> time and state of its newest snapshot."""
        ...

    def snapshot(self, series: str, before: int) -> tuple[int, bytes] | None:
        """The newest one of before this time (ms)."""
        ...

    def rows(self, board: Board, since: int) -> Iterator[tuple[int, bytes]]:
        """Those after this time (ms), oldest first; read as they are asked for."""
        ...

    def counted(self, board: Board, start: int) -> bytes | None:
        """What was counted in the bucket that starts then (ms)."""
        ...
