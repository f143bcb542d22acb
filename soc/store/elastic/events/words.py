"""Finding text inside running text by the words of the index, of any part of a word.

The standard tokenizer (Unicode's word boundaries) cuts a line into words. Whatever it does elsewhere, a run of ASCII letters,
digits and underscores is never cut, nor are two such runs with a dot between two letters or two digits. So a text that is
looked for is taken apart into such *atoms*, and each of them is a word of the line, or the start, the end or the middle of one:
which, is known from the sign beside it, for most signs always end a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from soc.store.elastic.events.added import OVERLAP

Json = dict[str, Any]

# `wp_login.php`, `203.0.113.7`
_ATOM = re.compile(r"[a-z0-9_]+(?:(?:(?<=[a-z])\.(?=[a-z])|(?<=[0-9])\.(?=[0-9]))[a-z0-9_]+)*")
# Signs that may stand inside a word; all others of ASCII end it.
_INSIDE = ".,;:'"


@dataclass(frozen=True, slots=True)
class Atom:
    """Part of a word; `starts`: the word starts with it, `ends`: it ends with it."""

    text: str
    starts: bool = False
    ends: bool = False

    def clause(self, field: str) -> Json:
        if self.starts:
            return {"term" if self.ends else "prefix": {field: self.text}}
        return {"wildcard": {field: f"*{self.text}" if self.ends else f"*{self.text}*"}}

    @property
    def worth(self) -> tuple[bool, bool, int]:
        """How few lines it is expected to leave. A word from its start on is looked up; any other walks through all words."""
        return self.starts and len(self.text) > 2, self.ends, len(self.text)


def atoms(text: str) -> list[Atom]:
    """Of folded text that stands somewhere inside a line."""
    found = []
    for match in _ATOM.finditer(text):
        start, end = match.span()
        if match[0].strip("_"):
            cut = match[0][:OVERLAP]
            found.append(
                Atom(cut, _is_break(text[start - 1 : start]), _is_break(text[end : end + 1]) and cut == match[0])
            )
    return found


def is_atom(text: str) -> bool:
    """Whether the text is one atom, so that a line has it wherever a word of the line has it."""
    return len(text) <= OVERLAP and _ATOM.fullmatch(text) is not None and text.strip("_") != ""


def best(found: list[Atom], most: int) -> list[Atom]:
    """Those to look for: at most so many, first what is looked up and long. A frequent one alone would leave too many lines."""
    return sorted(
        {atom for atom in found if atom.starts or len(atom.text) > 1}, key=lambda atom: atom.worth, reverse=True
    )[:most]


def _is_break(sign: str) -> bool:
    return sign != "" and sign.isascii() and not sign.isalnum() and sign not in _INSIDE and sign != "_"
