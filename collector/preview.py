"""What a source would make of pasted lines: the format they seem to be of, and every line as it would be stored.

It is parsed and masked by the code that collects. The key is thrown away, so tokens are other ones than later; raw lines are
neither kept nor given back.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from collector.base import Record
from collector.guess import Proposal, propose
from collector.parse.record import to_event, zone_of
from collector.parse.registry import PARSERS, Context, parse_any
from collector.privacy import KEY_BYTES, Masker
from soc.errors import ConfigError, ParseError
from soc.model.calendar import DAY_MS
from soc.model.event import Event, Fields, Stored
from soc.model.source import Source, Transport

NOBODY = "preview"  # the organisation of lines of which nobody says whose they are
MAX_BYTES = 1 << 20
MAX_LINES = 1000
SHOWN_LINES = 20
_SHOWN_CHARS = 4096  # of a value, after masking
_LINE_BYTES = 64 << 10
_AHEAD_MS = 5 * 60_000
_NO_TEXT = 0.1  # of a line's bytes may be control characters
_CONTROLS = bytes({*range(32)} - {9, 27})  # an escape colours the logs of some programs
_BYTE_ORDER = (b"\xff\xfe", b"\xfe\xff")


class Remark(StrEnum):
    """What is to be said of the lines as a whole. The number beside it counts lines, or days where it says so."""

    NOTHING = "nothing"  # no line of text at all
    UTF16 = "utf16"  # no log is read as UTF-16
    BINARY = "binary"  # no text: not shown
    EMPTY = "empty"
    CUT = "cut"  # at 64 KiB
    MORE = "more"  # not looked at
    MIXED = "mixed"  # of another format that is known
    NO_ZONE = "no_zone"  # times that name no zone
    AHEAD = "ahead"  # times in the future
    OLD = "old"  # days since the newest


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it would be stored: `text` is masked; `problem` says why it would be a dead letter. `number` counts from 1."""

    number: int
    text: str
    fields: Fields
    problem: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """`source_type`: what the lines were taken for. `lines`: the first of them. `masked`: kind -> lines that hold it.

    `events` are of all lines looked at, as (line number, event): to try rules on.
    """

    source_type: str
    proposals: tuple[Proposal, ...]
    parsed: int
    unparsed: int
    lines: tuple[Line, ...]
    masked: dict[str, int]
    remarks: dict[Remark, int]
    events: tuple[tuple[int, Event], ...]


def preview(
    data: bytes,
    now_ms: int,
    *,
    source_type: str | None = None,
    zone: str = "Asia/Ho_Chi_Minh",
    org: str = NOBODY,
    shown: int = SHOWN_LINES,
    more: int = 0,
) -> Preview:
    """Look at 1 MiB and 1,000 lines of `data`, at most. `source_type`: None takes the likeliest. `org`: whose events these would be.
    `more`: lines left out before.

    Raises `ConfigError` for an unknown type or zone; nothing for any data.
    """
    if source_type is not None and source_type not in PARSERS:
        raise ConfigError(f"there is no source type {source_type!r}: choose one of {', '.join(sorted(PARSERS))}")
    zone_of(zone)
    remarks: Counter[Remark] = Counter({Remark.MORE: more})
    lines = _lines(data, remarks)
    masker = Masker(secrets.token_bytes(KEY_BYTES))
    masked = [masker.mask(line.decode("utf-8", "backslashreplace")).text for _, line in lines]
    proposals = propose(masked, zone, now_ms)
    chosen = source_type or (proposals[0].source_type if proposals else "syslog")
    source = Source("preview", "preview", org, chosen, Transport.PUSH, zone=zone)
    events = _events(lines, source, masker, now_ms)
    elsewhere = replace(source, zone="UTC" if zone != "UTC" else "+07:00")
    _remark(events, _events(lines, elsewhere, masker, now_ms), now_ms, remarks)
    dead = sum(event.dead for _, event in events)
    return Preview(
        chosen,
        tuple(proposals),
        len(events) - dead,
        dead,
        tuple(_line(number, event) for number, event in events[:shown]),
        dict(Counter(kind for _, event in events for kind in _kinds(event))),
        {remark: count for remark, count in remarks.items() if count},
        tuple(events),
    )


