"""Database: many regular expressions compiled to one machine, by Hyperscan."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import NamedTuple, Protocol

import hyperscan

_FLAGS = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
_BLOCK = hyperscan.HS_MODE_BLOCK


class Blobs(Protocol):
    """Where compiled databases are kept between two starts. What it gives back is what was put in, or None."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class InMemory(dict[str, bytes]):
    """`Blobs` for several engines of one process that have rules in common."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value


class Expression(NamedTuple):
    """`caseless`: whatever the case of ASCII letters. `ascii_only`: for texts that are, which takes far less time to compile."""

    regex: str
    caseless: bool = False
    ascii_only: bool = False

    @property
    def flags(self) -> int:
        flags: int = _FLAGS
        flags |= hyperscan.HS_FLAG_CASELESS if self.caseless else 0
        flags |= 0 if self.ascii_only else hyperscan.HS_FLAG_UTF8
        return flags


class Compiler:
    """Makes the databases of one engine, or takes them from `blobs`, as compiling takes long. Belongs to one thread: so do they."""

    def __init__(self, blobs: Blobs | None = None) -> None:
        self._blobs = blobs

    def databases(self, expressions: Sequence[Expression]) -> list[Database]:
        """One, of the expressions that Hyperscan takes; none where it takes none of them."""
        if not expressions:
            return []
        try:
            made = self._made(expressions)
        except hyperscan.error:
            half = len(expressions) // 2
            if not half:
                return []
            parts = (*self.databases(expressions[:half]), *self.databases(expressions[half:]))
            taken = [one for part in parts for one in part.expressions]
            return [Database(taken, self._made(taken))] if taken else []
        return [Database(expressions, made)]

    def _made(self, expressions: Sequence[Expression]) -> hyperscan.Database:
        key = _key(expressions)
        if self._blobs is not None and (kept := self._blobs.get(key)) is not None:
            try:
                return hyperscan.loadb(kept, mode=_BLOCK)
            except hyperscan.error:  # damaged, or made elsewhere
                pass
        made = hyperscan.Database(mode=_BLOCK)
        made.compile(
            [one.regex.encode() for one in expressions],
            ids=range(len(expressions)),
            flags=[one.flags for one in expressions],
        )
        if self._blobs is not None:
            self._blobs.put(key, hyperscan.dumpb(made))
        return made


class Database:
    """`expressions`: in the order of their numbers. Texts are UTF-8."""

    def __init__(self, expressions: Sequence[Expression], made: hyperscan.Database) -> None:
        self.expressions = expressions
        made.scratch = hyperscan.Scratch(made)
        self._scan = made.scan

    def find(self, text: bytes) -> list[int]:
        """The numbers of the expressions that occur in `text`."""
        found: list[int] = []
        self._scan(text, _note, 0, found)
        return found

    def occurs(self, text: bytes) -> bool:
        """Whether one of them does."""
        try:
            self._scan(text, _stop)
        except hyperscan.ScanTerminated:
            return True
        return False


def _note(number: int, _start: int, _end: int, _flags: int, found: list[int]) -> None:
    found.append(number)


def _stop(*_: object) -> bool:
    return True


def _key(expressions: Sequence[Expression]) -> str:
    """A database runs where it was made: with this version, on this kind of processor."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (version("hyperscan"), platform.machine(), platform.processor(), str(_FLAGS), *map(str, expressions)):
        digest.update(part.encode(errors="surrogatepass") + b"\0")
    return f"hyperscan-{digest.hexdigest()}"
