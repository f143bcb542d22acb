"""Plan: the rules that can apply to events of one origin, arranged so that an event costs little more than its unseen values.

An event is reduced to the tuple of its values' classes; which rules fire is a function of that tuple, computed once and remembered.
For a new tuple only those rules are evaluated that have a witness in it (`rules.witness`): of some checks, one must hold whenever
the rule fires.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rules.column import NOTHING, Class, Column, Keywords
from rules.condition import All, Any, Check, Condition, Not, Search, checks, satisfied
from rules.predicate import Exists, HasValue, Like, Matches, Number, Predicate, SameAs
from rules.rule import Rule
from rules.witness import Witness, witness
from soc.model.event import Value

MEMO_SIZE = 20_000  # tuples of classes; all forgotten at once when full

ABSENT: typing.Any = object()

Truth = Callable[[Class], bool]


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that fires, and the checks that made it: None as field means that the value has to be looked for."""

    rule: Rule
    because: tuple[Check, ...]


@dataclass(slots=True)
class _Compiled:
    rule: Rule
    condition: Condition
    holds: Truth
    numbers: Mapping[Check, int] = field(repr=False)


class Plan:
    """`broken(rule, error)` is told of a rule that raises; it never fires again in this plan."""

    def __init__(self, rules: Iterable[Rule], broken: Callable[[Rule, Exception], None]) -> None:
        self._broken = broken
        self._stopped: set[str] = set()
        conditions = [(rule, rule.condition) for rule in rules if rule.condition is not None]
        self._numbers = {c: n for n, c in enumerate(dict.fromkeys(c for _, tree in conditions for c in checks(tree)))}
        self._users: dict[int, list[Rule]] = {}
        self._by_witness: dict[int, list[_Compiled]] = {}
        self._unwitnessed: list[_Compiled] = []
        for rule, tree in conditions:
            self._add(_Compiled(rule, tree, _truth(tree, self._numbers), self._numbers))
        self._memo: dict[tuple[Class, ...], tuple[Fired, ...]] = {}
        self._build_columns()

    def _add(self, compiled: _Compiled) -> None:
        for check in checks(compiled.condition):
            self._users.setdefault(self._numbers[check], []).append(compiled.rule)
        found = witness(compiled.condition, self._itself)
        if found is None:
            self._unwitnessed.append(compiled)
            return
        for number in found.signs:
            self._by_witness.setdefault(number, []).append(compiled)

    def _itself(self, check: Check) -> Witness[int]:
        return Witness(_commonness(check.predicate), frozenset({self._numbers[check]}))

    def _build_columns(self) -> None:
        by_field: dict[str | None, dict[Predicate, int]] = {}
        self._pairs: list[tuple[Check, Class]] = []
        for check, number in self._numbers.items():
            if isinstance(check.predicate, SameAs):
                self._pairs.append((check, frozenset({number})))
            else:
                by_field.setdefault(check.field, {})[check.predicate] = number
        keywords = by_field.pop(None, None)
        self._keywords = Keywords(keywords, self._fail) if keywords else None
        self._columns = {name: Column(c, self._fail) for name, c in by_field.items() if name is not None}
        self._items = tuple(self._columns.items())

    def fire(self, fields: Mapping[str, Value]) -> tuple[Fired, ...]:
        """The rules that fire on an event, and why."""
        key: list[Class] = []
        # Rules know many fields and events have few, or the other way round: walk the shorter side.
        if len(self._items) <= len(fields):
            for name, column in self._items:
                if (value := fields.get(name, ABSENT)) is not ABSENT and (
                    found := column[value] if value.__class__ is str else column.of(value)
                ):
                    key.append(found)
        else:
            columns = self._columns
            for name, value in fields.items():
                if name in columns and (
                    found := columns[name][value] if value.__class__ is str else columns[name].of(value)
                ):
                    key.append(found)
        if self._pairs:
            key += [number for check, number in self._pairs if check.field in fields and satisfied(check, fields)]
        if self._keywords is not None and (found := self._keywords.of(fields.values())):
            key.append(found)
        answer = self._memo.get(classes := tuple(key))
        return self._decide(classes) if answer is None else answer

    def _decide(self, key: tuple[Class, ...]) -> tuple[Fired, ...]:
        true: Class = NOTHING.union(*key)
        candidates = {c.rule.id: c for number in true for c in self._by_witness.get(number, ())}
        candidates.update((c.rule.id, c) for c in self._unwitnessed)
        fired = []
        for compiled in candidates.values():
            if compiled.rule.id in self._stopped:
                continue
            try:
                if compiled.holds(true):
                    fired.append(Fired(compiled.rule, tuple(_because(compiled.condition, self._numbers, true) or ())))
            except Exception as error:  # noqa: BLE001 - one rule: reported and stopped alone
                self._stop(compiled.rule, error)
        if len(self._memo) >= MEMO_SIZE:
            self._memo.clear()
        self._memo[key] = answer = tuple(fired)
        return answer

    def _fail(self, check: int, error: Exception) -> None:
        for rule in self._users.get(check, ()):
            self._stop(rule, error)

    def _stop(self, rule: Rule, error: Exception) -> None:
        self._stopped.add(rule.id)
        self._memo.clear()
        self._broken(rule, error)


def _truth(tree: Condition, numbers: Mapping[Check, int]) -> Truth:
    """The condition as a function of the set of checks that hold."""
    match tree:
        case Check():
            number = numbers[tree]
            return lambda true: number in true
        case Search(_, part):
            return _truth(part, numbers)
        case Not(part):
            inner = _truth(part, numbers)
            return lambda true: not inner(true)
        case All(parts):
            needed = frozenset(numbers[p] for p in parts if isinstance(p, Check))
            rest = [_truth(p, numbers) for p in parts if not isinstance(p, Check)]
            return lambda true: needed <= true and all(part(true) for part in rest)
        case Any(parts):
            enough = frozenset(numbers[p] for p in parts if isinstance(p, Check))
            rest = [_truth(p, numbers) for p in parts if not isinstance(p, Check)]
            return lambda true: not enough.isdisjoint(true) or any(part(true) for part in rest)


def _commonness(predicate: Predicate) -> float:
    """How often it may hold, for choosing a witness."""
    match predicate:
        case Like(parts):
            return 1 / (1 + max((len(p) for p in parts if isinstance(p, str)), default=0))
        case Number("=", _):
            return 0.1
        case Matches():
            return 0.2
        case HasValue() | Exists():
            return 10.0
    return 0.5


def _because(tree: Condition, numbers: Mapping[Check, int], true: Class) -> list[Check] | None:
    """The checks by which the condition holds, None where it does not. What is absent (`not`) is no reason to show."""
    match tree:
        case Check():
            return [tree] if numbers[tree] in true else None
        case Search(_, part):
            return _because(part, numbers, true)
        case Not(part):
            return None if _because(part, numbers, true) is not None else []
        case All(parts):
            found = [_because(part, numbers, true) for part in parts]
            return None if None in found else [check for some in found for check in some or ()]
        case Any(parts):
            held = [some for part in parts if (some := _because(part, numbers, true)) is not None]
            return [check for some in held for check in some] if held else None
