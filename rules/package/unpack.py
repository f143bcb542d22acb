"""The rule files of a package: a zip or tar.gz as SigmaHQ releases them, or a folder such as a git checkout.

A package comes from outside, so nothing of it is believed: neither its names nor its sizes. Only rules, licences and the text that says
which release it is are ever read; links are not followed.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from rules.load.folders import is_cases
from rules.read.file import MAX_FILE_BYTES
from soc.errors import ConfigError

MAX_ENTRIES = 200_000  # of all kinds; a checkout of SigmaHQ with its tests and history has 20,000
MAX_RULES = 50_000
MAX_BYTES = 256 << 20  # of what is read; SigmaHQ's rules have 12 MB
MAX_STREAM = 2 << 30  # of a tar's content, most of which is passed over
MAX_HEADERS = (
    4 << 20
)  # of what stands in a tar between the contents of two files, and what of the second is read at once
MAX_PARTS, MAX_NAME = 20, 200

LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
VERSION = "version.txt"

Entry = tuple[PurePosixPath, bytes]


def unpack(source: Path) -> Iterator[Entry]:
    """What counts of the package, as (path in the package, content). Raises ConfigError for one that is broken, hostile or too large."""
    total = rules = 0
    seen: set[str] = set()
    try:
        for path, content in _entries(source):
            if str(path).lower() in seen:
                raise ConfigError(f"{source}: {path} is there twice")
            seen.add(str(path).lower())
            total, rules = total + len(content), rules + is_rule(path)
            if total > MAX_BYTES or rules > MAX_RULES:
                raise ConfigError(f"{source}: more than {MAX_BYTES >> 20} MiB or {MAX_RULES} rule files: too large")
            yield path, content
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ConfigError(f"{source}: not a usable package: {error}") from None
    except OSError as error:
        raise ConfigError(f"{error.filename or source}: cannot be read: {error.strerror or error}") from None


def is_rule(path: PurePosixPath) -> bool:
    return path.suffix in (".yml", ".yaml")


def _fail(error: OSError) -> NoReturn:
    raise error


def _entries(source: Path) -> Iterator[Entry]:
    if source.is_dir():
        return _of_folder(source)
    if zipfile.is_zipfile(source):
        return _of_zip(source)
    if not source.exists():
        raise ConfigError(f"{source}: no such file or folder")
    return _of_tar(source)


def _of_folder(source: Path) -> Iterator[Entry]:
    count = 0
    for folder, folders, files in os.walk(source, onerror=_fail, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            count += 1
            _check_count(source, count)
            file = Path(folder) / name
            path = _wanted(source, file.relative_to(source).as_posix())
            if path is not None and stat.S_ISREG(file.lstat().st_mode):
                with file.open("rb") as stream:
                    yield path, _read(source, path, stream)


def _of_zip(source: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(source) as archive:
        _check_count(source, len(archive.infolist()))
        for info in archive.infolist():
            path = _wanted(source, info.filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if path is not None and not info.is_dir() and kind in (0, stat.S_IFREG):
                with archive.open(info) as stream:
                    yield path, _read(source, path, stream)


def _of_tar(source: Path) -> Iterator[Entry]:
    with source.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = _Bounded(source, gzip.GzipFile(fileobj=file) if packed else file)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for count, member in enumerate(_members(archive, stream)):
                _check_count(source, count)
                path = _wanted(source, member.name)
                if path is not None and member.isreg() and (content := archive.extractfile(member)) is not None:
                    yield path, _read(source, path, content)


def _members(archive: tarfile.TarFile, stream: _Bounded) -> Iterator[tarfile.TarInfo]:
    """One by one. tarfile reads a member's headers whole, however long they call themselves, and remembers all that it has met."""
    while (member := archive.next()) is not None:
        yield member
        archive.members = []  # type: ignore[attr-defined]
        archive.pax_headers = {}
        stream.allow(max(0, archive.offset - stream.position) + MAX_HEADERS)


def _wanted(source: Path, name: str) -> PurePosixPath | None:
    """The path, where it is of use. A package that points outside itself is refused as a whole: no honest one does."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{source}: it has a file named {name[:MAX_NAME]!r}, which is not UTF-8: rename it") from None
    if "\0" in name or "\\" in name or name.startswith("/") or ".." in name.split("/"):
        raise ConfigError(f"{source}: it has a file named {name[:MAX_NAME]!r}, which points outside: refused")
    path = PurePosixPath(name)
    if len(path.parts) > MAX_PARTS or any(len(part.encode()) > MAX_NAME for part in path.parts):
        return None
    if any(part.startswith(".") for part in path.parts):
        return None
    if is_cases(path):
        return None
    named = path.name.upper().startswith(LICENCES) or path.name.lower() == VERSION
    return path if is_rule(path) or named else None


def _read(source: Path, path: PurePosixPath, stream: IO[bytes]) -> bytes:
    content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{source}: {path} is larger than {MAX_FILE_BYTES} bytes")
    return content


def _check_count(source: Path, count: int) -> None:
    if count > MAX_ENTRIES:
        raise ConfigError(f"{source}: more than {MAX_ENTRIES} files: too large")


class _Bounded(io.RawIOBase):
    """A stream that ends with an error where a bomb would go on: at `MAX_STREAM`, and after as many bytes as were allowed last."""

    def __init__(self, source: Path, stream: IO[bytes] | gzip.GzipFile) -> None:
        self.position = 0
        self._source, self._stream, self._allowed = source, stream, MAX_HEADERS

    def readable(self) -> bool:
        return True

    def allow(self, size: int) -> None:
        self._allowed = size

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(size)
        self.position += len(content)
        self._allowed -= len(content)
        if self.position > MAX_STREAM:
            raise ConfigError(f"{self._source}: it unpacks to more than {MAX_STREAM >> 20} MiB: refused")
        if self._allowed < 0:
            raise ConfigError(f"{self._source}: it describes a file in more than {MAX_HEADERS >> 20} MiB: refused")
        return content
