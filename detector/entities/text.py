"""Values as they are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import cast

MAX_VALUE = 160  # characters of a value; of a longer one there is the beginning and a digest
TOGETHER = " + "  # between several values that are one entity
_CUT = re.compile(r"(.+)\.{3}[0-9a-f]{12}", re.DOTALL)
MAX_LIST = 16  # values of a list
_NUMBER = re.compile(r"(\d{1,15})(\D{0,12})\Z", re.ASCII)  # /ho-so/H27.55-260301-0012, ma-12.pdf
Values = list[tuple[int, str]]  # place of the field, text


def kept(value: object) -> str:
    """One scalar as text, of bounded length; equal texts for equal values."""
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) <= MAX_VALUE:
        return text
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=6).hexdigest()
    return f"{text[: MAX_VALUE - 16]}...{digest}"


def cut(text: str) -> str | None:
    """What a value began with that was too long to be kept, or the last of several that were together; None where it is whole."""
    found = _CUT.fullmatch(text)
    return found[1] if found else None


def apart(text: str, count: int) -> Iterator[tuple[str, ...]]:
    """So many values that are together in this text: each way to tell them apart, of which there are several where one has the sign
    between them itself."""
    if count == 1:
        yield (text,)
        return
    at = text.find(TOGETHER, 1)
    while at > 0:
        for others in apart(text[at + len(TOGETHER) :], count - 1):
            yield (text[:at], *others)
        at = text.find(TOGETHER, at + 1)


def texts(values: Iterable[object]) -> Values:
    """The values of one event as they are kept, of one field after the other; None where it has none. Of a list each once."""
    found: Values = []
    for at, value in enumerate(values):
        if value is None or value == "":
            continue
        if value.__class__ is str and len(value) <= MAX_VALUE:
            found.append((at, value))
        elif value.__class__ is list:
            found += [(at, text) for text in several(cast("list[object]", value))]
        elif value.__class__ is not dict:
            found.append((at, kept(value)))
    return found


def beside(text: str) -> str | None:
    """The text whose last number is one more; None where there is no number. Leading zeros stay."""
    found = _NUMBER.search(text)
    if found is None:
        return None
    digits, rest = found.groups()
    width = len(digits) if digits[0] == "0" else 1
    return f"{text[: found.start()]}{int(digits) + 1:0{width}d}{rest}"


def several(values: list[object]) -> Iterator[str]:
    """Those of a list, each once; what is no scalar is left out."""
    seen = {kept(value) for value in values[:MAX_LIST] if isinstance(value, str | int | float)}
    return iter(sorted(seen))
