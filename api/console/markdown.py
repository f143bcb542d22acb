"""The Markdown that runbooks use: paragraphs, `-` and `1.` lists, **bold**, `code`. Escaped first, so nothing else gets through."""

from __future__ import annotations

import re
from itertools import groupby

from markupsafe import Markup, escape

_ITEM = re.compile(r"\s*(?:([-*])|\d{1,3}[.)])\s+(.*)")
_INLINE = re.compile(r"`([^`]{1,500})`|\*\*([^*]{1,500})\*\*")


def markdown(text: str) -> Markup:
    """A line under a list item that is indented belongs to the item."""
    blocks: list[tuple[str, str]] = []
    for line in text.strip().splitlines():
        if item := _ITEM.match(line):
            blocks.append(("ul" if item[1] else "ol", item[2]))
        elif not line.strip():
            blocks.append(("", ""))
        elif blocks and (blocks[-1][0] == "p" or (blocks[-1][0] and line[0].isspace())):
            blocks[-1] = (blocks[-1][0], f"{blocks[-1][1]} {line.strip()}")
        else:
            blocks.append(("p", line.strip()))
    # A blank line between two items of one list does not end it.
    kinds = [b for i, b in enumerate(blocks) if b[0] or not _inside_list(blocks, i)]
    return Markup("\n").join(
        _render(kind, [body for _, body in group]) for kind, group in groupby(kinds, lambda b: b[0])
    )


def _inside_list(blocks: list[tuple[str, str]], at: int) -> bool:
    before, after = (next((k for k, _ in part if k), "") for part in (blocks[at::-1], blocks[at:]))
    return before == after and before in ("ul", "ol")


def _render(kind: str, bodies: list[str]) -> Markup:
    if not kind:
        return Markup("")
    inner = "li" if kind in ("ul", "ol") else "p"
    # The text is escaped before any tag of ours is put around it.
    lines = Markup("").join(Markup(f"<{inner}>{_inline(str(escape(body)))}</{inner}>") for body in bodies)  # noqa: S704
    return lines if kind == "p" else Markup(f"<{kind}>{lines}</{kind}>")  # noqa: S704


def _inline(escaped: str) -> str:
    return _INLINE.sub(lambda m: f"<code>{m[1]}</code>" if m[1] else f"<strong>{m[2]}</strong>", escaped)
