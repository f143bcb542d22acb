"""Policies in the control database: one row a version, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from soc.buffer.database import Database
from soc.errors import NotFound
from soc.model.policy import Policy, PolicyKind
from soc.store.decision import follows

SCHEMA = """
    CREATE TABLE policy (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT,
        by TEXT NOT NULL,
        at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (kind, id, version)
    ) WITHOUT ROWID;
"""
_POLICY = "SELECT kind, id, version, body, by, at, reason FROM policy"
_LATEST = "version = (SELECT max(version) FROM policy p WHERE p.kind = policy.kind AND p.id = policy.id)"


class SqlitePolicies:
    """`PolicyStore` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def revision(self) -> int:
        with self._db.read() as db:
            return int(db.execute("SELECT count(*) FROM policy").fetchone()[0])

    def put(self, policy: Policy) -> None:
        with self._db.write() as db:
            row = db.execute(f"{_POLICY} WHERE kind = ? AND id = ? AND {_LATEST}", (policy.kind, policy.id)).fetchone()
            if not follows(policy_of(row) if row else None, policy):
                return
            db.execute("INSERT INTO policy VALUES (?, ?, ?, ?, ?, ?, ?)", _row(policy))

    def begin(self, policies: Sequence[Policy]) -> int:
        with self._db.write() as db:
            return db.executemany(
                "INSERT INTO policy SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 "
                "WHERE NOT EXISTS (SELECT 1 FROM policy WHERE kind = ?1 AND id = ?2)",
                [_row(policy) for policy in policies if follows(None, policy)],
            ).rowcount

    def get(self, kind: PolicyKind, id_: str) -> Policy:
        with self._db.read() as db:
            row = db.execute(f"{_POLICY} WHERE kind = ? AND id = ? AND {_LATEST}", (kind, id_)).fetchone()
        if row is None:
            raise NotFound(f"there is no {kind} {id_}")
        return policy_of(row)

    def history(self, kind: PolicyKind, id_: str) -> list[Policy]:
        with self._db.read() as db:
            rows = db.execute(f"{_POLICY} WHERE kind = ? AND id = ? ORDER BY version", (kind, id_))
            return [policy_of(row) for row in rows]

    def list(self, kind: PolicyKind) -> list[Policy]:
        with self._db.read() as db:
            rows = db.execute(f"{_POLICY} WHERE kind = ? AND body IS NOT NULL AND {_LATEST} ORDER BY id", (kind,))
            return [policy_of(row) for row in rows]


def _row(policy: Policy) -> tuple[Any, ...]:
    body = None if policy.body is None else orjson.dumps(policy.body).decode()
    return (policy.kind, policy.id, policy.version, body, policy.by, policy.at, policy.reason)


def policy_of(row: tuple[Any, ...]) -> Policy:
    kind, id_, version, body, by, at, reason = row
    return Policy(PolicyKind(kind), id_, version, None if body is None else orjson.loads(body), by, at, reason)
