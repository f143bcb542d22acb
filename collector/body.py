"""The body of a push request: its limits, unpacking it, and cutting it into records. Memory is bounded whatever is in it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from collector.base import Record
from collector.lines import MAX_LINE_BYTES, LineCutter

_PART_BYTES = 1 << 20
_PIECE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one request, and of all at once. `array_bytes`: of a JSON array, which has to be in memory as a whole."""

    body_bytes: int = 16 << 20
    unpacked_bytes: int = 64 << 20
    gzip_members: int = 1000
    array_bytes: int = 1 << 20
    line_bytes: int = MAX_LINE_BYTES
    records: int = 200_000
    batch: int = 2000
    at_once: int = 8
    at_once_per_source: int = 2  # so that a slow sender leaves room for the others
    upload_s: float = 60.0


class RefusedError(Exception):
    """The request is answered with this status; the text is for the person who runs the sender."""

    def __init__(self, status: int, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after_s = status, detail, retry_after_s


def parts(body: bytes | bytearray, packed: bool, limits: Limits) -> Iterator[bytes]:
    """The body piece by piece, unpacked. Raises `RefusedError` for gzip that is damaged or too much."""
    if packed:
        yield from _unpack(memoryview(body), limits)
    else:
        view = memoryview(body)
        yield from (bytes(view[at : at + _PART_BYTES]) for at in range(0, len(body), _PART_BYTES))


def lines(text: Iterable[bytes], prefix: str, limits: Limits) -> Iterator[Record]:
    """A record a line, at `<prefix><byte offset>`."""
    cutter = LineCutter(prefix, limits.line_bytes)
    for part in text:
        yield from cutter.feed(part)
    yield from cutter.finish()


def elements(text: Iterable[bytes], prefix: str, limits: Limits) -> Iterator[Record]:
    """A record an element of a JSON array, at `<prefix><number>`. Parsed before it returns, so let one be in here at a time.

    What parsing would make is counted first: a few bytes of JSON can become a hundred times their size in objects.
    """
    array = bytearray()
    for part in text:
        array += part
        if len(array) > limits.array_bytes:
            raise RefusedError(413, f"A JSON array may be {limits.array_bytes} bytes long. Send one object a line.")
    if array.count(b"{") + array.count(b"[") > limits.records + 1:
        raise RefusedError(
            413, f"More than {limits.records} objects and lists in a JSON array. Send one object a line."
        )
    try:
        found = orjson.loads(array)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"The body begins with [ but is no JSON array: {error}") from None
    if len(found) > limits.records:
        raise RefusedError(413, f"More than {limits.records} elements. Send them in parts.")
    try:
        # A copy, as what orjson returns keeps its whole buffer of several KB alive.
        each = [e.encode() if isinstance(e, str) else bytes(memoryview(orjson.dumps(e))) for e in found]
    except orjson.JSONEncodeError:
        raise RefusedError(400, "An element of the JSON array is nested too deeply.") from None
    return (Record(line, f"{prefix}{number}") for number, line in enumerate(each) if line)


def _unpack(body: memoryview, limits: Limits) -> Iterator[bytes]:
    """The parts of a gzip body, of one member or several; a bomb is noticed before it goes off."""
    at = total = members = 0
    while at < len(body):
        members += 1
        if members > limits.gzip_members:
            raise RefusedError(413, f"The gzip body has more than {limits.gzip_members} members. Pack it as one.")
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = body[at : at + _PIECE_BYTES]  # zlib copies what it leaves over, so it is never given much
            try:
                part = member.decompress(piece, _PART_BYTES)
            except zlib.error:
                raise RefusedError(
                    400, "The body is not gzip, or damaged, though Content-Encoding says gzip."
                ) from None
            at += len(piece) - len(member.unconsumed_tail) - len(member.unused_data)
            total += len(part)
            if total > limits.unpacked_bytes:
                raise RefusedError(
                    413, f"The body unpacks to more than {limits.unpacked_bytes} bytes. Send it in parts."
                )
            if part:
                yield part
            elif not piece and not member.eof:
                raise RefusedError(400, "The gzip body is cut short: send the whole of it.")
