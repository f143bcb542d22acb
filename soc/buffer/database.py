"""One SQLite file: opening, schema versions, transactions, and errors as people can read them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from soc.errors import Busy, StoreUnavailable

_LOCK_WAIT_S = 10.0
_IDLE_CONNECTIONS = 4
_WAL_BYTES = 16 << 20  # measured as the best of 1 to 80 MB


class Database:
    """A pool of connections to one file, safe to use from several threads and processes.

    `migrations` are SQL scripts, applied once each in order (`PRAGMA user_version` counts them). Every commit is on disk when
    `write` returns (WAL with synchronous=FULL). Nothing is opened before the first use.
    """

    def __init__(self, path: Path, migrations: Sequence[str], *, attach: dict[str, Path] | None = None) -> None:
        self.path = path
        self._migrations = migrations
        self._attach = attach or {}
        self._idle: list[sqlite3.Connection] = []
        self._pool = threading.Lock()
        self._writing = threading.Lock()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, rolled back when it raises. Waits for other writers."""
        with self._writing, self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent snapshot for the whole block; never waits for a writer."""
        with self._connection() as db:
            db.execute("BEGIN")
            yield db
            db.execute("COMMIT")

    def row(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of one statement, which is a snapshot by itself: a third of what `read` costs."""
        with self._connection() as db:
            row: tuple[Any, ...] | None = db.execute(statement, values).fetchone()
            return row

    def close(self) -> None:
        with self._pool:
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._pool:
                db = self._idle.pop() if self._idle else None
            db = db or self._open()
        except sqlite3.Error as error:
            raise explain(error, self.path) from error
        try:
            yield db
        except sqlite3.Error as error:
            db.close()  # whatever state it is in, the next user gets a fresh one
            raise explain(error, self.path) from error
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._give_back(db)
            raise
        else:
            self._give_back(db)

    def _give_back(self, db: sqlite3.Connection) -> None:
        with self._pool:
            if len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(db)
                return
        db.close()

    def _open(self) -> sqlite3.Connection:
        db = connect(self.path)
        for name, path in self._attach.items():
            db.execute(f"ATTACH ? AS {name}", (str(path),))
        migrate(db, self._migrations)
        return db


def connect(path: Path, *, page_bytes: int = 4096, cache_bytes: int = 2 << 20) -> sqlite3.Connection:
    """A connection with our settings; the file, in pages of `page_bytes`, and its folder are made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(
        path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    db.execute(f"PRAGMA page_size={page_bytes}")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA wal_autocheckpoint={_WAL_BYTES // page_bytes}")
    db.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
    db.execute(f"PRAGMA cache_size=-{cache_bytes >> 10}")
    return db


def migrate(db: sqlite3.Connection, migrations: Sequence[str]) -> bool:
    """Bring the schema up to date; two processes may try at once. True if there was an older one to bring up to date."""
    if _version(db) == len(migrations):
        return False
    db.execute("BEGIN IMMEDIATE")
    done = _version(db)
    if done > len(migrations):
        db.execute("ROLLBACK")
        raise StoreUnavailable(f"the database was written by a newer govsoc (schema {done}): upgrade this one")
    for script in migrations[done:]:
        for statement in script.split(";\n"):
            if statement.strip():
                db.execute(statement)
    db.execute(f"PRAGMA user_version={len(migrations)}")
    db.execute("COMMIT")
    return 0 < done < len(migrations)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def explain(error: sqlite3.Error, path: Path) -> Busy | StoreUnavailable:
    """SQLite's error as one of ours: what is wrong with which file, and what to do."""
    text = str(error)
    if "disk is full" in text:
        return Busy(f"the disk that holds {path} is full: free some space, then it goes on by itself", retry_after_s=30)
    if "locked" in text or "busy" in text:
        return Busy(f"{path} is locked by another process for more than {_LOCK_WAIT_S:.0f} s")
    if "not a database" in text or "malformed" in text:
        return StoreUnavailable(
            f"{path} is damaged ({text}): stop govsoc, move the file away or restore it from a backup"
        )
    return StoreUnavailable(f"{path}: {text}")
