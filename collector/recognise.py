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


# Blanks, dashes, dots, plus signs and brackets of all alphabets, and what is not seen: soft hyphen, zero width.
_BETWEEN = (
    "\t .\\-+()\u00a0\u00ad\u00b7\u1680\u180e\u2000-\u2015\u2022\u2027-\u202f\u205f-\u2064\u2212\u3000\ufe58\ufe63\ufeff"
    "\uff08\uff09\uff0b\uff0d\uff0e"
)
# The same escaped: in URLs (once or more), in JSON, and as nginx writes bytes.
_UTF8 = (
    "[cC]2{0}(?:[aA][0dD]|[bB]7)",
    "[eE]2{0}8(?:[01]{0}[89abAB][0-9a-fA-F]|8{0}92)",
    "[eE]3{0}80{0}80",
    "[eE][fF]{0}(?:[bB][bB]{0}[bB][fF]|[bB][cC]{0}8[89bBdDeE])",
)
_PERCENT_BETWEEN = rf"%(?:25)*(?:0[9AaDd]|2[0BDEbde89]|{'|'.join(_UTF8).format('%(?:25)*')})"
_BACKSLASH_BETWEEN = rf"\\+(?:[tnr]|x(?:09|{'|'.join(_UTF8).format(chr(92) * 2 + '+x')}))"
_ONE_SEP = rf"(?:[{_BETWEEN}]|{_PERCENT_BETWEEN}|{_BACKSLASH_BETWEEN})"
_SEP = _ONE_SEP + "{0,3}"  # between the digit groups of a number
# A number starts where no digit precedes it, unless that digit ends a percent escape: `%220912345678`. Nor does it start
# behind a decimal point. The literal first makes the regex engine scan with memchr.
_ZERO_STARTS = (
    rf"0(?=[0-9][0-9{_BETWEEN}%\\])(?:(?<![0-9]0)(?<![0-9][.,]0)|(?<=%[0-9A-Fa-f][0-9]0)|(?<=%25[0-9A-Fa-f][0-9]0))"
)
_EIGHTY_FOUR_STARTS = r"84(?:(?<![0-9]84)(?<![0-9][.,]84)|(?<=%[0-9A-Fa-f][0-9]84)|(?<=%25[0-9A-Fa-f][0-9]84))"
_SUBSCRIBER = rf"{_SEP}(?:0{_SEP})?(?:[35789](?:{_SEP}[0-9]){{8}}|2(?:{_SEP}[0-9]){{9}})(?![0-9])"
# 0912345678, 0912 345 678, 024.3826.1234, 0084 912 345 678; CCCD 001203004567, 001 203 004 567
_FROM_ZERO = re.compile(
    rf"{_ZERO_STARTS}(?:(?P<phone>[35789](?:{_SEP}[0-9]){{8}}(?![0-9])|2(?:{_SEP}[0-9]){{9}}(?![0-9])|084{_SUBSCRIBER})"
    rf"|(?P<cccd>(?:0[1-9]|[1-8][0-9]|9[0-6])(?:[0-9]{{9}}"
    rf"|(?:{_ONE_SEP}{{1,3}}[0-9]{{3}}){{3}}|[0-9](?:{_ONE_SEP}{{1,3}}[0-9]{{4}}){{2}})(?![0-9])))"
)
# +84 912 345 678, 84912345678, (+84)0912345678
_FROM_84 = re.compile(_EIGHTY_FOUR_STARTS + _SUBSCRIBER)
_PLUS = re.compile(r"(?:\+|%(?:25)*2[Bb])$")
_LONELY_CMND = re.compile(r"[/=](?P<id>[0-9]{9})(?=[/?&#;\s\"]|$)")  # a whole path segment or query value
# What leads from a key to its value: `key":"`, `key=`, `key: `, `key\":\"`, `key%22%3A%22`. It is sought on the lowered line by
# its first character, which is rare, and only behind the last letters of a key of `KEYS`: a separator behind a blank, an
# escaped quote or `%22` is looked at whatever stands before.
_KEY_ENDS = (
    "ord|swd|ase|pwd|hau|ass|ret|key|ken|jwt|ess|ion|sid|ode|otp|lue|pin|huc|one|ber|eno|sdn|ile|sdt|oai|tel|mnd|cmt|ccd"
    "|dso|tso|dno|tno|yto|_so|_no|_to|_id|nid|lid|zen|yno|ity|anh|ect"
)
_SEPARATOR = re.compile(
    rf"[:=%](?:(?<=[:=])(?:(?<=[\"'].)(?:(?<=(?:{_KEY_ENDS})..)|(?<=\\..))|(?<=(?:{_KEY_ENDS}).)|(?<=\s.)|(?<=22.))"
    r"|(?<=%)(?:25)*3[ad])\s{0,4}(?:\\*[\"']|%(?:25)*22|\\+x22)?"
)
_KEY = re.compile(
    r"(?:(?<![A-Za-z0-9_])(?!(?<=\\)x[0-9A-Fa-f]{2})|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9A-Fa-f]{2}))"
    r"([A-Za-z][A-Za-z0-9_\-]{1,40}+)(?:\\*[\"']|%(?:25)*22|\\+x22)?\s{0,4}\Z"
)
_KEY_WINDOW = 64  # a key of 41 letters, its quote however often escaped, and blanks
_CODE = rf"(?:[0-9]{{4,8}}|[0-9]{{3}}{_ONE_SEP}[0-9]{{3}})(?![0-9]|[\-/:.][0-9])"
KEYS = {
    "secret": r"(?:.*[_\-])?(?:[a-z]*(?:password|passwd|passphrase)|pwd|mat_?khau|apipass|(?:client_?)?secret(?:_?key)?|[a-z]*token|jwt"
    r"|authorization|[a-z]*sess(?:ion)?(?:_?(?:id|key))?|sid|api[_\-]?key|access_?key)",
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
    "phone": re.compile(r"(?:\+|%2[Bb])?[0-9](?:" + _ONE_SEP + r"?[0-9]){6,14}(?![0-9])"),
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
_DIGIT = rf"(?:[{_BETWEEN}%a-f]|\\+[tnrx]?){{0,7}}[0-9]"
_TO_VALUE = r"(?:\\*[\"']|%(?:25)*22|\\+x22)?[^!-~]*(?:[:=]|%(?:25)*3[ad])[^!-~]*(?:\\*[\"'])?"
_CODED_TO_VALUE = r"(?:\\*[\"']|%(?:25)*22|\\+x22)?[^!-~]*(?:[:=]|%(?:25)*3[ad])[^!-~]*(?:%(?:25)*|\\+x)22"
_PHONE_KEY = r"(?:phone|mobile|msisdn|sdt|thoai|tel)[a-z_]{0,10}"
_ID_KEY = r"(?:cmnd|cmt|cccd|giay|citizen|nal_?id|id_?n|ident|danh|subject)[a-z_]{0,10}"
_HINTS = (
    rf"0[0-9](?:{_DIGIT}){{8}}",
    rf"84(?:{_DIGIT}){{9}}",
    r"[/=][0-9]{9}",
    # Secrets and codes by key; phone numbers and ids by key unless the searches for numbers find them anyway, which is the
    # usual case: ten or twelve digits of a national number in one piece, with nothing of a hash or UUID behind them.
    r"(?:password|passwd|passphrase|pwd|khau|apipass|secret(?:_?key)?|api[_\-]?key|access_?key|token|jwt|authorization"
    r"|sess(?:ion)?(?:_?(?:id|key))?|sid|(?:^|[^a-z0-9_]|%[0-9a-f]{2}|(?:otp|verify|verification|auth|sms)[_\-]?|pass)code|otp(?:_?value)?|pin|thuc)"
    r"(?:\\*[\"']|%(?:25)*22|\\+x22)?[^!-~]*(?:[:=]|%(?:25)*3[ad])"
    rf"|{_PHONE_KEY}{_TO_VALUE}(?:[1-9+%]|0(?:[^35789]|[35789](?:[0-9]{{0,7}}(?:[^0-9]|$)|[0-9]{{8}}[0-9a-f\-])))"
    rf"|{_ID_KEY}{_TO_VALUE}(?:[1-9]|0(?:0[08]|9[7-9]|[0-9]{{8}}(?:[^0-9]|$)|[0-9]{{11}}[a-f\-]))"
    rf"|(?:{_PHONE_KEY}|{_ID_KEY}){_CODED_TO_VALUE}[0-9+%]",
    r"(?:otp|passcode|code is|verification code|thuc)[^0-9\"{}&=_\[\]]*(?:=|\\u00e0|%c3%a0)?[^0-9a-z]*[0-9]{3}"
    r"|thu?(?:[^\x00-\x7f]|%e1|%cc|\\u)",
    r"[0-9][^!-~](?:l(?:a|\\|[^\x00-\x7f])|is|[^\x00-\x7f])",
    r"%(?:25)*(?:2d|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f|u|ef%(?:25)*bc%(?:25)*9)|\\u|\\x3|[^\P{Nd}0-9]",
)
_ZERO, _EIGHTY_FOUR, _LONELY, _KEYED, _OTP, _OTP_BEHIND, _ESCAPED = range(len(_HINTS))


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

# `%70`, `%2570`, `%EF%BC%90`; `%u0070`; `\\u0070`, `\\\\u0070` where JSON holds JSON; `\\x30`
_CODED = re.compile(
    r"%(?:25)*(?:(2d|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f)|ef%(?:25)*bc%(?:25)*9([0-9])|u([0-9a-f]{4}))"
    r"|(\\+)(?:u([0-9a-f]{4})|x(3[0-9]))",
    re.I,
)
_JSON_BLANKS = {"\t": "t", "\n": "n", "\r": "r"}
_BETWEEN_ONE = re.compile(f"[{_BETWEEN}]")
_LAYERS = 8  # of escapes within escapes: more than any program undoes
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_DATE = re.compile(rf"[0-9]{{2}}([{_BETWEEN}])[0-9]{{2}}\1(?:19|20)[0-9]{{2}}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MORE_DIGITS = re.compile(r"[\-./:][0-9]")
_DIGIT_BEFORE = re.compile(r"[0-9][\-.,/:]$")
_DIGITS = re.compile(r"[0-9]+")
_ESCAPE = re.compile(r"%(?:25)*[0-9A-Fa-f]{2}|\\+x[0-9A-Fa-f]{2}")
_HEX = frozenset("0123456789abcdefABCDEF")
_HASH = _HEX | {"-"}


def _hints(line: str) -> Sequence[int]:
    found: list[int] | None = _HINTED.Match(line.encode(errors="surrogatepass"))
    return found or ()


def recognise(line: str) -> tuple[str, list[Span]]:
    """The line with coded letters and digits written plainly, and what is to be masked of that: in order, without overlaps."""
    hints = _hints(line)
    if _ESCAPED in hints:
        line = _decoded(line)
        hints = _hints(line)
    return line, _spans(line, hints) if hints else []


def _decoded(line: str) -> str:
    """The line with letters, digits and separators spelled as `%70`, `%2570` or `\\u0070`, and digits of other scripts, written plainly.

    JSON stays JSON with the same values, except that what only looks like an escape in a text is undone as well.
    """
    for _ in range(_LAYERS):
        if not line.isascii():
            line = _FOREIGN_DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), line)
        before, line = line, _CODED.sub(_plain, line)
        if line == before:
            break
    return line


