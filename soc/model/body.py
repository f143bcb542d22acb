"""What people laid down, read field by field: whatever is wrong is said with its place and its name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import NoReturn, TypeVar

from soc.errors import ConfigError

E = TypeVar("E", bound=StrEnum)

_LONGEST = 400
_MOST = 1000
_FIRST_YEAR, _LAST_YEAR = 1900, 2199  # so that it can be counted with


class Body:
    """`where` names the place for people: `communes.csv line 12`, `source portal`. Every reading raises `ConfigError`.

    What is None or an empty text counts as not given.
    """

    def __init__(self, where: str, fields: Mapping[str, object]) -> None:
        self._where = where
        self._fields = {name: value for name, value in fields.items() if value is not None and value != ""}

    def only(self, *names: str) -> None:
        """A field that nobody reads is most often a known one spelled wrongly."""
        for name in self._fields.keys() - set(names):
            self.refuse(name, f"is not known here; known are {', '.join(names)}")

    def text(self, name: str, default: str | None = "") -> str:
        """`default` None: it has to be there."""
        value = self._fields.get(name, default)
        if value is None or (default is None and isinstance(value, str) and not value.strip()):
            self.refuse(name, "is missing")
        if not isinstance(value, str):
            self.refuse(name, "has to be a text")
        if len(value) > _LONGEST:
            self.refuse(name, f"has {len(value)} letters, {_LONGEST} at most")
        return value.strip()

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self._fields.get(name, default)
        if type(value) is not int or not low <= value <= high:
            self.refuse(name, f"has to be a whole number from {low} to {high}")
        return value

    def choice(self, name: str, choices: type[E], default: E | None = None) -> E:
        text = self.text(name, default)
        try:
            return choices(text)
        except ValueError:
            return self.refuse(name, f"is {text!r}, and has to be one of {', '.join(choices)}")

    def day(self, name: str) -> date | None:
        return self._day(name, self._fields[name]) if name in self._fields else None

    def days(self, name: str) -> frozenset[date]:
        return frozenset(self._day(name, value) for value in self.texts(name))

    def texts(self, name: str) -> list[str]:
        value = self._fields.get(name, [])
        if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(one, str) for one in value):
            self.refuse(name, f"has to be a list of at most {_MOST} texts")
        return value

    def _day(self, name: str, value: object) -> date:
        try:
            day = value if type(value) is date else date.fromisoformat(str(value).strip())  # TOML has dates of its own
        except ValueError:
            self.refuse(name, f"is {value!r}, and has to be a day such as 2025-07-01")
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            self.refuse(name, f"is {day}, and has to be in the years {_FIRST_YEAR} to {_LAST_YEAR}")
        return day

    def refuse(self, name: str, why: str) -> NoReturn:
        raise ConfigError(f"{self._where}: {name} {why}")
