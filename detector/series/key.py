"""What a series is of: the values of the fields that its definition groups by.

`FIELD:class` stands for the class of a status code: `2xx` of 200, nothing of what is no status.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from soc.model.event import Fields

Key = tuple[str, ...]
OTHER: Key = ()  # of definitions that group: all keys beyond the bound together
CLASS = ":class"
_LONGEST = 200  # characters of one value of a key
_SIGNS = re.compile(r"[^\w./%&;,=-]|^\W")  # that a search would take for more than letters
_CLASSES = tuple(f"{hundred}xx" for hundred in range(6))


def key_of(names: tuple[str, ...]) -> Callable[[Fields], Key]:
    if not names:
        return lambda _: OTHER
    parts = [_part(name) for name in names]
    if len(parts) == 1:
        part = parts[0]
        return lambda fields: (part(fields),)
    return lambda fields: tuple([part(fields) for part in parts])


def condition(name: str, value: str) -> str:
    """A search for the events of this value of a key."""
    field = name.removesuffix(CLASS)
    if field != name:
        low, high = (int(value[0]) * 100, int(value[0]) * 100 + 99) if value in _CLASSES[1:] else (100, 599)
        return f"{'' if value else 'NOT '}{field}:[{low} TO {high}]"
    if len(value) >= _LONGEST:
        return beginning(name, value)
    return f'{name}:"{quoted(value)}"' if value else f"NOT {name}:*"


def beginning(name: str, text: str) -> str:
    """A search for the values that begin so, as those that were cut do."""
    return f"{name}:{_SIGNS.sub(_plain, text)}*"


def quoted(text: str) -> str:
    """A value as it stands between quotation marks of a search."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _plain(sign: re.Match[str]) -> str:
    return "?" if sign[0].isspace() else f"\\{sign[0]}"  # outside of quotation marks a space would end the word


def _part(name: str) -> Callable[[Fields], str]:
    if name.endswith(CLASS):
        field = name.removesuffix(CLASS)
        return lambda fields: _class_of(fields.get(field))
    return lambda fields: _text(fields.get(name))


def _class_of(value: object) -> str:
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 100 <= value < 600:
        return _CLASSES[int(value) // 100]
    return ""


def _text(value: object) -> str:
    if isinstance(value, str):
        return value[:_LONGEST] if len(value) > _LONGEST else value
    if isinstance(value, list):
        return _text(value[0]) if value else ""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)[:_LONGEST]
