"""One spelling for letters that people take for the same: `Hưng Yên`, `HUNG YEN` and `hung yen`.

Folding is what makes search find Vietnamese typed without marks. It decomposes (Unicode NFD, so that composed and decomposed
text are equal), drops the combining marks U+0300 to U+036F, turns the barred d, which Unicode does not decompose, into d,
and casefolds.
"""

from __future__ import annotations

import re
import unicodedata

_MARKS = re.compile("[\u0300-\u036f]+")
# Three letters that look alike and are mixed up in practice: U+0110 Vietnamese, U+00D0 eth, U+0189 African.
_BARRED_D = re.compile("[đĐðÐɖƉ]")


def fold(text: str) -> str:
    """`text` without case and without diacritics; folding twice changes nothing."""
    if text.isascii():  # most of a log, and fifty times as fast
        return text.lower()
    return _BARRED_D.sub("d", _MARKS.sub("", unicodedata.normalize("NFD", text))).casefold()
