"""Letters that luqum would take for syntax, replaced one for one so that it does not; and what is not supported, refused.

A shielded letter is one of a private plane of Unicode, so that lengths and positions stay those of the text.
"""

from __future__ import annotations

from soc.errors import QueryError

MAX_DEPTH = 50

_PLANE = 0xF0000
_SHIELDED = "/':-"
_BACK = {_PLANE + ord(sign): sign for sign in _SHIELDED}


def unshield(text: str) -> str:
    return text.translate(_BACK)


def shield(text: str) -> str:
    """`text` as luqum reads it rightly. Raises `QueryError` for syntax that is not supported, and for what is never closed."""
    out = list(text)
    at = depth = 0
    fresh = True  # at the start of a word or of a value
    value = False  # after the colon of a field
    ranged = False  # between the brackets of a range
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            if at + 1 == len(text):
                raise QueryError("a backslash with nothing after it", at)
            at += 1
            fresh = False
        elif sign == '"':
            at = _closing_quote(text, at, fresh)
            fresh = True
        elif sign in "()[]{}" or sign.isspace():
            depth += (sign == "(") - (sign == ")")
            if depth > MAX_DEPTH:
                raise QueryError(f"more than {MAX_DEPTH} brackets inside one another", at)
            ranged = sign in "[{" or (ranged and sign not in "]}")
            fresh, value = True, False
        elif sign in "~^":
            what = "fuzzy and proximity searches (~)" if sign == "~" else "boosts (^)"
            raise QueryError(f"{what} are not supported; for the sign itself write \\{sign} or use quotes", at)
        elif sign == ":" and not value and not ranged and not text.startswith("//", at + 1):  # a URL names no field
            fresh = value = True
        elif fresh and sign == "!":
            raise QueryError("write NOT, or -, instead of !; for the sign itself use quotes", at)
        elif fresh and sign == "/" and _closed_slash(text, at):
            raise QueryError("regular expressions (/.../) are not supported; for a path use quotes", at)
        else:
            signed = sign == "-" and (ranged or text[at - 1 : at] in ("<", ">", "="))
            if sign == ":" or (fresh and (sign in "/'" or signed)):
                out[at] = chr(_PLANE + ord(sign))
            fresh = fresh and sign in "+-<>=" and not signed
        at += 1
    return "".join(out)


def _closing_quote(text: str, at: int, fresh: bool) -> int:
    if not fresh:
        raise QueryError('a quote inside a word; write \\" for the sign itself', at)
    end = at + 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise QueryError("this quote is never closed", at)
    return end


def _closed_slash(text: str, at: int) -> bool:
    """Whether the word that starts with the slash at `at` also ends with one, as a regular expression does."""
    end = at + 1
    while end < len(text) and not (text[end].isspace() or text[end] in "()[]{}"):
        end += 2 if text[end] == "\\" else 1
    return end > at + 1 and text[end - 1 : end] == "/"
