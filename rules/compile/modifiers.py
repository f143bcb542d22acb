"""Modifiers of the specification that pySigma 2.0 lacks, or takes more narrowly than it says. Importing this puts them in its table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sigma.exceptions import SigmaModifiedError, SigmaValueError
from sigma.modifiers import (
    SigmaBase64Modifier,
    SigmaBase64OffsetModifier,
    SigmaUTF16BEModifier,
    SigmaUTF16Modifier,
    SigmaValueModifier,
    SigmaWideModifier,
    modifier_mapping,
)
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    Placeholder,
    SigmaCasedString,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    type_map,
)

from rules.predicate import DASHES

_DASH = re.compile(f"[{DASHES}]")
_MAX_DASHES = 3  # 125 values
_BYTES = "latin-1"  # how bytes that are no text travel from one modifier to the next


class Windash(SigmaValueModifier[SigmaString, SigmaString | SigmaExpansion]):
    """Any of the dashes that Windows takes for each other, wherever one stands. The dashes of the value say so (`any_dash`) unless it
    becomes Base64: then there is a value for each permutation."""

    def modify(self, val: SigmaString) -> SigmaString | SigmaExpansion:
        if not any(map(_is_base64, self.detection_item.modifiers)):
            return val
        marked = val.replace_with_placeholder(_DASH, "_windash")
        count = sum(isinstance(part, Placeholder) and part.name == "_windash" for part in marked.s)
        if count > _MAX_DASHES:
            raise SigmaModifiedError(
                f"windash with {count} dashes in one value for Base64; at most {_MAX_DASHES}: write several values"
            )

        def dashes(found: Placeholder) -> Iterator[str | Placeholder]:
            yield from DASHES if found.name == "_windash" else (found,)

        return SigmaExpansion(list(marked.replace_placeholders(dashes)))


def any_dash(item: SigmaDetectionItem) -> bool:
    """Whether each dash of its values stands for any other."""
    return Windash in item.modifiers and not any(map(_is_base64, item.modifiers))


def _is_base64(modifier: type[object]) -> bool:
    return issubclass(modifier, SigmaBase64Modifier | SigmaBase64OffsetModifier)


_Comparable = SigmaString | SigmaRegularExpression | SigmaFieldReference


class Cased(SigmaValueModifier[_Comparable, _Comparable]):
    """Regular expressions are case-sensitive as they are; of references to fields the compiler sees to it (`is_cased`)."""

    def modify(self, val: _Comparable) -> _Comparable:
        return SigmaCasedString.from_sigma_string(val) if isinstance(val, SigmaString) else val


def is_cased(item: SigmaDetectionItem) -> bool:
    return Cased in item.modifiers


class Base64Offset(SigmaBase64OffsetModifier):
    """Without the offsets of which no letter is the value's own: a short one has none at some, and nothing would be found everywhere."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        return SigmaExpansion([one for one in super().modify(val).values if isinstance(one, SigmaString) and len(one)])


class Whole(SigmaNumber):
    """An integer as it is written: pySigma rounds those beyond 2**53 to what a float holds."""

    def __post_init__(self, init_number: int) -> None:
        super().__post_init__(init_number)
        self.number = init_number


class _Encoded(SigmaString):
    """A value of bytes, each as the character of its number."""

    def __bytes__(self) -> bytes:
        return "".join(part for part in self.s if isinstance(part, str)).encode(_BYTES)


class _Encoding(SigmaValueModifier[SigmaString, SigmaString]):
    """UTF-16 of letters beyond ASCII, for Base64 to follow: pySigma refuses them. What no Base64 follows must be ASCII."""

    codec = "utf-16-le"
    mark = b""
    plain: type[SigmaValueModifier[SigmaString, SigmaString]] = SigmaWideModifier

    def modify(self, val: SigmaString) -> SigmaString:
        following = self.detection_item.modifiers[len(self.applied_modifiers) + 1 :]
        if not any(map(_is_base64, following)):
            return self.plain(self.detection_item, self.applied_modifiers, self.source).modify(val)
        if not all(isinstance(part, str) for part in val.s):
            raise SigmaValueError("Base64 encoding of strings with wildcards is not allowed")
        encoded = _Encoded()
        encoded.s = [(self.mark + "".join(map(str, val.s)).encode(self.codec)).decode(_BYTES)]
        return encoded


class Wide(_Encoding):
    pass


class Utf16Be(_Encoding):
    codec = "utf-16-be"
    plain = SigmaUTF16BEModifier


class Utf16(_Encoding):
    mark = b"\xff\xfe"
    plain = SigmaUTF16Modifier


modifier_mapping.update(
    {
        "windash": Windash, "cased": Cased, "base64offset": Base64Offset, "wide": Wide, "utf16le": Wide, "utf16be": Utf16Be,
        "utf16": Utf16,
    }
)  # fmt: skip
type_map[int] = Whole

_OF_TEXT = frozenset(
    ["contains", "startswith", "endswith", "re", "cased", "windash", "base64", "base64offset", "wide", "utf16le", "utf16be", "utf16"]
)  # fmt: skip


def spelt(search: object) -> object:
    """A search identifier in which numbers and booleans under modifiers of text are the texts that they are written as."""
    if isinstance(search, list):
        return [spelt(one) for one in search]
    if isinstance(search, dict):
        return {key: _text(value) if _of_text(key) else value for key, value in search.items()}
    return search


def _of_text(key: object) -> bool:
    return isinstance(key, str) and not _OF_TEXT.isdisjoint(key.split("|")[1:])


def _text(value: object) -> object:
    if isinstance(value, list):
        return [_text(one) for one in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
