"""What is on a list, asked of its file (`rules.lists.pack`), which is mapped.

What is no address is found by 64 bits of its hash, an address by the last block that begins at or before it, and by the blocks around
that one. Finding one takes a microsecond or two.
"""

from __future__ import annotations

import mmap
import socket
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from socket import AF_INET, inet_pton

import orjson

from rules.lists.pack import ALONE, FIRST_LINE, HEADER, LOW, Entry, hash_of, named, packed, path_of
from rules.lists.spelling import LONGEST, asked, packed_address
from soc.errors import ConfigError
from soc.model.indicator import ListType

FOREVER = (1 << 32) - 1  # s since 1970; as 0 in a file
NOT_LISTED = 0
_ROOM = 2 << 20  # bytes of what was asked lately, of each list
_LONGEST_REMEMBERED = 300  # characters
_BESIDE = 100  # bytes that a remembered value takes beside its text
_NEAR = 4096  # bytes that are read on to find an entry


class _Hashed:
    """What is no address, by 64 bits of its hash."""

    def __init__(self, arrays: Mapping[str, memoryview]) -> None:
        self._keys, self._until, self._steps = arrays["keys"], arrays["until"], arrays["steps"]
        self._shift = _shift(self._steps, 64)

    def until(self, entry: str) -> int:
        key = hash_of(entry)
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
        while at != ALONE and at >= 0:
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
        at = bisect_right(self._low, address & LOW, first, last) - 1
        found = []
        while at != ALONE and at >= 0:
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
        self._room = _ROOM

    @classmethod
    def of(cls, kind: ListType, entries: Iterable[Entry]) -> Index:
        """In memory alone."""
        content = packed(kind, entries)
        return cls(named(content), content)

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
        first, _, rest = bytes(whole[:HEADER]).partition(b"\n")
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
                self._remember(text, found)
        return found

    def _remember(self, text: str, until: int) -> None:
        self._room -= sys.getsizeof(text) + _BESIDE
        if self._room < 0:
            self._until.clear()
            self._room = _ROOM
        self._until[text] = until

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
