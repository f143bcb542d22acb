"""Which of the predicates on a field a value passes: each value judged once, by all rules at once.

A value's *class* is the frozenset of the checks (numbers) that it passes; an absent field has the empty class. Texts with many
patterns are scanned in one pass, so the cost is linear in the text and hardly grows with the number of rules.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from rules.match.database import Compiler
from rules.match.scanner import Broken, Pattern, Scanner
from rules.predicate import (
    NO_TEXT,
    Exists,
    HasValue,
    Like,
    Listed,
    Matches,
    Number,
    Predicate,
    SameAs,
    Within,
    fold,
    number,
)
from soc.model.event import Value, is_object

Class = frozenset[int]
NOTHING: Class = frozenset()
NUMERIC = (int, float)

FEW = 500  # patterns that are compiled in some ms, so that it does not matter when
LONGEST_KEPT = (
    2048  # characters; longer values are judged anew each time, so that a flood of them cannot fill the memory
)
_ENTRY = 200  # bytes that a remembered value takes beside its text ...
_CHECK = 70  # ... and a class for each of its checks


class Room:
    """How much all columns and plans of an engine may remember together, in bytes. When it is used up, all is forgotten at once."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size
        self._forget: list[Callable[[], None]] = []

    def share(self, forget: Callable[[], None]) -> None:
        """`forget` is called when the room is used up."""
        self._forget.append(forget)

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            self.clear()

    def clear(self) -> None:
        self._left = self._size
        for forget in self._forget:
            forget()


class Blocks:
    """Which of many CIDR blocks hold an address, parsed once."""

    def __init__(self, checks: Sequence[tuple[int, Within]]) -> None:
        self._checks = checks
        self._masks = [
            (int(within.network.netmask), int(within.network.network_address), check)
            for check, within in checks
            if within.network.version == 4
        ]

    def find(self, text: str) -> list[int]:
        if ":" in text or not text[:1].isdigit():
            return [check for check, within in self._checks if within.holds(text)]
        try:
            address = int.from_bytes(socket.inet_pton(socket.AF_INET, text))  # ten times as fast as `ipaddress`
        except (OSError, ValueError):
            return []
        return [check for mask, network, check in self._masks if address & mask == network]


class Judge:
    """All predicates that rules have on one field, whatever their log source. Remembers nothing.

    `checks`: predicate -> its number. `broken(check, error)` is told of a predicate that raises; it then counts as not passed.
    """

    def __init__(self, checks: Mapping[Predicate, int], compiler: Compiler, broken: Broken) -> None:
        self._compiler, self._broken = compiler, broken
        self.present = frozenset(n for p, n in checks.items() if isinstance(p, Exists))
        self.always = self.present | {n for p, n in checks.items() if isinstance(p, HasValue)}
        self._exact: dict[str, list[int]] = {}
        self._exact_cased: dict[str, list[int]] = {}
        self._numbers: dict[float, list[int]] = {}
        self._slow: list[tuple[int, Callable[[str], bool]]] = []
        self.compiled = False
        self._scanner: Scanner | None = None
        self._patterns: list[Pattern] = []
        blocks: list[tuple[int, Within]] = []
        for predicate, check in checks.items():
            match predicate:
                case Exists() | HasValue() | SameAs() | Listed():
                    pass
                case Like(literal=str(text)):
                    (self._exact_cased if predicate.cased else self._exact).setdefault(text, []).append(check)
                case Like():
                    self._patterns.append(Pattern(check, predicate.regex, folded=not predicate.cased))
                case Matches(regex):
                    self._patterns.append(Pattern(check, regex, foreign=True))
                case Number("=", wanted):
                    self._numbers.setdefault(wanted, []).append(check)
                case Within():
                    blocks.append((check, predicate))
                case _:
                    self._slow.append((check, predicate.holds))
        self._blocks = Blocks(blocks) if blocks else None

    def compile(self) -> None:
        """Otherwise done when the first value comes: most rules of a large set are about fields that nobody sends."""
        if self._patterns and self._scanner is None:
            self._scanner = Scanner(self._patterns, self._compiler, self._broken)
        self.compiled = True

    def ready(self) -> bool:
        """Whether no value has to wait long for it. What takes no time worth mentioning is compiled now."""
        if not self.compiled and len(self._patterns) <= FEW:
            self.compile()
        return self.compiled

    def judge(self, text: str) -> list[int]:
        """The checks that a text passes, without `always`."""
        if not self.compiled:
            self.compile()
        found = self._scanner.scan(text) if self._scanner is not None else []
        if self._exact and (exact := self._exact.get(fold(text))) is not None:
            found += exact
        if self._exact_cased and (exact := self._exact_cased.get(text)) is not None:
            found += exact
        if self._numbers and (spelt := number(text)) is not None:
            found += self._numbers.get(spelt, ())
        if self._blocks is not None:
            found += self._blocks.find(text)
        for check, holds in self._slow:
            try:
                if holds(text):
                    found.append(check)
            except Exception as error:  # noqa: BLE001 - one rule's predicate: reported, and only that rule is stopped
                self._broken(check, error)
        return found


