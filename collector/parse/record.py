"""The way of one record: bytes -> text -> masked line -> ECS event, or a dead letter that says why not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from collector.base import Record
from collector.parse.registry import Context, Parser, parser_of
from collector.parse.time import FIRST_MS, LAST_MS, iso_time
from collector.privacy import Masked, Masker
from collector.walk import LEAST
from soc.errors import ConfigError, ParseError
from soc.model.calendar import DAY_MS
from soc.model.event import PIPELINE_ERROR, Event, Fields, Scalar, event_id
from soc.model.source import Source, Transport

EARLIEST_MS = 946_684_800_000  # 2000-01-01: what claims to be older is a clock that was never set
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?([0-5]\d)?")
_VOUCHED = {"lgsp-call"}  # the platform has checked who calls
_DECODED = {"url.path", "url.query", "url.extension"}  # from their percent-encoding


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """`Asia/Ho_Chi_Minh`, `UTC`, `+07:00` or `+0700`. Raises `ConfigError`."""
    try:
        if offset := _OFFSET.fullmatch(name):
            ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
            return timezone(-ahead if offset[1] == "-" else ahead)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"time zone {name!r} is unknown: use a name such as Asia/Ho_Chi_Minh or an offset such as +07:00"
        ) from error


@lru_cache(maxsize=256)  # records arrive in batches that share their time
def _context(zone: str, now_ms: int) -> Context:
    return Context(zone_of(zone), now_ms)


def to_event(record: Record, source: Source, masker: Masker, now_ms: int, parser: Parser | None = None) -> Event:
    """The event of one record; a dead letter where it cannot be parsed. Never raises for any bytes. Fields that
    cannot be written as JSON, which no parser should make, are found where they are written: see `Stored.of`.

    A function of the record and its source; `now_ms` decides only on the year of times without one and on times in the future, and
    only `govsoc.subject.walk` on what the masker has seen before.
    `parser` stands in for the one of the source's type.
    """
    text = record.line.decode("utf-8", "backslashreplace")
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    masked = masker.mask(text.rstrip("\r\n"))
    try:
        return _read(record, masked, source, masker, now_ms, parser)
    except Exception as error:  # noqa: BLE001 - one record must never stop the others
        return _event(record, source, masked, 0, {}, f"parser failed: {type(error).__name__}")


def _read(record: Record, masked: Masked, source: Source, masker: Masker, now_ms: int, parser: Parser | None) -> Event:
    fields, problem = _parse(masked, source, now_ms, parser)
    claimed = fields.get("@timestamp")
    ts = claimed if isinstance(claimed, int) else 0
    if problem is None and not EARLIEST_MS <= ts <= now_ms + DAY_MS:
        problem = (
            "implausible time: before 2000-01-01"
            if ts < EARLIEST_MS
            else "implausible time: more than a day ahead of the clock"
        )
        fields["event.created"] = iso_time(now_ms)
        if not FIRST_MS <= ts <= LAST_MS:
            del fields["@timestamp"]
            claimed = None
    if masked.ids and (length := _walk(fields, masked, masker)) >= LEAST:
        fields["govsoc.subject.walk"] = length
    if "\\" in masked.text:
        _mask_again(fields, masker, [*fields])
    elif "%" in masked.text:
        _mask_again(fields, masker, fields.keys() & _DECODED)
    if isinstance(claimed, int):
        fields["@timestamp"] = iso_time(claimed)
    return _event(record, source, masked, ts, fields, problem)


def _parse(masked: Masked, source: Source, now_ms: int, parser: Parser | None) -> tuple[Fields, str | None]:
    """The fields, and the reason where the line could not be parsed."""
    if not masked.text.strip():
        return {}, "the line is empty"
    try:
        chosen = parser or parser_of(source.type, by_syslog=source.transport is Transport.SYSLOG)
        if chosen is None:
            return {}, "the source's type is unknown"
        return chosen(masked.text, _context(source.zone, now_ms)), None
    except (ParseError, ConfigError) as error:
        return {}, str(error)


def _walk(fields: Fields, masked: Masked, masker: Masker) -> int:
    """How many citizen ids in a row the account has asked for with this record; 0 where none is asked for. Names are what the client
    says, another one each time if it likes, but where the source vouches for them: elsewhere it is the address that asks."""
    names = [str(fields[key]) for key in ("user.id", "user.name") if fields.get(key)]
    address = [str(fields["source.ip"])] if fields.get("source.ip") else []
    account = next(iter(names + address if fields.get("event.action") in _VOUCHED else address + names), "")
    asked = masked.ids.get(str(fields.get("govsoc.lgsp.subject")))
    if asked is None:
        asked = next((id_ for token, id_ in masked.ids.items() if token not in names), None)
    return masker.walk(account, asked) if account and asked else 0


def _mask_again(fields: Fields, masker: Masker, keys: Iterable[str]) -> None:
    """What a parser decoded may show what the line hid."""
    facts: Fields = {}

    def mask(value: Scalar) -> Scalar:
        if not isinstance(value, str):
            return value
        again = masker.mask(value)
        facts.update(again.facts)
        return again.text

    for key in keys:
        value = fields.get(key)
        fields[key] = [mask(item) for item in value] if isinstance(value, list) else mask(value)
    for name, fact in facts.items():
        fields.setdefault(name, fact)


def _event(record: Record, source: Source, masked: Masked, ts: int, fields: Fields, problem: str | None) -> Event:
    """`problem`: why it is a dead letter, which has no time."""
    if problem is not None:
        fields["event.kind"] = PIPELINE_ERROR
        fields["error.message"] = problem
        ts = 0
    if record.note:
        fields["error.message"] = f"{problem}; {record.note}" if problem else record.note
    identity = event_id(ts, source.id, record.position, masked.kind_text)
    dataset = fields.setdefault("event.dataset", source.type)
    if masked.facts:
        fields.update(masked.facts)
    fields["event.original"] = masked.text
    fields["event.id"] = identity
    fields["organization.id"] = source.org
    fields["govsoc.source.id"] = source.id
    return Event(identity, ts, source.org, str(dataset), fields)
