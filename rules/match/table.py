"""Table: the checks of all rules, each with a number, and who judges the values of each field by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rules.condition import Check, checks
from rules.lists.known import Lists
from rules.match.column import Judge, Keywords
from rules.match.database import Compiler
from rules.match.deferred import Few, deferred
from rules.match.patterns import NESTED_LIST
from rules.match.ready import Ready
from rules.match.sieve import Sieve
from rules.predicate import Exists, HasValue, Like, Listed, Matches, Number, Predicate, SameAs, fold
from rules.rule import Rule


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
        self.deferred = deferred(self.checks, self.ready.values(), self.commonness)
        for ready in self.ready.values():
            ready.deferred = ready.numbers & self.deferred
        self._by_field: dict[str | None, dict[Predicate, int]] = {}
        self._later: dict[str | None, dict[Predicate, int]] = {}
        for number, check in enumerate(self.checks):
            if not isinstance(check.predicate, SameAs | Listed):  # those a plan asks itself
                asked = self._later if number in self.deferred else self._by_field
                asked.setdefault(check.field, {})[check.predicate] = number
        self._judges: dict[str, Judge] = {}
        self._later_judges: dict[str, Judge] = {}
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
        """Of a field that some rule asks, by all checks but the deferred ones."""
        if field not in self._judges:
            self._judges[field] = Judge(self._by_field.get(field, {}), self._compiler, self._fail)
        return self._judges[field]

    def later(self, field: str) -> Judge:
        """By the deferred checks."""
        if field not in self._later_judges:
            self._later_judges[field] = Judge(self._later[field], self._compiler, self._fail)
        return self._later_judges[field]

    def few(self, numbers: Iterable[int]) -> Few:
        """The same for some of them."""
        asked = ((number, self.checks[number].predicate) for number in numbers)
        return Few({number: one for number, one in asked if isinstance(one, Like | Matches)}, self._fail)

    def ready_for(self, field: str) -> bool:
        """Whether no value of the field has to wait long for what judges it. What takes no time worth mentioning is made now."""
        return self.judge(field).ready() and (field not in self._later or self.later(field).ready())

    def succeed(self, other: Table) -> None:
        """Compile now what `other` has had to, for the same fields."""
        for field in [field for field, judge in list(other._judges.items()) if judge.compiled]:
            if field in self._by_field or field in self._later:
                self._compile(field)

    def compile(self) -> None:
        """Everything, for every field."""
        for field in self._by_field.keys() | self._later.keys():
            if field is not None:
                self._compile(field)
        self.keywords.compile()

    def _compile(self, field: str) -> None:
        self.judge(field).compile()
        if field in self._later:
            self.later(field).compile()

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
