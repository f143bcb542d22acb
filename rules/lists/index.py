"""A list as one file that is made once and never changed: sorted arrays, which processes map and share, then its entries as text.

What is no address is found by 64 bits of its hash, an address by the last block that begins at or before it, and by the blocks around
that one. A million entries are 12 to 13 bytes each (IPv6: 25), and 2 MiB say in which /24 there is any; finding one takes a microsecond
or two.

    line 1    what it is
    line 2    a JSON object: type, number of entries, and where each array begins
    arrays    each at a multiple of 8 bytes
    text      an entry a line, as JSON: [entry, until, note]
"""

from __future__ import annotations

import mmap
import os
import socket
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from socket import AF_INET, inet_pton
from typing import NamedTuple

import orjson

from rules.lists.spelling import LONGEST, asked, block, packed_address
from soc.errors import ConfigError
from soc.model.indicator import MAX_ENTRIES, ListType

FIRST_LINE = b"govsoc list 1\n"
FOREVER = (1 << 32) - 1  # s since 1970; as 0 in a file
NOT_LISTED = 0
_REMEMBERED = 20_000  # values
_LONGEST_REMEMBERED = 300  # characters
_ALONE = (1 << 32) - 1  # of a block: none is around it
_HEADER = 4096
_NEAR = 4096  # bytes that are read on to find an entry


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
    name = _named(content)
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


def _named(content: bytes | mmap.mmap) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _put_together(
    kind: ListType, count: int, depths: Sequence[int], sections: dict[str, array[int]], text: bytes
) -> bytes:
    at, places, parts = _HEADER, {}, []
    for name, values in sections.items():
        data = values.tobytes()
        places[name] = [values.typecode, at, len(data)]
        data += b"\0" * (-len(data) % 8)
        parts.append(data)
        at += len(data)
    header = FIRST_LINE + orjson.dumps(
        {"type": kind, "entries": count, "depths": depths, "arrays": places, "text": at, "size": at + len(text)}
    )
    return b"".join([header.ljust(_HEADER - 1) + b"\n", *parts, text])


def _hashed(entries: Sequence[Entry]) -> dict[str, array[int]]:
    found = sorted((_hash(entry.value), entry.until) for entry in entries)
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
        "six_low": array("Q", (start & _LOW for start, *_ in six)),
        "six_bits": array("B", (bits for _, bits, _, _ in six)),
        "six_until": array("I", (until for _, _, until, _ in six)),
        "six_outer": array("I", (around for *_, around in six)),
    }


_LOW = (1 << 64) - 1


def _nested(blocks: list[tuple[int, int, int]], width: int) -> list[tuple[int, int, int, int]]:
    """(start, bits, until, number of the narrowest block around it) in order of their starts, wide ones first."""
    out: list[tuple[int, int, int, int]] = []
    open_: list[tuple[int, int]] = []  # (end, number) of blocks around the next one
    for number, (start, bits, until) in enumerate(sorted(blocks)):
        while open_ and open_[-1][0] < start:
            open_.pop()
        out.append((start, bits, until, open_[-1][1] if open_ else _ALONE))
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


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


class _Hashed:
    """What is no address, by 64 bits of its hash."""

    def __init__(self, arrays: Mapping[str, memoryview]) -> None:
        self._keys, self._until, self._steps = arrays["keys"], arrays["until"], arrays["steps"]
        self._shift = _shift(self._steps, 64)

    def until(self, entry: str) -> int:
        key = _hash(entry)
        step = key >> self._shift
        at = bisect_left(self._keys, key, self._steps[step], end := self._steps[step + 1])
        return (self._until[at] or FOREVER) if at < end and self._keys[at] == key else NOT_LISTED


class _Four:
    """Blocks of IPv4, in the order of their first addresses."""

    def __init__(self, arrays: Mapping[str, memoryview]) -> None:
        self._starts, self._steps = arrays["four"], arrays["steps"]
        self._bits, self._outer, self.until = arrays["four_bits"], arrays["four_outer"], arrays["four_until"]
        self._shift = _shift(self._steps, 32)

    def around(self, address: int) -> list[int]:
        """The numbers of the blocks that hold an address."""
        step = address >> self._shift
        at = bisect_right(self._starts, address, self._steps[step], self._steps[step + 1]) - 1
        found = []
        while at != _ALONE and at >= 0:
            rest = 32 - self._bits[at]
            if self._starts[at] >> rest == address >> rest:
                found.append(at)
            at = self._outer[at]
        return found

    def written(self, at: int) -> str:
        return _written(self._starts[at], self._bits[at], 32)


class _Six:
    """The same of IPv6. An address is two numbers, as arrays hold none of 128 bits."""

    def __init__(self, arrays: Mapping[str, memoryview]) -> None:
        self._high, self._low = arrays["six_high"], arrays["six_low"]
        self._bits, self._outer, self.until = arrays["six_bits"], arrays["six_outer"], arrays["six_until"]

    def around(self, address: int) -> list[int]:
        high = address >> 64
        first, last = bisect_left(self._high, high), bisect_right(self._high, high)
        at = bisect_right(self._low, address & _LOW, first, last) - 1
        found = []
        while at != _ALONE and at >= 0:
            rest = 128 - self._bits[at]
            if self._start(at) >> rest == address >> rest:
                found.append(at)
            at = self._outer[at]
        return found

    def _start(self, at: int) -> int:
        return int(self._high[at]) << 64 | int(self._low[at])

    def written(self, at: int) -> str:
        return _written(self._start(at), self._bits[at], 128)


