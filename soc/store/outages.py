"""Silences of sources in the control database: one row each."""

from __future__ import annotations

from typing import Any

import orjson

from soc.buffer.database import Database
from soc.model.org import Scope
from soc.model.silence import Outage

SCHEMA = """
    CREATE TABLE outage (
        id TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        org TEXT NOT NULL,
        since INTEGER NOT NULL,
        noticed_at INTEGER NOT NULL,
        blind TEXT NOT NULL,
        cleared_at INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX outage_cleared ON outage (cleared_at);
"""
_OUTAGE = "SELECT id, source, org, since, noticed_at, blind, cleared_at FROM outage"


class SqliteOutages:
    """`OutageStore` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def open(self, outage: Outage) -> bool:
        blind = orjson.dumps(outage.blind).decode()
        with self._db.write() as db:
            changed = db.execute(
                "INSERT INTO outage VALUES (?, ?, ?, ?, ?, ?, NULL) "
                "ON CONFLICT (id) DO UPDATE SET cleared_at = NULL WHERE cleared_at IS NOT NULL",
                (outage.id, outage.source, outage.org, outage.since, outage.noticed_at, blind),
            )
            return changed.rowcount > 0

    def clear(self, outage_id: str, at: int) -> bool:
        with self._db.write() as db:
            sql = "UPDATE outage SET cleared_at = ? WHERE id = ? AND cleared_at IS NULL"
            return db.execute(sql, (at, outage_id)).rowcount > 0

    def list(self, scope: Scope, *, since: int) -> list[Outage]:
        sql = f"{_OUTAGE} WHERE cleared_at IS NULL OR cleared_at >= ? ORDER BY noticed_at DESC, id"
        with self._db.read() as db:
            return [outage_of(row) for row in db.execute(sql, (since,)) if scope.allows(row[2])]

    def drop(self, before: int) -> int:
        with self._db.write() as db:
            return db.execute("DELETE FROM outage WHERE cleared_at < ?", (before,)).rowcount


def outage_of(row: tuple[Any, ...]) -> Outage:
    id_, source, org, since, noticed_at, blind, cleared_at = row
    return Outage(id_, source, org, since, noticed_at, tuple(orjson.loads(blind)), cleared_at)
