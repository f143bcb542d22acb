"""What is personal or secret in a line, and where: citizen ids, phone numbers, one-time codes, secrets.

Every search here takes time linear in the line. One pass of a DFA says which of them a line needs at all.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import NamedTuple

import re2


class Span(NamedTuple):
    """`kind` is phone, cccd, cmnd, otp_code or secret; `value` the text from `start` to `end`, empty for a code."""

    start: int
    end: int
    kind: str
    value: str


# Between the digit groups of a number: up to two separators, plain or percent-encoded (once or more).
_SEP = r"(?:[ .\-+()\u00a0]|%(?:25)*(?:2[0BDEbde]|C2%(?:25)*A0)){0,2}"
# A number starts where no digit precedes it, unless that digit ends a percent escape: `%220912345678`. Nor does it start
# behind a decimal point. The literal first makes the regex engine scan with memchr.
_ZERO_STARTS = (
    r"0(?=[0-9][0-9 .\-+()%\u00a0]{2})(?:(?<![0-9]0)(?<![0-9][.,]0)|(?<=%[0-9A-Fa-f][0-9]0)|(?<=%25[0-9A-Fa-f][0-9]0))"
)
_EIGHTY_FOUR_STARTS = r"84(?:(?<![0-9]84)(?<![0-9][.,]84)|(?<=%[0-9A-Fa-f][0-9]84)|(?<=%25[0-9A-Fa-f][0-9]84))"
_SUBSCRIBER = rf"{_SEP}(?:0{_SEP})?(?:[35789](?:{_SEP}[0-9]){{8}}|2(?:{_SEP}[0-9]){{9}})(?![0-9])"
# 0912345678, 0912 345 678, 024.3826.1234, 0084 912 345 678; CCCD 001203004567, 001 203 004 567
_FROM_ZERO = re.compile(
    rf"{_ZERO_STARTS}(?:(?P<phone>[35789](?:{_SEP}[0-9]){{8}}(?![0-9])|2(?:{_SEP}[0-9]){{9}}(?![0-9])|084{_SUBSCRIBER})"
    rf"|(?P<cccd>(?:0[1-9]|[1-8][0-9]|9[0-6])(?:[0-9]{{9}}|(?:[ .\-][0-9]{{3}}){{3}}|[0-9](?:[ .\-][0-9]{{4}}){{2}})(?![0-9])))"
)
# +84 912 345 678, 84912345678, (+84)0912345678
_FROM_84 = re.compile(_EIGHTY_FOUR_STARTS + _SUBSCRIBER)
_PLUS = re.compile(r"(?:\+|%(?:25)*2[Bb])$")
_LONELY_CMND = re.compile(r"[/=](?P<id>[0-9]{9})(?=[/?&#;\s\"]|$)")  # a whole path segment or query value
# What leads from a key to its value: `key":"`, `key=`, `key: `, `key\":\"`, `key%22%3A%22`. It is sought on the lowered line by
# its first character, which is rare, and only behind the last letters of a key of `KEYS`: a separator behind a blank, an
# escaped quote or `%22` is looked at whatever stands before.
_KEY_ENDS = (
    "ord|swd|ase|pwd|hau|ass|ret|key|ken|ion|ode|otp|lue|pin|huc|one|ber|eno|sdn|ile|sdt|oai|tel|mnd|cmt|ccd|dso|tso"
    "|dno|tno|yto|_so|_no|_to|_id|nid|lid|zen|yno|ity|anh|ect"
)
_SEPARATOR = re.compile(
    rf"[:=%](?:(?<=[:=])(?:(?<=[\"'].)(?:(?<=(?:{_KEY_ENDS})..)|(?<=\\..))|(?<=(?:{_KEY_ENDS}).)|(?<=\s.)|(?<=22.))"
    r"|(?<=%)(?:25)*3[ad])\s{0,4}(?:\\*[\"']|%(?:25)*22)?"
)
_KEY = re.compile(
    r"(?:(?<![A-Za-z0-9_])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))([A-Za-z][A-Za-z0-9_\-]{1,40}+)(?:\\*[\"']|%(?:25)*22)?\s{0,4}\Z"
)
_KEY_WINDOW = 64  # a key of 41 letters, its quote however often escaped, and blanks
_CODE = r"(?:[0-9]{4,8}|[0-9]{3}[ \-][0-9]{3})(?![0-9]|[\-/:.][0-9])"
KEYS = {
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
_TO_VALUE = r"(?:\\*[\"']|%(?:25)*22)?[^!-~]*(?:[:=]|%(?:25)*3[ad])[^!-~]*(?:\\*[\"'])?"
_CODED_TO_VALUE = r"(?:\\*[\"']|%(?:25)*22)?[^!-~]*(?:[:=]|%(?:25)*3[ad])[^!-~]*%(?:25)*22"
_PHONE_KEY = r"(?:phone|mobile|msisdn|sdt|thoai|tel)[a-z_]{0,10}"
_ID_KEY = r"(?:cmnd|cmt|cccd|giay|citizen|nal_?id|id_?n|ident|danh|subject)[a-z_]{0,10}"
_HINTS = (
    rf"0[0-9](?:{_DIGIT}){{8}}",
    rf"84(?:{_DIGIT}){{9}}",
    r"[/=][0-9]{9}",
    # Secrets and codes by key; phone numbers and ids by key unless the searches for numbers find them anyway, which is the
    # usual case: ten or twelve digits of a national number in one piece, with nothing of a hash or UUID behind them.
    r"(?:password|passwd|passphrase|pwd|khau|apipass|secret(?:_?key)?|api[_\-]?key|access_?key|token|authorization"
    r"|(?:^|[^a-z0-9_]|%[0-9a-f]{2}|(?:otp|verify|verification|auth|sms)[_\-]?|pass)code|otp(?:_?value)?|pin|thuc)"
    r"(?:\\*[\"']|%(?:25)*22)?[^!-~]*(?:[:=]|%(?:25)*3[ad])"
    rf"|{_PHONE_KEY}{_TO_VALUE}(?:[1-9+%]|0(?:[^35789]|[35789](?:[0-9]{{0,7}}(?:[^0-9]|$)|[0-9]{{8}}[0-9a-f\-])))"
    rf"|{_ID_KEY}{_TO_VALUE}(?:[1-9]|0(?:0[08]|9[7-9]|[0-9]{{8}}(?:[^0-9]|$)|[0-9]{{11}}[a-f\-]))"
    rf"|(?:{_PHONE_KEY}|{_ID_KEY}){_CODED_TO_VALUE}[0-9+%]",
    r"(?:otp|passcode|code is|verification code|thuc)[^0-9\"{}&=_\[\]]*(?:=|\\u00e0|%c3%a0)?[^0-9a-z]*[0-9]{3}"
    r"|thu?(?:[^\x00-\x7f]|%e1|%cc|\\u)",
    r"[0-9][^!-~](?:l(?:a|\\|[^\x00-\x7f])|is|[^\x00-\x7f])",
    r"%(?:25)*3[0-9]|%(?:25)*u|\\u|\\x3|[^\P{Nd}0-9]",
)
_ZERO, _EIGHTY_FOUR, _LONELY, _KEYED, _OTP, _OTP_BEHIND, _CODED = range(len(_HINTS))


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
_DATE = re.compile(r"[0-9]{2}([ .\-])[0-9]{2}\1(?:19|20)[0-9]{2}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MORE_DIGITS = re.compile(r"[\-./:][0-9]")
_DIGIT_BEFORE = re.compile(r"[0-9][\-.,/:]$")
_DIGITS = re.compile(r"[0-9]+")
_PERCENT = re.compile(r"%(?:25)*[0-9A-Fa-f]{2}")
_HEX = frozenset("0123456789abcdefABCDEF")
_HASH = _HEX | {"-"}


def _hints(line: str) -> Sequence[int]:
    found: list[int] | None = _HINTED.Match(line.encode(errors="surrogatepass"))
    return found or ()


def recognise(line: str) -> tuple[str, list[Span]]:
    """The line with coded digits written plainly, and what is to be masked of that: in order, without overlaps."""
    hints = _hints(line)
    if _CODED in hints:
        line = _decoded(line)
        hints = _hints(line)
    return line, _spans(line, hints) if hints else []


def _decoded(line: str) -> str:
    """The line with digits spelled as `%30`, `%2530`, `\\u0030` or in another script written plainly."""
    if not line.isascii():
        line = _FOREIGN_DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), line)
    before = ""
    while line != before:  # each round peels one layer and shortens the line
        before = line
        line = _CODED_DIGIT.sub(lambda found: found[1] or found[2] or found[3] or found[4], line)
    return _CODED_PLUS.sub("+", line)


def _spans(line: str, hints: Container[int]) -> list[Span]:
    """Secrets go before numbers, these before keyed values, these before codes in text."""
    low = _lowered(line) if _KEYED in hints or _OTP in hints or _OTP_BEHIND in hints else ""
    keyed = _keyed(line, low) if _KEYED in hints else []
    found = [span for span in keyed if span.kind == "secret"]
    if _ZERO in hints:
        for match in _FROM_ZERO.finditer(line):
            start, end = match.span()
            if _is_number(line, start, end):
                found.append(Span(start, end, "phone" if match["phone"] else "cccd", match[0]))
    if _EIGHTY_FOUR in hints:
        for match in _FROM_84.finditer(line):
            start, end = match.span()
            if _is_number(line, start, end):
                plus = _PLUS.search(line, max(0, start - 9), start)
                found.append(Span(plus.start() if plus else start, end, "phone", match[0]))
    if _LONELY in hints:
        found += [Span(*m.span("id"), "cmnd", m["id"]) for m in _LONELY_CMND.finditer(line)]
    found += [span for span in keyed if span.kind != "secret"]
    for hint, rule in ((_OTP, _OTP_TEXT), (_OTP_BEHIND, _OTP_FIRST)):
        if hint in hints:
            found += [Span(*m.span("code"), "otp_code", "") for m in rule.finditer(low)]
    return found if len(found) < 2 else _apart(found)


def _lowered(line: str) -> str:
    low = line.lower()
    # a few letters of other scripts grow
    return low if len(low) == len(line) else "".join(letter.lower()[:1] for letter in line)


def _apart(found: list[Span]) -> list[Span]:
    """In order of place; of those that overlap, the first named stays."""
    kept: list[Span] = []
    for span in found:
        place = bisect(kept, span)
        free_before = place == 0 or kept[place - 1].end <= span.start
        if free_before and (place == len(kept) or span.end <= kept[place].start):
            kept.insert(place, span)
    return kept


@lru_cache(maxsize=4096)
def _kind_of_key(key: str) -> str | None:
    return next((kind for kind, keys in KEYS.items() if re.fullmatch(keys, key)), None)


def _keyed(line: str, low: str) -> list[Span]:
    """Values that only their key makes personal: secrets, codes, nine digits, foreign or unprefixed phone numbers."""
    spans = []
    at = 0
    while separator := _SEPARATOR.search(
        low, at
    ):  # each search goes on behind the value before it: a line is read once
        end = separator.start()
        key = _KEY.search(line, max(at, end - _KEY_WINDOW), end)
        at = separator.end()
        kind = _kind_of_key(key[1].lower()) if key else None
        if key is None or kind is None or (kind == "secret" and _NO_SECRET.match(line, key.start())):
            continue
        if value := _VALUES[kind].match(line, at):
            at = value.end()
            kind = "cccd" if kind == "cmnd" and len(value[0]) == 12 else kind
            spans.append(Span(value.start(), at, kind, value[0]))
    return spans


def _is_number(line: str, start: int, end: int) -> bool:
    """False for what only looks like a number: dates, request times, parts of hashes and UUIDs."""
    if line[start - 1 : start] not in _HASH and line[end : end + 1] not in _HASH and line[start:end].isdigit():
        return True  # nearly always
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


def canonical(kind: str, value: str) -> str:
    """The one spelling of a number: `0912345678`, `+14155550123`, `001203004567`."""
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
