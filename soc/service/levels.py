"""Service levels in the observer: fed with its batches, committed with its cursor; and what it knows of surges."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from detector.health.alarm import Alarm
from detector.health.definition import CONTENT, Slo, load
from detector.health.levels import Levels
from detector.series.definition import gone_on
from soc.complaint import Complaint
from soc.errors import RuleError
from soc.model.calendar import HOUR_MS
from soc.model.event import Stored
from soc.model.policy import PolicyKind
from soc.model.surge import Surges, readable
from soc.service.level_metrics import LevelMetrics
from soc.service.process import now_ms
from soc.store import levels as store
from soc.store.base import PolicyStore
from soc.watermark import Watermark

log = structlog.get_logger("observer")

_unread = Complaint(log, "a surge cannot be read, it does not count")
_IDLE_S = 60.0  # that a source may rest before the others are not waited for it any more
_WATERMARK = "watermark"


class KeptLevels(Protocol):
    def levels(self) -> Mapping[str, bytes]:
        """All that was written and is not gone."""
        ...


def slo_dir(data_dir: Path) -> Path:
    """Where an administrator's own objectives are."""
    return data_dir / "slo"


class LevelsOf:
    """What is fed counts once it is written; `load` goes back to what was written last."""

    def __init__(self, data_dir: Path, kept: KeptLevels) -> None:
        self._folders = (slo_dir(data_dir), CONTENT)
        self._kept = kept
        self._slos: dict[str, Slo] = {}
        self._levels, self._watermark, self._changed = Levels([]), Watermark(0, _IDLE_S), False
        self._anew = False  # what was kept could not be read, and goes
        self._metrics = LevelMetrics()
        self.faults: Sequence[RuleError] = ()  # what is wrong with objectives

    def load(self, *, forget: bool) -> None:
        """Read the objectives, and go on with what was written last: at the start, and when files have changed. `forget`: what is kept of
        objectives that are gone goes for good. Raises what the store raises."""
        slos = self._read()
        kept = dict(self._kept.levels())
        self._levels, self._watermark, self._changed, self._anew = Levels(slos), Watermark(0, _IDLE_S), True, False
        try:
            self._watermark.load(kept.pop(_WATERMARK, None))
            self._levels.load(kept, now_ms(), forget=forget and not self.faults)
        except (ValueError, LookupError, TypeError, EOFError, AttributeError) as error:
            log.warning("service levels begin anew: what was kept cannot be read", reason=str(error))
            self._levels, self._watermark, self._anew = Levels(slos), Watermark(0, _IDLE_S), True

    def _read(self) -> list[Slo]:
        """Those of the files; of files with a fault those that ran before: it may be a slip of the pen."""
        slos, self.faults = load(self._folders)
        for fault in self.faults:
            log.warning("an objective cannot be used, the others run", objective=str(fault))
        self._slos = gone_on({slo.name: slo for slo in slos}, self._slos, self.faults)
        return list(self._slos.values())

    def feed(self, events: Sequence[Stored], now: int) -> list[Alarm]:
        """What these events bring about, in their order; `now` in ms."""
        wanted, alarms = self._levels.datasets, list[Alarm]()
        for part in _hours(events):
            counted = [one for one in part if one.ts and one.dataset in wanted]
            self._watermark.observe([one for one in counted if one.ts <= now])  # no clock is ahead of ours
            self._levels.observe([one.event for one in counted], self._reached(now))
            alarms += self._tick(now)
        return alarms

    def rest(self, seconds: float, now: int) -> list[Alarm]:
        """What is decided by that nothing came for so long."""
        self._watermark.rest(seconds)
        return self._tick(now)

    def write(self, db: sqlite3.Connection) -> None:
        """All since the last time, in the caller's transaction."""
        kept = {**self._levels.changes(), _WATERMARK: self._watermark.dump()}
        levels = self._levels.levels() if self._changed else None
        store.write(db, levels, kept, anew=self._anew)
        if levels is not None:
            self._metrics.show(levels, self._levels.ahead)
        self._changed = self._anew = False

    def _tick(self, now: int) -> list[Alarm]:
        before = self._levels.decided
        alarms = self._levels.tick(self._reached(now))
        self._changed = self._changed or self._levels.decided != before
        return alarms

    def _reached(self, now: int) -> int:
        """How far event time has come. One source that is far behind, of whomever, holds nobody up: what it has to say is late."""
        return max(self._watermark.time(now), min(now, self._watermark.newest) - HOUR_MS)


def _hours(events: Sequence[Stored]) -> Iterator[Sequence[Stored]]:
    """In parts that lead no further than an hour ahead, so that a batch of a quiet log is decided as it went."""
    begin = 0
    for at, event in enumerate(events):
        if event.ts > events[begin].ts + HOUR_MS:
            yield events[begin:at]
            begin = at
    yield events[begin:]


class KnownSurges:
    """`Surges` as last known: it goes on with them while the store is away."""

    def __init__(self, policies: PolicyStore) -> None:
        self._policies = policies
        self._revision: int | None = None
        self._surges = Surges()

    def active(self, org: str, system: str, ts: int, service: str | None = None) -> float | None:
        return self._surges.active(org, system, ts, service)

    def load(self) -> None:
        """Raises what the store raises; then nothing has changed."""
        revision = self._policies.revision()
        if revision != self._revision:
            found = readable(self._policies.list(PolicyKind.SURGE), _unread.failed)
            self._surges, self._revision = Surges(surge for _, surge in found), revision
