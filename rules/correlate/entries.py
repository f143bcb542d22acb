"""The events of one correlation group: packed records in the order of time.

A record is the event's id (16 bytes, of which the first 6 are its time in ms, so that records sort by time) and what the correlation
needs of the event (`payload`). The same record twice is one.
"""

from __future__ import annotations

from collections.abc import Iterator

ID_BYTES = 16
TIME_BYTES = 6
END_OF_TIME = (1 << 47) - 1  # ms


class Entries:
    """`width`: bytes of a record."""

    __slots__ = ("data", "width")

    def __init__(self, width: int, data: bytes = b"") -> None:
        if len(data) % width:
            raise ValueError("damaged state: a record is cut")
        self.width = width
        self.data = bytearray(data)

    def __len__(self) -> int:
        return len(self.data) // self.width

    def record(self, i: int) -> bytes:
        return bytes(self.data[i * self.width : (i + 1) * self.width])

    def time(self, i: int) -> int:
        at = i * self.width
        return int.from_bytes(self.data[at : at + TIME_BYTES])

    @property
    def newest(self) -> int:
        """The time of the last record; -1 when there is none."""
        at = len(self.data) - self.width
        return int.from_bytes(self.data[at : at + TIME_BYTES]) if at >= 0 else -1

    def after(self, ts: int) -> int:
        """The index of the first record later than `ts`."""
        return self._place(max(ts + 1, 0).to_bytes(TIME_BYTES))

    def add(self, record: bytes) -> int | None:
        """Put a record in its place and return where; None when it is there already."""
        data, width = self.data, self.width
        if not data or record > data[-width:]:
            data += record
            return len(data) // width - 1
        i = self._place(record)
        at = i * width
        if data[at : at + width] == record:
            return None
        data[at:at] = record
        return i

    def drop(self, count: int) -> None:
        """Forget the oldest."""
        del self.data[: count * self.width]

    def between(self, low: int, high: int) -> Iterator[bytes]:
        """The records with low <= index < high."""
        data, width = self.data, self.width
        for at in range(low * width, high * width, width):
            yield bytes(data[at : at + width])

    def of(self, event: bytes) -> Iterator[bytes]:
        """The records of an event."""
        i = self._place(event)
        while (record := self.record(i)).startswith(event):
            yield record
            i += 1

    def _place(self, key: bytes) -> int:
        """The index of the first record that is not less than `key`."""
        data, width, size = self.data, self.width, len(key)
        low, high = 0, len(data) // width
        while low < high:
            middle = (low + high) // 2
            at = middle * width
            if data[at : at + size] < key:
                low = middle + 1
            else:
                high = middle
        return low


def time_of(record: bytes) -> int:
    return int.from_bytes(record[:TIME_BYTES])
