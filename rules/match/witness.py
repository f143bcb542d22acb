"""Witness: signs one of which shows whenever a condition holds. Where none shows, the condition need not be looked at.

The sieve looks for them in the text of an event (`rules.match.patterns`); a plan does the same among the numbers of the checks that hold
(`rules.match.numbered`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from rules.condition import All, Any, Check, Condition, Not, Search

Sign = TypeVar("Sign")


class Witness(NamedTuple, Generic[Sign]):
    """`commonness`: how often to expect one of the signs, for choosing between several witnesses (less is better)."""

    commonness: float
    signs: frozenset[Sign]


def witness(condition: Condition, of_check: Callable[[Check], Witness[Sign] | None]) -> Witness[Sign] | None:
    """The rarest witness of a condition; None where anything may satisfy it (`not` alone)."""
    match condition:
        case Check():
            return of_check(condition)
        case Search(_, part):
            return witness(part, of_check)
        case Not():
            return None
        case All(parts):
            found = [w for part in parts if (w := witness(part, of_check)) is not None]
            return min(found, key=lambda w: w.commonness) if found else None
        case Any(parts):
            alternatives = [w for part in parts if (w := witness(part, of_check)) is not None]
            if len(alternatives) < len(parts):
                return None
            return Witness(sum(w.commonness for w in alternatives), frozenset().union(*(w.signs for w in alternatives)))
