"""Cache: what is costly to compile, kept on disk by key. Never trusted, never needed: whatever is wrong with it, it is made anew.

One SQLite file in a folder that is closed to others. Each value carries a checksum over key and value, so what is damaged or was
edited counts as not there; who can forge the checksum could as well edit the rules. Values must be plain data that whoever reads
them checks: nothing here is ever executed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from types import TracebackType

MAX_BYTES = 256 << 20  # of all values; the longest unused go first
MAX_VALUE = 64 << 20
UNUSED_DAYS = 30  # kept for so long after it was last asked for
_HELD = 32 << 20  # bytes put and not yet written
_DAY_S = 86_400
_WAIT_S = 2.0  # for another process that writes
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS blobs (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, checksum BLOB NOT NULL, size INTEGER NOT NULL, used_day INTEGER NOT NULL
    ) STRICT
"""
# The file itself is of no use: not a database, damaged, or with other tables than ours.
_LASTING = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}


class Cache:
    """`get` and `put` never raise: a cache that cannot be used is empty, forgets, and says why in `trouble`.

    Belongs to one thread. Written by `close` (or at the end of `with`), in one transaction.
    """

    def __init__(self, folder: Path, now_s: Callable[[], float] = time.time) -> None:
        self.trouble: str | None = None
        self._path = folder / "compiled.sqlite"
        self._day = int(now_s() // _DAY_S)
        self._db: sqlite3.Connection | None = None
        self._tried = False
        self._new: dict[str, bytes] = {}
        self._held = 0
        self._touched: list[str] = []  # asked for, today for the first time

    def get(self, key: str) -> bytes | None:
        """The value last put under this key, if it is still there and whole."""
        if key in self._new:
            return self._new[key]
        db = self._open()
        if db is None:
            return None
        try:
            row = db.execute("SELECT value, checksum, used_day FROM blobs WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        if row is None:
            return None
        value, checksum, used_day = row
        if not isinstance(value, bytes) or checksum != _checksum(key, value):
            return None
        if used_day != self._day:
            self._touched.append(key)
        return value

    def put(self, key: str, value: bytes) -> None:
        if len(value) > MAX_VALUE:
            return
        self._new[key] = value
        self._held += len(value)
        if self._held > _HELD:
            self._write()

    def close(self) -> None:
        """Write what was put, and drop what has long been of no use or is too much."""
        self._write()
        if self._db is not None:
            self._db.close()
            self._db = None

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        if not self._new and not self._touched:
            return
        new, self._new, self._held = self._new, {}, 0
        db = self._open()
        if db is None:
            return
        rows = [(key, value, _checksum(key, value), len(value), self._day) for key, value in new.items()]
        try:
            with db:
                db.executemany("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?)", rows)
                db.executemany("UPDATE blobs SET used_day = ? WHERE key = ?", [(self._day, k) for k in self._touched])
                self._tidy(db)
        except sqlite3.Error as error:
            self._give_up(error)
        self._touched = []

    def _tidy(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM blobs WHERE used_day < ? OR used_day > ?", (self._day - UNUSED_DAYS, self._day))
        (total,) = db.execute("SELECT ifnull(sum(size), 0) FROM blobs").fetchone()
        over = total - MAX_BYTES
        if over <= 0:
            return
        for key, size in db.execute("SELECT key, size FROM blobs ORDER BY used_day, rowid").fetchall():
            db.execute("DELETE FROM blobs WHERE key = ?", (key,))
            over -= size
            if over <= 0:
                break

    def _open(self) -> sqlite3.Connection | None:
        if self._tried:
            return self._db
        self._tried = True
        try:
            _own(self._path.parent)
            self._db = self._connected()
        except OSError as error:
            self._give_up(error)
        except sqlite3.Error as error:
            self._give_up(error)
            if not self._path.exists():  # it was thrown away
                try:
                    self._db, self.trouble = self._connected(), None
                except sqlite3.Error as again:
                    self._give_up(again)
        return self._db

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_WAIT_S)
        try:
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute(_SCHEMA)
            db.execute("SELECT key, value, checksum, size, used_day FROM blobs LIMIT 1").fetchone()
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _give_up(self, error: Exception) -> None:
        """Do without, this time; a file that will never be of use is not in the way of the next."""
        self.trouble = f"{self._path}: {error}"
        if self._db is not None:
            self._db.close()
            self._db = None
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _LASTING:
            try:
                self._path.unlink()
            except OSError:
                return


def user_folder() -> Path:
    """Where the programs of one person keep what can be made anew. Raises RuntimeError for who has no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "govsoc"


def _own(folder: Path) -> None:
    """Raises OSError unless the folder is there, ours, and closed to others."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    state = folder.stat()
    if state.st_uid != os.geteuid():
        raise PermissionError("the folder belongs to somebody else")
    if state.st_mode & 0o077:
        folder.chmod(0o700)


def _checksum(key: str, value: bytes) -> bytes:
    return blake2b(value, digest_size=16, key=blake2b(key.encode(), digest_size=32).digest()).digest()
