"""The control database: what people decide. Triage, incidents, sources, accounts and audit, in one file that the API owns.

The command line writes here too, through the same code; SQLite's lock keeps the two apart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from soc.buffer.database import Database
from soc.errors import Conflict, NotFound
from soc.model.account import Account, Role
from soc.model.org import Scope, check_spelling
from soc.model.source import Source, Transport
from soc.store import deliveries, outages, policies, triage
from soc.store.base import AuditEntry, Page
from soc.store.cursor import decode, encode

SCHEMA = (
    """
    CREATE TABLE revision (number INTEGER NOT NULL);
    INSERT INTO revision VALUES (1);
    CREATE TABLE source (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        org TEXT NOT NULL,
        type TEXT NOT NULL,
        transport TEXT NOT NULL,
        places TEXT NOT NULL,
        zone TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        token_hash TEXT UNIQUE
    ) WITHOUT ROWID;
    CREATE TABLE triage (
        alert_id TEXT PRIMARY KEY,
        status TEXT NOT NULL,
        verdict TEXT,
        assignee TEXT,
        version INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        updated_by TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE change (
        id INTEGER PRIMARY KEY,
        alert_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        field TEXT NOT NULL,
        old TEXT,
        new TEXT
    );
    CREATE INDEX change_alert ON change (alert_id, id);
    CREATE TABLE account (
        name TEXT PRIMARY KEY,
        role TEXT NOT NULL,
        orgs TEXT,
        disabled INTEGER NOT NULL,
        password_hash TEXT
    ) WITHOUT ROWID;
    CREATE TABLE api_key (hash TEXT PRIMARY KEY, name TEXT NOT NULL, label TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE session (hash TEXT PRIMARY KEY, name TEXT NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    """,
    policies.SCHEMA,
    """
    ALTER TABLE triage ADD COLUMN incident TEXT;
    ALTER TABLE triage ADD COLUMN snoozed_until INTEGER;
    ALTER TABLE triage ADD COLUMN acknowledged_at INTEGER;
    ALTER TABLE triage ADD COLUMN closed_at INTEGER;
    UPDATE triage SET acknowledged_at = (SELECT min(at) FROM change c WHERE c.alert_id = triage.alert_id
        AND field = 'status' AND new <> 'new'), closed_at = CASE status WHEN 'closed' THEN (SELECT max(at)
        FROM change c WHERE c.alert_id = triage.alert_id AND field = 'status' AND new = 'closed') END;
    CREATE INDEX triage_incident ON triage (incident) WHERE incident IS NOT NULL;
    CREATE TABLE incident (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        orgs TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        updated_by TEXT NOT NULL,
        status TEXT NOT NULL,
        verdict TEXT,
        assignee TEXT,
        version INTEGER NOT NULL,
        merged_into TEXT
    ) WITHOUT ROWID;
    CREATE INDEX incident_created ON incident (created_at, id);
    CREATE TABLE incident_change (
        id INTEGER PRIMARY KEY,
        incident_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        field TEXT NOT NULL,
        old TEXT,
        new TEXT
    );
    CREATE INDEX incident_change_incident ON incident_change (incident_id, id);
    """,
    outages.SCHEMA,
    deliveries.SCHEMA,
    triage.COUNTED,
    deliveries.SENT_SCHEMA,
)
_SOURCE = "SELECT id, name, org, type, transport, places, zone, enabled, created_at FROM source"
_ACCOUNT = "SELECT a.name, a.role, a.orgs, a.disabled FROM account a"


def control_file(data_dir: Path) -> Path:
    return data_dir / "control.db"


def open_control(data_dir: Path) -> Database:
    return Database(control_file(data_dir), SCHEMA)


class SqliteSources:
    """`SourceStore` on SQLite. `clock`: ms since 1970, for the audit."""

    def __init__(self, db: Database, clock: Callable[[], int]) -> None:
        self._db = db
        self._clock = clock

    def revision(self) -> int:
        with self._db.read() as db:
            return int(db.execute("SELECT number FROM revision").fetchone()[0])

    def add(self, source: Source, token_hash: str | None, *, by: str) -> None:
        with self._db.write() as db:
            if db.execute("SELECT 1 FROM source WHERE id = ?", (source.id,)).fetchone():
                raise Conflict(f"there is a source {source.id} already: choose another name")
            check_spelling(source.org, [org for (org,) in db.execute("SELECT DISTINCT org FROM source")])
            db.execute(
                "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (source.id, source.name, source.org, source.type, source.transport, orjson.dumps(source.where).decode(),
                 source.zone, source.enabled, source.created_at, token_hash),
            )  # fmt: skip
            _changed(db, self._clock(), by, "source.add", source.id)

    def get(self, source_id: str, scope: Scope) -> Source:
        with self._db.read() as db:
            row = db.execute(f"{_SOURCE} WHERE id = ?", (source_id,)).fetchone()
        if row is None or not scope.allows(row[2]):
            raise NotFound(f"there is no source {source_id}")
        return _source(row)

    def list(self, scope: Scope) -> list[Source]:
        with self._db.read() as db:
            return [_source(row) for row in db.execute(f"{_SOURCE} ORDER BY id") if scope.allows(row[2])]

    def by_token(self, token_hash: str) -> Source | None:
        with self._db.read() as db:
            row = db.execute(f"{_SOURCE} WHERE token_hash = ? AND enabled", (token_hash,)).fetchone()
        return _source(row) if row else None

    def set_enabled(self, source_id: str, enabled: bool, *, by: str) -> None:
        with self._db.write() as db:
            changed = db.execute("UPDATE source SET enabled = ? WHERE id = ?", (enabled, source_id)).rowcount
            if not changed:
                raise NotFound(f"there is no source {source_id}")
            _changed(db, self._clock(), by, "source.enable" if enabled else "source.disable", source_id)

    def set_token(self, source_id: str, token_hash: str | None, *, by: str) -> None:
        with self._db.write() as db:
            changed = db.execute("UPDATE source SET token_hash = ? WHERE id = ?", (token_hash, source_id)).rowcount
            if not changed:
                raise NotFound(f"there is no source {source_id}")
            _changed(db, self._clock(), by, "source.token" if token_hash else "source.revoke", source_id)


def _changed(db: sqlite3.Connection, at: int, by: str, action: str, target: str) -> None:
    db.execute("UPDATE revision SET number = number + 1")
    db.execute("INSERT INTO audit (at, by, action, target, detail) VALUES (?, ?, ?, ?, '')", (at, by, action, target))


def _source(row: tuple[Any, ...]) -> Source:
    id_, name, org, type_, transport, places, zone, enabled, created_at = row
    return Source(
        id_,
        name,
        org,
        type_,
        Transport(transport),
        tuple(orjson.loads(places)),
        zone,
        bool(enabled),
        created_at,
    )


class SqliteAccounts:
    """`AccountStore` on SQLite. `clock`: ms since 1970, for the audit."""

    def __init__(self, db: Database, clock: Callable[[], int]) -> None:
        self._db = db
        self._clock = clock

    def empty(self) -> bool:
        with self._db.read() as db:
            return db.execute("SELECT 1 FROM account LIMIT 1").fetchone() is None

    def put(self, account: Account, password_hash: str | None, *, by: str) -> None:
        orgs = None if account.scope.orgs is None else orjson.dumps(sorted(account.scope.orgs)).decode()
        with self._db.write() as db:
            db.execute(
                "INSERT INTO account VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET role = excluded.role, "
                "orgs = excluded.orgs, disabled = excluded.disabled, password_hash = coalesce(excluded.password_hash, password_hash)",
                (account.name, account.role, orgs, account.disabled, password_hash),
            )
            if password_hash is not None or account.disabled:
                db.execute("DELETE FROM session WHERE name = ?", (account.name,))
            _changed(db, self._clock(), by, "account.put", account.name)

    def get(self, name: str) -> Account | None:
        return self._one(f"{_ACCOUNT} WHERE a.name = ?", name)

    def list(self) -> list[Account]:
        with self._db.read() as db:
            return [_account(row) for row in db.execute(f"{_ACCOUNT} ORDER BY a.name")]

    def password_hash(self, name: str) -> str | None:
        with self._db.read() as db:
            row = db.execute("SELECT password_hash FROM account WHERE name = ? AND NOT disabled", (name,)).fetchone()
        return row[0] if row else None

    def add_key(self, name: str, key_hash: str, label: str, *, by: str) -> None:
        with self._db.write() as db:
            db.execute("INSERT INTO api_key VALUES (?, ?, ?)", (key_hash, name, label))
            _changed(db, self._clock(), by, "key.add", name)

    def drop_keys(self, name: str, *, by: str) -> int:
        with self._db.write() as db:
            dropped = db.execute("DELETE FROM api_key WHERE name = ?", (name,)).rowcount
            _changed(db, self._clock(), by, "key.drop", name)
        return dropped

    def by_key(self, key_hash: str) -> Account | None:
        return self._one(f"{_ACCOUNT} JOIN api_key k ON k.name = a.name WHERE k.hash = ? AND NOT a.disabled", key_hash)

    def open_session(self, name: str, session_hash: str, *, now: int, expires: int) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM session WHERE expires <= ?", (now,))
            db.execute("INSERT INTO session VALUES (?, ?, ?)", (session_hash, name, expires))

    def by_session(self, session_hash: str, *, now: int) -> Account | None:
        return self._one(
            f"{_ACCOUNT} JOIN session s ON s.name = a.name WHERE s.hash = ? AND s.expires > ? AND NOT a.disabled",
            session_hash,
            now,
        )

    def close_session(self, session_hash: str) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM session WHERE hash = ?", (session_hash,))

    def _one(self, sql: str, *values: object) -> Account | None:
        with self._db.read() as db:
            row = db.execute(sql, values).fetchone()
        return _account(row) if row else None


def _account(row: tuple[str, str, str | None, int]) -> Account:
    name, role, orgs, disabled = row
    return Account(name, Role(role), Scope(None if orgs is None else frozenset(orjson.loads(orgs))), bool(disabled))


class SqliteAudit:
    """`AuditStore` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def record(self, entry: AuditEntry) -> None:
        with self._db.write() as db:
            db.execute(
                "INSERT INTO audit (at, by, action, target, detail) VALUES (?, ?, ?, ?, ?)",
                (entry.at, entry.by, entry.action, entry.target, entry.detail),
            )

    def list(self, *, by: str = "", action: str = "", cursor: str | None = None, limit: int = 50) -> Page[AuditEntry]:
        wanted = [("id < ?", None if cursor is None else decode(cursor)[0]), ("by = ?", by), ("action = ?", action)]
        asked = [(condition, value) for condition, value in wanted if value not in (None, "")]
        where = " AND ".join(condition for condition, _ in asked) or "1"
        sql = f"SELECT id, at, by, action, target, detail FROM audit WHERE {where} ORDER BY id DESC LIMIT ?"
        with self._db.read() as db:
            rows = db.execute(sql, (*(value for _, value in asked), limit + 1)).fetchall()
        found = tuple(AuditEntry(*row[1:]) for row in rows[:limit])
        return Page(found, encode(rows[limit - 1][0], "") if len(rows) > limit else None)