def _plain(found: re.Match[str]) -> str:
    byte, wide_digit, percent_u, backslashes, json_u, digit = found.groups()
    if wide_digit:
        return str(wide_digit)
    letter = chr(int(byte or percent_u or json_u or digit, 16))
    if letter == '"' and backslashes:
        return "\\" * (2 * len(backslashes) - 1) + letter  # JSON within JSON: 1, 3, 7 of them
    if percent_u and letter.isascii() and not letter.isalnum():
        return f"%{ord(letter):02X}"
    if backslashes and letter in _JSON_BLANKS:
        return str(backslashes + _JSON_BLANKS[letter])
    plain = (letter.isascii() and letter.isprintable() and letter not in '"\\') or letter.isdecimal()
    return letter if plain or _BETWEEN_ONE.match(letter) else found[0]


def _spans(line: str, hints: Container[int]) -> list[Span]:
    """Secrets go before numbers, these before keyed values, these before codes in text."""
    low = _lowered(line) if _KEYED in hints or _OTP in hints or _OTP_BEHIND in hints else ""
    keyed = _keyed(line, low) if _KEYED in hints else []
    found = [span for span in keyed if span.kind == "secret"]
    if _EIGHTY_FOUR in hints:  # first: in `84%09123...` no number begins behind the percent sign
        for match in _FROM_84.finditer(line):
            start, end = match.span()
            if _is_number(line, start, end):
                plus = _PLUS.search(line, max(0, start - 9), start)
                found.append(Span(plus.start() if plus else start, end, "phone", match[0]))
    if _ZERO in hints:
        for match in _FROM_ZERO.finditer(line):
            start, end = match.span()
            if _is_number(line, start, end):
                found.append(Span(start, end, "phone" if match["phone"] else "cccd", match[0]))
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
    groups = _DIGITS.findall(_ESCAPE.sub(" ", line[start:end]))
    if (
        len(groups) > 1
        and (
            (
                start and line[start - 1].isalnum() and not _ESCAPE.search(line, start - 3, start)
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
    parts_of_hash = (
        right - end + len(groups[-1]),
        start - left + len(groups[0]),
        right - left if len(groups) == 1 else 0,
    )
    if max(parts_of_hash) >= 32:
        return False
    if "-" in line[max(0, start - 25) : end + 25]:
        return not any(m.start() < end and start < m.end() for m in _UUID.finditer(line, max(0, start - 36), end + 36))
    return True


def canonical(kind: str, value: str) -> str:
    """The one spelling of a number: `0912345678`, `+14155550123`, `001203004567`."""
    digits = "".join(_DIGITS.findall(_ESCAPE.sub(" ", value)))
    if kind != "phone":
        return digits
    national = digits.removeprefix("00")
    if national.startswith("84") and len(national) >= 11:
        national = national[2:]
    national = national.removeprefix("0")
    if (len(national) == 9 and national[0] in "35789") or (len(national) == 10 and national[0] == "2"):
        return "0" + national
    return "+" + digits.removeprefix("00")
