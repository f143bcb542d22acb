"""Text from logs made fit for a line of a message: nothing in it can end the line, hide or turn around what follows."""

from __future__ import annotations

import unicodedata

_CONTROL = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def line(text: str, longest: int = 200) -> str:
    """One line: control characters, line ends, marks of direction and invisible signs become visible `\\u202e`. Cut where it is longer."""
    shown = "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _CONTROL else c for c in text[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def subject(text: str, longest: int = 150) -> str:
    """A line for the header of a mail, where `=?` would begin text in another encoding."""
    return line(text.replace("=?", "= ?"), longest)
