"""Whether files that people write have changed: by their names, times and sizes, without reading them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

Stamp = tuple[str, int, int]  # path, ns of the last write, bytes


def stamps_of(path: Path) -> Iterator[Stamp]:
    """Of a YAML file, or of those in a folder at any depth. One that cannot be looked at has a stamp, too."""
    try:
        files = path.rglob("*.y*ml") if path.is_dir() else [path]
    except OSError:
        files = [path]
    for file in files:
        try:
            known = file.stat()
        except OSError:
            yield str(file), 0, -1
            continue
        yield str(file), known.st_mtime_ns, known.st_size


class Files:
    """Looks at folders now and then. A change has to rest for one more look: editors and copies write in steps."""

    def __init__(self, folders: Iterable[Path], every_s: float) -> None:
        self._folders, self._every_s = tuple(folders), every_s
        self._read = self._seen = self._now()
        self._due_at = time.monotonic() + every_s

    def changed(self) -> bool:
        """Whether they are others than when this was true last, or than at the start."""
        if time.monotonic() < self._due_at:
            return False
        self._due_at = time.monotonic() + self._every_s
        before, self._seen = self._seen, self._now()
        if self._seen == self._read or self._seen != before:
            return False
        self._read = self._seen
        return True

    def _now(self) -> frozenset[Stamp]:
        return frozenset(stamp for folder in self._folders for stamp in stamps_of(folder))
