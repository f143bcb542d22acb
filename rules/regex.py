r"""Reading regular expressions of RE2's syntax as far as needed: their anchors, outside of classes and escapes."""

from __future__ import annotations

import re
from functools import lru_cache

# \Q...\E · \x{1F600} · \pN, \p{Greek} · \A, \z, \b, any other escape · [...] with its own escapes and [:classes:] · an anchor
_TOKEN = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\[Az]|\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|(?P<anchor>[\^$])|.",
    re.DOTALL,
)


def without_anchors(regex: str) -> str:
    r"""The expression without `^`, `$`, `\A` and `\z`: it is found wherever the value that the whole one matches is found.

    `\b` and `\B` stay: what surrounds a value in JSON is no letter, as its beginning and end are none.
    """
    return "".join(
        "(?:)" if token["anchor"] or token[0] in (r"\A", r"\z") else _closed(token[0])
        for token in _TOKEN.finditer(regex)
    )


_MULTILINE = re.compile(r"\(\?[a-zA-Z]*m")


@lru_cache(maxsize=4096)
def before_last_break(regex: str) -> str:
    r"""The expression in which a `$` holds before a last line break, too, as rule authors know it (PCRE); RE2's is `\z`."""
    if "$" not in regex or _MULTILINE.search(regex):  # there it holds before every line break
        return regex
    found = [token[0] for token in _TOKEN.finditer(regex)]
    ends = ("$", ""), ("$", ")"), ("$", "|")
    return "".join(r"(?:\n?\z)" if pair in ends else pair[0] for pair in zip(found, [*found[1:], ""], strict=True))


def _closed(token: str) -> str:
    """A quotation may be open at the end; it must not swallow what the expression is put into."""
    return token + r"\E" if token.startswith(r"\Q") and not token.endswith(r"\E") else token


# Escapes whose meaning is the same to RE2 and to Hyperscan.
_SHARED = frozenset("ABDEQWabdfnrtwxz")
_SPACE = r"\t\n\f\r "  # RE2's \s: for Hyperscan the vertical tab is one, too


def for_hyperscan(regex: str) -> str | None:
    """The expression of RE2 in words that Hyperscan reads alike on ASCII texts without line feeds; None where there are none."""
    if not regex.isascii() or "\0" in regex:
        return None  # it would read bytes, and end at a NUL
    parts = []
    for token in _TOKEN.finditer(regex):
        text = token[0]
        if text == r"\s":
            text = f"[{_SPACE}]"
        elif text == r"\S":
            text = f"[^{_SPACE}]"
        elif text.startswith("[") and len(text) > 1:
            text = re.sub(r"\\(.)", lambda escape: _SPACE if escape[1] == "s" else escape[0], text, flags=re.DOTALL)
        if not text.startswith(r"\Q") and any(one.isalnum() and one not in _SHARED for one in _ESCAPED.findall(text)):
            return None
        parts.append(text)
    return "".join(parts)


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
