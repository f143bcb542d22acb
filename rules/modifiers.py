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
from sigma.types import Placeholder, SigmaCasedString, SigmaExpansion, SigmaRegularExpression, SigmaString

_DASHES = "-/–—―"
_DASH = re.compile(rf"\B[{_DASHES}]\b")
_MAX_DASHES = 3  # 125 values
_BYTES = "latin-1"  # how bytes that are no text travel from one modifier to the next


class Windash(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """Any of the five dashes that Windows takes for each other, in all permutations; whichever of them the rule was written with."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        marked = val.replace_with_placeholder(_DASH, "_windash")
        count = sum(isinstance(part, Placeholder) and part.name == "_windash" for part in marked.s)
        if count > _MAX_DASHES:
            raise SigmaModifiedError(
                f"windash with {count} dashes in one value; at most {_MAX_DASHES}: write several values"
            )

        def dashes(found: Placeholder) -> Iterator[str | Placeholder]:
            yield from _DASHES if found.name == "_windash" else (found,)

        return SigmaExpansion(list(marked.replace_placeholders(dashes)))


class Cased(SigmaValueModifier[SigmaString | SigmaRegularExpression, SigmaCasedString | SigmaRegularExpression]):
    """Regular expressions are case-sensitive as they are."""

    def modify(self, val: SigmaString | SigmaRegularExpression) -> SigmaCasedString | SigmaRegularExpression:
        return val if isinstance(val, SigmaRegularExpression) else SigmaCasedString.from_sigma_string(val)


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
        if not any(issubclass(one, SigmaBase64Modifier | SigmaBase64OffsetModifier) for one in following):
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
    {"windash": Windash, "cased": Cased, "wide": Wide, "utf16le": Wide, "utf16be": Utf16Be, "utf16": Utf16}
)
