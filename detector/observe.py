"""The observer: events in; judged buckets and findings out.

    events -> aggregate (detector/series) -> tracks: score, episode -> rows, findings

What a track knows is a function of its rows: after a restart, and when a late event corrects a bucket, it is made anew from a snapshot
and the rows after it, to the last bit. Snapshots are taken in turn, each series once in `_SNAPSHOT_EVERY` buckets, so that little is
written however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
import structlog

from detector.episode import Call
from detector.explain import finding_of
from detector.following import Following, Told, step
from detector.heir import Merges
from detector.score import Point
from detector.series.aggregate import LATENESS_MS, MOST_SERIES, Aggregator
from detector.series.board import VANISHED_MS, Board, Closed, series_of
from detector.series.definition import Definition
from detector.series.late import Counted
from detector.series.meter import Reading
from detector.together import Together
from detector.track import Track
from soc.model.anomaly import Anomaly, Counts, Kept, Progress, Series, half, pack, series_id
from soc.model.anomaly import Board as Place
from soc.model.calendar import DAY_MS
from soc.model.event import Stored
from soc.model.finding import Finding
from soc.model.surge import Expected, Surges

log = structlog.get_logger("observer")

_SNAPSHOT_EVERY = 60  # buckets
_TOGETHER = ("", "together")


class Observer:
    """`strength_of`: what people said is harmless: series -> how far off (as `Call.strength`; negative: below
    what is expected) is no call yet."""

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        zone: tzinfo,
        kept: Kept,
        *,
        surges: Expected | None = None,
        strength_of: Callable[[str], float] = lambda _: 0.0,
        merges: Merges = lambda _: (),
        most: int = MOST_SERIES,
    ) -> None:
        self.definitions = definitions
        self.corrected = 0  # buckets of series that late events have changed
        self._kept = kept
        self._surges: Expected = surges or Surges()
        self._strength_of = strength_of
        self._counted = Counted(kept.counted)
        self._aggregator = Aggregator(definitions, most=most, counted=self._counted)
        self._together = Together()
        self._following = Following(zone, kept, merges)
        self._anomalies: dict[str, Anomaly] = {}

    def load(self, *, resting: bool = False) -> list[Place]:
        """Go on where the last commit was; returns the boards whose definitions mean something else now: what is kept of them is of the
        old ones. `resting`: see `Aggregator.load`. Raises what the store raises."""
        saved = dict(self._kept.lanes())
        if together := saved.pop(_TOGETHER, None):
            self._together.load(msgspec.msgpack.decode(together))
        lanes = {key: msgspec.msgpack.decode(data) for key, data in saved.items()}
        anew = self._aggregator.load(lanes, resting=resting)
        for board in self._aggregator.boards():
            self._following.load(board)
        return [board.place for board in anew]

    def feed(self, events: Iterable[Stored]) -> list[Finding]:
        """What these events bring about, in their order."""
        findings: list[Finding] = []
        for closed in self._aggregator.feed(events):
            if closed.back:
                self._go_back(closed.board, closed.start)
            else:
                findings += self._judge(closed)
        return findings

    @property
    def closing(self) -> bool:
        """Whether buckets were closed since the last commit."""
        return bool(self._following.rows.changed)

    def progress(self, cursor: Mapping[str, int]) -> Progress:
        """Everything since the last time that this was asked."""
        rows = self._following.rows
        asked_from = {one.place: one.asked_from for one in self._aggregator.boards()}
        lanes: dict[tuple[str, str], Any] = {**self._aggregator.dump(), _TOGETHER: self._together.dump()}
        done = Progress(
            cursor,
            {key: msgspec.msgpack.encode(data) for key, data in lanes.items()},
            rows.changed,
            rows.snapshots,
            rows.void,
            self._following.begun,
            self._following.gone,
            list(self._anomalies.values()),
            {one.place: Counts(len(one.slots), one.keys_beyond, one.lost) for one in self._aggregator.boards()},
            {one.place: one.closed_to for one in self._aggregator.boards()},
            rows.back,
            self._counted.taken(asked_from),
            asked_from,
        )
        self._following.committed()
        self._anomalies = {}
        return done

    def reset(self, series: str) -> bool:
        """Have a series learn anew, from its next bucket on; False when there is no such series."""
        for board in self._aggregator.boards():
            for slot, key in series_of(board):
                if series_id(board.definition.name, board.org, key) == series:
                    board.born[slot] = board.heard[slot] = board.closed_to
                    self._following.of(board)
                    return True
        return False

    @property
    def boards(self) -> set[Place]:
        return self._following.boards

    @property
    def lanes(self) -> set[tuple[str, str]]:
        """Organisations and datasets that it has heard of and looks at."""
        return self._aggregator.lanes()

    @property
    def idless(self) -> set[str]:
        """The names of definitions of which events were left out since the start, as they have no id to be joined by."""
        return {board.definition.name for board in self._aggregator.boards() if board.idless}

    def tracks(self) -> Iterable[tuple[Series, Track]]:
        return self._following

    def _judge(self, closed: Closed) -> list[Finding]:
        board, start = closed.board, closed.start
        called = self._correct(board, closed.late) if closed.late else []
        if (board.merged_to - board.width) // DAY_MS < start // DAY_MS:  # once a day, whenever its first bucket is
            self._forget_silent(board.org, start - VANISHED_MS)
        self._following.join(board, start)
        if closed.readings is None:
            return self._say(board, called)
        place, tracks = board.place, self._following.of(board)
        row = bytearray()
        turn = start // board.width
        for slot, (value, weight) in closed.readings:
            known = tracks[slot]
            assert known is not None
            series, track = known
            try:
                told = self._told(board, series, start)
                point, call = step(board, track, start, value, weight, told)
            except ArithmeticError as error:
                self._begin_anew(board, series, error)
                continue
            self._following.rows.place(row, slot, _record(value, weight, point, told))
            if call is not None:
                called.append((series, call, point))
            if (turn + slot) % _SNAPSHOT_EVERY == 0:
                self._following.rows.snapshots[series.id, start] = track.dump()
        self._following.rows.put(place, start, bytes(row))
        return self._say(board, called)

    def _forget_silent(self, org: str, since: int) -> None:
        """Where no bucket is closed any more no series vanishes: of datasets of the organisation, and of those it took over from."""
        for board in self._aggregator.silent([org, *self._following.ended(org, since)], since):
            board.vanish()
            self._following.of(board)

    def _begin_anew(self, board: Board, series: Series, error: ArithmeticError) -> None:
        log.warning("a series begins anew: its values cannot be judged", series=series.id, reason=str(error))
        self._following.put(series, self._following.new(board))
        self._following.rows.invalidate(series.id, 0)

    def _go_back(self, board: Board, to: int) -> None:
        """What was judged of a time that has not come yet is void. Tracks have learned of it, and are written down as they are: rows cannot
        make them again."""
        place = board.place
        self._following.rows.go_back(place, to)
        self._together.go_back(board.org, board.definition.system, to)
        tracks = self._following.of(board)
        for slot, known in enumerate(tracks):
            if known is None:
                continue
            series, track = known
            self._following.rows.invalidate(series.id, to)
            if series.born >= to:
                tracks[slot] = (series, self._following.new(board))
            else:
                track.go_back()
                self._following.rows.snapshots[series.id, to - 1] = track.dump()

    def _told(self, board: Board, series: Series, start: int) -> Told:
        """What people say now; it is kept with the row, and holds for it whatever they say later."""
        surge = self._surge(board, series, start) if board.definition.measure.is_volume else None
        return half(surge) if surge else None, half(self._strength_of(series.id))

    def _surge(self, board: Board, series: Series, start: int) -> float | None:
        """How many times the usual is expected of the series: a surge may name a service or carrier that it is of. One of events that
        say no name is of the system all the same."""
        names: list[str | None] = [name for name in series.key if name] or ["" if series.key else None]
        expected = (self._surges.active(board.org, board.definition.system, start, name) for name in names)
        return max((times for times in expected if times is not None), default=None)

    def _say(self, board: Board, called: Sequence[tuple[Series, Call, Point]]) -> list[Finding]:
        findings, definition = [], board.definition
        together = self._together
        for series, call, _ in called:
            together.note(board.org, definition.system, series.id, call.ts)
        for series, call, point in called:
            since = together.since(board.org, definition.system, call.ts)
            finding = finding_of(definition, series, call, point, since)
            findings.append(finding)
            self._remember(series, call, point, finding.alert_id)
        return findings

    def _remember(self, series: Series, call: Call, point: Point, alert: str) -> None:
        parts = {name: round(surprise, 2) for name, surprise in point.parts.items()}
        new = Anomaly(
            series.id, series.board.definition, series.board.org, call.began, call.ts, call.ts, call.actual, call.expected,
            call.lower, call.upper, call.strength, call.buckets, alert, parts,
        )  # fmt: skip
        self._anomalies[f"{new.id} {call.ts}"] = new

    def _correct(self, board: Board, late: Mapping[tuple[int, int], Reading]) -> list[tuple[Series, Call, Point]]:
        """Series are judged again from the first bucket on that got something late."""
        by_slot: dict[int, dict[int, Reading]] = {}
        for (start, slot), reading in late.items():
            by_slot.setdefault(slot, {})[start] = reading
        tracks, called = self._following.of(board), []
        for slot, readings in by_slot.items():
            known = tracks[slot]
            if known is None:
                continue
            try:
                called += self._judge_again(board, known[0], readings)
            except ArithmeticError as error:
                self._begin_anew(board, known[0], error)
        return called

    def _judge_again(
        self, board: Board, series: Series, corrected: Mapping[int, Reading]
    ) -> list[tuple[Series, Call, Point]]:
        first = min(corrected)
        track, since = self._following.before(board, series, first)
        called = []
        last, saved = since, b""
        for reading, change in self._following.rows.again(series, since):
            if reading.ts >= first and not saved:
                saved = track.dump()  # the next late event need not go back further than this one
            value, weight = corrected.get(reading.ts, (reading.value, reading.weight))
            self.corrected += reading.ts in corrected
            told = reading.surge, reading.harmless
            point, call = step(board, track, reading.ts, value, weight, told)
            if reading.ts >= first:
                change(_record(value, weight, point, told))
                if call is not None:
                    called.append((series, call, point))
            else:
                last = reading.ts
        self._following.rows.invalidate(series.id, first)
        if saved and last > since:
            self._following.rows.snapshots[series.id, last] = saved
        self._following.put(series, track)
        return called


def _record(value: float | None, weight: float, point: Point, told: Told) -> bytes:
    return pack(value, weight, point.expected, point.lower, point.upper, point.score, point.learning, *told)


__all__ = ["LATENESS_MS", "Observer"]
