"""The spine: what happens to events between the buffer and the alert.

    collector: record -> mask -> parse -> Event -> buffer.append        (collector/, then acked)
    detector:  buffer.read -> sift -> match -> judge -> correlate -> judge -> commit   (here)
    API:       alerts + triage -> JSON, console                          (api/)

One step reads a batch, finds what the rules find, leaves out what people have said need not be seen, and commits findings,
correlation state and cursor together. Whatever happens in between, the step either happened or it did not; doing it again gives the
same findings, because their ids are functions of rule and event.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from soc import telemetry
from soc.buffer.base import Readable
from soc.complaint import Complaint
from soc.contracts import Canaries, Rules, Tuning
from soc.model.canary import is_canary
from soc.model.event import Stored
from soc.model.finding import Finding
from soc.model.ledger import entries
from soc.model.rule import RuleDoc, Stage
from soc.model.tuning import Hidden
from soc.store.base import Detections
from soc.watermark import Watermark

log = structlog.get_logger("detector")

_Owned = TypeVar("_Owned", Finding, Hidden)

_FOREVER = 1 << 62
_WATERMARK_KEY = "pipeline/watermark"
_RETRY_S = 1.0
_EXPIRE_MS = 60_000  # while nothing happens, the disk is left alone for so long
_TICK_MS = 1000  # while nothing happens, as rarely as it does not matter to people


def _apart(items: Sequence[_Owned]) -> tuple[list[_Owned], list[_Owned]]:
    """What is real, and what is of canaries."""
    real = [one for one in items if not is_canary(one.org)]
    return real, [one for one in items if is_canary(one.org)] if len(real) < len(items) else []


def _by_rule(findings: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    return ((finding.rule_id, finding.org) for finding in findings)


class PendingState:
    """State changed by the current batch, over what is committed."""

    def __init__(self, committed: Callable[[str], bytes | None]) -> None:
        self._committed = committed
        self.changes: dict[str, tuple[bytes, int]] = {}

    def get(self, key: str) -> bytes | None:
        if key in self.changes:
            return self.changes[key][0]
        return self._committed(key)

    def set(self, key: str, value: bytes, expires: int) -> None:
        self.changes[key] = (value, expires)


@dataclass(slots=True)
class Tally:
    """What the steps so far have found. `alerts`: rule id -> alerts newly raised, without those of rules in test."""

    findings: int = 0
    alerts: Counter[str] = field(default_factory=Counter)


class Pipeline:
    """Runs rules over the buffer, one batch a step. `docs`: rule hash -> rule. `between` is called before each batch, and
    while there is none: there other rules may be taken up.

    `tuning` gives what holds now; it is asked once a step, so that a batch is judged by one.
    """

    def __init__(
        self,
        buffer: Readable,
        rules: Rules,
        docs: Mapping[str, RuleDoc],
        detections: Detections,
        clock: Callable[[], int],
        tuning: Callable[[], Tuning],
        *,
        batch: int = 2000,
        lateness_ms: int = 3_600_000,
        idle_s: float = 60.0,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self.tally = Tally()
        self._buffer = buffer
        self._rules = rules
        self.docs = docs
        self.between = between
        self._detections = detections
        self._clock = clock
        self._tuning = tuning
        self._batch = batch
        self._watermark = Watermark(lateness_ms, idle_s)
        self._cursor: Mapping[str, int] | None = None
        self._committed_at = 0  # the watermark of the last commit
        self._ticked = 0, False  # the last watermark, and whether it has left work for another tick
        self.canaries: Canaries | None = None

    def use(self, rules: Rules, docs: Mapping[str, RuleDoc]) -> None:
        """From the next batch on. All that the rules before have to remember is committed, so that these find it."""
        self._rules, self.docs = rules, docs
        self._ticked = 0, False  # what they have to decide, they have not been asked yet

    def add(self, findings: list[Finding], docs: Mapping[str, RuleDoc]) -> list[str]:
        """Commit what a rerun has found, where the detector stands: neither its place nor any state changes. Returns the ids of the
        alerts that are new. Raises as `step` does."""
        raised = self._detections.commit(findings, docs, {}, self._place(), None, self._clock())
        telemetry.FINDINGS.inc(len(findings))
        return raised

    def add_observed(self, findings: list[Finding], docs: Mapping[str, RuleDoc]) -> list[str]:
        """As `add`, of what the observer has found. What people laid down holds for it as for what rules find: exceptions ask what the
        finding matched."""
        now = self._clock()
        judged = self._tuning().judge(findings, now, correlated=True)
        raised = self._detections.commit(judged.kept, docs, {}, self._place(), None, now, judged.hidden)
        telemetry.FINDINGS.inc(len(judged.kept))
        telemetry.HIDDEN.inc(sum(one.events for one in judged.hidden))
        return raised

    def step(self) -> int:
        """One batch; returns its number of events. Raises `StoreUnavailable` and `Busy`: then nothing of it has happened."""
        self.between()
        batch = self._buffer.read(self._place(), self._batch)
        if not batch.events:
            return 0
        with telemetry.STEP.time():
            self._or_nothing(lambda: self._examine(batch.events, batch.cursor))
        self._cursor = batch.cursor
        if not batch.full:
            telemetry.BEHIND.caught_up()
        return len(batch.events)

    def prove(self, canaries: Sequence[Stored]) -> None:
        """As `step`, with these in place of a batch of the buffer. Nothing of them is stored or counted, and they make no event late."""
        tuning, now, cursor = self._tuning(), self._clock(), self._place()
        self._follow(tuning)
        self._or_nothing(
            lambda: self._advance(now, tuning, self._rules.match(self._rules.sift(canaries)), cursor, None)
        )

    def tick(self) -> None:
        """Without an event: what is decided by the time that has passed, if any has. Raises as `step` does."""
        self._place()
        now = self._clock()
        at, unfinished = self._ticked
        if unfinished or self._watermark.time(now) >= at + _TICK_MS:
            self._idle(now, None)

    def finish(self) -> None:
        """No event will come any more: decide all that the clock has passed. Raises as `step` does."""
        self._place()
        now = self._clock()
        self._idle(now, now)
        while self._ticked[1]:
            self._idle(now, now)

    def _idle(self, now: int, end: int | None) -> None:
        tuning = self._tuning()
        self._follow(tuning)
        cursor = self._place()
        self._or_nothing(lambda: self._advance(now, tuning, [], cursor, None, end))

    def _follow(self, tuning: Tuning) -> None:
        self._rules.rest(tuning.drafts)
        self._rules.bind(tuning.bounds)

    def _place(self) -> Mapping[str, int]:
        if self._cursor is None:
            self._cursor = self._detections.cursor()
            self._watermark.load(self._detections.state_get(_WATERMARK_KEY))
        return self._cursor

    def _or_nothing(self, act: Callable[[], None]) -> None:
        """What fails has not happened: what is committed is the truth."""
        try:
            act()
        except BaseException:
            self._cursor = None
            self._rules.forget()
            raise

    def _examine(self, events: tuple[Stored, ...], cursor: Mapping[str, int]) -> None:
        now = self._clock()
        expected, late = self._watermark.before(events, now), self._watermark.observe(events)
        tuning = self._tuning()
        self._follow(tuning)
        found = self._rules.match(self._rules.sift(events))
        self._advance(now, tuning, found, cursor, expected)
        telemetry.DETECTED.inc(len(events))
        telemetry.LATE.inc(late)
        telemetry.LAG.set(max(0.0, (self._clock() - max(event.ts for event in events)) / 1000))

    def _advance(
        self,
        now: int,
        tuning: Tuning,
        single: list[Finding],
        cursor: Mapping[str, int],
        expected: int | None,
        end: int | None = None,
    ) -> None:
        """Judge and correlate what rules found on single events, decide what the watermark (or `end`) has passed, and commit."""
        matched = tuning.judge(single, now)
        state, hidden = PendingState(self._detections.state_get), list(matched.hidden)
        fed = [finding for finding in matched.kept if finding.silent]  # only to correlations

        def judge(hits: list[Finding]) -> list[Finding]:
            """Findings of correlations that others are made of. Those that alert are counted below."""
            judged = tuning.judge(hits, now, correlated=True)
            if self.docs[hits[0].rule_hash].silent:
                hidden.extend(judged.hidden)
                single.extend(hits)
                fed.extend(judged.kept)
            return judged.kept

        watermark = self._watermark.time(now) if end is None else end
        found = self._rules.correlate(matched.kept, state, expected, judge)
        found += self._rules.tick(watermark, state, judge)
        correlated = tuning.judge(found, now, correlated=True)
        self._rules.flush(state)
        findings = [finding for finding in matched.kept if not finding.silent] + correlated.kept
        hidden += correlated.hidden
        idle = expected is None and not (state.changes or findings or hidden or fed)
        findings, proofs = _apart(findings)
        hidden, unseen = _apart(hidden)
        proofs += _apart(fed)[1]
        if idle and watermark < self._committed_at + _EXPIRE_MS:
            self._ticked = watermark, False
            return
        ledger = entries(
            self._rules.account(),
            _by_rule(single + found),
            _by_rule(findings),
            ((one.rule_id, one.org, one.events) for one in hidden),
            _by_rule(fed),
        )
        state.set(_WATERMARK_KEY, self._watermark.dump(), _FOREVER)
        raised = self._detections.commit(
            findings,
            {finding.rule_hash: self.docs[finding.rule_hash] for finding in findings},
            state.changes,
            cursor,
            self._rules.settled(watermark),
            now,
            hidden,
            ledger,
        )
        self._ticked = watermark, self._rules.settled(watermark) < watermark
        self._committed_at = watermark
        if self.canaries is not None:
            self.canaries.came_back(proofs, unseen)
            self.canaries.passed(self._rules.settled(watermark))
        telemetry.HIDDEN.inc(sum(one.events for one in hidden))
        self._count(findings, set(raised))

    def _count(self, findings: list[Finding], raised: set[str]) -> None:
        telemetry.FINDINGS.inc(len(findings))
        live = [finding for finding in findings if finding.stage is Stage.LIVE]
        telemetry.TESTED.inc(len(findings) - len(live))
        self.tally.findings += len(findings)
        for finding in {f.alert_id: f for f in live if f.alert_id in raised}.values():
            telemetry.ALERTS.labels(finding.level or self.docs[finding.rule_hash].level).inc()
            self.tally.alerts[finding.rule_id] += 1

    def drain(self) -> int:
        """Steps until the buffer has nothing new; returns the number of events."""
        total = 0
        while done := self.step():
            total += done
        return total

    def run(self, stop: threading.Event, poll_s: float = 0.1) -> None:
        """Steps until told to stop. What fails is tried again, whatever the reason; nothing is skipped."""
        complaint = Complaint(log, "cannot go on for now, trying again", "detection goes on")
        telemetry.BEHIND.caught_up()
        while not stop.is_set():
            try:
                done = self.step()
                if not done:
                    self._watermark.rest(poll_s)
                    self.tick()
                    telemetry.BEHIND.caught_up()
            except Exception as error:  # noqa: BLE001 - it is counted and said, and detection must not end with it
                telemetry.STEP_FAILURES.inc()
                complaint.failed(error)
                stop.wait(_RETRY_S)
                continue
            complaint.over()
            if not done:
                stop.wait(poll_s)