def _lines(data: bytes, remarks: Counter[Remark]) -> list[tuple[int, bytes]]:
    """The lines of text to look at, with their numbers."""
    head = data[:MAX_BYTES]
    if len(data) > MAX_BYTES and b"\n" in head:
        head = head[: head.rindex(b"\n") + 1]
    if head[:2] in _BYTE_ORDER or _every_second_is_nul(head):
        remarks[Remark.UTF16] = remarks[Remark.NOTHING] = 1
        return []
    raw = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not raw[-1]:
        raw.pop()
    remarks[Remark.MORE] += max(0, len(raw) - MAX_LINES) + data.count(b"\n", len(head))
    found = []
    for number, line in enumerate(raw[:MAX_LINES], 1):
        line = line.rstrip(b"\r")
        if not line.strip():
            remarks[Remark.EMPTY] += 1
        elif _is_binary(line):
            remarks[Remark.BINARY] += 1
        else:
            remarks[Remark.CUT] += len(line) > _LINE_BYTES
            found.append((number, line[:_LINE_BYTES]))
    remarks[Remark.NOTHING] = not found
    return found


def _every_second_is_nul(head: bytes) -> bool:
    """UTF-16 of a log that forgot its byte order mark."""
    half = len(head[:4096]) // 2
    nuls = sorted((head[: 2 * half : 2].count(0), head[1 : 2 * half : 2].count(0)))
    return half > 4 and nuls[0] < 0.1 * half and nuls[1] > 0.4 * half


def _is_binary(line: bytes) -> bool:
    odd = len(line) - len(line.translate(None, _CONTROLS))
    odd += line.decode("utf-8", "replace").count("\ufffd")
    return b"\0" in line or odd > _NO_TEXT * len(line)


def _events(lines: Sequence[tuple[int, bytes]], source: Source, masker: Masker, now_ms: int) -> list[tuple[int, Event]]:
    return [
        (number, Stored.of(to_event(Record(line, str(number)), source, masker, now_ms)).event) for number, line in lines
    ]


def _remark(
    events: Sequence[tuple[int, Event]],
    elsewhere: Sequence[tuple[int, Event]],
    now_ms: int,
    remarks: Counter[Remark],
) -> None:
    """`elsewhere`: the same in another zone; a time that is another there names no zone."""
    times = [event.ts for _, event in events if event.ts]
    remarks[Remark.NO_ZONE] = sum(
        bool(here.ts and there.ts and here.ts != there.ts)
        for (_, here), (_, there) in zip(events, elsewhere, strict=True)
    )
    remarks[Remark.AHEAD] = sum(ts > now_ms + _AHEAD_MS for ts in times)
    if times:
        remarks[Remark.OLD] = max(0, now_ms - max(times)) // DAY_MS
    context = Context(zone_of("UTC"), now_ms)
    remarks[Remark.MIXED] = sum(event.dead and _is_known(event, context) for _, event in events)


def _is_known(event: Event, context: Context) -> bool:
    try:
        parse_any(str(event.fields.get("event.original", "")), context)
    except ParseError:
        return False
    return True


def _line(number: int, event: Event) -> Line:
    fields = {name: _cut(value) if isinstance(value, str) else value for name, value in event.fields.items()}
    text = str(fields.pop("event.original", ""))
    problem = str(fields.get("error.message", "")) if event.dead else None
    for name in ("event.id", "organization.id", "govsoc.source.id"):  # of the preview, not of the line
        fields.pop(name, None)
    return Line(number, text, fields, problem)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + " … [cut]"


def _kinds(event: Event) -> list[str]:
    kinds = event.fields.get("govsoc.privacy.kinds")
    return [str(kind) for kind in kinds] if isinstance(kinds, list) else []
