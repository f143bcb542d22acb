"""The canaries of the rules that run: made of their cases, sent some at a time each hour, and what became of each.

They enter where the detector takes a batch from the event log: the log is written by the collector alone, and is what people search on
the embedded store, so an event in it could not be kept from them. From there on they go the whole way: sieve, match, tuning, correlation,
commit.
Whether events reach the log is told by the sources (`soc.model.silence`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from rules.desk.canary import Example, example_of, holds_of, stored
from rules.desk.cases import Parse, cases, cases_file
from rules.desk.tuning import Tuning
from rules.rule import Rule
from soc import telemetry
from soc.complaint import Complaint
from soc.errors import RuleError
from soc.model.canary import Canary, Life, org_of
from soc.model.event import Fields, Stored
from soc.model.finding import Finding
from soc.model.rule import RuleFault
from soc.model.tuning import Hidden
from soc.pipeline import Pipeline
from soc.service.alone import Alone
from soc.service.reload import Rules
from soc.store.base import Detections

log = structlog.get_logger("detector")

AT_ONCE = 25  # rules a batch, at most ...
_PREPARING_S = 0.01  # ... and what making their events may take, unless one alone takes longer
_PAUSE_MS = 1_000  # between two batches, in which the events of sources have their turn
_SETTLE_MS = 60_000  # after a start or a change of the rules: what waits in the log has its turn first
_PATIENCE_MS = 900_000  # beyond what a correlation needs to decide


@dataclass(slots=True)
class _Sent:
    at: int
    due: int  # time that the watermark has to pass before it has to be back, ms


class Canaries:
    """Belongs to the thread that runs the rules. `every_ms`: how often each rule is proven; `parse`: the way of a source's lines."""

    def __init__(
        self,
        pipeline: Pipeline,
        detections: Detections,
        tuning: Callable[[], Tuning],
        parse: Parse,
        every_ms: int,
        clock: Callable[[], int],
        elapsed: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._pipeline, self._detections, self._tuning = pipeline, detections, tuning
        self._resting: frozenset[str] | set[str] = frozenset()
        self._parse, self._every, self._clock, self._elapsed = parse, every_ms, clock, elapsed
        self._known: Mapping[str, Rule] = {}
        self._queue: list[Rule] = []
        self._round_at = self._batch_at = 0
        self._begin_at = clock() + _SETTLE_MS
        self._sent: dict[str, _Sent] = {}
        self._cases: dict[str, Mapping[str, Sequence[Fields]]] = {}  # rule file -> rule -> events, until all are read
        self._examples: dict[str, Example] = {}
        self._alone = Alone()  # for the rules that no source feeds
        self._unfed: dict[str, str] = {}  # those of which it is not known yet whether they fire: why nothing feeds them
        self._lives: dict[str, Canary] = {}
        self._told: dict[str, Canary] | None = None
        self._news = False  # one came back between two rounds, or did not
        self._complaint = Complaint(log, "rules cannot be proven for now, trying again", "rules are proven again")
        pipeline.canaries = self

    def follow(self, rules: Rules) -> None:
        """From now on these are the rules that run; a round begins soon."""
        self._known = {rule.id: rule for rule in rules.chosen.ruleset.rules}
        self._engine, self._correlations = rules.engine, rules.engine.correlations
        self._round_at, self._begin_at = 0, self._clock() + _SETTLE_MS
        self._queue, self._examples, self._cases = [], {}, {}
        self._alone.forget()
        self._unfed = {}
        self._lives = {rule_id: one for rule_id, one in self._lives.items() if rule_id in self._known}
        self._sent = {}  # an edited correlation knows nothing of what the one before it waited for

    def look(self) -> None:
        """Called before each batch of events: send some when it is time. What fails is said and tried again, and holds up no event."""
        self._alone.go_on()
        self._hear_all()
        now = self._clock()
        if now < self._begin_at:
            return
        if not self._queue and now >= self._round_at + self._every:
            self._queue, self._round_at = list(self._known.values()), now
        if not self._queue or 0 <= now - self._batch_at < _PAUSE_MS:
            return
        self._batch_at = now
        try:
            self._send(now)
        except Exception as error:  # noqa: BLE001 - it is counted and said, and detection must not end with it
            self._sent = {rule_id: one for rule_id, one in self._sent.items() if one.at != now}  # they never were
            telemetry.CANARY_FAILURES.inc()
            self._complaint.failed(error)
        else:
            self._complaint.over()

    def _send(self, now: int) -> None:
        drafts = self._tuning().drafts
        self._resting = drafts | self._correlations.needless(drafts)
        events, some = self._next(now)
        if events:
            self._pipeline.prove(events)
        for rule in some:
            sent = self._sent.get(rule.id)
            if sent is not None and sent.at == now and not self._correlations.lag(rule.id):
                self._missed(rule.id)  # it is told at once, or never
        self._queue = self._queue[len(some) :]
        if not self._queue:
            self._cases = {}
            self._tell()

    def _next(self, now: int) -> tuple[list[Stored], list[Rule]]:
        """The first rules of the queue, and their events."""
        events: list[Stored] = []
        until, number = self._elapsed() + _PREPARING_S, 0
        for rule in self._queue[:AT_ONCE]:
            events += self._of(rule, now)
            number += 1
            if self._elapsed() >= until:
                break
        return events, self._queue[:number]

    def _of(self, rule: Rule, now: int) -> Iterator[Stored]:
        if rule.id in self._sent and self._sent[rule.id].at != now:
            return  # one that the watermark has to decide is on its way
        if rule.id in self._resting:
            self._lives.pop(rule.id, None)
            self._unfed.pop(rule.id, None)
            return
        example = self._example(rule)
        if not example.events:
            self._lives[rule.id] = Canary(rule.id, Life.UNPROVABLE, now, example.reason)
            return
        made = stored(example, rule.id, now)
        if (why := self._unmet(made)) is not None:
            self._unfed[rule.id] = why
            self._alone.ask(rule, self._known, made)
            self._hear(rule.id, now)
            return
        self._unfed.pop(rule.id, None)
        self._sent[rule.id] = _Sent(now, now + self._time_of(rule) + _PATIENCE_MS)
        if rule.id not in self._lives:
            self._lives[rule.id] = Canary(rule.id, Life.WAITING, now)
        yield from made

    def _unmet(self, events: Sequence[Stored]) -> str | None:
        """Why a canary of these would be the first event to need what takes long to compile; None where it is not."""
        unmet = next((name for one in events if (name := self._engine.unmet(one)) is not None), None)
        if unmet is None:
            return None
        return f"no event has had the field {unmet}" if unmet else "no event of such a log source has come"

    def _hear(self, rule_id: str, at: int) -> None:
        """What is known of a rule that no source feeds."""
        fires = self._alone.answer(rule_id)
        life = Life.WAITING if fires is None else Life.UNFED if fires else Life.BLIND
        self._lives[rule_id] = Canary(rule_id, life, at, "" if fires is None else self._unfed.pop(rule_id))

    def _hear_all(self) -> None:
        for rule_id in [one for one in self._unfed if self._alone.answer(one) is not None]:
            self._hear(rule_id, self._lives[rule_id].at)
            self._news = True

    def _time_of(self, rule: Rule) -> int:
        """What a correlation needs to decide, ms."""
        if rule.correlation is None:
            return 0
        return rule.correlation.timespan_ms + self._correlations.lag(rule.id)

    def faults(self) -> list[RuleFault]:
        """Of the rules that are not alive."""
        return [
            RuleFault("it is blind: an event made to fire it found nothing", rule_id=one.rule_id)
            if one.life is Life.BLIND
            else RuleFault(
                f"it is not alive: exception {one.reason} hides it for all organisations", rule_id=one.rule_id
            )
            for one in self._lives.values()
            if one.life in (Life.BLIND, Life.HIDDEN)
        ]

    # -- what the pipeline tells

    def came_back(self, findings: Sequence[Finding], hidden: Sequence[Hidden]) -> None:
        for finding in findings:
            self._back(finding.rule_id, finding.org, Life.ALIVE, "")
        for one in hidden:
            self._back(one.rule_id, one.org, Life.HIDDEN, one.exception_id)

    def passed(self, watermark: int) -> None:
        for rule_id, sent in list(self._sent.items()):
            if sent.due <= watermark:
                self._missed(rule_id)
                self._news = True
        if self._news and not self._queue:
            self._tell()

    def _back(self, rule_id: str, org: str, life: Life, reason: str) -> None:
        sent = self._sent.get(rule_id)
        if sent is None or org != org_of(rule_id, sent.at):
            return  # the canary of another rule, or one of old
        del self._sent[rule_id]
        self._news = True
        self._lives[rule_id] = Canary(rule_id, life, sent.at, reason)

    def _missed(self, rule_id: str) -> None:
        sent = self._sent.pop(rule_id)
        if rule_id not in self._resting:  # it may have become a draft meanwhile
            self._lives[rule_id] = Canary(rule_id, Life.BLIND, sent.at)

    def _tell(self) -> None:
        self._news = False
        lives = list(self._lives.values())
        for life in Life:
            telemetry.CANARIES.labels(life).set(sum(one.life is life for one in lives))
        if self._lives != self._told:
            self._detections.publish_canaries(lives)
            self._told = dict(self._lives)

    # -- examples

    def _example(self, rule: Rule) -> Example:
        known = self._examples.get(rule.id)
        if known is None:
            if rule.path not in self._cases:
                self._cases[rule.path] = self._cases_of(rule.path)
            try:
                known = example_of(rule, self._known, self._cases[rule.path].get(rule.id))
            except Exception as error:  # noqa: BLE001 - one rule: the others are proven
                known = Example(reason=f"no event can be made up for it: {type(error).__name__}")
            self._examples[rule.id] = known
        return known

    def _cases_of(self, path: str) -> Mapping[str, Sequence[Fields]]:
        """For each rule of a file: of a correlation the events of its first positive case, of another the first of them that fires it."""
        errors: list[RuleError] = []
        found: dict[str, Sequence[Fields]] = {}
        here = [rule for rule in self._known.values() if rule.path == path]
        alerting = [rule for rule in here if not rule.silent]
        for case in cases(cases_file(Path(path)), errors) if path else ():
            if not case.match:
                continue
            events = [*case.events, *(self._parse(str(case.source_type), line) for line in case.lines)]
            about = [rule for rule in here if case.rule in (rule.id, rule.name)] if case.rule else alerting
            if len(about) == 1:
                found.setdefault(about[0].id, events)
            for rule in here:
                if rule.correlation is None and (fires := [one for one in events if holds_of(rule, one)]):
                    found.setdefault(rule.id, fires[:1])
        return found
