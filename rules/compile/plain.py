"""Frozen dataclasses as plain JSON data and back, every value checked on reading against the type that its field declares.

An object becomes `[name of its class, its fields ...]`; the checks of conditions, of which rules share many, become numbers of a
table beside it, in which each is a text of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import orjson

from rules.condition import Check

# From plain data, with the table of checks that its numbers mean. Raises ValueError or TypeError for anything else than it expects.
Reader = Callable[[Any, Sequence[Check]], Any]

_TEXTUAL: Mapping[type, Callable[[str], object]] = {IPv4Network: IPv4Network, IPv6Network: IPv6Network}
_INT64 = 1 << 63


class Writer:
    """Collects the table of checks while it writes."""

    def __init__(self) -> None:
        self._checks: dict[Check, int] = {}

    def plain(self, value: object) -> object:
        """Raises TypeError for what cannot be written."""
        if isinstance(value, Check):
            return self._checks.setdefault(value, len(self._checks))
        return self._plain(value)

    def _plain(self, value: object) -> object:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, Enum):  # before str: some are both
            return [type(value).__name__, value.value]
        if isinstance(value, str):
            return value
        if isinstance(value, int):
            return value if -_INT64 <= value < _INT64 else ["int", str(value)]
        if isinstance(value, tuple | list):
            return [self.plain(one) for one in value]
        if isinstance(value, Mapping):
            return {self.plain(key): self.plain(one) for key, one in value.items()}
        if type(value) in _TEXTUAL:
            return [type(value).__name__, str(value)]
        if is_dataclass(value):
            return [type(value).__name__, *(self.plain(getattr(value, one.name)) for one in fields(value))]
        raise TypeError(f"{type(value).__name__} cannot be written")

    @property
    def checks(self) -> list[str]:
        return [orjson.dumps(self._plain(check)).decode() for check in self._checks]


def reader(wanted: Any) -> Reader:
    """For a type, or a union of them. Raises TypeError for one that it cannot read."""
    return _reader(wanted, {})


def _reader(hint: Any, known: dict[Any, Reader]) -> Reader:
    if hint not in known:
        # A type may hold itself: until it is made, its reader is asked for by name.
        known[hint] = lambda value, checks: known[hint](value, checks)
        known[hint] = _made(hint, known)
    return known[hint]


def _made(hint: Any, known: dict[Any, Reader]) -> Reader:
    origin, args = get_origin(hint), get_args(hint)
    if hint in (str, int, bool, float, NoneType):
        return _exactly(hint)
    if origin is Literal:
        return _one_of(args)
    if origin is tuple:
        return _tuple(_reader(args[0], known)) if args[1:] == (...,) else _pair([_reader(arg, known) for arg in args])
    if origin is Mapping:
        return _mapping(_reader(args[1], known))
    if origin in (Union, UnionType):
        return _union(args, known)
    if hint in _TEXTUAL:
        return _tagged(hint.__name__, lambda value, _: _TEXTUAL[hint](_text(value)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member({(hint.__name__, one.value): one for one in hint})
    if is_dataclass(hint):
        return _object(hint, known)
    raise TypeError(f"{hint} cannot be read")


def _exactly(wanted: type) -> Reader:
    def read(value: Any, checks: Sequence[Check]) -> Any:  # noqa: ARG001
        if value.__class__ is not wanted:
            raise TypeError(f"{wanted.__name__} expected")
        return value

    return read


def _one_of(choices: tuple[object, ...]) -> Reader:
    def read(value: Any, checks: Sequence[Check]) -> Any:  # noqa: ARG001
        if value not in choices:
            raise ValueError("not one of the choices")
        return value

    return read


def _tuple(of: Reader) -> Reader:
    def read(value: Any, checks: Sequence[Check]) -> Any:
        if value.__class__ is not list:
            raise TypeError("list expected")
        return tuple([of(one, checks) for one in value])

    return read


def _pair(of: Sequence[Reader]) -> Reader:
    def read(value: Any, checks: Sequence[Check]) -> Any:
        return tuple([one(part, checks) for one, part in zip(of, value, strict=True)])

    return read


def _mapping(of: Reader) -> Reader:
    def read(value: Any, checks: Sequence[Check]) -> Any:
        return {key: of(one, checks) for key, one in value.items()}

    return read


def _union(hints: tuple[Any, ...], known: dict[Any, Reader]) -> Reader:
    """By the class of the plain value; of lists by the name that they begin with."""
    bare = {hint: _reader(hint, known) for hint in hints if hint in (str, int, bool, float, NoneType)}
    named = {hint.__name__: _reader(hint, known) for hint in hints if isinstance(hint, type) and hint not in bare}
    if int in bare:
        named["int"] = _tagged("int", lambda value, _: int(_text(value)))
    others = [_reader(hint, known) for hint in hints if hint not in bare and not isinstance(hint, type)]

    def read(value: Any, checks: Sequence[Check]) -> Any:
        kind = value.__class__
        if kind is int and "Check" in named:
            return named["Check"](value, checks)
        if kind in bare:
            return value
        if kind is list and value and value[0].__class__ is str and value[0] in named:
            return named[value[0]](value, checks)
        if len(others) == 1:
            return others[0](value, checks)
        raise TypeError("unexpected value")

    return read


def _member(members: Mapping[tuple[str, object], Enum]) -> Reader:
    def read(value: Any, checks: Sequence[Check]) -> Any:  # noqa: ARG001
        tag, inner = value
        return members[tag, inner]

    return read


def _tagged(name: str, of: Reader) -> Reader:
    def read(value: Any, checks: Sequence[Check]) -> Any:
        tag, inner = value
        if tag != name:
            raise ValueError(f"{name} expected")
        return of(inner, checks)

    return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _object(wanted: Any, known: dict[Any, Reader]) -> Reader:
    hints = get_type_hints(wanted)
    readers = [_reader(hints[one.name], known) for one in fields(wanted)]
    size, name = len(readers) + 1, wanted.__name__

    def expect(value: Any) -> None:
        if len(value) != size or value[0] != name:
            raise ValueError(f"{name} expected")

    def read(value: Any, checks: Sequence[Check]) -> Any:
        expect(value)
        return wanted(*[of(part, checks) for of, part in zip(readers, value[1:], strict=True)])

    def read_check(value: Any, checks: Sequence[Check]) -> Any:
        if value.__class__ is int and value >= 0:
            return checks[value]
        return read_two(value, checks)

    def read_two(value: Any, checks: Sequence[Check]) -> Any:
        expect(value)
        return wanted(first(value[1], checks), second(value[2], checks))

    if size != 3:
        return read
    first, second = readers  # most of what there is: checks, and what they ask
    return read_check if wanted is Check else read_two