def _shift(steps: memoryview, width: int) -> int:
    return width - (len(steps) - 1).bit_length() + 1


def _written(start: int, bits: int, width: int) -> str:
    packed = start.to_bytes(width // 8)
    address = socket.inet_ntop(socket.AF_INET if width == 32 else socket.AF_INET6, packed)
    return address if bits == width else f"{address}/{bits}"


class Index:
    """One list. Any thread may ask it; what was asked lately is remembered."""

    def __init__(self, name: str, content: bytes | mmap.mmap) -> None:
        self.name = name
        self._near: memoryview | None = None
        self._content = content
        self._text = self._arrays()
        self._until: dict[str, int] = {}

    @classmethod
    def of(cls, kind: ListType, entries: Iterable[Entry]) -> Index:
        """In memory alone."""
        content = packed(kind, entries)
        return cls(_named(content), content)

    @classmethod
    def open(cls, folder: Path, name: str) -> Index:
        """Mapped from its file. Raises `ConfigError` for one that is missing or damaged."""
        path = path_of(folder, name)
        try:
            with path.open("rb") as file:
                if _digest(path) != name:
                    raise ConfigError(f"{path}: damaged: import the list again")
                return cls(name, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except FileNotFoundError:
            raise ConfigError(f"{path}: not on this machine: import the list here, too, or share the folder") from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None

    def _arrays(self) -> int:
        whole = memoryview(self._content)
        first, _, rest = bytes(whole[:_HEADER]).partition(b"\n")
        if first + b"\n" != FIRST_LINE:
            raise ConfigError(f"list {self.name}: of another version of govsoc: import it again")
        header = orjson.loads(rest)
        self.type = ListType(header["type"])
        self.entries: int = header["entries"]
        self._depths = frozenset(header["depths"])
        arrays: dict[str, memoryview] = {
            name: whole[at : at + size].cast(kind) for name, (kind, at, size) in header["arrays"].items()
        }
        if self.type is ListType.IP:
            self._four, self._six, self._near = _Four(arrays), _Six(arrays), arrays["near"]
        else:
            self._hashed = _Hashed(arrays)
        return int(header["text"])

    def until(self, text: str) -> int:
        """The time (s since 1970) until which the list holds what this value is; `FOREVER`, or `NOT_LISTED`."""
        if self._near is not None:
            try:
                address = int.from_bytes(inet_pton(AF_INET, text))
            except (OSError, ValueError):
                pass
            else:
                if not self._near[address >> 11] >> (address >> 8 & 7) & 1:
                    return NOT_LISTED
        found = self._until.get(text)
        if found is None and len(text) > LONGEST:
            return NOT_LISTED
        if found is None:
            found = self._unseen(text)
            if len(text) <= _LONGEST_REMEMBERED:
                if len(self._until) >= _REMEMBERED:
                    self._until.clear()
                self._until[text] = found
        return found

    def _unseen(self, text: str) -> int:
        if self.type is not ListType.IP:
            hashed = self._hashed
            return max([hashed.until(entry) for entry in asked(self.type, text, self._depths)], default=NOT_LISTED)
        packed = packed_address(text)
        if packed is None:
            return NOT_LISTED
        blocks = self._four if len(packed) == 4 else self._six
        places = blocks.around(int.from_bytes(packed))
        return max([blocks.until[at] or FOREVER for at in places]) if places else NOT_LISTED

    def find(self, text: str, now: int) -> str | None:
        """The entry that holds at `now` (s) and that this value passes by: of several, the one that is valid longest."""
        found = [(until, entry) for entry, until in self._passed(text) if until > now]
        return max(found)[1] if found else None

    def _passed(self, text: str) -> Iterator[tuple[str, int]]:
        if self.type is not ListType.IP:
            yield from ((entry, self._hashed.until(entry)) for entry in asked(self.type, text, self._depths))
        elif packed := packed_address(text):
            blocks = self._four if len(packed) == 4 else self._six
            for at in blocks.around(int.from_bytes(packed)):
                yield blocks.written(at), blocks.until[at] or FOREVER

    def all(self, start: str = "") -> Iterator[Entry]:
        """Every entry, sorted, from the first on that is not less than `start`."""
        at, size = self._place(start) if start else self._text, len(self._content)
        while at < size:
            entry, at = self._entry(at)
            if entry.value >= start:
                yield entry

    def _entry(self, at: int) -> tuple[Entry, int]:
        """The one whose line begins here, and where the next begins."""
        end = self._content.find(b"\n", at)
        value, until, note = orjson.loads(self._content[at:end])
        return Entry(value, until, note), end + 1

    def _place(self, start: str) -> int:
        """Where a line begins at or before the first that is not less than `start`, and not far from it."""
        low, high = self._text, len(self._content)
        while high - low > _NEAR:
            middle = self._content.find(b"\n", (low + high) // 2) + 1
            if not 0 < middle < high:
                break
            if self._entry(middle)[0].value < start:
                low = middle
            else:
                high = middle
        return low


def _digest(path: Path) -> str:
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
