"""Marking what made a rule fire, inside the raw line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup, escape

from soc.model.event import Value

_MOST_MARKS = 50
ASKED = "govsoc.correlation.asked"  # what was laid down in place of what the text of the rule asks for
COUNTED = "govsoc.correlation."  # how much a correlation counted: about many lines, in none of them


def mark(line: str, matched: Mapping[str, Value] | None = None) -> Markup:
    """The escaped line with each matched value in `<mark>`, wherever it stands as a whole word. Longer values win."""
    held = (value for name, value in (matched or {}).items() if not name.startswith(COUNTED))
    values = sorted(_texts(held), key=len, reverse=True)
    spans: list[tuple[int, int]] = []
    for value in values:
        start = line.find(value)
        while start >= 0 and len(spans) < _MOST_MARKS:
            end = start + len(value)
            if _whole(line, start, end) and not any(start < e and s < end for s, e in spans):
                spans.append((start, end))
            start = line.find(value, end)
    out, at = Markup(""), 0
    for start, end in sorted(spans):
        out += escape(line[at:start]) + Markup("<mark>") + escape(line[start:end]) + Markup("</mark>")
        at = end
    return out + escape(line[at:])


def _texts(values: Iterable[Value]) -> set[str]:
    flat = (part for value in values for part in (value if isinstance(value, list) else [value]))
    return {str(part) for part in flat if part is not None and not isinstance(part, bool) and len(str(part)) > 1}


def _whole(line: str, start: int, end: int) -> bool:
    """Whether the span does not cut a word or a number in two."""
    before, first, last, after = line[start - 1 : start], line[start], line[end - 1], line[end : end + 1]
    return not (before.isalnum() and first.isalnum()) and not (last.isalnum() and after.isalnum())
