"""`soc detector backtest`: what definitions of series would have made of stored events."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from detector.observe import Observer
from detector.series.definition import Definition, Definitions
from detector.series.key import OTHER
from soc.backtest.run import Progress
from soc.backtest.series import Cut, Found, Lack, Lacking, Plot, SeriesOutcome
from soc.errors import ConfigError
from soc.locks import only_one
from soc.model.anomaly import Anomaly, has_hit, has_value, thinned, weights
from soc.model.finding import local_day
from soc.model.harmless import is_of_series
from soc.model.org import EVERYTHING, Scope
from soc.model.policy import PolicyKind
from soc.service.harmless import KnownHarmless
from soc.service.levels import KnownSurges
from soc.service.merges import KnownMerges
from soc.service.process import now_ms, relax_garbage_collection
from soc.service.scratch import Span, days_ago, place_of, span_of
from soc.service.stores import open_history, open_stores, prepare
from soc.settings import Settings
from soc.store.anomalies import Known, SqliteAnomalies, anomalies_file
from soc.store.base import History, PolicyStore

MOST = 1000  # anomalies that are told
MOST_SERIES = 5000
MOST_PLOTS = 24
MOST_BYTES = 1 << 30  # of disk
_POINTS = 400  # of a plot
_BATCH = 5000
_PATIENCE = 20  # batches of others' events, until it is looked at how long it has taken
_COMMIT_EVENTS, _COMMIT_S = 200_000, 5.0
_COUNTS = (PolicyKind.HARMLESS, PolicyKind.SURGE, PolicyKind.ORGANISATION)
_EVENTS, _BEGAN, _REACHED = "events", "began", "reached"  # kept with the cursor, so that they are of the same moment
_VALUED, _HIT = "valued ", "hit "  # before the name of a definition that had a value, or one above 0; kept there, too
_IDLESS = "idless "  # of one of which an event had no id to be joined by
_MANY = 1000  # events, of which none is a hit


class Trial:
    """An opened backtest of series: `run()` does the work, `outcome()` says what came of it, `forget()` removes what it has written."""

    def __init__(
        self, history: History, kept: SqliteAnomalies, observer: Observer, span: Span, zone: ZoneInfo, place: Path
    ) -> None:
        """Goes on where what is kept was committed."""
        self.span = span
        self.progress = Progress(history.total())
        self._history, self._kept, self._observer, self._zone, self._place = history, kept, observer, zone, place
        observer.load()
        cursor = dict(kept.cursor())
        self._events, self._began, self._reached = (cursor.pop(name, 0) for name in (_EVENTS, _BEGAN, _REACHED))
        self._seen = {name for name in cursor if name.startswith((_VALUED, _HIT, _IDLESS))}
        self._cursor = {name: at for name, at in cursor.items() if name not in self._seen}
        self._cut: Cut | None = None

    def run(self, longest_s: float | None = None) -> Iterator[Progress]:
        """Yields after each commit. Interrupt it anywhere: another in the same place goes on from the last. Ends when it has taken so long,
        or so much of the disk as it may."""
        ends = time.monotonic() + longest_s if longest_s is not None else float("inf")
        since_commit, committed_at = 0, time.monotonic()
        while True:
            batch = self._history.read(self._cursor, _BATCH)
            self._observer.feed(batch.events)
            self._cursor = dict(batch.cursor)
            self._note([event.ts for event in batch.events])
            since_commit += len(batch.events)
            now = time.monotonic()
            if batch.full and since_commit < _COMMIT_EVENTS and now < committed_at + _COMMIT_S and now < ends:
                continue
            self._commit()
            since_commit, committed_at = 0, now
            yield self.progress
            if not batch.full:
                return
            self._cut = Cut.TIME if now >= ends else Cut.ROOM if self._size() > MOST_BYTES else None
            if self._cut:
                return

    def outcome(self) -> SeriesOutcome:
        kept = self._kept
        anomalies = kept.list(EVERYTHING, limit=MOST)
        series, counts = kept.series(EVERYTHING, limit=MOST_SERIES * 2), kept.counts(EVERYTHING).values()
        keys = {one.series.id: one.series.key for one in series}
        begins = kept.begins(EVERYTHING)
        return SeriesOutcome(
            since=self.span.since,
            until=self.span.until,
            began=self._began or None,
            reached=self._reached or None,
            cut=self._cut,
            events=self._events,
            definitions=tuple(
                one.model_dump(mode="json", exclude={"path"}) for one in self._observer.definitions.values()
            ),
            series=sum(one.series for one in counts),
            beyond=sum(one.beyond for one in counts),
            late=sum(one.lost for one in counts),
            learning=sum(one.last is not None and one.last.learning for one in series),
            total=kept.how_many(EVERYTHING),
            alerts=len(begins),
            by_day=dict(Counter(local_day(at, self._zone) for at in begins)),
            anomalies=tuple(Found(one, keys.get(one.series, ())) for one in anomalies),
            plots=tuple(self._plot(one, anomalies) for one in _farthest(series, anomalies)),
            lacking=tuple(self._lacking(series)) if self._events else (),
        )

    def forget(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)

    def _note(self, times: list[int]) -> None:
        self._events += len(times)
        self.progress.events += len(times)
        self._reached = max([self._reached, *times])
        self._began = min(times, default=0) if not self._began else min([self._began, *times])

    def _commit(self) -> None:
        done = self._observer.progress(self._cursor)
        seen = self._seen
        for what, has in ((_VALUED, has_value), (_HIT, has_hit)):
            rows = ((f"{what}{board.definition}", row) for (board, _), row in done.rows.items())
            seen.update(name for name, row in rows if name not in seen and has(row))
        seen.update(f"{_IDLESS}{name}" for name in self._observer.idless)
        noted = {_EVENTS: self._events, _BEGAN: self._began, _REACHED: self._reached, **dict.fromkeys(seen, 1)}
        self._kept.commit(replace(done, cursor=self._cursor | noted))
        self.progress.done = min(self._history.done(self._cursor), self.progress.total)

    def _lacking(self, series: Sequence[Known]) -> Iterator[Lacking]:
        keys: dict[str, list[tuple[str, ...]]] = {}
        for one in series:
            keys.setdefault(one.series.board.definition, []).append(one.series.key)
        for name, definition in self._observer.definitions.items():
            valued = f"{_VALUED}{name}" in self._seen
            if name not in keys:
                if not valued:  # else there were series, which have given their place to others
                    idless = f"{_IDLESS}{name}" in self._seen
                    yield Lacking(name, Lack.JOIN, definition.join or "") if idless else Lacking(name, Lack.EVENT)
                continue
            for at, field in enumerate(definition.group_by):
                if OTHER not in keys[name] and not any(key[at] for key in keys[name]):
                    yield Lacking(name, Lack.GROUP, field)
            if not valued:
                yield Lacking(name, Lack.VALUE, definition.field or "")
            elif definition.hit and f"{_HIT}{name}" not in self._seen and (events := self._counted(name)) >= _MANY:
                yield Lacking(name, Lack.HIT, definition.join or "", events)

    def _counted(self, name: str) -> int:
        """The events of all series of a definition."""
        boards = (board for board in self._kept.boards() if board.definition == name)
        return sum(weights(row) for board in boards for _, row in self._kept.rows(board, 0))

    def _size(self) -> int:
        return anomalies_file(self._place).stat().st_size

    def _plot(self, one: Known, anomalies: list[Anomaly]) -> Plot:
        series = one.series
        definition = self._observer.definitions[series.board.definition]
        readings = self._kept.readings(series, self.span.since, self.span.until)
        shown, step_ms = thinned(readings, definition.bucket_ms, _POINTS)
        off = tuple((found.since, found.until) for found in anomalies if found.series == series.id)
        learning = one.last is None or one.last.learning
        return Plot(series.id, *series.board, series.key, learning, step_ms, tuple(map(tuple, shown)), off)


@contextmanager
def open_trial(
    settings: Settings, definitions: Definitions, scope: Scope, days: int, clock: Callable[[], int] = now_ms
) -> Iterator[Trial]:
    """Over the last `days` whole days and today, as the scope sees them. Surges and what is harmless count as they are laid down now.
    Nothing is raised. The same again, the same day, goes on where it was stopped. Raises `ConfigError` when no definition can be used, or
    another backtest runs."""
    by_name = definitions.by_name
    if not by_name:
        why = "; ".join(map(str, definitions.faults)) or "there is none"
        raise ConfigError(f"no definition of series can be used: {why}")
    zone = ZoneInfo(settings.detect.zone)
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(settings.data_dir, "backtest"))
        prepare(settings)
        policies = open_stores(settings).policies
        harmless, surges, merges = KnownHarmless(policies), KnownSurges(policies), KnownMerges(policies, settings)
        for known in (harmless, surges, merges):
            known.load()
        since = days_ago(clock(), days, zone)
        place = place_of(settings, _about(settings, by_name, scope, since, policies))
        _forget_others(place)
        span, _ = span_of(place, since, clock)
        kept = SqliteAnomalies(place)
        cleanup.callback(kept.close)
        history = cleanup.enter_context(open_history(settings, scope, span.since, span.until, _PATIENCE))
        most = min(MOST_SERIES, settings.observe.most_series)
        observer = Observer(
            by_name, zone, kept, surges=surges, strength_of=harmless.strength, merges=merges.of, most=most
        )
        relax_garbage_collection()
        yield Trial(history, kept, observer, span, zone, place)


def _about(
    settings: Settings, definitions: Mapping[str, Definition], scope: Scope, since: int, policies: PolicyStore
) -> list[object]:
    """All that it depends on; of what is laid down nothing else, so that other work in between does not make it begin anew."""
    docs = [one.model_dump(mode="json", exclude={"path"}) for one in definitions.values()]
    orgs = sorted(scope.orgs) if scope.orgs is not None else None
    counted = (
        one for kind in _COUNTS for one in policies.list(kind) if kind != PolicyKind.HARMLESS or is_of_series(one)
    )
    laid = [[one.kind, one.id, one.body] for one in counted]
    return ["series", docs, orgs, since, settings.detect.zone, settings.observe.most_series, laid]


def _forget_others(place: Path) -> None:
    """What other trials have left, but for the latest: each may have a gigabyte, and none runs beside this one."""
    others = [one for one in place.parent.glob("*") if one != place and anomalies_file(one).exists()]
    for other in sorted(others, key=lambda one: anomalies_file(one).stat().st_mtime)[:-1]:
        shutil.rmtree(other, ignore_errors=True)


def _farthest(series: list[Known], anomalies: list[Anomaly]) -> list[Known]:
    """Those that were farthest off come first; the others by their names."""
    off: dict[str, float] = {}
    for one in anomalies:
        off[one.series] = max(one.strength, off.get(one.series, 0.0))
    return sorted(series, key=lambda one: -off.get(one.series.id, 0.0))[:MOST_PLOTS]
