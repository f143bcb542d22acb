"""Ready: a rule made ready to be evaluated on the numbers of the checks that hold."""

from __future__ import annotations

from collections.abc import Mapping

from rules.condition import Check, Condition
from rules.match.column import NOTHING, Class
from rules.match.numbered import HELD, Rarity, Truth, because, checks_of, numbered, supposing, truth, witness
from rules.rule import Rule

_HELD = frozenset({HELD})


class Ready:
    """A rule whose checks are numbers: `numbers`, all of them; `deferred`, those that are asked last."""

    __slots__ = ("_holds", "_may_hold", "_tree", "condition", "deferred", "numbers", "rule")

    def __init__(self, rule: Rule, condition: Condition, numbers: Mapping[Check, int]) -> None:
        self.rule, self.condition = rule, condition
        self._tree = numbered(condition, numbers)
        self.numbers = frozenset(checks_of(self._tree))
        self.deferred: Class = NOTHING
        self._holds: Truth | None = None  # most rules of a large set are never looked at
        self._may_hold: Truth | None = None

    def witness(self, rarity: Rarity) -> frozenset[int] | None:
        """Checks of which one holds whenever it fires, such that this happens seldom; None: there are none."""
        found = witness(self._tree, rarity)
        return None if found is None else found[1]

    def holds(self, true: Class) -> bool:
        """Whether it fires where exactly these checks hold."""
        if self._holds is None:
            self._holds = truth(self._tree)
        return self._holds(true)

    def may_hold(self, true: Class) -> bool:
        """Whether it may fire where exactly these checks hold, and any of the deferred ones."""
        if self._may_hold is None:
            self._may_hold = truth(supposing(self._tree, self.deferred))
        return self._may_hold(true | _HELD)

    def because(self, true: Class) -> set[int]:
        """The checks by which it holds. What is absent (`not`) is no reason to show."""
        return because(self._tree, true) or set()
