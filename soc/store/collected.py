"""What the collector notes beside the events: how far each source has been read, and how each source is doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
            db.executemany(
                # A collector that was just started has seen nothing: what an earlier one saw last still holds.
                "INSERT INTO health VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source_id) DO UPDATE SET "
                "last_event = coalesce(excluded.last_event, last_event), "
                "last_received = coalesce(excluded.last_received, last_received), "
                "records = excluded.records, dead = excluded.dead, rate = excluded.rate, problem = excluded.problem",
                [(h.source_id, h.last_event, h.last_received, h.records, h.dead, h.rate, h.problem) for h in health],
            )

    def health(self) -> Mapping[str, SourceHealth]:
        with self._db.read() as db:
            return {row[0]: SourceHealth(*row) for row in db.execute("SELECT * FROM health")}
