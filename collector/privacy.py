"""Personal data and secrets leave a line here, before anything is written.

Citizen ids (CCCD, CMND) and phone numbers become keyed tokens: equal values, however they are spelled, give equal tokens
within an organisation and unrelated ones across organisations. One-time codes and secrets become plain marks.
Tokens and marks hold no digits, so masking a masked line changes nothing.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from collector.recognise import Span, canonical, recognise
from collector.walk import CitizenId, Walks
from soc.errors import ConfigError
from soc.model.event import Fields

KEY_BYTES = 32
_REMEMBERED = 8192  # numbers with their tokens: a citizen is named by several lines in a row


class Masked(NamedTuple):
    """`text`: the line with tokens and marks. `kind_text`: the same with `<phone>` ... instead, for event ids: it does not
    depend on the masked values. `facts`: what detection may know of the values, as `govsoc.*` fields. `ids`: the citizen ids behind their
    tokens, in order; they are kept by nobody but `Masker.walk`."""

    text: str
    kind_text: str
    facts: Fields
    ids: Mapping[str, CitizenId] = MappingProxyType({})


class _Known(NamedTuple):
    """The token of a number, and what detection may know of it."""

    token: str
    facts: tuple[tuple[str, str], ...]
    id: CitizenId | None


_JSON_KEY_BEFORE = re.compile(r"(\\*)\"\s*:\s*$")
_JSON_ARRAY_BEFORE = re.compile(r"[\[,]\s*$")
_JSON_AFTER = re.compile(r"\s*[,}\]]")
_ANY_DIGIT = re.compile(r"\d")
_LETTERS = bytes(ord("a") + byte % 26 for byte in range(256))

_MARKS = {"otp_code": "[otp_code]", "secret": "[secret]"}
# Ministry of Information and Communications numbering plan, as of the 2018 change to ten digits and later allocations.
_CARRIERS = {
    "viettel": "032 033 034 035 036 037 038 039 086 096 097 098",
    "vinaphone": "081 082 083 084 085 088 091 094",
    "mobifone": "070 076 077 078 079 089 090 093",
    "vietnamobile": "052 056 058 092",
    "gmobile": "059 099",
    "itel": "087",
    "wintel": "055",
}
_CARRIER_OF = {prefix: name for name, prefixes in _CARRIERS.items() for prefix in prefixes.split()}


class Masker:
    """Masks the lines of one organisation. Safe to share between threads.

    It remembers the tokens of the latest numbers, in memory only: beside the key, which gives away as much.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ConfigError("the masking key is too short: at least 16 bytes are needed")
        self._key = key
        self._known = lru_cache(_REMEMBERED)(self._get_to_know)
        self._walks = Walks()

    def token(self, kind: str, value: str) -> str:
        """The token of a `phone`, `cccd` or `cmnd` number in any spelling: what a search for the number looks for."""
        return self._known(kind, value).token

    def walk(self, account: str, asked: CitizenId) -> int:
        """How many citizen ids in a row this account has asked for; see `Walks.follow`."""
        return self._walks.follow(account, asked)

    def mask(self, line: str) -> Masked:
        """One line or field value. Costs next to nothing where nothing is to be masked."""
        text, spans = recognise(line)
        if not spans:
            return Masked(line, line, {})
        kinds: set[str] = set()
        facts: Fields = {}
        marks: dict[str, str] = {}
        ids: dict[str, CitizenId] = {}
        count = 0
        while spans:
            plain, text = text, self._marked(text, spans, facts, marks, ids)
            count += len(spans)
            kinds.update(span.kind for span in spans)
            if not any(_touches(plain, span) for span in spans):
                break
            # Again where a mark may have laid bare what stood right beside a number: masking twice must change nothing.
            again, spans = recognise(text)
            text = again if spans else text
        facts["govsoc.privacy.kinds"] = [*sorted(kinds)]
        facts["govsoc.privacy.count"] = count
        kind_text = text
        for mark, kind in marks.items():
            kind_text = kind_text.replace(mark, kind)
        return Masked(text, kind_text, facts, ids)

    def _marked(
        self, line: str, spans: list[Span], facts: Fields, marks: dict[str, str], ids: dict[str, CitizenId]
    ) -> str:
        """The line with its spans replaced; adds the facts, each mark used with its kind, and the ids behind tokens."""
        out: list[str] = []
        at = 0
        for span in spans:
            mark = _MARKS.get(span.kind)
            if mark is None:
                mark, known, id_ = self._known(span.kind, span.value)
                for name, fact in known:
                    facts.setdefault(name, fact)
                if id_ is not None:
                    ids[mark] = id_
            marks[mark] = f"<{span.kind}>"
            quotes = _missing_quotes(line, span)
            out += line[at : span.start], quotes, mark, quotes
            at = span.end
        return "".join(out) + line[at:]

    def _get_to_know(self, kind: str, value: str) -> _Known:
        number = canonical(kind, value)
        digest = hmac.digest(self._key, f"{kind}\0{number}".encode(errors="surrogatepass"), "sha256")
        id_ = CitizenId(kind, int(number)) if kind in ("cccd", "cmnd") and number.isdecimal() else None
        return _Known(f"{kind}_{digest[:20].translate(_LETTERS).decode()}", _facts(kind, number), id_)


def _touches(line: str, span: Span) -> bool:
    """Whether letters stand right beside the span, or digits nearly so: they may mean something else beside a mark."""
    before, after = line[max(0, span.start - 3) : span.start], line[span.end : span.end + 3]
    return before[-1:].isalnum() or after[:1].isalnum() or _ANY_DIGIT.search(f"{before} {after}") is not None


def _missing_quotes(line: str, span: Span) -> str:
    """The quotes a bare JSON number needs around its token, escaped as its key's are."""
    if not _JSON_AFTER.match(line, span.end):
        return ""
    before = line[max(0, span.start - 12) : span.start]
    if key := _JSON_KEY_BEFORE.search(before):
        return key[1] + '"'
    return (
        '"' if line.lstrip()[:1] in ("{", "[") and _JSON_ARRAY_BEFORE.search(before) and '"' not in before[-1:] else ""
    )


def _facts(kind: str, number: str) -> tuple[tuple[str, str], ...]:
    if kind == "cccd":
        return (("govsoc.cccd.province", number[:3]),)
    if kind != "phone":
        return ()
    domestic = "landline" if number[1] == "2" else _CARRIER_OF.get(number[:3], "other")
    carrier = "foreign" if number[0] == "+" else domestic
    return ("govsoc.phone.prefix", number[:3]), ("govsoc.phone.carrier", carrier)
