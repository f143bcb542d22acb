"""The tracks of all series: made where one begins, handed on where organisations merge, forgotten where it has vanished.

What a track knows is a function of its rows: it can be made anew from a snapshot and the rows after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

import structlog

from detector.episode import Call
from detector.heir import Merges, ended_before, heir
from detector.rows import Rows
from detector.score import Point
from detector.series.board import Board, series_of
from detector.series.key import Key
from detector.track import Track
from soc.errors import ConfigError
from soc.model.anomaly import Board as Place
from soc.model.anomaly import Kept, Series
from soc.model.calendar import DAY_MS
from soc.model.event import iso

Known = tuple[Series, Track]
Told = tuple[float | None, float]  # surge, what is harmless
_LEARNED_AGAIN_MS = 2 * DAY_MS
log = structlog.get_logger("observer")


class Following:
    """`rows`, `begun` and `gone` are of the time since the last commit; the times of `merges` are ms."""

    def __init__(self, zone: tzinfo, kept: Kept, merges: Merges) -> None:
        self._zone, self._kept, self._merges = zone, kept, merges
        self._tracks: dict[Place, list[Known | None]] = {}
        self._anew: dict[Place, int] = {}  # from when on (ms) what is of another version was learned again
        self.committed()

    def committed(self) -> None:
        """What was to be written down has been taken."""
        self.rows = Rows(self._kept)
        self.begun: list[Series] = []
        self.gone: list[str] = []

    @property
    def boards(self) -> set[Place]:
        return set(self._tracks)

    def __iter__(self) -> Iterator[Known]:
        for some in self._tracks.values():
            yield from (one for one in some if one is not None)

    def new(self, board: Board) -> Track:
        return Track(board.definition, board.meter, self._zone)

    def put(self, series: Series, track: Track) -> None:
        self._tracks[series.board][series.slot] = (series, track)

    def of(self, board: Board) -> list[Known | None]:
        """The tracks of a board, one a slot; those of new series are made, those of vanished ones forgotten."""
        tracks = self._tracks.setdefault(board.place, [])
        while len(tracks) < len(board.keys):
            tracks.append(None)
        for slot, key in enumerate(board.keys):
            known = tracks[slot]
            if known is not None and known[0].key == key and known[0].born == board.born[slot]:
                continue
            if known is not None:
                self.gone.append(known[0].id)
                self.rows.invalidate(known[0].id, 0)
                tracks[slot] = None
            if key is not None:
                tracks[slot] = self._begin(board, key, slot)
        return tracks

    def join(self, board: Board, start: int) -> None:
        """Series that are there already when others end in their organisation go on with the sum. What came before cannot be corrected
        any more: it would be judged again without them."""
        since, until = board.merged_to or start, start + board.width  # in a silence no bucket is closed
        board.merged_to = max(board.merged_to, until)  # a clock that goes back meets a merger again
        ended = [code for at, code in self._merges(board.org) if since <= at < until]
        if not ended:
            return
        tracks = self.of(board)
        for slot, known in enumerate(tracks):
            if known is None or known[0].born >= start:
                continue
            series, own = known
            parts = self._parts(board, ended, series.key)
            track = heir(board.definition, board.meter, self._zone, [own, *parts]) if parts else None
            if track is not None:
                tracks[slot] = (series, track)
                self.rows.invalidate(series.id, start)
                self.rows.snapshots[series.id, start - 1] = track.dump()
                board.floor = start

    def ended(self, org: str, before: int) -> list[str]:
        """The organisations that this one took over from before then (ms)."""
        return [code for at, code in self._merges(org) if at < before]

    def before(self, board: Board, series: Series, start: int) -> tuple[Track, int]:
        """The track as it was before this bucket or earlier, and the time (ms) of the last bucket in it."""
        found = self.rows.snapshot(series.id, start)
        if found is not None and found[0] >= series.born - 1:
            try:
                return self._loaded(board, found[1]), found[0]
            except ConfigError:
                return self.new(board), self._anew.get(board.place, 0)
        return self.new(board), 0

    def load(self, board: Board) -> None:
        """As of the last commit. What is of another version is learned anew, of two days at most: of many series more would take hours.
        A series of which no bucket has been closed begins with the first that is."""
        place, begun = board.place, self._kept.begun(board.place)
        tracks: list[Known | None] = [None] * len(board.keys)
        since = [0] * len(board.keys)
        snapshots, unread = self._kept.snapshots(place), 0
        self._anew[place] = board.closed_to - _LEARNED_AGAIN_MS
        for slot, key in series_of(board):
            series = Series(place, key, slot, board.born[slot])
            if series.id not in begun:
                continue
            track, since[slot] = self.new(board), series.born - 1
            ts, data = snapshots.get(series.id, (0, b""))
            if ts >= series.born - 1:
                try:
                    track, since[slot] = self._loaded(board, data), ts
                except ConfigError:
                    unread, since[slot] = unread + 1, max(since[slot], self._anew[place])
            tracks[slot] = (series, track)
        self._tracks[place] = tracks
        if unread:
            log.info(
                "series learn anew",
                definition=place.definition,
                org=place.org,
                series=unread,
                since=iso(self._anew[place]),
            )
        oldest = min((since[slot] for slot, known in enumerate(tracks) if known is not None), default=0)
        for reading, slot in self.rows.of_board(place, oldest):
            known = tracks[slot] if slot < len(tracks) else None
            if known is not None and reading.ts > since[slot]:
                step(board, known[1], reading.ts, reading.value, reading.weight, (reading.surge, reading.harmless))

    def _loaded(self, board: Board, data: bytes) -> Track:
        return Track.load(data, board.definition, board.meter, self._zone)

    def _begin(self, board: Board, key: Key, slot: int) -> Known:
        series = Series(board.place, key, slot, board.born[slot])
        ended = ended_before(self._merges(board.org), series.born)
        track = heir(board.definition, board.meter, self._zone, self._parts(board, ended, key))
        if track is not None:
            self.rows.snapshots[series.id, series.born - 1] = track.dump()
        self.begun.append(series)
        return series, track or self.new(board)

    def _parts(self, board: Board, orgs: Sequence[str], key: Key) -> list[Track]:
        """The series of other organisations that are of the same."""
        some = (self._tracks.get(Place(board.definition.name, org), ()) for org in orgs)
        return [one[1] for tracks in some for one in tracks if one is not None and one[0].key == key]


def step(
    board: Board, track: Track, start: int, value: float | None, weight: float, told: Told
) -> tuple[Point, Call | None]:
    """One bucket (`start`, ms) of one series."""
    surge, harmless = told
    return track.step(board.definition, start, value, weight, harmless, surge=surge)
