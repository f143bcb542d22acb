"""Which administrative procedure (thủ tục hành chính) a request is about, by its national code: `1.004194`, `2.000286`.

Portals write it bare, with the agency's suffix (`1.004194.000.00.00.H27`), or with the number of the service that is made of it
(`1.013229.01`, `2.000815.000.00.00.H55.02`). It is the same procedure in all of them: the field holds the national code alone.
Decimals and versions look much the same, so a bare code counts only where something beside it names a procedure.
"""

from __future__ import annotations

import re

FIELD = "govsoc.procedure.code"
_AGENCY = r"\.000\.00\.00\.[A-Za-z][0-9]{2}(?:\.[0-9]{1,3})?"
_WHOLE = re.compile(rf"([1-3]\.[0-9]{{6}})(?:{_AGENCY}|\.[0-9]{{2}})?")
# Told of a target with a dot before `code_in` is asked: most have none. The dot first: it is rare in a target, and the regex engine
# scans for it with memchr.
LIKELY = re.compile(r"\.[0-9]{6}(?![0-9])").search
_CODE = re.compile(
    r"\.[0-9]{6}(?<=[/=_-][1-3].{7})"
    rf"(?P<agency>{_AGENCY})?(?:\.[0-9]{{2}})?(?:\.(?:html?|aspx?|jsp|php))?(?=[/?&;#_-]|\Z)"
)
# ...?MaTTHC=1.013229&MaDVC=1.013229.01, ?ma_thu_tuc=1.001247, ?maThuTuc=2.000815
_NAMED = re.compile(r"thu[-_]?tuc|tthc|ma_?dvc|dich[-_]?vu|procedure|ho[-_]?so", re.I)
_KEY = re.compile(r"[?&;]([A-Za-z_-]{1,40})=\Z")
_KEY_WINDOW = 42
_PLAIN_KEYS = frozenset({"ma", "ma_so", "code", "id"})  # which say nothing alone: ?ma=1.000494 of /thu-tuc/chi-tiet
_ASSETS = frozenset("css eot gif ico jpeg jpg js map mjs png svg ttf webp woff woff2".split())
_MOST = 20  # codes in one target that are looked at


def code_of(value: object) -> str | None:
    """The national code that a whole text is. A number is none: 1.001610 has lost its last digit on the way."""
    found = _WHOLE.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else None


def code_in(target: str) -> str | None:
    """The code of the procedure that a request target is about: a segment of its path, or the begin or end of one beside a hyphen
    (`1.001193-dang-ky-khai-sinh.html`), or a whole value of its query. Of several the first. The host of an absolute URL says nothing."""
    mark = target.find("?")
    query = len(target) if mark < 0 else mark
    path = 0 if target[:1] == "/" else _behind_host(target, query)
    found = _CODE.search(target, path)
    if found is None or target[path:query].rpartition("/")[2].rpartition(".")[2].lower() in _ASSETS:
        return None
    named = _NAMED.search(target, path, query)
    for _ in range(_MOST):
        start = found.start() - 1
        if start < query:
            told = _is_in_path(target, start) and (found["agency"] or (named and named.start() < start))
        else:
            told = _is_value(target, start, found.end()) and (found["agency"] or _key_names(target, start, bool(named)))
        if told:
            return target[start : start + 8]
        found = _CODE.search(target, found.end())
        if found is None:
            break
    return None


def _behind_host(target: str, query: int) -> int:
    """Where the path of an absolute URL begins, or its query where it has none; 0 where the target names no host."""
    scheme = target.find("://", 0, query)
    if scheme < 0:
        return 0
    path = target.find("/", scheme + 3, query)
    return query if path < 0 else path


def _is_in_path(target: str, start: int) -> bool:
    """Whether what starts there begins a segment, or stands behind the hyphen of a word: -1.004194 is a number."""
    before = target[start - 1]
    return before == "/" or (before != "=" and target[start - 2 : start - 1].isalnum())


def _is_value(target: str, start: int, end: int) -> bool:
    return target[start - 1] == "=" and target[end : end + 1] in ("", "&", ";", "#")


def _key_names(target: str, start: int, named: bool) -> bool:
    """Whether the key of the value that starts there says that it is a procedure's code; `named`: the path speaks of procedures."""
    key = _KEY.search(target, max(0, start - _KEY_WINDOW), start)
    if key is None:
        return False
    return _NAMED.search(key[1]) is not None or (named and key[1].lower() in _PLAIN_KEYS)
