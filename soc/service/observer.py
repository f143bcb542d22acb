"""The observer process: series and entities of the event log, and what is unusual in them.

It reads with a cursor of its own and keeps everything in a database of its own, so that statistics neither delay rules nor grow their
memory. What it finds is handed to the detector before it is committed: handed twice, it is there once.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import start_http_server

from detector.explain import rules_of
from detector.health.alarm import Alarm
from detector.health.tell import finding_of, rule_of
from detector.heir import Merges
from detector.observe import Observer
from detector.series.definition import Definitions, instead, readable
from soc import telemetry
from soc.buffer.base import Batch, Readable
from soc.complaint import Complaint
from soc.locks import only_one
from soc.model.anomaly import Board
from soc.model.event import Stored
from soc.model.finding import Finding
from soc.model.rule import RuleDoc, RuleFault
from soc.model.surge import Expected
from soc.model.unusual import Unusual
from soc.service.declared import declared_in, definitions_of
from soc.service.handover import ANOMALIES, hand_over, waiting
from soc.service.harmless import KnownHarmless
from soc.service.levels import KnownSurges, LevelsOf
from soc.service.looking import looking
from soc.service.merges import KnownMerges
from soc.service.people import PeopleOf
from soc.service.process import check_port, now_ms, open_event_log, relax_garbage_collection
from soc.service.stamps import Files
from soc.service.stores import open_stores, prepare
from soc.settings import Settings
from soc.store.anomalies import SqliteAnomalies

log = structlog.get_logger("observer")

_RETRY_S = 1.0
_LOOK_S = 1.0
_EVENTS_A_COMMIT = 200_000  # at most, however quickly they come
_MOST_WAITING = 1000  # files that the detector has not taken


def observer(settings: Settings, stop: threading.Event) -> None:
    """Follow the event log until told to stop."""
    observe = settings.observe
    with ExitStack() as cleanup:
        cleanup.enter_context(only_one(settings.data_dir, "observer"))
        check_port(observe.http_host, observe.http_port, "observe.http_port")
        event_log = open_event_log(settings)
        cleanup.callback(event_log.close)
        kept = SqliteAnomalies(settings.data_dir)
        cleanup.callback(kept.close)
        if not prepare(settings, stop, patience_s=float("inf")):
            return
        policies = open_stores(settings).policies
        harmless, surges, merges = KnownHarmless(policies), KnownSurges(policies), KnownMerges(policies, settings)
        for name, known, stale, again in (
            ("surges", surges, "surges are as last known", "they are known again"),
            ("harmless", harmless, "what is harmless is as last known", "it is known again"),
            ("merges", merges, "organisations are as last known", "they are known again"),
        ):
            known.load()
            cleanup.enter_context(looking(name, known.load, _LOOK_S, Complaint(log, stale, again)))
        server, _ = start_http_server(observe.http_port, observe.http_host)
        cleanup.callback(server.server_close)
        cleanup.callback(server.shutdown)
        files = Files(declared_in(settings), _LOOK_S)  # before they are read: what is written meanwhile is read again
        definitions = definitions_of(settings)
        watching = Watching(
            settings, event_log, kept, definitions, harmless.strength, surges, files, merges.of, harmless.judged
        )
        relax_garbage_collection()
        log.info("observing", metrics=f"http://{observe.http_host}:{observe.http_port}/metrics")
        watching.run(stop)


class Watching:
    """Batches from the event log through the observer; a commit now and then."""

    def __init__(
        self,
        settings: Settings,
        buffer: Readable,
        kept: SqliteAnomalies,
        definitions: Definitions,
        strength_of: Callable[[str], float] = lambda _: 0.0,
        surges: Expected | None = None,
        files: Files | None = None,
        merges: Merges = lambda _: (),
        judged: Callable[[Unusual], Unusual] = lambda one: one,
    ) -> None:
        """`files`: those that are read again when they have changed. `judged`: what people said of an entity that is unusual."""
        self._merges = merges
        self._surges, self._files = surges, files
        self._began = False
        self._levels = LevelsOf(settings.data_dir, kept)
        self._people = PeopleOf(settings, kept, judged)
        self._settings, self._buffer, self._kept = settings, buffer, kept
        self._definitions = definitions
        self._strength_of = strength_of
        self._observer: Observer | None = None
        self._cursor: dict[str, int] = {}
        self._committed_at = 0.0
        self._since_commit = 0
        self._newest = 0
        self._look_at = 0.0
        self._resets: set[str] = set()  # series that learn anew, which is not committed yet

    def step(self) -> int:
        """One batch; returns its number of events. What fails has not happened: the next step begins at the last commit."""
        if self._files is not None and self._files.changed():
            self._read_again()
        observer = self._observer or self._begin()
        self._reset_what_is_asked(observer)
        if waiting(self._settings.data_dir, ANOMALIES) > _MOST_WAITING:
            return 0  # the detector is not there: what is found has nowhere to go
        batch = self._buffer.read(self._cursor, self._settings.observe.batch)
        try:
            if batch.events:
                self._take(observer, batch)
            else:
                self._tell(self._levels.rest(self._settings.observe.poll_s, now_ms()))
                self._commit_if_due(observer, idle=True)
        except BaseException:
            self._observer = None
            raise
        if not batch.full:
            telemetry.OBSERVER_BEHIND.caught_up()
        return len(batch.events)

    def _take(self, observer: Observer, batch: Batch) -> None:
        findings = observer.feed(batch.events)
        if findings:
            self._hand_over(findings)
        self._tell(self._levels.feed(batch.events, now_ms()))
        unusual, rules = self._people.feed(batch.events)
        if unusual:
            self._give(unusual, rules)
        several = len({*batch.cursor.items()} - {*self._cursor.items()}) > 1
        self._cursor = dict(batch.cursor)
        self._count(batch.events)
        # Days are read one after the other: what was read of several at once would come in another order the next time.
        self._commit_if_due(observer, at_once=several)

    def commit(self) -> None:
        """Now, also what closed no bucket."""
        if self._observer is not None:
            self._commit(self._observer)

    def drain(self) -> int:
        """Steps until nothing is new, and a commit; returns the number of events."""
        total = 0
        while done := self.step():
            total += done
        self.commit()
        return total

    def run(self, stop: threading.Event) -> None:
        """Steps until told to stop. What fails is tried again, whatever the reason."""
        complaint = Complaint(log, "cannot go on for now, trying again", "observing goes on")
        telemetry.OBSERVER_BEHIND.caught_up()
        while not stop.is_set():
            try:
                done = self.step()
            except Exception as error:  # noqa: BLE001 - it is counted and said, and observing must not end with it
                telemetry.OBSERVER_FAILURES.inc()
                complaint.failed(error)
                stop.wait(_RETRY_S)
                continue
            complaint.over()
            if not done:
                stop.wait(self._settings.observe.poll_s)
        self.commit()

    def _read_again(self) -> None:
        """Go on with what is declared now, from where everything is: series, entities and objectives begin at a commit."""
        self.commit()
        self._definitions = instead(definitions_of(self._settings), self._definitions)
        self._observer = None
        log.info("series, entities and objectives are read again", definitions=len(self._definitions.by_name))

    def _begin(self) -> Observer:
        if not self._began:  # what ran before it was stopped goes on beside a fault, as it does while it runs
            self._definitions = instead(self._definitions, Definitions(readable(self._kept.running()[0])))
        for fault in self._definitions.faults:
            log.warning("a definition of series cannot be used, the others run", definition=str(fault))
        by_name = self._definitions.by_name
        observer = Observer(
            by_name, ZoneInfo(self._settings.detect.zone), self._kept,
            surges=self._surges, strength_of=self._strength_of, merges=self._merges, most=self._settings.observe.most_series,
        )  # fmt: skip
        # What is missing goes for good at a start only, and not beside a fault: it may be a slip of the pen, or just being written.
        starts = not self._began
        whole = starts and not self._definitions.faults
        anew = observer.load(resting=not whole)
        self._levels.load(forget=starts)
        self._people.load(forget=starts)
        self._cursor = dict(self._kept.cursor())
        self._resets = set()
        for board in {*anew, *(set(self._kept.boards()) - observer.boards if whole else ())}:
            self._kept.forget(board)
        for lane in {one for one in self._kept.lanes() if one[0]} - observer.lanes if whole else ():
            self._kept.forget_lane(*lane)
        docs = {one.name: one.model_dump(mode="json") for one in by_name.values()}
        faults = [
            RuleFault(one.reason, one.path, one.line)
            for one in (*self._definitions.faults, *self._people.faults, *self._levels.faults)
        ]
        self._kept.publish(docs, faults)
        telemetry.SERIES_FAULTS.set(len(faults))
        self._observer, self._began = observer, True
        return observer

    def _reset_what_is_asked(self, observer: Observer) -> None:
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_S
        for series in set(self._kept.asked()) - self._resets:
            self._resets.add(series)  # asked until it is committed, so that no kill makes it forgotten
            done = observer.reset(series)
            log.info("a series learns anew" if done else "there is no such series to learn anew", series=series)

    def _hand_over(self, findings: Sequence[Finding]) -> None:
        self._give(findings, rules_of(findings, list(self._definitions.by_name.values())))
        telemetry.ANOMALIES.inc(len(findings))

    def _tell(self, alarms: Sequence[Alarm]) -> None:
        if alarms:
            self._give([finding_of(alarm) for alarm in alarms], [rule_of(alarm) for alarm in alarms])

    def _give(self, findings: Sequence[Finding], rules: Sequence[RuleDoc]) -> None:
        name = hashlib.blake2b("".join(one.id for one in findings).encode(), digest_size=8).hexdigest()
        hand_over(self._settings.data_dir, ANOMALIES, f"{findings[0].ts:013d}-{name}", findings, rules)

    def _count(self, events: Sequence[Stored]) -> None:
        telemetry.OBSERVED.inc(len(events))
        self._since_commit += len(events)
        newest = max(event.ts for event in events)
        self._newest = max(self._newest, newest)
        telemetry.OBSERVER_LAG.set(max(0.0, (now_ms() - newest) / 1000))

    def _commit_if_due(self, observer: Observer, *, at_once: bool = False, idle: bool = False) -> None:
        passed = time.monotonic() - self._committed_at
        # An event log at its limit takes nothing that would close a bucket, and loses only what is known here to have been read.
        new = observer.closing or self._people.closing or self._resets or (idle and self._since_commit)
        due = new and passed >= self._settings.observe.commit_s
        if due or (at_once and self._since_commit) or self._since_commit >= _EVENTS_A_COMMIT:
            self._commit(observer)

    def _write_beside(self, db: sqlite3.Connection) -> None:
        self._levels.write(db)
        self._people.write(db)

    def _commit(self, observer: Observer) -> None:
        with telemetry.OBSERVER_COMMIT.time():
            done = observer.progress(self._cursor)
            try:
                self._kept.commit(done, self._write_beside)
            except BaseException:
                self._observer = None  # what was to be written is gone: begin where the last commit was
                raise
            self._kept.reset_done(self._resets)
            self._resets = set()
            self._kept.tidy(self._newest, {board: done.closed_to[board] for board in {one[0] for one in done.rows}})
        counts: dict[Board, tuple[int, int, int]] = {
            board: (one.series, one.beyond, one.lost) for board, one in done.counts.items()
        }
        telemetry.SERIES.set(sum(one[0] for one in counts.values()))
        telemetry.SERIES_BEYOND.set(sum(one[1] for one in counts.values()))
        telemetry.SERIES_LOST.reached(sum(one[2] for one in counts.values()))
        self._committed_at, self._since_commit = time.monotonic(), 0
