"""Events in, closed buckets out: one pass, memory bounded by the number of series.

A bucket is closed when an event of its organisation and dataset comes that is `grace_ms` beyond its end. What comes later corrects it
inside the lateness; what is later still is counted as lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import orjson

from detector.series.board import Board, Closed, Room
from detector.series.definition import Definition
from detector.series.lane import Lane
from detector.series.late import Counted
from soc.model.event import Fields, Stored

MOST_SERIES = 50_000
GRACE_MS = 20_000
LATENESS_MS = 3_600_000
LaneKey = tuple[str, str]  # organisation, dataset


class _Watched:
    """A lane and the boards that are made of it."""

    __slots__ = ("boards", "close_at", "lane", "resting")

    def __init__(self, boards: list[Board]) -> None:
        self.lane = Lane()
        self.boards = boards
        self.resting: dict[str, Any] = {}  # as they were written, of definitions that do not run
        self.close_at = 0


class Aggregator:
    def __init__(
        self,
        definitions: Mapping[str, Definition],
        *,
        most: int = MOST_SERIES,
        grace_ms: int = GRACE_MS,
        lateness_ms: int = LATENESS_MS,
        counted: Counted | None = None,
    ) -> None:
        """`counted`: None: nothing corrects a bucket that is closed."""
        self.room = Room(most)
        self._definitions = definitions
        self._grace, self._lateness, self._counted = grace_ms, lateness_ms, counted
        self._watched: dict[LaneKey, _Watched | None] = {}
        self._by_dataset: dict[str, list[Definition]] = {}
        for one in definitions.values():
            self._by_dataset.setdefault(one.dataset, []).append(one)

    def feed(self, events: Iterable[Stored]) -> Iterator[Closed]:
        """The buckets that are closed by these events, in the order in which they are; each as it is closed, when its board has no
        series but those that it is about."""
        watched, loads = self._watched, orjson.loads
        for _, ts, org, dataset, source, _, doc in events:
            place = watched[org, dataset] if (org, dataset) in watched else self._open(org, dataset)
            if place is not None and ts:
                yield from self._add(place, source, ts, loads(doc))

    def boards(self) -> Iterable[Board]:
        for place in self._watched.values():
            if place is not None:
                yield from place.boards

    def silent(self, orgs: Collection[str], since: int) -> Iterator[Board]:
        """Those of these organisations that have series, and of whose dataset nothing was heard since then (ms)."""
        for key in product(orgs, self._by_dataset):
            place = self._watched.get(key)
            if place is not None and place.lane.newest < since:
                yield from (board for board in place.boards if board.slots)

    def dump(self) -> dict[LaneKey, Any]:
        return {
            key: [
                place.lane.dump(),
                {board.definition.name: [board.definition.hash, board.dump()] for board in place.boards}
                | {name: [*one[:2], True] for name, one in place.resting.items()},
            ]
            for key, place in self._watched.items()
            if place is not None
        }

    def load(self, saved: Mapping[LaneKey, Any], *, resting: bool = False) -> list[Board]:
        """Definitions that are others now begin anew: returns the boards that do. `resting`: what was learned for definitions that do
        not run is carried along, and gone on with should they come back."""
        anew = []
        for (org, dataset), (lane, boards) in saved.items():
            place = self._open(org, dataset)
            if place is None:
                continue
            place.lane.load(lane)
            for board in place.boards:
                hash_, state, *rested = boards.pop(board.definition.name, ("", None))
                if hash_ != board.definition.hash:
                    anew.append(board)
                else:
                    board.load(state)
                if rested or hash_ != board.definition.hash:
                    board.skip_to(place.lane.newest + board.width - 1)  # the first bucket that it sees all of
            place.resting = boards if resting else {}
            place.close_at = self._due(place)
        return anew

    def lanes(self) -> set[LaneKey]:
        """Those that definitions look at."""
        return {key for key, place in self._watched.items() if place is not None}

    def _open(self, org: str, dataset: str) -> _Watched | None:
        wanted = self._by_dataset.get(dataset)
        place = (
            _Watched([Board(one, org, self.room, self._lateness, self._counted) for one in wanted]) if wanted else None
        )
        if place is not None or len(self._watched) < 100_000:
            self._watched[org, dataset] = place
        return place

    def _add(self, place: _Watched, source: str, ts: int, fields: Fields) -> Iterable[Closed]:
        lane = place.lane
        if not lane.newest:
            for board in place.boards:
                board.closed_to = board.closed_to or ts - ts % board.width
        believed = lane.hear(source, ts, self._lateness)
        if believed is False:
            for board in place.boards:
                board.leave_out(fields)
            return ()
        if believed is None:
            back = [board.go_back_to(ts) for board in place.boards]
            place.close_at = self._due(place)
            return self._back_and_add(place, back, ts, fields)
        if lane.newest >= place.close_at:
            return self._turn_and_add(place, ts, fields)
        for board in place.boards:
            board.add(ts, fields)
        return ()

    def _turn_and_add(self, place: _Watched, ts: int, fields: Fields) -> Iterator[Closed]:
        yield from self._turn(place)
        for board in place.boards:
            board.add(ts, fields)

    def _back_and_add(self, place: _Watched, back: list[Closed], ts: int, fields: Fields) -> Iterator[Closed]:
        yield from back
        for board in place.boards:
            board.add(ts, fields)

    def _due(self, place: _Watched) -> int:
        return min(board.waits_to for board in place.boards) + self._grace

    def _turn(self, place: _Watched) -> Iterator[Closed]:
        lane = place.lane
        reached = lane.newest - self._grace
        for board in place.boards:
            while board.waits_to <= reached:
                known = not lane.silent(board.closed_to, board.waits_to, counted=board.definition.measure.is_volume)
                yield board.close(known)
                if not known and board.empty:
                    board.skip_to(self._next_known(board, lane, reached))
        place.close_at = self._due(place)
        lane.forget(min(board.closed_to for board in place.boards) - self._lateness)

    @staticmethod
    def _next_known(board: Board, lane: Lane, reached: int) -> int:
        """The end of the silence that the next bucket lies in, so that a month of it costs nothing."""
        until = [end for since, end in lane.silences if since <= board.closed_to < end]
        return min(max(until), reached) if until else board.closed_to
