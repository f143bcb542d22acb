"""Personal data and secrets leave a line here, before anything is written.

Citizen ids (CCCD, CMND) and phone numbers become keyed tokens: equal values, however they are spelled, give equal tokens
within an organisation and unrelated ones across organisations. One-time codes and secrets become plain marks.
Tokens and marks hold no digits, so masking a masked line changes nothing.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import unicodedata
from bisect import bisect
from collections.abc import Container, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import re2

from soc.errors import ConfigError
from soc.model.event import Fields

KEY_BYTES = 32


class Masked(NamedTuple):
    """`text`: the line with tokens and marks. `kind_text`: the same with `<phone>` ... instead, for event ids: it does not
    depend on the masked values. `facts`: what detection may know of the values, as `govsoc.*` fields."""

    text: str
    kind_text: str
    facts: Fields


class _Span(NamedTuple):
    start: int
    end: int
    kind: str
    value: str


# Between the digit groups of a number: up to two separators, plain or percent-encoded (once or more).
_SEP = r"(?:[ .\-+()\u00a0]|%(?:25)*(?:2[0BDEbde]|C2%(?:25)*A0)){0,2}"
# A number starts where no digit precedes it, unless that digit ends a percent escape: `%220912345678`. Nor does it start
# behind a decimal point. The literal first makes the regex engine scan with memchr.
_ZERO = r"0(?:(?<![0-9]0)(?<![0-9][.,]0)|(?<=%[0-9A-Fa-f][0-9]0)|(?<=%25[0-9A-Fa-f][0-9]0))"
_EIGHTY_FOUR = r"84(?:(?<![0-9]84)(?<![0-9][.,]84)|(?<=%[0-9A-Fa-f][0-9]84)|(?<=%25[0-9A-Fa-f][0-9]84))"
_SUBSCRIBER = rf"{_SEP}(?:0{_SEP})?(?:[35789](?:{_SEP}[0-9]){{8}}|2(?:{_SEP}[0-9]){{9}})(?![0-9])"
# 0912345678, 0912 345 678, 024.3826.1234, 0084 912 345 678; CCCD 001203004567, 001 203 004 567
_FROM_ZERO = re.compile(
    rf"{_ZERO}(?:(?P<phone>[35789](?:{_SEP}[0-9]){{8}}(?![0-9])|2(?:{_SEP}[0-9]){{9}}(?![0-9])|084{_SUBSCRIBER})"
    rf"|(?P<cccd>(?:0[1-9]|[1-8][0-9]|9[0-6])(?:[0-9]{{9}}|(?:[ .\-][0-9]{{3}}){{3}}|[0-9](?:[ .\-][0-9]{{4}}){{2}})(?![0-9])))"
)
# +84 912 345 678, 84912345678, (+84)0912345678
_FROM_84 = re.compile(_EIGHTY_FOUR + _SUBSCRIBER)
_PLUS = re.compile(r"(?:\+|%(?:25)*2[Bb])$")
_LONELY_CMND = re.compile(r"[/=](?P<id>[0-9]{9})(?=[/?&#;\s\"]|$)")  # a whole path segment or query value
# A key and what leads to its value: `key":"`, `key=`, `key: `, `key\":\"`, `key%22%3A%22`. One search serves all keyed data.
_KEY = re.compile(
    r"(?:(?<![A-Za-z0-9_])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))([A-Za-z][A-Za-z0-9_\-]{1,40}+)"
    r"(?:\\*[\"']|%(?:25)*22)?\s{0,4}(?:[:=]|%(?:25)*3[AaDd])\s{0,4}(?:\\*[\"']|%(?:25)*22)?"
)
_CODE = r"(?:[0-9]{4,8}|[0-9]{3}[ \-][0-9]{3})(?![0-9]|[\-/:.][0-9])"
_KEYS = {
    "secret": r"(?:.*[_\-])?(?:[a-z]*(?:password|passwd|passphrase)|pwd|mat_?khau|apipass|(?:client_?)?secret(?:_?key)?|lgspaccesstoken"
    r"|authorization|(?:access|refresh|id|auth|session|bearer)_?token|api[_\-]?key|access_?key)",
    "otp_code": r"(?:(?:otp|verif(?:y|ication)|auth|sms)[_\-]?)?code|(?:[a-z]{1,20}_)?otp(?:_?value)?|pin|passcode|ma_?xac_?thuc",
    "phone": r"(?:.*_)?(?:[a-z]*phone(?:_?(?:number|no))?|msisdn|mobile(?:_?(?:phone|number|no))?|sdt|so_?dien_?thoai|dien_?thoai|tel)",
    "cmnd": r"(?:.*_)?(?:(?:so_?)?(?:cmnd|cmt|cccd)(?:_?(?:so|number|no))?|(?:so_?)?giay_?to|id_?(?:number|no)|citizen(?:_?(?:id|number))?"
    r"|national_?id|identity(?:_?(?:number|no))?|(?:so_?)?dinh_?danh|subject|personal_?id)",
}
_VALUES = {
    "secret": re.compile(
        r"(?!\[secret\])(?:(?i:bearer|basic|digest|token)(?:\s|\+|%20)+[^\s\"'&,;}]+"
        r"|(?<=[^\\]\")(?:[^\"\\]|\\.)+|(?<=\\\")[^\"\\]+|[^\s\"'&,;{}\[\]\\<>]+)"
    ),
    "otp_code": re.compile(_CODE),
    "phone": re.compile(r"(?:\+|%2[Bb])?[0-9](?:[ .\-]?[0-9]){6,14}(?![0-9])"),
    "cmnd": re.compile(r"(?:[0-9]{12}|[0-9]{9})(?![0-9])"),
}
# sudo prints its working directory as PWD, PAM its service as pam_unix(passwd:chauthtok)
_NO_SECRET = re.compile(r"PWD=[^;]{0,300} ; USER=|passwd:\w{1,20}\)")
_LETTER = r"(?:[^\s0-9]|\\u[0-9a-f]{4}|%[0-9a-f]{2}){1,3}"  # one accented letter: composed, decomposed or escaped
_GAP = r"(?:[ +_]|%20)"
# These run on the lowered line, so that the engine can scan for their first letters.
_OTP_WORD = (
    r"(?:otp(?<![a-z]otp)|passcode|code is|verification code"
    rf"|m(?:a|{_LETTER}){_GAP}?x(?:a|{_LETTER})c{_GAP}?th(?:u|{_LETTER})c)(?![a-z])"
)
_OTP_TEXT = re.compile(
    rf"{_OTP_WORD}(?:[^0-9\"{{}}&=_\[\]]{{0,48}}?(?:\bl(?:a|à|a\u0300|\\u00e0|%c3%a0)\b|\bis\b|[:=/#]))?[\s\"'\\+:=/#\-]{{0,4}}(?P<code>{_CODE})"
)
_OTP_FIRST = re.compile(  # 123456 la ma xac thuc cua ban, 123456 is your verification code
    rf"(?<![0-9.:/\-])(?P<code>{_CODE})\s(?:l(?:a|à|a\u0300|\\u00e0)|is)\s(?:[^\s0-9\"]+\s){{0,3}}?{_OTP_WORD}"
)

# One pass of a DFA says which of the searches above a line needs: most need none. Every match of theirs has to pass here.
_DIGIT = r"[ .\-+()%a-f\x{a0}]{0,3}[0-9]"
_HINTS = (
    rf"0[0-9](?:{_DIGIT}){{8}}|84(?:{_DIGIT}){{9}}",
    r"[/=][0-9]{9}",
    r"(?:pass|pwd|secret|token|[_\-pis]key|authoriz|khau|phone|mobile|msisdn|sdt|thoai|tel|otp|code|pin|thuc"
    r"|cmnd|cmt|cccd|giay|citizen|nal_?id|id_?n|ident|danh|subject)[a-z_\-]{0,14}(?:\\*[\"']|%(?:25)*22)?\s{0,4}(?:[:=]|%(?:25)*3[ad])",
    r"otp|passcode|code is|verification code|thuc|thu?(?:[^\x00-\x7f]|%e1|%cc|\\u)",
    r"%(?:25)*3[0-9]|%(?:25)*u|\\u|\\x3",
)
_NUMBER, _LONELY, _KEYED, _OTP, _CODED = range(len(_HINTS))


def _compiled_hints() -> re2.Set:
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = 32 << 20
    hints = re2.Set.SearchSet(options)
    for hint in _HINTS:
        hints.Add(hint)
    hints.Compile()
    return hints


_HINTED = _compiled_hints()

_CODED_DIGIT = re.compile(r"%(?:25)*3([0-9])|(?:\\+u|%(?:25)*u)(?:003([0-9])|ff1([0-9]))|\\+x3([0-9])", re.I)
_CODED_PLUS = re.compile(r"(?:\\+u|%(?:25)*u)002b(?=84)", re.I)
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_JSON_KEY_BEFORE = re.compile(r"(\\*)\"\s*:\s*$")
_JSON_ARRAY_BEFORE = re.compile(r"[\[,]\s*$")
_JSON_AFTER = re.compile(r"\s*[,}\]]")
_DATE = re.compile(r"[0-9]{2}([ .\-])[0-9]{2}\1(?:19|20)[0-9]{2}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MORE_DIGITS = re.compile(r"[\-./:][0-9]")
_DIGIT_BEFORE = re.compile(r"[0-9][\-.,/:]$")
_DIGITS = re.compile(r"[0-9]+")
_PERCENT = re.compile(r"%(?:25)*[0-9A-Fa-f]{2}")
_HEX = frozenset("0123456789abcdefABCDEF")
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
    """Masks the lines of one organisation. Stateless but for the key; safe to share between threads."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ConfigError("the masking key is too short: at least 16 bytes are needed")
        self._key = key

    def token(self, kind: str, value: str) -> str:
        """The token of a `phone`, `cccd` or `cmnd` number in any spelling: what a search for the number looks for."""
        digest = hmac.digest(self._key, f"{kind}\0{_canonical(kind, value)}".encode(errors="surrogatepass"), "sha256")
        return f"{kind}_{digest[:20].translate(_LETTERS).decode()}"

    def mask(self, line: str) -> Masked:
        """One line or field value. Costs next to nothing where nothing is to be masked."""
        text, found = line, 0
        facts: Fields = {}
        marks: dict[str, str] = {}
        hints = _hints(line)
        # Again where a mark may have laid bare what stood right beside a number: masking twice must change nothing.
        while hints or not text.isascii():
            plain = text
            if _CODED in hints or not text.isascii():
                plain = _decoded(text)
                hints = _hints(plain)
            spans = _spans(plain, hints)
            if not spans:
                break
            text = self._marked(plain, spans, marks)
            found += len(spans)
            _add_facts(facts, spans, found)
            if not any(_touches(plain, span) for span in spans):
                break
            hints = _hints(text)
        kind_text = text
        for mark, kind in marks.items():
            kind_text = kind_text.replace(mark, kind)
        return Masked(text, kind_text, facts)

    def _marked(self, line: str, spans: list[_Span], marks: dict[str, str]) -> str:
        """The line with its spans replaced; notes each mark used with its kind."""
        out: list[str] = []
        at = 0
        for span in spans:
            quotes = _missing_quotes(line, span)
            mark = _MARKS.get(span.kind) or self.token(span.kind, span.value)
            marks[mark] = f"<{span.kind}>"
            out += line[at : span.start], quotes, mark, quotes
            at = span.end
        return "".join(out) + line[at:]


