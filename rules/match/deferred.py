"""Deferred checks: those that hold of so many values that hearing of each costs more than it tells.

A field that many patterns ask, as a command line is, is first scanned without them. Only where a rule may fire that asks some of them is
the value asked for these, too: on most events no such rule is left, and where one is, it asks few. So are two fields compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from rules.condition import Check
from rules.match.column import NOTHING, Class
from rules.match.numbered import Rarity
from rules.match.ready import Ready
from rules.match.scanner import Broken
from rules.predicate import Like, Matches, Predicate, SameAs, Wild, fold, texts, utf8
from soc.model.event import Value

FEW = 16  # checks that are asked one by one: more of them are scanned for
MANY = 2000  # patterns on a field, from which two scans cost less than one
_BRIEF = 3  # characters that stand in any text
Search = Callable[[bytes], object]
_DEAR = 1e9  # more than all other checks together
# What programs and their arguments are full of on Windows, where fields have so many patterns.
_COMMON = ('"c:\\windows\\system32\\svchost.exe" -k', ".exe -", "c:\\program files (x86)\\")


def deferred(checks: Sequence[Check], rules: Iterable[Ready], commonness: Sequence[float]) -> frozenset[int]:
    """Numbers of the checks to be asked later: never one that a rule needs as a witness."""
    patterns = Counter(check.field for check in checks if _is_pattern(check.predicate))
    common = frozenset(
        number
        for number, check in enumerate(checks)
        if isinstance(check.predicate, SameAs)
        or (patterns[check.field] > MANY and check.field is not None and _is_common(check.predicate))
    )
    return common.difference(*(_needed(rule, common, commonness) for rule in rules))


def _needed(rule: Ready, common: frozenset[int], commonness: Sequence[float]) -> frozenset[int]:
    if common.isdisjoint(rule.numbers):
        return frozenset()
    return rule.witness(dear(common, commonness.__getitem__)) or frozenset()


def dear(some: frozenset[int], rarity: Rarity) -> Rarity:
    """As if these checks held far more often than all others: no witness is chosen among them where there is another."""
    return lambda number: _DEAR if number in some else rarity(number)


def _is_pattern(predicate: Predicate) -> bool:
    return isinstance(predicate, Matches) or (isinstance(predicate, Like) and predicate.literal is None)


def _is_common(predicate: Predicate) -> bool:
    if not isinstance(predicate, Like):
        return isinstance(predicate, Matches)  # rules that have a text beside it are told by the text
    text = max((part for part in predicate.parts if isinstance(part, str)), key=len, default="").lower()
    return predicate.literal is None and (len(text) <= _BRIEF or any(text in known for known in _COMMON))


class Few:
    """A few checks on one field, asked one by one: for so few this costs less than a scan that tells of all that a text holds.

    `checks`: number -> predicate. `broken(check, error)` is told of one that raises; it then counts as not passed.
    """

    def __init__(self, checks: Mapping[int, Like | Matches], broken: Broken) -> None:
        self._broken = broken
        self._inside: list[tuple[str, int]] = []  # ordinary texts to be found in the lower-case text
        self._folded: list[tuple[Search, int]] = []  # expressions for the lower-case text ...
        self._plain: list[tuple[Search, int]] = []  # ... and for the text as it is
        for number, predicate in checks.items():
            if isinstance(predicate, Like) and (inside := _inside(predicate)) is not None:
                self._inside.append((inside, number))
            elif isinstance(predicate, Like) and not predicate.cased:
                self._folded.append((predicate.compiled.search, number))
            else:
                self._plain.append((predicate.compiled.search, number))

    def of(self, value: Value) -> Class:
        """Those of the checks that a value passes, of a list any element."""
        if isinstance(value, str):
            return frozenset(self._judge(value))
        return NOTHING.union(*map(self._judge, texts(value)))

    def _judge(self, text: str) -> list[int]:
        low = fold(text)
        found = [number for inside, number in self._inside if inside in low]
        if self._folded:
            found += self._searched(self._folded, utf8(low))
        if self._plain:
            found += self._searched(self._plain, utf8(text))
        return found

    def _searched(self, some: list[tuple[Search, int]], data: bytes) -> list[int]:
        found = []
        for search, number in some:
            try:
                if search(data) is not None:
                    found.append(number)
            except Exception as error:  # noqa: BLE001 - one rule's predicate: reported, and only that rule is stopped
                self._broken(number, error)
        return found


def _inside(like: Like) -> str | None:
    match like.parts:
        case (Wild.ANY, str(text), Wild.ANY) if text.isascii() and not like.cased:
            return fold(text)
    return None
