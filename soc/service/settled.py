"""Files that people edit: whether they have changed, and the change is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

Stamp = tuple[str, int, int]  # path, ns of the last write, bytes


def stamps(path: Path) -> Iterator[Stamp]:
    """Of a file, or of all YAML files below a folder. What cannot be looked at has -1 bytes."""
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


class Settled:
    """Looks at folders now and then. A change counts once it has stayed the same for one look more: editors and copies write in steps."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._read = self._seen = frozenset[Stamp]()

    def read(self) -> None:
        """They are about to be read, as they are now."""
        self._read = self._seen = self._look()

    def changed(self) -> bool:
        """Whether they are others than when they were read, and no more are being written."""
        before, self._seen = self._seen, self._look()
        return self._seen == before != self._read

    def _look(self) -> frozenset[Stamp]:
        return frozenset(stamp for folder in self._folders for stamp in stamps(folder))
