"""A scorer's state as bytes: plain numbers and arrays, with the version of what they mean and a checksum. Nothing in it is code.

    magic 4 | schema 8 | whole numbers 8 each | floats 8 each | arrays | checksum 8

Floats are kept to the last bit, so that a restart gives the same scores.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, ClassVar, Literal, Protocol, overload

from soc.errors import ConfigError

_MAGIC = b"GSS1"
_LITTLE = sys.byteorder == "little"


class Kept(Protocol):
    """A part of a scorer, and the names of its attributes that make up its state."""

    WHOLE: ClassVar[tuple[str, ...]]
    FLOATS: ClassVar[tuple[str, ...]]
    ARRAYS: ClassVar[tuple[str, ...]]


@overload
def blank(code: Literal["B", "H"], length: int) -> array[int]: ...
@overload
def blank(code: Literal["d", "f"], length: int) -> array[float]: ...
@overload
def blank(code: str, length: int) -> array[Any]: ...
def blank(code: str, length: int) -> array[Any]:
    """So many zeros, and no room for more: arrays that are made of bytes take a tenth more than they need."""
    return array(code, [0]) * length


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=8).digest()


def _schema(parts: Sequence[Kept], version: str) -> bytes:
    said = [version]
    for part in parts:
        arrays = [(name, getattr(part, name).typecode, len(getattr(part, name))) for name in part.ARRAYS]
        said.append(repr((type(part).__name__, part.WHOLE, part.FLOATS, arrays)))
    return _digest("\n".join(said).encode())


def _bytes(values: array[float] | array[int]) -> bytes:
    if not _LITTLE:
        values = values[:]
        values.byteswap()
    return values.tobytes()


def freeze(parts: Sequence[Kept], version: str) -> bytes:
    """The state of these parts. `version` names what the numbers mean: another one cannot be read."""
    body = _MAGIC + _schema(parts, version)
    for part in parts:
        body += struct.pack(f"<{len(part.WHOLE)}q", *(getattr(part, name) for name in part.WHOLE))
        body += struct.pack(f"<{len(part.FLOATS)}d", *(getattr(part, name) for name in part.FLOATS))
        body += b"".join(_bytes(getattr(part, name)) for name in part.ARRAYS)
    return body + _digest(body)


def thaw(parts: Sequence[Kept], version: str, data: bytes) -> None:
    """Give new parts the state that `freeze` wrote. Raises `ConfigError` for anything else, and then leaves them as they were."""
    size = 20 + sum(
        8 * (len(part.WHOLE) + len(part.FLOATS))
        + sum(len(getattr(part, name)) * getattr(part, name).itemsize for name in part.ARRAYS)
        for part in parts
    )
    if data[:4] != _MAGIC or data[4:12] != _schema(parts, version):
        raise ConfigError("the state of a series was written by another version: it has to learn anew")
    if len(data) != size or _digest(data[:-8]) != data[-8:]:
        raise ConfigError("the state of a series is damaged (its checksum differs): it has to learn anew")
    at = 12
    for part in parts:
        for names, code in ((part.WHOLE, "q"), (part.FLOATS, "d")):
            for name, value in zip(names, struct.unpack_from(f"<{len(names)}{code}", data, at), strict=True):
                setattr(part, name, value)
            at += 8 * len(names)
        for name in part.ARRAYS:
            old = getattr(part, name)
            new = blank(old.typecode, len(old))
            memoryview(new).cast("B")[:] = data[at : at + len(old) * old.itemsize]
            if not _LITTLE:
                new.byteswap()
            # What is as at first may be shared by many. By bytes, as -0.0 equals 0.0 and is another.
            if new.tobytes() != old.tobytes():
                setattr(part, name, new)
            at += len(old) * old.itemsize