class Column(dict[str, Class]):
    """Text -> class, for the checks of one plan on one field; judged on first sight and remembered."""

    def __init__(self, judge: Judge, mine: Class, room: Room) -> None:
        super().__init__()
        self._judge, self._mine, self._room = judge.judge, mine, room
        self._present = judge.present & mine
        self._always = judge.always & mine
        self._classes: dict[Class, Class] = {}
        room.share(self._forget)

    def _forget(self) -> None:
        self.clear()
        self._classes.clear()

    def __missing__(self, text: str) -> Class:
        found = self._mine.intersection(self._judge(text))
        if self._always:
            found |= self._always
        # One object for equal classes: their hash is computed once, and comparing them is comparing addresses.
        if found not in self._classes:
            self._room.take(_CHECK * len(found))
        found = self._classes.setdefault(found, found)
        if len(text) <= LONGEST_KEPT:
            self._room.take(sys.getsizeof(text) + _ENTRY)
            self[text] = found
        return found

    def of(self, value: Value) -> Class:
        """The class of a value that is not a string: null, a number, a boolean, an object, or a list, of which any element may pass."""
        if isinstance(value, list):
            return self._present.union(*map(self.of, value))
        if isinstance(value, str):
            return self[value]
        if value is None:
            return self._present
        if isinstance(value, bool):
            return self["true" if value else "false"]
        return self._always if is_object(value) else self[str(value)]


class Keywords:
    """The class of a whole event for checks that may hold in any of its values.

    All texts are joined by NUL and scanned once; a pattern anchored to one value is anchored to the NULs instead. What cannot be
    asked that way (regular expressions, texts that contain NUL themselves) is asked of each value.
    """

    def __init__(self, checks: Mapping[Predicate, int], compiler: Compiler, broken: Broken) -> None:
        joined = {p: n for p, n in checks.items() if isinstance(p, Like) and "\0" not in str(p)}
        patterns = [Pattern(n, p.between("\\x00"), folded=not p.cased) for p, n in joined.items()]
        self._joined = Scanner(patterns, compiler, broken) if patterns else None
        self._numbers = {p.number: n for p, n in checks.items() if isinstance(p, Number)}
        rest: dict[Predicate, int] = {p: n for p, n in checks.items() if p not in joined and not isinstance(p, Number)}
        self._each = Judge(rest, compiler, broken) if rest else None
        self._in_numbers = any(map(_in_numbers, checks))

    def compile(self) -> None:
        if self._each is not None:
            self._each.compile()

    def judge(self, values: Iterable[Value]) -> list[int]:
        """The checks that hold in some value of an event."""
        texts = [value for value in values if value.__class__ is str]
        others = [value for value in values if value.__class__ is not str]
        for value in others:
            if value.__class__ is list:
                texts += [element for element in value if element.__class__ is str]
                others += [element for element in value if element.__class__ is not str]
        if self._in_numbers:
            texts += [str(value) for value in others if value.__class__ in NUMERIC]
        found = self._scan(texts) if texts else []
        if self._numbers:
            # By class: True would pass for 1.
            found += [self._numbers[v] for v in others if v.__class__ in NUMERIC and v in self._numbers]
        return found

    def _scan(self, texts: list[str]) -> list[int]:
        found: list[int] = []
        if self._joined is not None:
            joined = "\0".join(texts)
            if joined.count("\0") >= len(texts):
                joined = "\0".join(text.replace("\0", NO_TEXT) for text in texts)
            found += self._joined.scan(joined)
        if self._each is not None:
            for text in texts:
                found += self._each.judge(text)
        return found


_DIGITS = frozenset("0123456789.+-e")


def _in_numbers(predicate: Predicate) -> bool:
    """Whether it may hold of the text of a number."""
    if isinstance(predicate, Like):
        return all(_DIGITS.issuperset(part.lower()) for part in predicate.parts if isinstance(part, str))
    return not isinstance(predicate, Number)
