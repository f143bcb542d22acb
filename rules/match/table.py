"""Table: the checks of all rules, each with a number, and the rules made ready to be evaluated on such numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rules.condition import Check, Condition, checks
from rules.lists.known import Lists
from rules.match.column import Class, Judge, Keywords
from rules.match.database import Compiler
from rules.match.numbered import Rarity, Truth, because, checks_of, numbered, truth, witness
from rules.match.patterns import NESTED_LIST
from rules.match.sieve import Sieve
from rules.predicate import Exists, HasValue, Like, Listed, Matches, Number, Predicate, SameAs, fold
from rules.rule import Rule


class Ready:
    """A rule whose checks are numbers: `numbers`, all of them."""

    __slots__ = ("_holds", "_tree", "condition", "numbers", "rule")

    def __init__(self, rule: Rule, condition: Condition, numbers: Mapping[Check, int]) -> None:
        self.rule, self.condition = rule, condition
        self._tree = numbered(condition, numbers)
        self.numbers = frozenset(checks_of(self._tree))
        self._holds: Truth | None = None  # most rules of a large set are never looked at

    def witness(self, rarity: Rarity) -> frozenset[int] | None:
        """Checks of which one holds whenever it fires, such that this happens seldom; None: there are none."""
        found = witness(self._tree, rarity)
        return None if found is None else found[1]

    def holds(self, true: Class) -> bool:
        """Whether it fires where exactly these checks hold."""
        if self._holds is None:
            self._holds = truth(self._tree)
        return self._holds(true)

    def because(self, true: Class) -> set[int]:
        """The checks by which it holds. What is absent (`not`) is no reason to show."""
        return because(self._tree, true) or set()


class Table:
    """`broken(rule, error)` is told of a rule of which a check raises."""

    def __init__(
        self, rules: Iterable[Rule], compiler: Compiler, broken: Callable[[Rule, Exception], None], lists: Lists
    ) -> None:
        self._compiler, self._broken, self.lists = compiler, broken, lists
        conditions = [(rule, rule.condition) for rule in rules if rule.condition is not None]
        self.checks: list[Check] = []
        numbers = self._numbered(check for _, tree in conditions for check in checks(tree))
        self.commonness = [_commonness(check.predicate) for check in self.checks]
        self.ready = {rule.id: Ready(rule, tree, numbers) for rule, tree in conditions}
        self._by_field: dict[str | None, dict[Predicate, int]] = {}
        for number, check in enumerate(self.checks):
            if not isinstance(check.predicate, SameAs | Listed):
                self._by_field.setdefault(check.field, {})[check.predicate] = number
        self._judges: dict[str, Judge] = {}
        self._keywords: Keywords | None = None

    def _numbered(self, found: Iterable[Check]) -> dict[Check, int]:
        """Checks that ask the same have one number, however they are spelt: `\\System32\\` and `\\system32\\`."""
        numbers: dict[Check, int] = {}
        for check in found:
            if check not in numbers:
                plain = _folded(check)
                if plain not in numbers:
                    numbers[plain] = len(self.checks)
                    self.checks.append(plain)
                numbers[check] = numbers[plain]
        return numbers

    def judge(self, field: str) -> Judge:
        """Of a field that some rule asks."""
        if field not in self._judges:
            self._judges[field] = Judge(self._by_field[field], self._compiler, self._fail)
        return self._judges[field]

    def succeed(self, other: Table) -> None:
        """Compile now what `other` has had to, for the same fields."""
        for field in [field for field, judge in list(other._judges.items()) if judge.compiled]:
            if field in self._by_field:
                self.judge(field).compile()

    def compile(self) -> None:
        """Everything, for every field."""
        for field in self._by_field:
            if field is not None:
                self.judge(field).compile()
        self.keywords.compile()

    @property
    def keywords(self) -> Keywords:
        if self._keywords is None:
            self._keywords = Keywords(self._by_field.get(None, {}), self._compiler, self._fail)
        return self._keywords

    def sieve(self, rules: Iterable[Ready]) -> Sieve:
        """Tells from JSON texts, flat or nested, whether one of these rules may fire."""
        return Sieve([ready.condition for ready in rules], self._compiler, [NESTED_LIST], self.lists)

    def _fail(self, check: int, error: Exception) -> None:
        for ready in self.ready.values():
            if check in ready.numbers:
                self._broken(ready.rule, error)


def _folded(check: Check) -> Check:
    predicate = check.predicate
    if not isinstance(predicate, Like) or predicate.cased:
        return check
    return Check(check.field, Like(tuple(fold(p) if isinstance(p, str) else p for p in predicate.parts)))


def _commonness(predicate: Predicate) -> float:
    """How often it may hold, for choosing a witness."""
    match predicate:
        case Like(parts):
            return 1 / (1 + max((len(p) for p in parts if isinstance(p, str)), default=0))
        case Number("=", _):
            return 0.1
        case Matches():
            return 0.2
        case Listed():
            return 0.01
        case HasValue() | Exists():
            return 10.0
    return 0.5
