"""What the product says no with, in the reader's language.

Errors and the collector's reasons are English where they are raised and stored: the API, the commands and the logs have them so. Here
they are put into the language of a page, by templates from `locales/<language>/said.po`: `there is no alert %(id)s`. What stands for a
placeholder is carried over; that of `%(our_...)s` is a text of ours again, and translated in turn: a name that somebody chose is not,
though it may be a word of ours. A text that is not known stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from babel.messages.pofile import read_po

from api.console.language import LOCALES

PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_LONGEST = 4000  # a longer text stays as it is
_DEEPEST = 8  # of texts inside one another


class Said:
    """`messages`: English templates to those of the language."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        self._whole = {text: words for text, words in messages.items() if not PLACEHOLDER.search(text)}
        # The one with the most words of its own comes first: it says more exactly what was meant.
        self._templates = sorted(
            (_Template(text, words) for text, words in messages.items() if text not in self._whole),
            key=lambda template: -template.weight,
        )

    def __call__(self, text: object) -> str:
        """`text`: a text or an error. Takes time linear in its length, for each template and each text inside another."""
        plain = str(text)
        return self._in_language(plain, _DEEPEST) if len(plain) <= _LONGEST else plain

    def _in_language(self, text: str, depth: int) -> str:
        if text in self._whole or depth == 0:
            return self._whole.get(text, text)
        for template in self._templates:
            if (given := template.read(text)) is not None:
                ours = {name: self._in_language(given[name], depth - 1) for name in given if name.startswith("our_")}
                return template.say(given | ours)
        return text


class _Template:
    def __init__(self, text: str, words: str) -> None:
        parts = PLACEHOLDER.split(text)  # what is said, a name, what is said, ...
        self._said, self._names, self._words = parts[::2], parts[1::2], words
        self.weight = sum(map(len, self._said))

    def read(self, text: str) -> dict[str, str] | None:
        """What stands for the placeholders, each as short as can be; None where it is another text."""
        first, *between, last = self._said
        end = len(text) - len(last)
        if not text.startswith(first) or not text.endswith(last):
            return None
        at, found = len(first), []
        for said in between:
            if (after := text.find(said, at, end)) < 0:
                return None
            found.append(text[at:after])
            at = after + len(said)
        return dict(zip(self._names, [*found, text[at:end]], strict=True)) if at <= end else None

    def say(self, given: Mapping[str, str]) -> str:
        return PLACEHOLDER.sub(lambda name: given[name[1]], self._words)


@cache
def load_said(language: str) -> Said:
    """English, in which all is said, needs no templates."""
    file = LOCALES / language / "said.po"
    return Said(said_messages(language)) if file.exists() else Said({})


def said_messages(language: str) -> dict[str, str]:
    with (LOCALES / language / "said.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale=language) if message.id}
