"""The mapping of our own fields, made from the table of docs/fields.md: what is documented and what is indexed cannot differ."""

from __future__ import annotations

import re
from typing import get_args

from soc.store.elastic.events.field_type import Type

MODULE = "soc/store/elastic/events/own_fields.py"
PAGE = "docs/fields.md"
_ROW = re.compile(r"\| `(govsoc\.[^`]*)` \| ([^|]*?)(?: list)? \|")
_HEAD = '''"""Our own fields and their types. Made by `make docs` from the table of docs/fields.md: change that, not this."""

from __future__ import annotations

from soc.store.elastic.events.field_type import Type

OWN: dict[str, Type] = {
'''


def module(page: str) -> str:
    """The text of `MODULE` for a text of `PAGE`. Raises `SystemExit` with the line of a row that cannot be meant."""
    types: dict[str, str] = {}
    for number, line in enumerate(page.splitlines(), 1):
        if not line.startswith("| `govsoc."):
            continue
        row = _ROW.match(line)
        field, kind = row.groups() if row else ("", "")
        if kind not in get_args(Type):
            raise SystemExit(f"{PAGE}:{number}: {kind!r} is none of the types {', '.join(get_args(Type))}")
        if field in types:
            raise SystemExit(f"{PAGE}:{number}: {field} has a row already")
        types[field] = kind
    return "".join((_HEAD, *(f'    "{field}": "{kind}",\n' for field, kind in types.items()), "}\n"))
