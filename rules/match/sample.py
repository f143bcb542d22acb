"""What each rule costs: one event in a thousand is held against rules of its plan one by one, the slow, plain way, each timed.

In the engine rules share their work, so there no rule has a price of its own. What is measured here is what it would cost alone; it tells
which rules are dear, not how long an event takes. All of it may take some share of the time that events take, however hostile they are:
what one event overdraws, later ones wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from rules.condition import holds
from rules.match.plan import Plan
from soc.model.event import Stored, Value
from soc.model.rule import RuleCost

EVERY = 1_000
ALLOWED_NS = 50  # an event that is put before the rules: less than a hundredth of what it costs
_SAVED_NS = 20_000_000  # at most, for a batch after a quiet time


class Sampler:
    """`plan`: of an event's fields. `clock`: CPU time of this thread, ns."""

    def __init__(
        self, plan: Callable[[Mapping[str, Value]], Plan], clock: Callable[[], int] = time.thread_time_ns
    ) -> None:
        self._plan, self._clock = plan, clock
        self._until = EVERY - 1  # events before the next one
        self._turn = self._left_ns = 0
        self._spent: dict[str, list[int]] = {}  # rule -> samples, ns

    def batch(self, stored: Sequence[Stored]) -> None:
        self._left_ns = min(self._left_ns + ALLOWED_NS * len(stored), _SAVED_NS)
        at = self._until
        while at < len(stored):
            if self._left_ns > 0 and stored[at].ts:
                self._sample(stored[at])
            at += EVERY
        self._until = at - len(stored)

    def _sample(self, one: Stored) -> None:
        began = self._clock()
        fields = one.event.fields
        self._left_ns -= self._clock() - began
        rules = self._plan(fields).rules  # to build it is not for the sample
        began = self._clock()
        for _ in rules:
            rule = rules[self._turn % len(rules)]
            self._turn += 1
            if rule.condition is not None:
                holds(rule.condition, fields)  # its expressions may have to be compiled
                started = self._clock()
                holds(rule.condition, fields)
                spent = self._spent.setdefault(rule.id, [0, 0])
                spent[0] += 1
                spent[1] += self._clock() - started
            if self._clock() - began >= self._left_ns:
                break
        self._left_ns -= self._clock() - began

    def costs(self) -> list[RuleCost]:
        """Since the start, the dearest first."""
        known = [RuleCost(rule_id, samples, ns / samples / 1e9) for rule_id, (samples, ns) in self._spent.items()]
        return sorted(known, key=lambda one: -one.seconds)
