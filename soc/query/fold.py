"""One spelling for letters that people take for the same: `Hưng Yên`, `HUNG YEN` and `hung yen`.

Folding is what makes search find Vietnamese typed without marks. It decomposes (Unicode NFD), drops the combining marks
U+0300 to U+036F, turns the barred d (which Unicode does not decompose) into d, and casefolds. It works letter by letter,
so a folded part of a text is a part of the folded text.
"""

from __future__ import annotations

import unicodedata

# Đ has three code points that look alike and are mixed up in practice: U+0110 Vietnamese, U+00D0 eth, U+0189 African.
_TABLE: dict[int, str | None] = {**dict.fromkeys(map(ord, "đĐðÐɖƉ"), "d"), **dict.fromkeys(range(0x300, 0x370))}


def fold(text: str) -> str:
    """`text` without case and without diacritics; folding twice changes nothing."""
    if text.isascii():  # most of a log, and ten times as fast
        return text.lower()
    return unicodedata.normalize("NFD", text).translate(_TABLE).casefold()
