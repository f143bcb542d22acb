"""How far the event time of one dataset of one organisation has come, and where its sources were silent.

Only the order of events counts, never the wall clock, so that the same events read again close the same buckets with the same content.
"""

from __future__ import annotations

from collections import deque
from typing import Any

_STEADY = 30  # events of a source before its silence means something
_GAIN = 0.02
_LEAST_SILENCE_MS = 60_000
_UNUSUAL = 30  # times the usual distance of two events
_FIRST_GAP_MS = 10_000.0
_FORGET_MS = 3_600_000  # a source that is silent for so long is no part of the dataset any more
_MISSED_MS = 24 * _FORGET_MS  # but of what is counted, if it sent a good part of it: its collector may be away
_PART = 0.1
_JUMP_MS = 600_000
_PAUSE_MS = 6 * 3_600_000  # that a source which has seldom something to say may make without its clock being doubted
_AHEAD, _BEHIND = 5, 1000  # events in a row before a jump of the clock is believed ...
# ... and so many where other sources spoke a moment before: it may be theirs that is wrong, or what was kept while its way was cut off
_AHEAD_OF_OTHERS, _BEHIND_OTHERS = 200, 50_000
_MOST_SOURCES = 1000
_SWEEP_MS = 60_000
_MOST_SILENCES = 200
_NEVER = 1 << 62


class Lane:
    """Times are ms of event time."""

    def __init__(self) -> None:
        self.newest = 0
        self.silences: deque[tuple[int, int]] = deque(maxlen=_MOST_SILENCES)
        self._ahead = self._behind = self._ahead_to = 0
        self._ahead_last = 0  # the last of those ahead; `_NEVER`: they came in no order
        self._sources: dict[str, list[float]] = {}  # newest, mean gap, events
        self._swept = 0  # when those that are silent were forgotten last

    def hear(self, source: str, ts: int, lateness_ms: int) -> bool | None:
        """Take note of an event. False: its time is not to be believed, leave it out. None: the clock went back, believe it again."""
        newest = self.newest
        if ts > newest + _JUMP_MS and newest and ts > newest + self._pause(source):
            if not self._believes(source, ts):
                return False
        elif ts < newest - lateness_ms:
            self._behind += 1
            if self._behind % _BEHIND or (self._behind < _BEHIND_OTHERS and self._others(source)):
                return True
            self._begin_again(ts)
            return None
        self._ahead = self._behind = 0
        if ts > self.newest:
            self.newest = ts
        self._follow(source, ts)
        return True

    def _believes(self, source: str, ts: int) -> bool:
        """Whether this event, which is far ahead, is believed: after several in a row, as far as the least of them; all of them where one
        followed the other as events do that come seldom."""
        follows = not self._ahead or self._ahead_last <= ts <= self._ahead_last + _PAUSE_MS
        self._ahead += 1
        self._ahead_to = ts if self._ahead == 1 else min(self._ahead_to, ts)
        self._ahead_last = ts if follows else _NEVER
        if self._ahead < (_AHEAD_OF_OTHERS if self._others(source) else _AHEAD):
            return False
        reached = ts if follows else self._ahead_to
        if reached - self.newest >= _FORGET_MS:
            self.silences.append((self.newest + 1, reached + 1))  # nobody spoke, whoever begins again
        self.newest = reached
        if ts <= self.newest + _JUMP_MS:
            return True
        self._ahead, self._ahead_to, self._ahead_last = 1, ts, ts
        return False

    def _pause(self, source: str) -> float:
        """How long this one may be silent without its clock being doubted: where nobody else speaks it may be seldom that it does."""
        known = self._sources.get(source)
        if known is None or self._others(source):
            return _JUMP_MS
        return min(_limit(known[1]), _PAUSE_MS)

    def _others(self, source: str) -> bool:
        """Whether another source is as far as the lane is."""
        return any(
            name != source and one[0] > self.newest - _JUMP_MS and one[2] >= _STEADY
            for name, one in self._sources.items()
        )

    def silent(self, start: int, end: int, *, counted: bool) -> bool:
        """Whether a source was silent in any part of [start, end). `counted`: it is asked for the sake of a volume, from which a silent
        source is missing for longer than from shares and durations."""
        if any(since < end and until > start for since, until in self.silences):
            return True
        newest, longest = self.newest, _MISSED_MS if counted else _FORGET_MS
        steady = [one for one in self._sources.values() if one[2] >= _STEADY and newest - one[0] < longest]
        quiet = [(newest - at, gap) for at, gap, _ in steady if at < end and newest - at > _limit(gap)]
        if any(since < _FORGET_MS for since, _ in quiet):
            return True
        rate = sum(1 / gap for _, gap, _ in steady) if quiet else 0.0
        return any(1 / gap >= _PART * rate for _, gap in quiet)

    def forget(self, before: int) -> None:
        while self.silences and self.silences[0][1] < before:
            self.silences.popleft()

    def dump(self) -> list[Any]:
        counted = [self._ahead_last, self._ahead, self._behind, self._ahead_to]
        return [self.newest, list(self.silences), *counted, self._sources, self._swept]

    def load(self, saved: list[Any]) -> None:
        self.newest, silences, self._ahead_last, self._ahead, self._behind, self._ahead_to, self._sources, *swept = (
            saved
        )
        self._swept = swept[0] if swept else 0
        self.silences.extend((since, until) for since, until in silences)

    def _follow(self, source: str, ts: int) -> None:
        known = self._sources.get(source)
        if known is None:
            if len(self._sources) >= _MOST_SOURCES and ts - self._swept >= _SWEEP_MS:
                self._swept = ts
                self._sources = {name: one for name, one in self._sources.items() if one[0] > ts - _FORGET_MS}
            if len(self._sources) >= _MOST_SOURCES:
                return  # without room each of its events would seem to be its first
            self._sources[source] = [ts, _FIRST_GAP_MS, 1]
            self.silences.append((ts - 1, ts + 1))  # the bucket in which it began is not whole
            return
        gap = ts - known[0]
        if gap <= 0:
            return
        known[0] = ts
        known[2] += 1
        usual = known[1]
        limit = _limit(usual)
        if gap <= limit:
            known[1] = usual + _GAIN * (gap - usual)
            return
        known[1] = 0.9 * usual + 0.1 * min(gap, limit)
        if known[2] >= _STEADY:
            self.silences.append((int(ts - gap), ts + 1))

    def _begin_again(self, ts: int) -> None:
        self.newest, self._ahead, self._behind = ts, 0, 0
        self._swept = 0
        self.silences.clear()
        self._sources.clear()


def _limit(usual_ms: float) -> float:
    return max(_LEAST_SILENCE_MS, _UNUSUAL * usual_ms)
