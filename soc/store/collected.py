"""What the collector notes beside the events: how far each source has been read, and how each source is doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from soc.buffer.database import Database
from soc.model.source import SourceHealth

SCHEMA = (
    """
    CREATE TABLE checkpoint (
        source_id TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (source_id, key)
    ) WITHOUT ROWID;
    CREATE TABLE health (
        source_id TEXT PRIMARY KEY,
        last_event INTEGER,
        last_received INTEGER,
        records INTEGER NOT NULL,
        dead INTEGER NOT NULL,
        rate REAL NOT NULL,
        problem TEXT
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE health ADD COLUMN dead_rate REAL NOT NULL DEFAULT 0;
    ALTER TABLE health ADD COLUMN dead_reason TEXT;
    ALTER TABLE health ADD COLUMN lag_ms INTEGER;
    ALTER TABLE health ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE health ADD COLUMN last_refused INTEGER;
    """,
)
# In the order of the columns, which is that of the fields. A collector that was just started has seen nothing: what an earlier
# one saw last still holds.
_NAMES = [field.name for field in fields(SourceHealth)]
_LAST = ("last_event", "last_received", "dead_reason", "lag_ms", "last_refused")
_REPORT = (
    f"INSERT INTO health VALUES ({', '.join('?' * len(_NAMES))}) ON CONFLICT (source_id) DO UPDATE SET "
    + ", ".join(
        f"{name} = " + (f"coalesce(excluded.{name}, {name})" if name in _LAST else f"excluded.{name}")
        for name in _NAMES[1:]
    )
)


def open_collected(data_dir: Path) -> Database:
    return Database(data_dir / "collector.db", SCHEMA)


class SqliteCheckpoints:
    """`collector.base.Checkpoints` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def load(self, source_id: str) -> Mapping[str, str]:
        with self._db.read() as db:
            return dict(db.execute("SELECT key, value FROM checkpoint WHERE source_id = ?", (source_id,)))

    def save(self, source_id: str, notes: Mapping[str, str | None]) -> None:
        with self._db.write() as db:
            for key, value in notes.items():
                if value is None:
                    db.execute("DELETE FROM checkpoint WHERE source_id = ? AND key = ?", (source_id, key))
                else:
                    db.execute("REPLACE INTO checkpoint VALUES (?, ?, ?)", (source_id, key, value))


class SqliteHealth:
    """`HealthStore` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def report(self, health: Sequence[SourceHealth]) -> None:
        with self._db.write() as db:
            db.executemany(_REPORT, [astuple(state) for state in health])

    def health(self) -> Mapping[str, SourceHealth]:
        with self._db.read() as db:
            rows = db.execute(f"SELECT {', '.join(_NAMES)} FROM health")
            return {row[0]: SourceHealth(*row) for row in rows}
