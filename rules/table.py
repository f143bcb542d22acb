"""Table: the checks of all rules, each with a number, and the rules made ready to be evaluated on such numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rules.column import Class, Judge, Keywords
from rules.condition import All, Any, Check, Condition, Not, Search, checks
from rules.database import Compiler
from rules.lists.known import Lists
from rules.patterns import NESTED_LIST
from rules.predicate import Exists, HasValue, Like, Listed, Matches, Number, Predicate, SameAs
from rules.rule import Rule
from rules.sieve import Sieve
from rules.witness import Witness, witness

Truth = Callable[[Class], bool]


class Ready:
    """A rule and the numbers of its checks."""

    __slots__ = ("_holds", "_numbers", "condition", "numbers", "rule")

    def __init__(self, rule: Rule, condition: Condition, numbers: Mapping[Check, int]) -> None:
        self.rule, self.condition = rule, condition
        self._numbers = numbers
        self.numbers = frozenset(numbers[check] for check in checks(condition))
        self._holds: Truth | None = None  # most rules of a large set are never looked at

    def witness(self, seen: Mapping[int, int]) -> frozenset[int] | None:
        """Checks of which one holds whenever it fires, such that this happens seldom; None: there are none. `seen`: how often each
        check has held so far."""
        numbers = self._numbers

        def itself(check: Check) -> Witness[int]:
            number = numbers[check]
            return Witness(_commonness(check.predicate) + seen.get(number, 0), frozenset({number}))

        found = witness(self.condition, itself)
        return None if found is None else found.signs

    def holds(self, true: Class) -> bool:
        """Whether it fires where exactly these checks hold."""
        if self._holds is None:
            self._holds = _truth(self.condition, self._numbers)
        return self._holds(true)

    def because(self, true: Class) -> tuple[Check, ...]:
        """The checks by which it holds. What is absent (`not`) is no reason to show."""
        return tuple(_because(self.condition, self._numbers, true) or ())


class Table:
    """`broken(rule, error)` is told of a rule of which a check raises."""

    def __init__(
        self, rules: Iterable[Rule], compiler: Compiler, broken: Callable[[Rule, Exception], None], lists: Lists
    ) -> None:
        self._compiler, self._broken, self.lists = compiler, broken, lists
        conditions = [(rule, rule.condition) for rule in rules if rule.condition is not None]
        self.checks: list[Check] = []
        numbers = self._numbered(check for _, tree in conditions for check in checks(tree))
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
    return Check(check.field, Like(tuple(p.lower() if isinstance(p, str) else p for p in predicate.parts)))


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
            needed, rest = _split(parts, numbers)
            return _all_of(needed, rest) if rest else needed.issubset
        case Any(parts):
            enough, rest = _split(parts, numbers)
            return _any_of(enough, rest) if rest else lambda true: not enough.isdisjoint(true)


def _split(parts: Iterable[Condition], numbers: Mapping[Check, int]) -> tuple[Class, list[Truth]]:
    """The numbers of the parts that are checks, and the other parts."""
    rest = [_truth(part, numbers) for part in parts if not isinstance(part, Check)]
    return frozenset(numbers[part] for part in parts if isinstance(part, Check)), rest


def _all_of(needed: Class, rest: list[Truth]) -> Truth:
    def holds(true: Class) -> bool:
        if not needed <= true:
            return False
        for part in rest:  # noqa: SIM110 - a generator costs more than what it asks
            if not part(true):
                return False
        return True

    return holds


def _any_of(enough: Class, rest: list[Truth]) -> Truth:
    def holds(true: Class) -> bool:
        if not enough.isdisjoint(true):
            return True
        for part in rest:  # noqa: SIM110
            if part(true):
                return True
        return False

    return holds


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


def _because(tree: Condition, numbers: Mapping[Check, int], true: Class) -> list[Check] | None:
    """The checks by which the condition holds, None where it does not."""
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
