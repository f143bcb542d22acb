"""Plan: the rules that can apply to events of one origin, arranged so that an event costs little more than its unseen values.

An event is reduced to the tuple of its values' classes; which rules fire is a function of that tuple, computed once and remembered.
For a new tuple only those rules are evaluated that have a witness in it (`rules.match.numbered`): of some checks, one must hold whenever
the rule fires.
"""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from rules.condition import Check, satisfied
from rules.match.column import NOTHING, Class, Column, Room
from rules.match.table import Ready, Table
from rules.predicate import Listed, SameAs
from rules.rule import Rule
from soc.model.event import Value

LEARNT = 1_000  # tuples after which the rules' witnesses are chosen anew, by what was seen of them
_ENTRY = 300  # bytes that a remembered tuple takes beside its parts ...
_FIRED = 150  # ... and each rule that fires on it ...
_NAMED = 100  # ... and the rules that a class names

ABSENT: typing.Any = object()


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that fires, and the checks that made it: None as field means that the value has to be looked for."""

    rule: Rule
    because: tuple[Check, ...]


class Plan:
    """`broken(rule, error)` is told of a rule that raises. `room`: what values and tuples are remembered in."""

    def __init__(
        self, table: Table, rules: Sequence[Ready], broken: Callable[[Rule, Exception], None], room: Room
    ) -> None:
        self._table, self._broken, self._room = table, broken, room
        self.audience = ""  # what the ledger calls its rules
        self._rules = rules
        self._seen: Counter[int] | None = Counter()  # of the tuples so far, until they are enough to choose by
        self._tuples = 0
        self._named: dict[Class, tuple[Ready, ...]] = {}  # class -> the rules of which it holds a witness
        self._choose({})
        self._build_columns(table, set().union(*(ready.numbers for ready in rules)))
        self._memo: dict[tuple[Class, ...], tuple[Fired, ...]] = {}
        room.share(self._memo.clear)
        room.share(self._named.clear)

    def _build_columns(self, table: Table, mine: set[int]) -> None:
        by_field: dict[str, set[int]] = {}
        keywords: set[int] = set()
        self._pairs: list[tuple[str, str, Check, Class]] = []
        self._lists = table.lists
        self._listed: list[tuple[str, str, Class]] = []
        for number in sorted(mine):
            check = table.checks[number]
            if isinstance(check.predicate, SameAs) and check.field is not None:
                self._pairs.append((check.field, check.predicate.field, check, frozenset({number})))
            elif isinstance(check.predicate, Listed) and check.field is not None:
                self._listed.append((check.field, check.predicate.name, frozenset({number})))
            elif check.field is None:
                keywords.add(number)
            else:
                by_field.setdefault(check.field, set()).add(number)
        self._keywords = frozenset(keywords)
        self._spoken = table.keywords if keywords else None
        # Where no rule with keywords can fire, it makes no difference which of them an event has.
        self._spoken_in = table.sieve(ready for ready in self._rules if not keywords.isdisjoint(ready.numbers))
        self._columns = {
            name: Column(table.judge(name), frozenset(some), self._room) for name, some in by_field.items()
        }
        self._items = tuple(self._columns.items())

    def _choose(self, seen: Mapping[int, int]) -> None:
        """Choose witnesses that show seldom. `seen`: in how many of `LEARNT` tuples each check held."""
        common = self._table.commonness

        def rarity(number: int) -> float:
            return common[number] + seen.get(number, 0)

        self._by_witness: dict[int, list[Ready]] = {}
        self._always: list[Ready] = []
        for ready in self._rules:
            signs = ready.witness(rarity)
            if signs is None:
                self._always.append(ready)
            for number in signs or ():
                self._by_witness.setdefault(number, []).append(ready)
        self._signs = frozenset(self._by_witness)
        self._named.clear()

    @property
    def rules(self) -> Sequence[Rule]:
        return [ready.rule for ready in self._rules]

    def unmet(self, fields: Iterable[str]) -> str | None:
        """One of these fields that is asked by many patterns, and that no event of any origin has had yet."""
        return next((name for name in fields if name in self._columns and not self._table.judge(name).ready()), None)

    def fire(self, fields: Mapping[str, Value], doc: bytes | None = None) -> tuple[Fired, ...]:
        """The rules that fire on an event, and why. With `doc`, the JSON text that `fields` were read from, keywords cost less."""
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
            key += [
                number
                for name, other, check, number in self._pairs
                if name in fields and other in fields and satisfied(check, fields)
            ]
        if self._listed:
            key += self._on_lists(fields)
        if (
            self._spoken is not None
            and (doc is None or self._spoken_in.admits(doc, valid=True))
            and (found := self._keywords.intersection(self._spoken.judge(fields.values())))
        ):
            key.append(found)
        answer = self._memo.get(classes := tuple(key))
        return self._decide(classes) if answer is None else answer

    def _on_lists(self, fields: Mapping[str, Value]) -> list[Class]:
        org = fields.get("organization.id")
        owner = org if isinstance(org, str) else ""
        have = self._lists.have_any
        return [
            number
            for field, name, number in self._listed
            if (value := fields.get(field)) is not None and have(name, value, owner)
        ]

    def _decide(self, key: tuple[Class, ...]) -> tuple[Fired, ...]:
        if self._seen is not None:
            self._learn(NOTHING.union(*key))
        fired: list[Fired] = []
        if candidates := self._candidates(key):
            true = NOTHING.union(*key)
            for ready in candidates:
                try:
                    if ready.holds(true):
                        fired.append(Fired(ready.rule, self._because(ready, true)))
                except Exception as error:  # noqa: BLE001 - one rule: reported and stopped alone
                    self._broken(ready.rule, error)
        self._room.take(_ENTRY + 8 * len(key) + sum(_FIRED + 8 * len(one.because) for one in fired))
        self._memo[key] = answer = tuple(fired)
        return answer

    def _because(self, ready: Ready, true: Class) -> tuple[Check, ...]:
        return tuple(self._table.checks[n] for n in sorted(ready.because(true)))

    def _candidates(self, key: tuple[Class, ...]) -> Collection[Ready]:
        """Rules of which a witness holds: most classes are known, and name none."""
        named = self._named
        shown = [some for one in key if (some := named[one] if one in named else self._name(one))]
        if not shown:
            return self._always
        if len(shown) == 1 and not self._always:
            return shown[0]
        return dict.fromkeys(chain(self._always, *shown))

    def _name(self, one: Class) -> tuple[Ready, ...]:
        shown = self._signs & one
        found = tuple(dict.fromkeys(ready for number in shown for ready in self._by_witness[number])) if shown else ()
        self._named[one] = found
        self._room.take(_NAMED + 8 * len(found))
        return found

    def _learn(self, true: Class) -> None:
        assert self._seen is not None
        self._seen.update(true)
        self._tuples += 1
        if self._tuples == LEARNT:
            self._choose(self._seen)
            self._seen = None
