"""The lists that hold now, as rules ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rules.predicate import texts
from soc.model.event import Value
from soc.model.indicator import ListType


class Index(Protocol):
    """One list: `rules.lists.index.Index`."""

    name: str
    type: ListType

    def until(self, text: str) -> int: ...

    def find(self, text: str, now: int) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Hit:
    """`version`: the hash of what was in the list then."""

    list: str
    type: ListType
    entry: str
    version: str


@dataclass(slots=True)
class _Named:
    everyone: Index | None = None
    own: dict[str, Index] = field(default_factory=dict)


class Lists:
    """Asked by name. A list of one organisation counts for its events alone, beside the one of that name for all.

    The object stays and what it knows is changed (`use`): between two batches, by the thread that runs the rules.
    """

    def __init__(self, lists: Iterable[tuple[str, str, Index]] = (), now: int = 0) -> None:
        self.use(lists, now)

    def use(self, lists: Iterable[tuple[str, str, Index]], now: int) -> None:
        """`lists`: (name, organisation or empty, list). `now`: s since 1970; entries that are over then do not count."""
        known: dict[str, _Named] = {}
        for name, org, index in lists:
            named = known.setdefault(name, _Named())
            if org:
                named.own[org] = index
            else:
                named.everyone = index
        self._known: Mapping[str, _Named] = known
        self.revision: object = known  # another object whenever this is called
        self.names = frozenset(known)
        self.now = now

    def untils(self, name: str) -> list[Callable[[str], int]]:
        """Of every list of this name, whosever it is."""
        named = self._known.get(name)
        if named is None:
            return []
        return [index.until for index in (*((named.everyone,) if named.everyone else ()), *named.own.values())]

    def about(self, names: Iterable[str]) -> list[str]:
        """The versions of these lists: what the rules find depends on nothing else of them."""
        found = []
        for name in sorted(names):
            if named := self._known.get(name):
                everyone = [named.everyone.name] if named.everyone else []
                found += [name, *everyone, *(f"{org} {index.name}" for org, index in sorted(named.own.items()))]
        return found

    def there(self, names: Iterable[str], org: str) -> bool:
        """Whether this organisation has a list of each of these names, its own or the one for all."""
        known = [self._known.get(name) for name in names]
        return all(named is not None and (named.everyone is not None or org in named.own) for named in known)

    def have(self, name: str, text: str, org: str | None) -> bool:
        """Whether the list holds this value. `org` None: for any organisation."""
        named = self._known.get(name)
        if named is None:
            return False
        if named.everyone is not None and named.everyone.until(text) > self.now:
            return True
        if not named.own:
            return False
        if org is None:
            return any(index.until(text) > self.now for index in named.own.values())
        own = named.own.get(org)
        return own is not None and own.until(text) > self.now

    def have_any(self, name: str, value: Value, org: str | None) -> bool:
        """As `have`, of any text of the value."""
        if isinstance(value, str):
            return self.have(name, value, org)
        return any(self.have(name, text, org) for text in texts(value))

    def find(self, name: str, value: Value, org: str | None) -> Hit | None:
        """By what a value is on the list."""
        named = self._known.get(name)
        if named is None:
            return None
        own = named.own.get(org) if org is not None else None
        for text in texts(value):
            for index in (own, named.everyone):
                if index is not None and (entry := index.find(text, self.now)):
                    return Hit(name, index.type, entry, index.name)
        return None
