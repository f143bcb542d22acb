"""A condition whose checks are numbers, and what a plan asks of it: whether it holds, why, and what tells that it may.

The same as `rules.condition` and `rules.match.witness` say of checks; kept apart because comparing checks costs more than all of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rules.condition import All, Any, Check, Condition, Not, Search

Numbers = frozenset[int]
Truth = Callable[[Numbers], bool]
Rarity = Callable[[int], float]


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of these checks, and all of the other parts."""

    checks: Numbers
    rest: tuple[Numbered, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    checks: Numbers
    rest: tuple[Numbered, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    part: Numbered


Numbered = int | AllOf | AnyOf | NoneOf


def numbered(condition: Condition, numbers: Mapping[Check, int]) -> Numbered:
    match condition:
        case Check():
            return numbers[condition]
        case Search(_, part):
            return numbered(part, numbers)
        case Not(part):
            return NoneOf(numbered(part, numbers))
        case All(parts) | Any(parts):
            found = [numbered(part, numbers) for part in parts]
            checks = frozenset(part for part in found if isinstance(part, int))
            rest = tuple(part for part in found if not isinstance(part, int))
            return AllOf(checks, rest) if isinstance(condition, All) else AnyOf(checks, rest)


def checks_of(tree: Numbered) -> Iterator[int]:
    """Each check in it, some more than once."""
    match tree:
        case int():
            yield tree
        case NoneOf(part):
            yield from checks_of(part)
        case AllOf(checks, rest) | AnyOf(checks, rest):
            yield from checks
            for part in rest:
                yield from checks_of(part)


def truth(tree: Numbered) -> Truth:
    """Whether it holds where exactly these checks do."""
    match tree:
        case int():
            return lambda true: tree in true
        case NoneOf(part):
            inner = truth(part)
            return lambda true: not inner(true)
        case AllOf(needed, rest):
            return _all_of(needed, [truth(part) for part in rest]) if rest else needed.issubset
        case AnyOf(enough, rest):
            return _any_of(enough, [truth(part) for part in rest]) if rest else lambda true: not enough.isdisjoint(true)


def _all_of(needed: Numbers, rest: list[Truth]) -> Truth:
    def holds(true: Numbers) -> bool:
        if not needed <= true:
            return False
        for part in rest:  # noqa: SIM110 - a generator costs more than what it asks
            if not part(true):
                return False
        return True

    return holds


def _any_of(enough: Numbers, rest: list[Truth]) -> Truth:
    def holds(true: Numbers) -> bool:
        if not enough.isdisjoint(true):
            return True
        for part in rest:  # noqa: SIM110
            if part(true):
                return True
        return False

    return holds


def because(tree: Numbered, true: Numbers) -> set[int] | None:
    """The checks by which it holds, None where it does not. What is absent (`not`) is no reason to show."""
    match tree:
        case int():
            return {tree} if tree in true else None
        case NoneOf(part):
            return None if because(part, true) is not None else set()
        case AllOf(checks, rest):
            if not checks <= true:
                return None
            found = [because(part, true) for part in rest]
            return None if None in found else set(checks).union(*(some for some in found if some))
        case AnyOf(checks, rest):
            held = [some for part in rest if (some := because(part, true)) is not None]
            here = checks & true
            return set(here).union(*held) if held or here else None


def witness(tree: Numbered, rarity: Rarity) -> tuple[float, Numbers] | None:
    """Checks of which one holds whenever the condition does, with how often to expect that; the rarest such. None: there are none."""
    match tree:
        case int():
            return rarity(tree), frozenset((tree,))
        case NoneOf():
            return None
        case AllOf(checks, rest):
            known = [found for part in rest if (found := witness(part, rarity)) is not None]
            if checks:
                rarest = min(checks, key=rarity)
                known.append((rarity(rarest), frozenset((rarest,))))
            return min(known, key=lambda found: found[0], default=None)
        case AnyOf(checks, rest):
            parts = [witness(part, rarity) for part in rest]
            if None in parts:
                return None
            shown = [found for found in parts if found is not None]
            return (
                sum(map(rarity, checks)) + sum(common for common, _ in shown),
                checks.union(*(signs for _, signs in shown)),
            )
