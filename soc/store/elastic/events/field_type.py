"""The types of fields in the index. docs/fields.md says the same for people, and `mapping` what each is to the server."""

from __future__ import annotations

from typing import Literal

Type = Literal[
    "keyword",  # compared whole; sorted and counted
    "wide keyword",  # of many different values that nobody counts: it costs no column
    "text",  # running text: searched inside (soc.query.ast.TEXT_FIELDS)
    "long",
    "double",
    "ip",
    "date",
    "boolean",
]
