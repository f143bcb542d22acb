"""Notifications on their way, in the control database: one row a delivery."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, fields, replace
from typing import Any

from soc.buffer.database import Database
from soc.errors import NotFound
from soc.model.delivery import Delivery, DeliveryState
from soc.model.org import Scope
from soc.store.base import Page
from soc.store.cursor import decode, encode

SCHEMA = """
    CREATE TABLE delivery (
        id TEXT PRIMARY KEY,
        route_id TEXT NOT NULL,
        alert_id TEXT NOT NULL,
        org TEXT NOT NULL,
        reason TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        next_at INTEGER NOT NULL,
        give_up_at INTEGER NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        claimed_until INTEGER NOT NULL,
        error TEXT NOT NULL,
        sent_at INTEGER,
        message TEXT NOT NULL,
        version INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX delivery_pending ON delivery (route_id, created_at, id) WHERE state = 'pending';
    CREATE INDEX delivery_sent ON delivery (route_id, sent_at) WHERE state = 'sent';
    CREATE INDEX delivery_listed ON delivery (state, created_at, id);
"""
# Some of what was given up has been sent to a part of its receivers, and counts as a message.
SENT_SCHEMA = """
    DROP INDEX delivery_sent;
    CREATE INDEX delivery_sent ON delivery (route_id, sent_at) WHERE sent_at IS NOT NULL;
"""
COLUMNS = [field.name for field in fields(Delivery)]
_DELIVERY = f"SELECT {', '.join(COLUMNS)} FROM delivery"
_INSERT = f"INSERT OR IGNORE INTO delivery ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_SET = ", ".join(f"{name} = ?" for name in COLUMNS if name != "id")


class SqliteDeliveries:
    """`DeliveryStore` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, deliveries: Sequence[Delivery]) -> int:
        if not deliveries:
            return 0
        with self._db.write() as db:
            return db.executemany(_INSERT, map(astuple, deliveries)).rowcount

    def update(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        if not deliveries:
            return []
        written = []
        with self._db.write() as db:
            for delivery in deliveries:
                new = replace(delivery, version=delivery.version + 1)
                values = (*astuple(new)[1:], delivery.id, delivery.version)
                if db.execute(f"UPDATE delivery SET {_SET} WHERE id = ? AND version = ?", values).rowcount:
                    written.append(new)
        return written

    def get(self, delivery_id: str, scope: Scope) -> Delivery:
        with self._db.read() as db:
            row = db.execute(f"{_DELIVERY} WHERE id = ?", (delivery_id,)).fetchone()
        if row is None or not scope.allows((found := delivery_of(row)).org):
            raise NotFound(f"there is no delivery {delivery_id}")
        return found

    def pending(self, route_id: str, limit: int = 500) -> list[Delivery]:
        sql = f"{_DELIVERY} WHERE state = 'pending' AND route_id = ? ORDER BY created_at, id LIMIT ?"
        with self._db.read() as db:
            return [delivery_of(row) for row in db.execute(sql, (route_id, limit))]

    def list(
        self,
        state: DeliveryState,
        scope: Scope,
        *,
        routes: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Delivery]:
        conditions, values = ["state = ?"], [str(state)]
        for column, wanted in (("org", scope.orgs), ("route_id", routes)):
            if wanted is not None:
                conditions.append(f"{column} IN ({','.join('?' * len(wanted))})")
                values += sorted(wanted)
        bound: tuple[object, ...] = ()
        if cursor is not None:
            conditions.append("(created_at, id) < (?, ?)")
            bound = decode(cursor)
        sql = f"{_DELIVERY} WHERE {' AND '.join(conditions)} ORDER BY created_at DESC, id DESC LIMIT ?"
        with self._db.read() as db:
            rows = db.execute(sql, (*values, *bound, limit + 1)).fetchall()
        found = tuple(map(delivery_of, rows[:limit]))
        return Page(found, encode(found[-1].created_at, found[-1].id) if len(rows) > limit else None)

    def waiting(self) -> Mapping[str, int]:
        with self._db.read() as db:
            return dict(db.execute("SELECT route_id, count(*) FROM delivery WHERE state = 'pending' GROUP BY 1"))

    def messages(self, route_id: str, since: int) -> int:
        sql = "SELECT count(DISTINCT message) FROM delivery WHERE route_id = ? AND sent_at >= ?"
        with self._db.read() as db:
            return int(db.execute(sql, (route_id, since)).fetchone()[0])

    def drop(self, before: int) -> int:
        with self._db.write() as db:
            return db.execute("DELETE FROM delivery WHERE state <> 'pending' AND created_at < ?", (before,)).rowcount


def delivery_of(row: tuple[Any, ...]) -> Delivery:
    values = dict(zip(COLUMNS, row, strict=True))
    return Delivery(**values | {"state": DeliveryState(values["state"])})
