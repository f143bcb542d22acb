"""Running rules over stored events: the pipeline itself, on an engine of these rules and a database of its own.

So folding, correlations and ids are those of production by construction, and so is going on after an interruption: findings,
state and the place reached are committed together, as the detector does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from soc.contracts import Rules, Tuning
from soc.model.asked import BoundsOf
from soc.model.finding import Finding
from soc.model.rule import RuleDoc
from soc.model.tuning import Hidden
from soc.pipeline import Pipeline
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
    """`docs`: rule hash -> rule. `detections`: of this backtest alone; `found`: findings of each rule that it holds already.

    `tuning`: what is laid down about the rules, which holds for the whole history.
    """

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
        bounded = _Bounded(tuning, Counter(found), self.progress.noisy)
        self._pipeline = Pipeline(
            history, rules, docs, detections, clock, lambda: bounded, batch=BATCH, lateness_ms=lateness_ms
        )

    def run(self) -> Iterator[Progress]:
        """Does the work, yielding after each step. Interrupt it anywhere: another with the same database goes on from there."""
        while done := self._pipeline.step():
            self.progress.events += done
            self.progress.done = min(self._history.done(self._detections.cursor()), self.progress.total)
            yield self.progress
        self._pipeline.finish()
        yield self.progress


@dataclass(frozen=True, slots=True)
class _Judged:
    kept: list[Finding]
    hidden: list[Hidden]


class _Bounded:
    """The tuning, without the findings of a rule beyond `MOST_FINDINGS`; what exceptions hide does not count."""

    def __init__(self, tuning: Tuning, found: Counter[str], noisy: dict[str, int]) -> None:
        self._tuning = tuning
        self._found = found
        self._noisy = noisy

    @property
    def drafts(self) -> frozenset[str]:
        return self._tuning.drafts

    @property
    def bounds(self) -> BoundsOf:
        return self._tuning.bounds

    def judge(self, findings: Sequence[Finding], now: int, *, correlated: bool = False) -> _Judged:
        judged = self._tuning.judge(findings, now, correlated=correlated)
        return _Judged([finding for finding in judged.kept if self._fits(finding)], judged.hidden)

    def _fits(self, finding: Finding) -> bool:
        if finding.silent:
            return True
        self._found[finding.rule_id] += 1
        if self._found[finding.rule_id] <= MOST_FINDINGS:
            return True
        self._noisy.setdefault(finding.rule_id, finding.ts)
        return False
