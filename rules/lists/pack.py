"""A list as one file that is made once and never changed: sorted arrays, which processes map and share, then its entries as text.

What is no address is kept by 64 bits of its hash, addresses as blocks in the order of their first ones. A million entries are 12 to 13
bytes each (IPv6: 25), and 2 MiB say in which /24 there is any.

    line 1    what it is
    line 2    a JSON object: type, number of entries, and where each array begins
    arrays    each at a multiple of 8 bytes
    text      an entry a line, as JSON: [entry, until, note]
"""

from __future__ import annotations

import mmap
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import orjson

from rules.lists.spelling import block
from soc.errors import ConfigError
from soc.model.indicator import MAX_ENTRIES, ListType

FIRST_LINE = b"govsoc list 1\n"
HEADER = 4096  # bytes
ALONE = (1 << 32) - 1  # of a block: none is around it


class Entry(NamedTuple):
    """`value`: as `spelt` gives it. `until`: s since 1970 from which it does not count any more; 0: it has no end."""

    value: str
    until: int = 0
    note: str = ""


def packed(kind: ListType, entries: Iterable[Entry]) -> bytes:
    """What is in the file of a list. Of two entries of one value the last counts. Raises `ConfigError` when there are too many."""
    unique = {entry.value: entry for entry in entries}
    if len(unique) > MAX_ENTRIES:
        raise ConfigError(f"{len(unique):,} entries are too many for one list; at most {MAX_ENTRIES:,} are allowed")
    known = sorted(unique.values())
    sections = _addresses(known) if kind is ListType.IP else _hashed(known)
    depths = {entry.value.count(".") for entry in known if entry.value.startswith(".")}
    text = b"".join(orjson.dumps(list(entry)) + b"\n" for entry in known)
    return _put_together(kind, len(known), sorted(depths if kind is ListType.DOMAIN else ()), sections, text)


def write(folder: Path, content: bytes) -> str:
    """Keep what `packed` made, in a file that is named by its hash, and return the name."""
    name = named(content)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{name}.{os.getpid()}"
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path_of(folder, name))
    return name


def path_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.list"


def named(content: bytes | mmap.mmap) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _put_together(
    kind: ListType, count: int, depths: Sequence[int], sections: dict[str, array[int]], text: bytes
) -> bytes:
    at, places, parts = HEADER, {}, []
    for name, values in sections.items():
        data = values.tobytes()
        places[name] = [values.typecode, at, len(data)]
        data += b"\0" * (-len(data) % 8)
        parts.append(data)
        at += len(data)
    header = FIRST_LINE + orjson.dumps(
        {"type": kind, "entries": count, "depths": depths, "arrays": places, "text": at, "size": at + len(text)}
    )
    return b"".join([header.ljust(HEADER - 1) + b"\n", *parts, text])


def _hashed(entries: Sequence[Entry]) -> dict[str, array[int]]:
    found = sorted((hash_of(entry.value), entry.until) for entry in entries)
    keys = array("Q", (key for key, _ in found))
    return {"keys": keys, "until": array("I", (until for _, until in found)), "steps": _steps(keys, 64)}


def _addresses(entries: Sequence[Entry]) -> dict[str, array[int]]:
    blocks = [(*block(entry.value), entry.until) for entry in entries]
    four = _nested([one[1:] for one in blocks if one[0] == 4], 32)
    six = _nested([one[1:] for one in blocks if one[0] == 6], 128)
    starts = array("I", (start for start, *_ in four))
    return {
        "four": starts,
        "four_bits": array("B", (bits for _, bits, _, _ in four)),
        "four_until": array("I", (until for _, _, until, _ in four)),
        "four_outer": array("I", (around for *_, around in four)),
        "steps": _steps(starts, 32),
        "near": _near([(start, bits) for start, bits, *_ in four]),
        "six_high": array("Q", (start >> 64 for start, *_ in six)),
        "six_low": array("Q", (start & LOW for start, *_ in six)),
        "six_bits": array("B", (bits for _, bits, _, _ in six)),
        "six_until": array("I", (until for _, _, until, _ in six)),
        "six_outer": array("I", (around for *_, around in six)),
    }


LOW = (1 << 64) - 1


def _nested(blocks: list[tuple[int, int, int]], width: int) -> list[tuple[int, int, int, int]]:
    """(start, bits, until, number of the narrowest block around it) in order of their starts, wide ones first."""
    out: list[tuple[int, int, int, int]] = []
    open_: list[tuple[int, int]] = []  # (end, number) of blocks around the next one
    for number, (start, bits, until) in enumerate(sorted(blocks)):
        while open_ and open_[-1][0] < start:
            open_.pop()
        out.append((start, bits, until, open_[-1][1] if open_ else ALONE))
        if bits < width:
            open_.append((start + (1 << (width - bits)) - 1, number))
    return out


def _steps(keys: array[int], width: int) -> array[int]:
    """Where the keys begin that have each value in their first bits, so that little is left to search."""
    bits = max(0, min(16, len(keys).bit_length() - 2))
    return array("I", (bisect_left(keys, n << (width - bits)) for n in range(1 << bits))) + array("I", [len(keys)])


def _near(blocks: Sequence[tuple[int, int]]) -> array[int]:
    """One bit for each /24 in which there is an entry: most addresses are told by it alone."""
    found = bytearray(1 << 21)
    for start, bits in blocks:
        first = start >> 8
        last = first + (1 << (24 - bits)) - 1 if bits < 24 else first
        while first <= last and (first & 7 or last - first < 7):
            found[first >> 3] |= 1 << (first & 7)
            first += 1
        whole = (last + 1 - first) >> 3 if first <= last else 0
        found[first >> 3 : (first >> 3) + whole] = b"\xff" * whole
        for rest in range(first + (whole << 3), last + 1):
            found[rest >> 3] |= 1 << (rest & 7)
    return array("B", found)


def hash_of(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())
