"""What one correlation has to come back to, and how many groups it has: kept through keyed get and set alone.

Time is cut into buckets. A group that waits for the watermark is noted in the bucket in which its next instant can be decided; the
pages of a bucket are read once the watermark has passed it. Groups and their bytes are counted by the bucket in which they expire, as the
store forgets them without saying so.
"""

from __future__ import annotations

import orjson

from rules.correlate.state import State

PAGE = 1000  # groups; a page is rewritten while it fills
KEY_BYTES = 12


class Agenda:
    """`width`: ms of a bucket of what is due; `span`: ms, about as long as a group lives. `life`: ms that one lives at most after its last
    event, and what is due after it was due. Call `load` before anything else."""

    def __init__(self, name: str, width: int, span: int) -> None:
        self._name = name
        self.width = width
        self.life = span
        self._life_width = max(span // 32, 60_000)
        self.forget()

    def forget(self) -> None:
        """Drop what is in memory; what is stored is the truth."""
        self._loaded = self._changed = False
        self._due: dict[int, int] = {}  # bucket -> groups on its pages
        self._living: dict[int, int] = {}  # bucket of expiry -> groups
        self._sizes: dict[int, int] = {}  # and their bytes
        self._noted: dict[int, list[bytes]] = {}  # on no page yet
        self.groups = self.bytes = 0

    def load(self, state: State) -> None:
        if self._loaded:
            return
        stored = state.get(self._head)
        if stored:
            due, living, *sizes = orjson.loads(stored)  # an older govsoc did not count bytes
            self._due, self._living, self._sizes = dict(due), dict(living), dict(sizes[0] if sizes else ())
            self.groups, self.bytes = sum(self._living.values()), sum(self._sizes.values())
        self._loaded = True

    # -- what is due

    def bucket(self, ts: int) -> int:
        return ts // self.width

    def note(self, bucket: int, group: bytes) -> None:
        self._noted.setdefault(bucket, []).append(group)
        self._changed = True

    def passed(self, watermark: int) -> list[int]:
        """The buckets that lie wholly before it, oldest first."""
        last = watermark // self.width
        return sorted(bucket for bucket in self._due.keys() | self._noted.keys() if bucket < last)

    def take(self, bucket: int, most: int, state: State) -> list[bytes]:
        """At most so many groups of a bucket, which are off its pages then. What was noted may be there twice, or be due later by now."""
        self._changed = True
        noted = self._noted.pop(bucket, [])
        taken, noted = noted[:most], noted[most:]
        if noted:
            self._noted[bucket] = noted
        while len(taken) < most and (left := self._due.get(bucket, 0)):
            page = (left - 1) // PAGE
            key = self._page(bucket, page)
            stored = state.get(key) or b""
            on_it = [stored[at : at + KEY_BYTES] for at in range(0, len(stored), KEY_BYTES)]
            kept = max(0, len(on_it) - (most - len(taken)))
            taken += on_it[kept:]
            state.set(key, stored[: kept * KEY_BYTES], self._expires(bucket) if kept else 0)
            self._due[bucket] = page * PAGE + kept
            if not self._due[bucket]:
                del self._due[bucket]
        return taken

    # -- how many groups

    def begin(self) -> None:
        """There is one more; `rebook` says where."""
        self.groups += 1

    def rebook(self, old: int, expires: int, before: int, size: int) -> int:
        """A group that was counted in the bucket `old` (-1: in none) expires at another time, or has `size` bytes and not as `before`;
        return the bucket that counts it now."""
        bucket = expires // self._life_width
        self._resize(old, -min(before, self._sizes.get(old, 0)))
        self._resize(bucket, size)
        if bucket == old:
            return bucket
        self._changed = True
        if old >= 0:
            if self._living.get(old):
                self._living[old] -= 1
            else:
                self.groups += 1  # its bucket was given up as expired, and it lives
        self._living[bucket] = self._living.get(bucket, 0) + 1
        return bucket

    def _resize(self, bucket: int, by: int) -> None:
        if by:
            self._changed = True
            self._sizes[bucket] = self._sizes.get(bucket, 0) + by
            self.bytes += by

    def counted_in(self, expires: int) -> int:
        return expires // self._life_width

    def expire(self, watermark: int) -> None:
        """Groups that expire before it are no more."""
        last = watermark // self._life_width
        for bucket in [bucket for bucket in self._living if bucket < last]:
            self.groups -= self._living.pop(bucket)
            self.bytes -= self._sizes.pop(bucket, 0)
            self._changed = True

    # -- storing

    def flush(self, state: State) -> None:
        if not self._changed:
            return
        for bucket, groups in self._noted.items():
            self._write(bucket, groups, state)
        self._noted.clear()
        last = max(map(self._expires, self._due), default=0)
        expires = max([last, *((bucket + 1) * self._life_width for bucket in self._living)])
        state.set(
            self._head,
            orjson.dumps([list(counts.items()) for counts in (self._due, self._living, self._sizes)]),
            expires,
        )
        self._changed = False

    def _write(self, bucket: int, groups: list[bytes], state: State) -> None:
        done = 0
        while done < len(groups):
            page, used = divmod(self._due.get(bucket, 0), PAGE)
            some = groups[done : done + PAGE - used]
            before = state.get(self._page(bucket, page)) or b"" if used else b""
            state.set(self._page(bucket, page), before + b"".join(some), self._expires(bucket))
            self._due[bucket] = self._due.get(bucket, 0) + len(some)
            done += len(some)

    @property
    def _head(self) -> str:
        return f"{self._name}h"

    def _expires(self, bucket: int) -> int:
        return (bucket + 1) * self.width + self.life

    def _page(self, bucket: int, page: int) -> str:
        return f"{self._name}p{bucket}.{page}"
