"""What people decided about alerts, in the control database: one row an alert, and one a line of its history."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

from soc.buffer.database import Database
from soc.model.alert import Change, Decision, Status, Triage, Verdict
from soc.store.decision import decided

# Whose alert it is, of which rule and stage, and when it was raised, so that decisions are counted without looking at every alert,
# also of all organisations together (``), and found in the order of the queue.
COUNTED = """
    ALTER TABLE triage ADD COLUMN org TEXT;
    ALTER TABLE triage ADD COLUMN rule_id TEXT;
    ALTER TABLE triage ADD COLUMN stage TEXT;
    ALTER TABLE triage ADD COLUMN raised_at INTEGER;
    CREATE INDEX triage_unplaced ON triage (alert_id) WHERE org IS NULL;
    CREATE INDEX triage_of_time ON triage (raised_at, alert_id, status, snoozed_until);
    CREATE INDEX triage_of_status ON triage (status, raised_at, alert_id, org, snoozed_until);
    CREATE INDEX triage_of_assignee ON triage (assignee, raised_at, alert_id) WHERE assignee IS NOT NULL;
    CREATE TABLE decided (
        org TEXT NOT NULL,
        rule_id TEXT NOT NULL,
        stage TEXT NOT NULL,
        status TEXT NOT NULL,
        verdict TEXT NOT NULL,
        alerts INTEGER NOT NULL,
        PRIMARY KEY (org, rule_id, stage, status, verdict)
    ) WITHOUT ROWID;
    CREATE TRIGGER triage_counted AFTER INSERT ON triage WHEN NEW.org IS NOT NULL BEGIN
        INSERT INTO decided VALUES (NEW.org, NEW.rule_id, NEW.stage, NEW.status, coalesce(NEW.verdict, ''), 1),
        ('', NEW.rule_id, NEW.stage, NEW.status, coalesce(NEW.verdict, ''), 1)
        ON CONFLICT DO UPDATE SET alerts = alerts + 1; END;
    CREATE TRIGGER triage_discounted AFTER UPDATE ON triage WHEN OLD.org IS NOT NULL BEGIN
        UPDATE decided SET alerts = alerts - 1 WHERE org IN (OLD.org, '') AND rule_id = OLD.rule_id AND stage = OLD.stage
        AND status = OLD.status AND verdict = coalesce(OLD.verdict, ''); END;
    CREATE TRIGGER triage_recounted AFTER UPDATE ON triage WHEN NEW.org IS NOT NULL BEGIN
        INSERT INTO decided VALUES (NEW.org, NEW.rule_id, NEW.stage, NEW.status, coalesce(NEW.verdict, ''), 1),
        ('', NEW.rule_id, NEW.stage, NEW.status, coalesce(NEW.verdict, ''), 1)
        ON CONFLICT DO UPDATE SET alerts = alerts + 1; END;
"""
_PLACE = ("org", "rule_id", "stage", "raised_at")
_AT_ONCE = 1000

STATE = tuple(field.name for field in fields(Triage))  # the columns, in this order

_COLUMNS = (*STATE, *_PLACE)
_WRITE = (
    f"INSERT INTO triage (alert_id, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)}) "
    f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS)}"
)


class SqliteTriage:
    """`TriageStore` on SQLite. `facts`: the detector's database, which is only read."""

    def __init__(self, db: Database, facts: Database) -> None:
        self._db = db
        self._facts = facts

    def change(self, alert_id: str, decision: Decision, *, by: str, now: int) -> Triage:
        place = _place(self._facts, alert_id)
        with self._db.write() as db:
            old = _triage(db, alert_id)
            new, changes = decided(alert_id, old, decision, by=by, now=now)
            if not changes:
                return old
            db.execute(_WRITE, (alert_id, *astuple(new), *place))
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

    def place(self) -> None:
        """An older govsoc did not note whose alerts had been decided on: note it, once. May be interrupted, and goes on then."""
        setting = ", ".join(f"{name} = ?" for name in _PLACE)
        last = ""
        while rows := self._unplaced(last):
            placed = [(*_place(self._facts, alert_id), alert_id) for alert_id in rows]
            with self._db.write() as db:
                db.executemany(f"UPDATE triage SET {setting} WHERE alert_id = ?", placed)
            last = rows[-1]

    def _unplaced(self, after: str) -> list[str]:
        with self._db.read() as db:
            rows = db.execute(
                "SELECT alert_id FROM triage WHERE org IS NULL AND alert_id > ? ORDER BY 1 LIMIT ?", (after, _AT_ONCE)
            )
            return [alert_id for (alert_id,) in rows]


def _place(facts: Database, alert_id: str) -> Sequence[object]:
    """The columns of `_PLACE`; None where there is no such alert."""
    with facts.read() as db:
        row: Sequence[object] | None = db.execute(
            f"SELECT {', '.join(_PLACE)} FROM alert WHERE id = ?", (alert_id,)
        ).fetchone()
    return row or [None] * len(_PLACE)


def _triage(db: sqlite3.Connection, alert_id: str) -> Triage:
    row = db.execute(f"SELECT {', '.join(STATE)} FROM triage WHERE alert_id = ?", (alert_id,)).fetchone()
    return triage_of(row) if row else Triage()


def triage_of(state: Sequence[Any]) -> Triage:
    """The columns of `STATE`."""
    status, verdict, *rest = state
    return Triage(Status(status), Verdict(verdict) if verdict else None, *rest)
