"""How far a reader of the buffer has come, in a small file of its own, which others may look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from soc.buffer.base import Cursor
from soc.buffer.database import Database

_SCHEMA = ("CREATE TABLE cursor (partition TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;\n",)


def indexer_progress(data_dir: Path) -> Progress:
    """The indexer's, which retention waits for."""
    return Progress(data_dir / "indexer.db")


class Progress:
    """A cursor on disk. Written by its reader alone; raises `StoreUnavailable` and `Busy`."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _SCHEMA)

    def cursor(self) -> Mapping[str, int]:
        """Empty before the first `save`."""
        with self._db.read() as db:
            return dict(db.execute("SELECT partition, position FROM cursor"))

    def save(self, cursor: Cursor) -> None:
        """On disk when it returns; takes the place of the one before."""
        with self._db.write() as db:
            db.execute("DELETE FROM cursor")
            db.executemany("INSERT INTO cursor VALUES (?, ?)", cursor.items())

    def close(self) -> None:
        self._db.close()