class KeyRing:
    """One 32-byte masking key an organisation, each in a file that only its owner may read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._maskers: dict[str, Masker] = {}

    def masker(self, org: str) -> Masker:
        """The masker of an organisation; its key is made on first use. Raises `ConfigError` when the file is unusable."""
        if org not in self._maskers:
            self._maskers[org] = Masker(self.key(org))
        return self._maskers[org]

    def key(self, org: str) -> bytes:
        """Processes that race for a new key all get the same one: a hard link to a finished file is made by one only."""
        path = self._directory / f"{quote(org, safe='').replace('.', '%2E')[:200] or '%'}.key"
        try:
            if not path.exists():
                self._make(path)
            key = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"masking key {path}: {error.strerror or error}") from error
        if len(key) != KEY_BYTES:
            raise ConfigError(
                f"masking key {path}: has {len(key)} bytes instead of {KEY_BYTES}; restore it from a backup"
            )
        return key

    def _make(self, path: Path) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return
        finally:
            draft.unlink()


def _hints(line: str) -> Sequence[int]:
    found: list[int] | None = _HINTED.Match(line.encode(errors="surrogatepass"))
    return found or ()


def _decoded(line: str) -> str:
    """The line with digits spelled as `%30`, `%2530`, `\\u0030` or in another script written plainly."""
    if not line.isascii():
        line = _FOREIGN_DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), line)
    before = ""
    while line != before:  # each round peels one layer and shortens the line
        before = line
        line = _CODED_DIGIT.sub(lambda found: found[1] or found[2] or found[3] or found[4], line)
    return _CODED_PLUS.sub("+", line)


def _spans(line: str, hints: Container[int]) -> list[_Span]:
    """What is to be masked, in order, without overlaps: secrets before numbers before keyed values before codes in text."""
    keyed = _keyed(line) if _KEYED in hints else []
    found = [span for span in keyed if span.kind == "secret"]
    if _NUMBER in hints:
        found += _numbers(line)
    if _LONELY in hints:
        found += [_Span(*m.span("id"), "cmnd", m["id"]) for m in _LONELY_CMND.finditer(line)]
    found += [span for span in keyed if span.kind != "secret"]
    if _OTP in hints:
        low = line.lower()
        if len(low) != len(line):  # a few letters of other scripts grow
            low = "".join(letter.lower()[:1] for letter in line)
        for rule in (_OTP_TEXT, _OTP_FIRST):
            found += [_Span(*m.span("code"), "otp_code", "") for m in rule.finditer(low)]
    if len(found) < 2:
        return found
    kept: list[_Span] = []
    for span in found:
        place = bisect(kept, span)
        free_before = place == 0 or kept[place - 1].end <= span.start
        if free_before and (place == len(kept) or span.end <= kept[place].start):
            kept.insert(place, span)
    return kept


def _numbers(line: str) -> Iterator[_Span]:
    for match in _FROM_ZERO.finditer(line):
        kind = "phone" if match["phone"] else "cccd"
        if _is_number(line, match.start(), match.end()):
            yield _Span(match.start(), match.end(), kind, match[0])
    for match in _FROM_84.finditer(line):
        if _is_number(line, match.start(), match.end()):
            plus = _PLUS.search(line, max(0, match.start() - 9), match.start())
            yield _Span(plus.start() if plus else match.start(), match.end(), "phone", match[0])


@lru_cache(maxsize=4096)
def _kind_of_key(key: str) -> str | None:
    low = key.lower()
    return next((kind for kind, keys in _KEYS.items() if re.fullmatch(keys, low)), None)


def _keyed(line: str) -> list[_Span]:
    """Values that only their key makes personal: secrets, codes, nine digits, foreign or unprefixed phone numbers."""
    spans = []
    at = 0
    while match := _KEY.search(line, at):  # each search goes on behind the value before it, so a line is read once
        at = match.end()
        kind = _kind_of_key(match[1])
        if kind is None or (kind == "secret" and _NO_SECRET.match(line, match.start())):
            continue
        if value := _VALUES[kind].match(line, at):
            at = value.end()
            kind = "cccd" if kind == "cmnd" and len(value[0]) == 12 else kind
            spans.append(_Span(value.start(), at, kind, value[0]))
    return spans


def _is_number(line: str, start: int, end: int) -> bool:
    """False for what only looks like a number: dates, request times, parts of hashes and UUIDs."""
    groups = _DIGITS.findall(_PERCENT.sub(" ", line[start:end]))
    if (
        len(groups) > 1
        and (
            (
                start and line[start - 1].isalnum() and not _PERCENT.search(line, start - 3, start)
            )  # H05.12-250131: a file number
            or _MORE_DIGITS.match(line, end)
            or _DIGIT_BEFORE.search(line, max(0, start - 2), start)  # 20:47:03.000000+00: a clock
            or _DATE.match(line, start)
            or (min(map(len, groups)) < 2 and groups[0][:2] != "02" and groups[0] != "84")
        )
    ):
        return False
    left, right = start, end
    while left and start - left < 128 and line[left - 1] in _HEX:
        left -= 1
    while right < len(line) and right - end < 128 and line[right] in _HEX:
        right += 1
    if right - left >= 32:
        return False
    if "-" in line[max(0, start - 25) : end + 25]:
        return not any(m.start() < end and start < m.end() for m in _UUID.finditer(line, max(0, start - 36), end + 36))
    return True


def _canonical(kind: str, value: str) -> str:
    digits = "".join(_DIGITS.findall(_PERCENT.sub(" ", value)))
    if kind != "phone":
        return digits
    national = digits.removeprefix("00")
    if national.startswith("84") and len(national) >= 11:
        national = national[2:]
    national = national.removeprefix("0")
    if (len(national) == 9 and national[0] in "35789") or (len(national) == 10 and national[0] == "2"):
        return "0" + national
    return "+" + digits.removeprefix("00")


def _touches(line: str, span: _Span) -> bool:
    """Whether letters stand right beside the span, or digits nearly so: they may mean something else beside a mark."""
    before, after = line[max(0, span.start - 3) : span.start], line[span.end : span.end + 3]
    return before[-1:].isalnum() or after[:1].isalnum() or any(c.isdigit() for c in before + after)


def _missing_quotes(line: str, span: _Span) -> str:
    """The quotes a bare JSON number needs around its token, escaped as its key's are."""
    if not _JSON_AFTER.match(line, span.end):
        return ""
    before = line[max(0, span.start - 12) : span.start]
    if key := _JSON_KEY_BEFORE.search(before):
        return key[1] + '"'
    return (
        '"' if line.lstrip()[:1] in ("{", "[") and _JSON_ARRAY_BEFORE.search(before) and '"' not in before[-1:] else ""
    )


def _add_facts(facts: Fields, spans: list[_Span], count: int) -> None:
    known = facts.get("govsoc.privacy.kinds")
    kinds = {span.kind for span in spans}
    if isinstance(known, list):
        kinds |= {str(kind) for kind in known}
    names = sorted(kinds)
    facts["govsoc.privacy.kinds"] = [*names]
    facts["govsoc.privacy.count"] = count
    for span in spans:
        if span.kind == "phone" and "govsoc.phone.prefix" not in facts:
            number = _canonical("phone", span.value)
            facts["govsoc.phone.prefix"] = number[:3]
            facts["govsoc.phone.carrier"] = (
                "foreign"
                if number[0] == "+"
                else "landline"
                if number[1] == "2"
                else _CARRIER_OF.get(number[:3], "other")
            )
        elif span.kind == "cccd" and "govsoc.cccd.province" not in facts:
            facts["govsoc.cccd.province"] = _canonical("cccd", span.value)[:3]
