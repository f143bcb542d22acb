"""Column: which of a field's predicates a value passes, each value judged once.

A value's *class* is the frozenset of the checks (numbers) that it passes; an absent field has the empty class. Texts with many
patterns are scanned by one RE2 automaton, so the cost is linear in the text and hardly grows with the number of rules.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

from rules.predicate import Exists, HasValue, Like, Matches, Number, Predicate, SameAs, Within, number, utf8
from rules.scanner import Broken, scanners
from soc.model.event import Value

Class = frozenset[int]
NOTHING: Class = frozenset()
NUMERIC = (int, float)

CACHED_VALUES = 8192  # a column; all forgotten at once when full
CACHED_CHARACTERS = 2048  # longer values are judged anew each time, so that a flood of them cannot fill the memory


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


class Column(dict[str, Class]):
    """Text -> class, computed on first sight and remembered, for the predicates that rules have on one field.

    `checks`: predicate -> its number. `broken(check, error)` is told of a predicate that raises; it then counts as not passed.
    """

    def __init__(self, checks: Mapping[Predicate, int], broken: Broken) -> None:
        super().__init__()
        self._broken = broken
        self._present = frozenset(n for p, n in checks.items() if isinstance(p, Exists))
        self._always = self._present | {n for p, n in checks.items() if isinstance(p, HasValue)}
        self._exact: dict[str, list[int]] = {}
        self._exact_cased: dict[str, list[int]] = {}
        self._numbers: dict[float, list[int]] = {}
        self._slow: list[tuple[int, Callable[[str], bool]]] = []
        folded: list[tuple[int, str]] = []
        cased: list[tuple[int, str]] = []
        blocks: list[tuple[int, Within]] = []
        for predicate, check in checks.items():
            match predicate:
                case Exists() | HasValue() | SameAs():
                    pass
                case Like(literal=str(text)):
                    (self._exact_cased if predicate.cased else self._exact).setdefault(text, []).append(check)
                case Like():
                    (cased if predicate.cased else folded).append((check, predicate.regex))
                case Matches(regex):
                    cased.append((check, regex))
                case Number("=", wanted):
                    self._numbers.setdefault(wanted, []).append(check)
                case Within():
                    blocks.append((check, predicate))
                case _:
                    self._slow.append((check, predicate.holds))
        self._folded = scanners(folded, broken)
        self._cased = scanners(cased, broken)
        self._blocks = Blocks(blocks) if blocks else None
        self._classes: dict[Class, Class] = {}

    def __missing__(self, text: str) -> Class:
        found = self._judge(text)
        if found is not self._always:
            # One object for equal classes: their hash is computed once, and comparing them is comparing addresses.
            found = self._classes.setdefault(found, found)
        if len(text) <= CACHED_CHARACTERS:
            if len(self) >= CACHED_VALUES:
                self.clear()
                self._classes.clear()
            self[text] = found
        return found

    def of(self, value: Value) -> Class:
        """The class of a value that is not a string: null, a number, a boolean, or a list, of which any element may pass."""
        if isinstance(value, list):
            return self._present.union(*map(self.of, value))
        if isinstance(value, str):
            return self[value]
        if value is None:
            return self._present
        if isinstance(value, bool):
            return self["true" if value else "false"]
        return self[str(value)]

    def _judge(self, text: str) -> Class:
        low = text.lower()
        found: list[int] = []
        if (exact := self._exact.get(low)) is not None:
            found += exact
        if self._exact_cased and (exact := self._exact_cased.get(text)) is not None:
            found += exact
        if self._folded:
            data = utf8(low)
            for scanner in self._folded:
                found += scanner.scan(data)
        if self._cased:
            data = utf8(text)
            for scanner in self._cased:
                found += scanner.scan(data)
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
        return self._always.union(found) if found else self._always


class Keywords:
    """The class of a whole event for checks that may hold in any of its values.

    All texts are joined by NUL and scanned once; a pattern anchored to one value is anchored to the NULs instead. What cannot be
    asked that way (regular expressions, texts that contain NUL themselves) is asked of each value.
    """

    def __init__(self, checks: Mapping[Predicate, int], broken: Broken) -> None:
        joined = {p: n for p, n in checks.items() if isinstance(p, Like) and "\0" not in str(p)}
        self._folded = scanners([(n, p.between("\\x00")) for p, n in joined.items() if not p.cased], broken)
        self._cased = scanners([(n, p.between("\\x00")) for p, n in joined.items() if p.cased], broken)
        self._numbers = {p.number: n for p, n in checks.items() if isinstance(p, Number)}
        rest: dict[Predicate, int] = {p: n for p, n in checks.items() if p not in joined and not isinstance(p, Number)}
        self._each = Column(rest, broken) if rest else None

    def of(self, values: Iterable[Value]) -> Class:
        texts = [value for value in values if value.__class__ is str]
        others = [value for value in values if value.__class__ is not str]
        for value in others:
            if value.__class__ is list:
                texts += [element for element in value if element.__class__ is str]
                others += [element for element in value if element.__class__ is not str]
        found = self._scan(texts) if texts else []
        if self._numbers:
            # By class: True would pass for 1.
            found += [self._numbers[v] for v in others if v.__class__ in NUMERIC and v in self._numbers]
        return frozenset(found) if found else NOTHING

    def _scan(self, texts: list[str]) -> list[int]:
        found: list[int] = []
        if self._folded or self._cased:
            joined = "\0".join(texts)
            if joined.count("\0") >= len(texts):
                joined = "\0".join(text.replace("\0", "\ufffd") for text in texts)
            for scanner in self._folded:
                found += scanner.scan(utf8(joined.lower()))
            for scanner in self._cased:
                found += scanner.scan(utf8(joined))
        if self._each is not None:
            for text in texts:
                found += self._each[text]
        return found
