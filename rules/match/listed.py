"""Which events a list may have something to say about, told from their JSON text: the values at the fields that matter are read out of it.

Names count by their end, as objects may be around them (`rules.match.patterns.key`); so a value of another field may be read as well, which
lets an event through for nothing. What cannot be read lets it through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import orjson

from rules.lists.known import Lists
from rules.match.patterns import OnList
from soc.model.event import Value

_TEXT = rb'"(?:[^"\\]|\\.)*+"'
_VALUE = rb"(" + _TEXT + rb"|\[(?:[^][{}\"]|" + _TEXT + rb")*+\]|[^\s,\]}]+)"


class Listings:
    """For all rules that may apply to an event."""

    def __init__(self, asked: Iterable[OnList], lists: Lists) -> None:
        self._lists = lists
        by_field: dict[str, set[str]] = {}
        for field, name in asked:
            by_field.setdefault(field, set()).add(name)
        self._of_source = sorted(by_field.get("source.ip", ()))
        self._others = [(_value_of(field), sorted(names)) for field, names in by_field.items() if field != "source.ip"]
        self._source = _value_of("source.ip")
        self._known: object = None  # of which the next are
        self._untils: list[Callable[[str], int]] = []

    def admit(self, doc: bytes, source_ip: str | None = None) -> bool:
        """`source_ip`: the text at that field, where it is known."""
        if self._of_source:
            if source_ip is None:
                if self._found(self._source, doc, self._of_source):
                    return True
            else:
                lists = self._lists
                if self._known is not lists.revision:
                    self._known = lists.revision
                    self._untils = [until for name in self._of_source for until in lists.untils(name)]
                for until in self._untils:
                    if until(source_ip) > lists.now:
                        return True
        for pattern, names in self._others:  # noqa: SIM110 - a generator costs more than what it asks
            if self._found(pattern, doc, names):
                return True
        return False

    def _found(self, pattern: re.Pattern[bytes], doc: bytes, names: list[str]) -> bool:
        for spelt in pattern.findall(doc):
            try:
                value: Value = orjson.loads(spelt)
            except ValueError:
                return True
            if any(self._lists.have_any(name, value, None) for name in names):
                return True
        return False


def _value_of(field: str) -> re.Pattern[bytes]:
    last = field.rpartition(".")[2].encode()
    return re.compile(re.escape(last) + rb'"\s*:\s*' + _VALUE, re.DOTALL)
