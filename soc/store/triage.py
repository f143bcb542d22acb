"""What people decided about alerts, in the control database: one row an alert, and one a line of its history."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

from soc.buffer.database import Database
from soc.model.alert import Change, Decision, Status, Triage, Verdict
from soc.store.decision import decided

STATE = tuple(field.name for field in fields(Triage))  # the columns, in this order


class SqliteTriage:
    """`TriageStore` on SQLite."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def change(self, alert_id: str, decision: Decision, *, by: str, now: int) -> Triage:
        with self._db.write() as db:
            old = _triage(db, alert_id)
            new, changes = decided(alert_id, old, decision, by=by, now=now)
            if not changes:
                return old
            db.execute(
                f"REPLACE INTO triage (alert_id, {', '.join(STATE)}) VALUES (?{', ?' * len(STATE)})",
                (alert_id, *astuple(new)),
            )
            db.executemany(
                "INSERT INTO change (alert_id, at, by, field, old, new) VALUES (?, ?, ?, ?, ?, ?)",
                map(astuple, changes),
            )
        return new

    def history(self, alert_id: str) -> list[Change]:
        with self._db.read() as db:
            rows = db.execute(
                "SELECT alert_id, at, by, field, old, new FROM change WHERE alert_id = ? ORDER BY id", (alert_id,)
            )
            return [Change(*row) for row in rows]


def _triage(db: sqlite3.Connection, alert_id: str) -> Triage:
    row = db.execute(f"SELECT {', '.join(STATE)} FROM triage WHERE alert_id = ?", (alert_id,)).fetchone()
    return triage_of(row) if row else Triage()


def triage_of(state: Sequence[Any]) -> Triage:
    """The columns of `STATE`."""
    status, verdict, *rest = state
    return Triage(Status(status), Verdict(verdict) if verdict else None, *rest)
