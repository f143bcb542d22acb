"""Lists as they come: a text with one entry a line, CSV, MISP (warninglists, events, attributes) and STIX 2.1 indicators.

What cannot be taken is counted and the first of it named, with its line or its number; it stops nothing.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import orjson

from rules.lists.pack import Entry
from rules.lists.spelling import spelt
from soc.errors import ConfigError
from soc.model.indicator import ListType

NAMED = 20  # faults that are named; the others are counted
MAX_NOTE = 200  # characters
_COMMENT = re.compile(r"(?:^|\s)[#;].*")


class Format(StrEnum):
    TEXT = "text"
    CSV = "csv"
    MISP = "misp"
    STIX = "stix"


class Raw(NamedTuple):
    """An entry as written. `at`: its line, or its number in a JSON file, from 1. `until`: s since 1970, 0: it does not say."""

    at: int
    value: str
    until: int = 0
    note: str = ""


@dataclass(slots=True)
class Reading:
    """`faults`: (line or number, reason) of the first that could not be taken, `bad` of them in all. `others`: of another type."""

    entries: list[Entry] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    bad: int = 0
    others: int = 0

    def miss(self, at: int, reason: str) -> None:
        self.bad += 1
        if len(self.faults) < NAMED:
            self.faults.append((at, reason))


def guess(content: bytes) -> Format:
    """By how it begins; CSV has to be said."""
    if not re.match(rb"\s*(?:\{|\[\s*\{)", content):
        return Format.TEXT
    return Format.STIX if re.search(rb'"type"\s*:\s*"(?:bundle|indicator)"', content[:100_000]) else Format.MISP


def read(
    kind: ListType, content: bytes, format_: Format | None = None, column: str = "", until: int = 0, note: str = ""
) -> Reading:
    """`column`: of a CSV file, by its name or its number from 1. `until`: s since 1970 from which no entry counts any more; 0: that has no
    end. `note`: of entries that have none. Raises `ConfigError` for what is not of the format at all."""
    reading = Reading()
    for raw in _raw(kind, content, format_ or guess(content), column, reading):
        try:
            value = spelt(kind, raw.value)
        except ValueError as error:
            reading.miss(raw.at, str(error))
            continue
        ends = min(raw.until or until, until or raw.until)
        reading.entries.append(Entry(value, ends, (raw.note or note)[:MAX_NOTE]))
    return reading


def _raw(kind: ListType, content: bytes, format_: Format, column: str, reading: Reading) -> Iterable[Raw]:
    if format_ in (Format.TEXT, Format.CSV):
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigError(f"not UTF-8: byte {error.start} cannot be read") from None
        return _lines(kind, text) if format_ is Format.TEXT else _cells(text, column, reading)
    try:
        document = orjson.loads(content)
    except ValueError as error:
        raise ConfigError(f"no JSON: {error}") from None
    return _misp(kind, document, reading) if format_ is Format.MISP else _stix(kind, document, reading)


def _lines(kind: ListType, text: str) -> Iterator[Raw]:
    for number, line in enumerate(text.splitlines(), 1):
        value = line
        if kind is not ListType.TEXT and ("#" in line or ";" in line):
            value = _COMMENT.sub("", line)
        if value.strip() and not value.startswith("#"):
            yield Raw(number, value)


def _cells(text: str, column: str, reading: Reading) -> Iterator[Raw]:
    rows = csv.reader(line for line in text.splitlines(keepends=True))
    place: int | None = int(column) - 1 if column.isdecimal() and int(column) > 0 else None
    try:
        for row in rows:
            if not row or row[0].startswith("#"):
                continue
            if place is None:
                if column not in row:
                    raise ConfigError(f"no column {column!r}: there are {', '.join(row)[:300]}")
                place = row.index(column)
            elif place < len(row):
                yield Raw(rows.line_num, row[place])
            else:
                reading.miss(rows.line_num, f"it has {len(row)} columns")
    except csv.Error as error:
        raise ConfigError(f"line {rows.line_num}: no CSV: {error}") from None


_MISP: Mapping[str, ListType] = {
    **dict.fromkeys(("ip-src", "ip-dst", "ip-src|port", "ip-dst|port"), ListType.IP),
    **dict.fromkeys(("domain", "hostname", "hostname|port", "domain|ip"), ListType.DOMAIN),
    **dict.fromkeys(("md5", "sha1", "sha256", "sha512"), ListType.HASH),
    **dict.fromkeys(("filename|md5", "filename|sha1", "filename|sha256", "filename|sha512"), ListType.HASH),
    **dict.fromkeys(("url", "uri", "link"), ListType.URL),
}


def _misp(kind: ListType, document: object, reading: Reading) -> Iterator[Raw]:
    if isinstance(document, dict) and isinstance(document.get("list"), list):  # a warninglist
        for number, value in enumerate(document["list"], 1):
            if isinstance(value, str):
                yield Raw(number, value)
            else:
                reading.miss(number, "it is no text")
        return
    for number, found in enumerate(_attributes(document, 0), 1):
        type_, value = found.get("type"), found.get("value")
        if not isinstance(value, str):
            reading.miss(number, "it has no value")
        elif kind is not ListType.TEXT and _MISP.get(str(type_)) is not kind:
            reading.others += 1
        else:
            first, _, last = value.partition("|") if "|" in str(type_) else (value, "", "")
            yield Raw(
                number, last if str(type_).startswith("filename|") else first, note=str(found.get("comment") or "")
            )


def _attributes(node: object, depth: int) -> Iterator[Mapping[str, object]]:
    """Of events, objects and responses, however they lie in each other."""
    if depth > 10:
        return
    if isinstance(node, list):
        for one in node:
            yield from _attributes(one, depth + 1)
    elif isinstance(node, dict):
        for name in ("response", "Event", "Object", "Attribute"):
            if name == "Attribute" and isinstance(node.get(name), list):
                yield from (one for one in node[name] if isinstance(one, dict))
            elif name in node:
                yield from _attributes(node[name], depth + 1)


_COMPARISON = re.compile(r"([a-z0-9-]+):([\w.'\"-]+)\s*=\s*'((?:[^'\\]|\\.)*)'")
_STIX: Mapping[str, ListType] = {
    "ipv4-addr": ListType.IP,
    "ipv6-addr": ListType.IP,
    "domain-name": ListType.DOMAIN,
    "url": ListType.URL,
}


def _stix(kind: ListType, document: object, reading: Reading) -> Iterator[Raw]:
    objects = document.get("objects") if isinstance(document, dict) and "objects" in document else [document]
    if not isinstance(objects, list):
        raise ConfigError("no STIX bundle: it has no list of objects")
    for number, one in enumerate(objects, 1):
        if not isinstance(one, dict) or one.get("type") != "indicator" or one.get("revoked") is True:
            continue
        pattern = one.get("pattern")
        if not isinstance(pattern, str) or one.get("pattern_type", "stix") != "stix":
            reading.miss(number, "its pattern is not one of STIX")
            continue
        found = _COMPARISON.findall(pattern)
        if not found or _COMPARISON.sub("", pattern).replace("OR", "").strip("[] \t\n"):
            reading.miss(number, "its pattern asks for more than one of several values")
            continue
        for what, where, value in found:
            if kind is not _kind(what, where):
                reading.others += 1
                continue
            yield Raw(number, re.sub(r"\\(.)", r"\1", value), _until(one), str(one.get("name") or ""))


def _kind(what: str, where: str) -> ListType | None:
    if what == "file" and where.startswith("hashes."):
        return ListType.HASH
    return _STIX.get(what) if where == "value" else None


def _until(indicator: Mapping[str, object]) -> int:
    try:
        return max(1, int(datetime.fromisoformat(str(indicator["valid_until"])).timestamp()))
    except (KeyError, ValueError, OverflowError):
        return 0
