"""What the detector says of its rules: which run and since when, and what is wrong with the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rules.desk.tuning import Tuning
from rules.engine import Engine
from soc import telemetry
from soc.model.rule import RuleFault, RulesInForce
from soc.service.ruleset import Chosen
from soc.store.base import Detections

_LOOK_S = 5.0
_COSTS_S = 120.0
_DEAREST = 10  # that metrics name: each is a time series


class Publisher:
    """Publishes the rules that run, and the faults: of those not loaded, of those that broke, bounds that bit, exceptions that cannot be
    read, lists that are not there, and of a change of the rules that could not be taken up. Belongs to the thread that runs the rules."""

    def __init__(
        self,
        detections: Detections,
        tuning: Callable[[], Tuning],
        clock: Callable[[], int],
        lists: Callable[[], Sequence[RuleFault]] = tuple,
    ) -> None:
        self._detections = detections
        self._tuning = tuning
        self._clock = clock
        self._lists = lists
        self._known: object = None
        self._due_at = self._costs_due_at = 0.0
        self.blind: Callable[[], list[RuleFault]] = list  # rules whose canaries did not come back

    def follow(self, chosen: Chosen, engine: Engine) -> None:
        """From now on these are the rules that run. Raises what the store raises."""
        self._chosen, self._engine = chosen, engine
        self._faults = [RuleFault(error.reason, error.path, error.line) for error in chosen.ruleset.errors]
        now = self._clock()
        self._in_force = RulesInForce(chosen.hash, len(chosen.docs), now, now)
        self._refused: RuleFault | None = None
        telemetry.RULES_SINCE.set(now / 1000)
        self._due_at = 0.0
        self.look()

    def checked(self, loading_since: int | None, checked: int | None, refused: str | None) -> None:
        """How far a change of the rules has come: `loading_since` and `checked` as in `RulesInForce`; `refused`: why the rules that run
        go on although there are others."""
        self._in_force = replace(
            self._in_force, loading_since=loading_since, checked=max(checked or 0, self._in_force.checked)
        )
        self._refused = RuleFault(refused) if refused else None
        self._due_at = 0.0

    def look(self) -> None:
        """Called before each batch; looks every few seconds, and at once when something is to be said."""
        if time.monotonic() < self._due_at:
            return
        engine = self._engine
        telemetry.BROKEN_RULES.set(len(engine.broken))
        telemetry.CAPPED.reached(sum(capped.dropped for capped in engine.correlations.capped.values()))
        telemetry.CROWDED.reached(sum(crowded.dropped for crowded in engine.correlations.crowded.values()))
        telemetry.CORRELATED_LATE.reached(sum(engine.correlations.late.values()))
        faults = [*self._faults, *self._while_running()]
        telemetry.RULES.set(len(self._chosen.docs) - len(engine.broken))
        telemetry.RULE_FAULTS.set(len(faults))
        state = tuple(engine.broken), faults, self._in_force
        if state != self._known:
            self._detections.publish(self._chosen.docs, faults, self._in_force)
            self._known = state
        self._due_at = time.monotonic() + _LOOK_S
        self._tell_costs()

    def _tell_costs(self) -> None:
        """Some minutes apart: there may be thousands, and they change little."""
        if time.monotonic() < self._costs_due_at or not (costs := self._engine.costs()):
            return
        telemetry.RULE_COST.clear()
        for one in costs[:_DEAREST]:
            telemetry.RULE_COST.labels(one.rule_id).set(one.seconds)
        self._detections.publish_costs(costs)
        self._costs_due_at = time.monotonic() + _COSTS_S

    def _while_running(self) -> list[RuleFault]:
        stopped = [
            RuleFault(f"stopped while running: {reason}", rule_id=rule) for rule, reason in self._engine.broken.items()
        ]
        bounded = [RuleFault(reason, rule_id=rule) for rule, reason in self._engine.correlations.shortcomings()]
        refused = [self._refused] if self._refused else []
        return [*refused, *stopped, *bounded, *self.blind(), *self._tuning().faults, *self._lists()]
