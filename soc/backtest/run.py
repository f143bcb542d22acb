"""Running rules over stored events: the pipeline itself, on an engine of these rules and a database of its own.

So folding, correlations and ids are those of production by construction, and so is going on after an interruption: findings,
state and the place reached are committed together, as the detector does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from soc.model.event import Event, Stored
from soc.model.finding import Finding
from soc.model.rule import RuleDoc
from soc.pipeline import Pipeline, Rules, State, Tuning
from soc.store.base import Detections, History

BATCH = 10_000
MOST_FINDINGS = 200_000  # of one rule: who needs more to see that it is too noisy?


@dataclass(slots=True)
class Progress:
    """`done` out of `total`, in the history's units. `events`: examined in this run. `noisy`: rule id -> time (ms) at which it was
    given up."""

    total: int
    done: int = 0
    events: int = 0
    noisy: dict[str, int] = field(default_factory=dict)


class Backtest:
    """`docs`: rule hash -> rule. `detections`: of this backtest alone; `found`: findings of each rule that it holds already."""

    def __init__(
        self,
        history: History,
        rules: Rules,
        docs: Mapping[str, RuleDoc],
        detections: Detections,
        *,
        found: Mapping[str, int],
        lateness_ms: int,
        clock: Callable[[], int],
        tuning: Tuning,
    ) -> None:
        self._history = history
        self.progress = Progress(history.total())
        self._detections = detections
        bounded = _Bounded(rules, Counter(found), self.progress.noisy)
        self._pipeline = Pipeline(
            history, bounded, docs, detections, clock, lambda: tuning, batch=BATCH, lateness_ms=lateness_ms
        )

    def run(self) -> Iterator[Progress]:
        """Does the work, yielding after each step. Interrupt it anywhere: another with the same database goes on from there."""
        while done := self._pipeline.step():
            self.progress.events += done
            self.progress.done = min(self._history.done(self._detections.cursor()), self.progress.total)
            yield self.progress


class _Bounded:
    """The engine, without the findings of a rule beyond `MOST_FINDINGS`."""

    def __init__(self, rules: Rules, found: Counter[str], noisy: dict[str, int]) -> None:
        self._rules = rules
        self._found = found
        self._noisy = noisy

    def rest(self, rule_ids: frozenset[str]) -> None:
        self._rules.rest(rule_ids)

    def sift(self, stored: Sequence[Stored]) -> list[Event]:
        return self._rules.sift(stored)

    def match(self, events: Sequence[Event]) -> list[Finding]:
        return self._bounded(self._rules.match(events))

    def correlate(self, findings: Sequence[Finding], state: State) -> list[Finding]:
        return self._bounded(self._rules.correlate(findings, state))

    def flush(self, state: State) -> None:
        self._rules.flush(state)

    def forget(self) -> None:
        self._rules.forget()

    def _bounded(self, findings: list[Finding]) -> list[Finding]:
        kept = []
        for finding in findings:
            if finding.silent:
                kept.append(finding)
                continue
            self._found[finding.rule_id] += 1
            if self._found[finding.rule_id] <= MOST_FINDINGS:
                kept.append(finding)
            else:
                self._noisy.setdefault(finding.rule_id, finding.ts)
        return kept
